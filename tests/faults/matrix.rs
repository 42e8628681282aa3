//! The fault matrix: every row of faults in every phase of a run, once and lasting. Each cell's outcome, exit code,
//! message and calls are in one table; the rules are checked against the record of what happened, and the next night's
//! run must correct everything.

use std::fmt::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::exit_code::ExitCode;
use lastgood::simulator::{Call, Effect, Options, Request, Rule};

use crate::checked_world::{CheckedWorld, Ended};
use crate::deeds::Deed;
use crate::fault_list::{self, FaultKind, FaultRow};

const DUE: &str = "2026-11-21T02:30:00Z";

/// How many requests a lasting fault affects.
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
    /// How long after the start of the run.
    comes_after: SignedDuration,
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

/// The phases of an undisturbed run, found by running one: a request that does what the one before it did is the same
/// phase. A new step of the code is a new phase.
async fn phases(row: &FaultRow) -> Vec<Phase> {
    let start: Timestamp = DUE.parse().unwrap();
    // What a row does to every run is not part of the phases.
    let options = if matches!(row.what, FaultKind::Beside(_)) { Options::default() } else { row.options.clone() };
    let (mut checked, policy) = match row.what {
        FaultKind::Midnight => (CheckedWorld::of_days(options, start), CheckedWorld::policy_of_days()),
        _ => (CheckedWorld::new(options), CheckedWorld::policy()),
    };
    let Ended::Run(run, false) = checked.run(policy, start).await else { panic!("nothing disturbs it") };
    assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
    assert_eq!(checked.broken(), []);
    let calls: Vec<Call> = checked.requests().map(call_of).collect();
    let moments = checked.moments();
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
        let comes_after = start.duration_until(moments[index]);
        phases.push(Phase { name: name.to_owned(), skip: index as u64, skip_of_call, call: *call, comes_after });
    }
    phases
}

/// The result of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    outcome: String,
    exit: u8,
    error: String,
    writes: String,
    next: String,
}

fn reported(ended: &Ended) -> (String, ExitCode, String) {
    match ended {
        Ended::NoServers(error) => ("no run".to_owned(), ExitCode::Provider, error.to_string()),
        Ended::NoServer => ("no run".to_owned(), ExitCode::Done, "the server is not in the list".to_owned()),
        Ended::Never => ("never ends".to_owned(), ExitCode::Bug, String::new()),
        Ended::Run(run, late) => {
            let tries = if run.attempts > 1 { format!(" at attempt {}", run.attempts) } else { String::new() };
            let exit = if run.outcome.as_str() == "succeeded" { ExitCode::Done } else { ExitCode::RunFailed };
            let late = if *late { " once it was repaired after six hours" } else { "" };
            (format!("{}{tries}{late}", run.outcome), exit, run.error.clone().unwrap_or_default())
        }
    }
}

/// One run of a row, with these faults or with what the row does in a phase.
async fn cell(row: &FaultRow, rules: Vec<Rule>, phase: Option<&Phase>) -> (Cell, Vec<String>) {
    let (mut checked, policy) = match (&row.what, phase) {
        (FaultKind::Midnight, Some(phase)) => {
            let midnight: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
            let start = midnight - phase.comes_after - SignedDuration::from_millis(1);
            (CheckedWorld::of_days(row.options.clone(), start), CheckedWorld::policy_of_days())
        }
        (FaultKind::Beside(deed), Some(phase)) => {
            (CheckedWorld::new(row.options.clone()).meanwhile(*deed, phase.skip), CheckedWorld::policy())
        }
        _ => (CheckedWorld::new(row.options.clone()), CheckedWorld::policy()),
    };
    let due = checked.sim.clock.now();
    if rules.iter().any(|rule| rule.times == Some(LASTS)) {
        // Nothing can be read or done for as long as that lasts.
        checked.truth.facts.was_unreachable(due, due + SignedDuration::from_hours(24));
    }
    rules.into_iter().for_each(|rule| checked.sim.simulator.add_fault(rule));
    let ended = checked.run(policy.clone(), due).await;
    let (outcome, exit, error) = reported(&ended);
    checked.pay_debts().await;
    let writes = checked.writes();
    let broken = checked.broken();
    let mut wrong: Vec<String> = broken.iter().map(ToString::to_string).collect();
    wrong.extend((outcome == "never ends").then(|| "the run never ends".to_owned()));
    wrong.extend(error.contains("vps_test").then(|| "the token is seen".to_owned()));
    wrong.extend((exit != ExitCode::Done && error.is_empty()).then(|| "it does not say why".to_owned()));
    // The next night the provider works again and the clock is right.
    checked.sim.simulator.clear_faults();
    if let FaultKind::Beside(Deed::ClockBack(seconds)) = row.what {
        checked.put_right(seconds);
    }
    let due = due + SignedDuration::from_hours(48);
    checked.wait_until(due).await;
    let ended = checked.run(policy, due).await;
    let (outcome_of_next, _, error_of_next) = reported(&ended);
    let next = if error_of_next.is_empty() { outcome_of_next } else { format!("{outcome_of_next}: {error_of_next}") };
    wrong.extend(checked.broken().iter().skip(broken.len()).map(|it| format!("the next night: {it}")));
    (Cell { outcome, exit: exit as u8, error, writes, next }, wrong)
}

