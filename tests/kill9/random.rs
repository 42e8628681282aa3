//! A daemon with policies that are due every second or two, on several servers, against a provider with faults, is
//! killed or asked to stop at random moments and started again. In the end the provider's own record is checked against
//! the rules. The seed is printed; `LASTGOOD_KILL_SEED` replays it and `LASTGOOD_KILLS` says how often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use lastgood::seams::clock::Clock;
use lastgood::simulator::{
    AccountChange, Altered, By, Call, ChangeKind, Effect, Entry, Options, PointFate, PointKind, PointSpec, Rule,
    ServerSpec, Style, What,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::gated_host::{GatedHost, RUNTIME};

const SERVERS: usize = 4;
/// The longest that a daemon runs, in milliseconds.
const LIVES: u64 = 2_500;

/// How the daemon is ended each time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Terminate,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

/// Snapshots fill their slots together with a person's point, so that each run evicts; the second server is stopped
/// for its backups.
fn policies(fast: bool) -> String {
    let [one, two, three] =
        if fast { ["* * * * * *", "*/2 * * * * *", "1-59/2 * * * * *"] } else { ["30 2 29 2 *"; 3] };
    format!(
        r#"[defaults]
retries = 1
retry_after = "0s"
stuck_after = "20s"
[policy.evict]
kind = "snapshot"
servers = ["*"]
schedule = "{one}"
keep = {{ last = 4 }}
[policy.plain]
kind = "backup"
servers = ["*"]
exclude = ["web-server-02"]
schedule = "{two}"
keep = {{ last = 3 }}
[policy.stops]
kind = "backup"
servers = ["web-server-02"]
schedule = "{three}"
keep = {{ last = 2 }}
stop_server = true
"#
    )
}

fn faults() -> Vec<Rule> {
    let reset = |carried_out, call| Rule::new(Effect::Reset { carried_out }).call(call).probability(0.05);
    let fails = Altered { fate: PointFate::Fails, ..Altered::default() };
    // Within `settle`.
    let late = Effect::CreateAs(Altered { list_lag_seconds: Some(0.15), ..Altered::default() });
    vec![
        reset(true, Call::Create),
        reset(false, Call::Create),
        reset(true, Call::Delete),
        reset(false, Call::Delete),
        reset(true, Call::Power),
        reset(false, Call::Power),
        Rule::new(Effect::status(503)).call(Call::Create).probability(0.05),
        Rule::new(Effect::status(500)).call(Call::List).probability(0.02),
        Rule::new(Effect::AnsweredLate { seconds: 1.0 }).call(Call::Create).probability(0.03),
        Rule::new(Effect::CreateAs(fails)).probability(0.05),
        Rule::new(late).probability(0.2),
    ]
}

fn host() -> GatedHost {
    let person = |server: usize| PointSpec {
        name: Some("before-upgrade".to_owned()),
        ..PointSpec::aged(PointKind::Snapshot, &format!("web-server-{server:02}"), 9_999)
    };
    let options = Options {
        servers: ServerSpec::numbered(SERVERS, Style::Integer),
        foreign: (1..=SERVERS).map(person).collect(),
        automatic_backups: 2,
        completion: Duration::from_millis(200),
        completion_spread: Duration::from_millis(300),
        power: Duration::from_millis(150),
        delete: Duration::from_millis(100),
        ..Options::default()
    };
    GatedHost::new(options, &policies(true))
}

/// Ends the daemon again and again, then lets it finish without faults, and checks the record.
fn again_and_again(seed: u64, times: u64, how: impl Fn(&mut StdRng) -> End) {
    println_seed(seed, times);
    let host = host();
    faults().into_iter().for_each(|rule| host.simulator.add_fault(rule));
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..times {
        let daemon = host.start(&["daemon"], None);
        let lives = Duration::from_millis(random.random_range(10..number("LASTGOOD_LIVES", LIVES)));
        RUNTIME.block_on(async { tokio::time::sleep(lives).await });
        match how(&mut random) {
            End::Kill => {
                let (_, said) = daemon.kill();
                assert!(!said.contains("panicked"), "{said}");
            }
            End::Terminate => {
                host.until(|| !host.gate.seen().is_empty());
                let (status, said) = daemon.terminate();
                assert!(status.success(), "seed {seed}: {status}: {said}");
                let stands = |server: &&lastgood::simulator::ServerState| {
                    !["active", "starting"].contains(&server.status.as_str())
                };
                let account = host.simulator.account();
                let standing: Vec<_> = account.servers().iter().filter(stands).collect();
                assert!(standing.is_empty(), "seed {seed}: {standing:#?}: {said}");
            }
        }
    }
    // On a busy machine a daemon may do nothing in a short time; give it a long one.
    let daemon = host.start(&["daemon"], None);
    host.until(|| host.history().len() > 5);
    let (_, said) = daemon.kill();
    assert!(!said.contains("panicked"), "{said}");
    host.simulator.clear_faults();
    host.policies(&policies(false));
    host.settle(None);
    check(&host, &format!("seed {seed}"));
}

#[expect(clippy::print_stdout, reason = "a test that fails shows what it printed: the seed that replays it")]
fn println_seed(seed: u64, times: u64) {
    println!("LASTGOOD_KILL_SEED={seed} LASTGOOD_KILLS={times}");
}

/// What a point's mark says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    server: String,
    policy: String,
    due: String,
}

