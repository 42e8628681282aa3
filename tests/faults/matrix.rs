//! The fault matrix: every row of faults in every phase of a run, once and lasting. Each cell's outcome, exit code,
//! message and calls are in one table; the rules are checked against the record of what happened, and the next night's
//! run must put everything right.

use std::fmt::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use lastgood::exit_code::ExitCode;
use lastgood::simulator::{Call, Effect, Options, Request, Rule};

use crate::rows::{self, Row, What};
use crate::scene::{Ended, Scene};

const DUE: &str = "2026-11-21T02:30:00Z";

/// How many requests a fault that lasts strikes.
const LASTS: u64 = 40;

/// A place in a run: the request at which a fault begins.
#[derive(Clone, Debug)]
struct Phase {
    name: String,
    /// Requests of any kind before it.
    skip: u64,
    /// Requests of its own call before it.
    skip_of_call: u64,
    call: Call,
}

fn call_of(request: &Request) -> Call {
    let words: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match (request.method.as_str(), words.as_slice()) {
        ("GET", ["servers"]) => Call::Servers,
        ("GET", ["servers", _]) => Call::Server,
        ("GET", _) => Call::List,
        ("DELETE", _) => Call::Delete,
        ("POST", [_]) => Call::Create,
        _ => Call::Power,
    }
}

/// The phases of an undisturbed run, found by making one: a request that does what the one before it did is the same
/// phase. A new step of the code is a new phase.
async fn phases(options: &Options) -> Vec<Phase> {
    let mut scene = Scene::new(options.clone());
    let Ended::Run(run, false) = scene.run(Scene::policy(), DUE.parse().unwrap()).await else {
        panic!("nothing disturbs it")
    };
    assert_eq!(run.outcome, "succeeded", "{run:?}");
    assert_eq!(scene.broken(), []);
    let calls: Vec<Call> = scene.requests().map(call_of).collect();
    let mut phases: Vec<Phase> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        if index > 0 && calls[index - 1] == *call && *call != Call::Delete {
            continue;
        }
        let before = &calls[..index];
        let deleted = before.iter().filter(|it| **it == Call::Delete).count();
        let done = |what: Call| before.contains(&what);
        let name = match call {
            Call::Servers => "server list",
            Call::Server if !done(Call::Power) => "look at the server",
            Call::Server if !done(Call::Create) && deleted > 0 => "look before the create",
            Call::Server if !done(Call::Create) => "wait for the stop",
            Call::Server if before.last() == Some(&Call::Power) => "wait for the start",
            Call::Server => "look before the start",
            Call::Power if !done(Call::Create) => "stop",
            Call::Power => "start",
            Call::List if !done(Call::Power) => "inventory",
            Call::List if deleted == 0 => "list before the eviction",
            Call::List if !done(Call::Create) => "wait for the delete",
            Call::List if before.last() == Some(&Call::Create) => "wait for completion",
            Call::List if deleted == 1 => "list before the retention deletes",
            Call::List => "confirm",
            Call::Delete if !done(Call::Create) => "eviction",
            Call::Delete if deleted == 1 => "first retention delete",
            Call::Delete => "second retention delete",
            Call::Create => "create",
            _ => "other",
        };
        let skip_of_call = before.iter().filter(|it| *it == call).count() as u64;
        phases.push(Phase { name: name.to_owned(), skip: index as u64, skip_of_call, call: *call });
    }
    phases
}

/// What came of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    outcome: String,
    exit: u8,
    error: String,
    writes: String,
    next: String,
}

fn told(ended: &Ended) -> (String, ExitCode, String) {
    match ended {
        Ended::NoServers(error) => ("no run".to_owned(), ExitCode::Provider, error.to_string()),
        Ended::NoServer => ("no run".to_owned(), ExitCode::Done, "the server is not in the list".to_owned()),
        Ended::Never => ("never ends".to_owned(), ExitCode::Bug, String::new()),
        Ended::Run(run, late) => {
            let tries = if run.attempts > 1 { format!(" at attempt {}", run.attempts) } else { String::new() };
            let exit = if run.outcome == "succeeded" { ExitCode::Done } else { ExitCode::RunFailed };
            let late = if *late { " once it was repaired after six hours" } else { "" };
            (format!("{}{tries}{late}", run.outcome), exit, run.error.clone().unwrap_or_default())
        }
    }
}