/// The faults of a row in a phase, each with its word for the table.
fn rules(row: &FaultRow, phase: &Phase) -> Vec<(&'static str, Rule)> {
    match &row.what {
        FaultKind::Any(effect) => {
            let rule = Rule::new(effect.clone()).skip(phase.skip);
            vec![("once", rule.clone().times(1)), ("lasting", rule.times(LASTS))]
        }
        FaultKind::Only(call, effect) if *call == phase.call => {
            let rule = Rule::new(effect.clone()).call(*call).skip(phase.skip_of_call);
            vec![("once", rule.clone().times(1)), ("lasting", rule.times(LASTS))]
        }
        FaultKind::People(acts) => {
            let act = Effect::Meanwhile { acts: acts.clone(), after: false };
            vec![("once", Rule::new(act).skip(phase.skip).times(1))]
        }
        FaultKind::BetweenPages(acts) if phase.call == Call::List => {
            let act = Effect::Meanwhile { acts: acts.clone(), after: false };
            // Five or four points are three or two pages of two.
            let rule = Rule::new(act).call(Call::List).skip(phase.skip_of_call / 3).times(1);
            vec![("once", Rule { query: Some("page=2".to_owned()), ..rule })]
        }
        _ => Vec::new(),
    }
}

/// Everything that goes wrong in a phase, with the word for the table.
fn strikes(row: &FaultRow, phase: &Phase) -> Vec<(&'static str, Vec<Rule>)> {
    match row.what {
        FaultKind::Beside(_) | FaultKind::Midnight => vec![("once", Vec::new())],
        FaultKind::Missing if phase.call == Call::Server => {
            let looked = Rule::new(Effect::status(404)).call(Call::Server).skip(phase.skip_of_call).times(1);
            let listed = Rule::new(Effect::OnlyItems { items: 0 }).call(Call::Servers).skip(1).times(1);
            vec![("once", vec![looked, listed])]
        }
        _ => rules(row, phase).into_iter().map(|(mode, rule)| (mode, vec![rule])).collect(),
    }
}

/// The row of the table, and the broken rules.
async fn play(row: &FaultRow) -> (String, Vec<String>) {
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
    if matches!(row.what, FaultKind::Options) {
        add("always", "all phases", cell(row, Vec::new(), None).await);
    } else {
        for phase in phases(row).await {
            for (mode, rules) in strikes(row, &phase).into_iter().filter(|(mode, _)| !row.once || *mode == "once") {
                add(mode, &phase.name, cell(row, rules, Some(&phase)).await);
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

/// Plays all items on a few threads, each with its own virtual time. The results are in the order of the items.
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
    let rows = fault_list::all();
    let only = std::env::var("ROW").ok();
    // ROW="midnight|token" plays only these rows.
    let is_meant =
        |row: &FaultRow| only.as_ref().is_none_or(|only| only.split('|').any(|word| row.name.contains(word)));
    let rows: Vec<FaultRow> = rows.into_iter().filter(is_meant).collect();
    let played = together(&rows, |row| Box::pin(play(row)));
    let wrong: Vec<&str> = played.iter().flat_map(|(_, wrong)| wrong.iter().map(String::as_str)).collect();
    let table: Vec<&str> = played.iter().map(|(table, _)| table.as_str()).collect();
    if only.is_some() {
        panic!("some rows alone:\n{}\n{}", table.join("\n"), wrong.join("\n"));
    }
    // INSTA_UPDATE=always writes the table even while rules are broken.
    if wrong.is_empty() || std::env::var_os("INSTA_UPDATE").is_some() {
        insta::assert_snapshot!(table.join("\n"));
    }
    assert!(wrong.is_empty(), "{} broken:\n{}", wrong.len(), wrong.join("\n"));
}