/// The token and the due time of a point of ours.
fn marked(change: &AccountChange) -> Option<(String, Key)> {
    let text = &change.point.as_ref()?.description;
    let mut words = text.strip_prefix("lg-")?.split(' ');
    let (token, _instance, policy, due) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let key = Key { server: change.server.clone(), policy: policy.to_owned(), due: due.to_owned() };
    Some((token.to_owned(), key))
}

fn check(host: &GatedHost, how: &str) {
    let account = host.simulator.account();
    let history = host.history();
    for change in account.record().changes() {
        let Some(kind) = change.kind else { continue };
        assert!(
            change.used.is_none_or(|used| used <= account.options().slots(kind)),
            "{how}: over the limit: {change:#?}"
        );
        let by_us = change.by == By::Client && change.change == ChangeKind::PointDeleted;
        let ours = change.point.as_ref().is_some_and(|point| point.description.starts_with("lg-"));
        assert!(!by_us || ours, "{how}: a foreign point was deleted: {change:#?}");
    }
    let refused = |entry: &Entry| matches!(&entry.what, What::Request(request) if request.account_status == Some(400));
    if let Some(at) = account.record().entries().iter().position(refused) {
        let before = &account.record().entries()[at.saturating_sub(60)..=at];
        let reported: Vec<String> = before.iter().map(|entry| format!("{entry:?}")).collect();
        panic!("{how}: room first: {}\n{:#?}", reported.join("\n"), history);
    }
    assert!(account.servers().iter().all(|server| server.status == "active"), "{how}: {:#?}", account.servers());
    let people = account.points(PointKind::Snapshot).filter(|point| point.name == "before-upgrade").count();
    assert_eq!(people, SERVERS, "{how}");
    one_point_a_due_time(host, how);
    let unknown: Vec<_> = history.iter().filter(|run| run.summary.outcome.as_str() == "running").collect();
    assert!(unknown.is_empty(), "{how}: {unknown:#?}");
    let mails = host.mails();
    assert_eq!(mails.iter().collect::<BTreeSet<_>>().len(), mails.len(), "{how}: a mail is there twice");
}

fn one_point_a_due_time(host: &GatedHost, how: &str) {
    let (account, history) = (host.simulator.account(), host.history());
    let mut completed: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for change in account.record().changes().filter(|change| change.change == ChangeKind::PointCompleted) {
        if let Some((_, key)) = marked(change) {
            completed.entry(key).or_default().insert(change.id.as_ref().unwrap().to_string());
        }
    }
    let mut due = BTreeMap::new();
    for run in &history {
        let facts = &run.summary;
        let key = Key {
            server: facts.server.name.clone(),
            policy: facts.policy.to_string(),
            due: facts.due.unwrap_or(Timestamp::MIN).to_string(),
        };
        let of_key = completed.get(&key).cloned().unwrap_or_default();
        match facts.outcome.as_str() {
            "succeeded" => {
                let created = facts.created.as_ref().unwrap().to_string();
                assert!(of_key.contains(&created), "{how}: {run:#?} {of_key:?}");
            }
            "failed" | "skipped" => assert!(of_key.is_empty(), "{how}: {run:#?} {of_key:?}"),
            _ => {}
        }
        assert!(due.insert(key, run).is_none(), "{how}: a due time has two runs: {run:#?}");
    }
    for (key, ids) in &completed {
        assert!(due.contains_key(key), "{how}: a point without a run: {key:?} {ids:?}");
        let left = |kind| {
            account
                .points(kind)
                .filter(|point| ids.contains(&point.id.to_string()) && point.description.contains(&key.due))
                .count()
        };
        let kind = if key.policy == "evict" { PointKind::Snapshot } else { PointKind::Backup };
        let alive = left(kind);
        assert!(alive <= 1, "{how}: {alive} points of one due time: {key:?} {ids:?}");
        // A second one exists only after a lost answer, and only until the first is completed.
        assert!(ids.len() <= 2, "{how}: {key:?} {ids:?}");
    }
}

fn seed() -> u64 {
    number("LASTGOOD_KILL_SEED", u64::try_from(Clock::System.now().as_millisecond()).unwrap())
}

#[test]
fn a_daemon_killed_at_random_breaks_no_rule() {
    again_and_again(seed(), number("LASTGOOD_KILLS", 6), |_| End::Kill);
}

#[test]
fn a_daemon_asked_to_end_at_random_ends_well_and_leaves_every_server_started() {
    again_and_again(seed(), number("LASTGOOD_KILLS", 4), |_| End::Terminate);
}