async fn cell(options: &Options, rule: Option<Rule>) -> (Cell, Vec<String>) {
    let mut scene = Scene::new(options.clone());
    if let Some(rule) = rule {
        scene.stage.simulator.add_fault(rule);
    }
    let due: Timestamp = DUE.parse().unwrap();
    let ended = scene.run(Scene::policy(), due).await;
    let (outcome, exit, error) = told(&ended);
    let writes = scene.writes();
    let broken = scene.broken();
    let mut wrong: Vec<String> = broken.iter().map(ToString::to_string).collect();
    wrong.extend((outcome == "never ends").then(|| "the run never ends".to_owned()));
    wrong.extend(error.contains("vps_test").then(|| "the token is seen".to_owned()));
    wrong.extend((exit != ExitCode::Done && error.is_empty()).then(|| "it does not say why".to_owned()));
    // The next night nothing is wrong with the provider any more.
    scene.stage.simulator.clear_faults();
    let due = due + SignedDuration::from_hours(48);
    scene.wait_until(due).await;
    let ended = scene.run(Scene::policy(), due).await;
    let (outcome_of_next, _, error_of_next) = told(&ended);
    let next = if error_of_next.is_empty() { outcome_of_next } else { format!("{outcome_of_next}: {error_of_next}") };
    wrong.extend(scene.broken().iter().skip(broken.len()).map(|it| format!("the next night: {it}")));
    (Cell { outcome, exit: exit as u8, error, writes, next }, wrong)
}

/// The rules that a row makes in a phase: with the word for the table.
fn rules(row: &Row, phase: &Phase) -> Vec<(&'static str, Rule)> {
    match &row.what {
        What::Any(effect) => {
            let rule = Rule::new(effect.clone()).skip(phase.skip);
            vec![("once", rule.clone().times(1)), ("lasting", rule.times(LASTS))]
        }
        What::Only(call, effect) if *call == phase.call => {
            let rule = Rule::new(effect.clone()).call(*call).skip(phase.skip_of_call);
            vec![("once", rule.clone().times(1)), ("lasting", rule.times(LASTS))]
        }
        What::People(acts) => {
            let act = Effect::Meanwhile { acts: acts.clone(), after: false };
            vec![("once", Rule::new(act).skip(phase.skip).times(1))]
        }
        What::BetweenPages(acts) if phase.call == Call::List => {
            let act = Effect::Meanwhile { acts: acts.clone(), after: false };
            // Five or four points are three or two pages of two.
            let rule = Rule::new(act).call(Call::List).skip(phase.skip_of_call / 3).times(1);
            vec![("once", Rule { query: Some("page=2".to_owned()), ..rule })]
        }
        What::Only(..) | What::BetweenPages(_) | What::Options => Vec::new(),
    }
}

/// The row of the table, and the broken rules.
async fn play(row: &Row) -> (String, Vec<String>) {
    let mut table = format!("## {}\n", row.name);
    let mut wrong = Vec::new();
    let mut lines: Vec<(&str, Cell, Vec<String>)> = Vec::new();
    let mut add = |mode, name: &str, (cell, broken): (Cell, Vec<String>)| {
        wrong.extend(broken.iter().map(|text| format!("{} / {name} / {mode}: {text}", row.name)));
        match lines.iter_mut().find(|(of, same, _)| *of == mode && *same == cell) {
            Some((.., names)) => names.push(name.to_owned()),
            None => lines.push((mode, cell, vec![name.to_owned()])),
        }
    };
    if matches!(row.what, What::Options) {
        add("always", "all phases", cell(&row.options, None).await);
    } else {
        for phase in phases(&row.options).await {
            for (mode, rule) in rules(row, &phase).into_iter().filter(|(mode, _)| !row.once || *mode == "once") {
                add(mode, &phase.name, cell(&row.options, Some(rule)).await);
            }
        }
    }
    for (mode, cell, names) in lines {
        let Cell { outcome, exit, error, writes, next } = cell;
        let error = if error.is_empty() { String::new() } else { format!("\n    says: {error}") };
        let next = if next == "succeeded" { String::new() } else { format!("\n    next: {next}") };
        let names = names.join(", ");
        writeln!(table, "{mode} | {names}\n    {outcome}, exit {exit}{error}\n    sent: {writes}{next}").unwrap();
    }
    (table, wrong)
}

/// Plays all of them on a few threads, each with a virtual time of its own; the results are in their order.
pub fn together<'a, I: Sync, T: Send>(
    items: &'a [I],
    play: impl Fn(&'a I) -> Pin<Box<dyn Future<Output = T> + 'a>> + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut played = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return played };
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().start_paused(true).build().unwrap();
            played.push((index, runtime.block_on(play(item))));
        }
    };
    let mut played: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    played.sort_by_key(|(index, _)| *index);
    played.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn every_fault_in_every_phase_ends_as_the_table_says_and_breaks_no_rule() {
    let rows = rows::all();
    let only = std::env::var("ROW").ok();
    let rows: Vec<Row> = rows.into_iter().filter(|row| only.as_ref().is_none_or(|only| only == row.name)).collect();
    let played = together(&rows, |row| Box::pin(play(row)));
    let wrong: Vec<&str> = played.iter().flat_map(|(_, wrong)| wrong.iter().map(String::as_str)).collect();
    let table: Vec<&str> = played.iter().map(|(table, _)| table.as_str()).collect();
    if only.is_some() {
        panic!("one row alone:\n{}\n{}", table.join("\n"), wrong.join("\n"));
    }
    assert!(wrong.is_empty(), "{} broken:\n{}", wrong.len(), wrong.join("\n"));
    insta::assert_snapshot!(table.join("\n"));
}
