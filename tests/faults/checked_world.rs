//! One run that goes through every phase: the server is stopped, a point evicted, one created and awaited, the server
//! started, two points pruned. The checker beside it reads what really happened.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::clock::VirtualClock;
use lastgood::seams::journal::summary::RunSummary;
use lastgood::seams::policy::inventory;
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::provider::ProviderError;
use lastgood::seams::run::{RunError, Task, drive, watch_debts};
use lastgood::seams::store::runs::Run;
use lastgood::simulator::{Entry, Options, PersonAction, PointKind, PointSpec, Request, What};
use tokio::time::error::Elapsed;

use crate::deeds::{self, Deed, Done};
use crate::invariants::{CheckedPolicy, Facts, Grain, KeepFacts, ReportedRun, Truth, Violation};
use crate::support::simulated_world::{SimulatedWorld, ours, policy};

/// The server of the run.
pub const SERVER: &str = "web-server-01";

/// After this long the faults end and the server is active again.
const HELP: Duration = Duration::from_secs(6 * 3600);
/// A run that is still going after this much more never ends.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// A simulated world with its checker.
pub struct CheckedWorld {
    pub sim: SimulatedWorld,
    pub truth: Truth,
    entries: Vec<Entry>,
    /// What was done beside the provider, once it was.
    done: Option<Arc<Mutex<Option<Done>>>>,
}

/// How a run ended, or why there was none.
pub enum Ended {
    /// The account's servers could not be read.
    NoServers(ProviderError),
    /// The server is not in the list.
    NoServer,
    /// It ended: by itself, or (`true`) only after the faults did.
    Run(RunSummary, bool),
    /// It would never end.
    Never,
}

impl CheckedWorld {
    /// Five points of ours fill the five slots.
    pub fn new(options: Options) -> Self {
        let foreign = (1..=5).map(|day| ours(PointKind::Snapshot, day)).collect();
        Self::with(
            Options { foreign, ..options },
            CheckedPolicy {
                stop_server: true,
                keep: Some(KeepFacts::only(Grain::Last, 3)),
                ..CheckedPolicy::new(PointKind::Snapshot)
            },
        )
    }

    /// A world for one policy `nightly`.
    pub fn with(options: Options, policy: CheckedPolicy) -> Self {
        let seconds = |seconds: u64| SignedDuration::from_secs(i64::try_from(seconds).unwrap());
        let mut facts = Facts {
            list_lag: seconds(options.list_lag.as_secs()),
            ahead: SignedDuration::from_secs(options.clock_skew_seconds),
            ..Facts::default()
        };
        facts.add("*", "nightly", CheckedPolicy { max_deletes: policy.max_deletes.or(Some(3)), ..policy });
        Self { sim: SimulatedWorld::new(options), truth: Truth::new(facts), entries: Vec::new(), done: None }
    }

    /// The world of the matrix for a policy that counts days: last night's point is of today, since it was created
    /// after midnight. Both clocks begin at `start`.
    pub fn of_days(options: Options, start: Timestamp) -> Self {
        let made = |day: i8| {
            let at: Timestamp = format!("2026-11-{:02}T00:00:30Z", 22 - day).parse().unwrap();
            let days = u32::try_from(day).unwrap();
            PointSpec { created_at: Some(at), age_seconds: 0, ..ours(PointKind::Snapshot, days) }
        };
        let options = Options { foreign: (1..=5).rev().map(made).collect(), ..options };
        let keep = Some(KeepFacts::only(Grain::Daily, 3));
        let facts = CheckedPolicy { stop_server: true, keep, ..CheckedPolicy::new(PointKind::Snapshot) };
        let mut checked = Self::with(Options::default(), facts);
        checked.sim = SimulatedWorld::between(options, VirtualClock::new(start), VirtualClock::new(start));
        checked
    }

    /// The two clocks can differ from now on, and `deed` is done after the request with this number.
    pub fn meanwhile(mut self, deed: Deed, after: u64) -> Self {
        let now = self.sim.clock.now();
        let options = self.sim.simulator.with_account(|account| account.options().clone());
        self.sim = SimulatedWorld::between(options, VirtualClock::new(now), VirtualClock::new(now));
        self.done = Some(deeds::arm(&mut self.sim, deed, after));
        self
    }

    /// The policy of the matrix: keeps three, so that one is evicted and two are pruned.
    pub fn policy() -> Policy {
        Policy { stop_server: true, max_deletes: Some(3), ..policy(inventory::Kind::Snapshot, 3) }
    }

    /// The same for days.
    pub fn policy_of_days() -> Policy {
        let keep = Keep { counts: vec![(KeepRule::Daily, Count::Number(3))], ..Keep::default() };
        Policy { keep, ..Self::policy() }
    }

    /// Pays what is owed to the server, as the daemon does beside its runs: within an hour as things are, otherwise once
    /// the provider works again and the server is active.
    pub async fn pay_debts(&mut self) {
        let world = self.sim.world.clone();
        let watch = tokio::spawn(watch_debts(world.clone()));
        for minute in 0..120 {
            if world.store.debts().await.unwrap().is_empty() {
                break;
            }
            if minute == 60 {
                self.put_provider_right();
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        watch.abort();
        self.feed();
        self.truth.time_passes(self.sim.clock.now());
    }

    fn put_provider_right(&self) {
        self.sim.simulator.clear_faults();
        let active = PersonAction::SetStatus { server: SERVER.into(), status: "active".to_owned() };
        // It may have left the account.
        let _ = self.sim.simulator.act(&active);
    }

    /// Our clock, which was set back, is corrected.
    pub fn put_right(&mut self, seconds: i64) {
        self.feed();
        self.truth.facts.apart = SignedDuration::ZERO;
        self.sim.clock.jump(seconds);
    }

    /// When each request arrived, since the account began.
    pub fn moments(&self) -> Vec<Timestamp> {
        let requests = self.entries.iter().filter(|entry| matches!(entry.what, What::Request(_)));
        requests.map(|entry| entry.at).collect()
    }

    /// The run of a due time, from the server list to its end.
    pub async fn run(&mut self, policy: Policy, due: Timestamp) -> Ended {
        self.feed();
        let servers = match self.sim.world.client.servers().await {
            Ok(servers) => servers.items,
            Err(error) => return Ended::NoServers(error),
        };
        let is_it = |server: &inventory::Server| server.reference.name == SERVER;
        let Some(server) = servers.into_iter().find(is_it) else { return Ended::NoServer };
        let kind = match policy.kind {
            inventory::Kind::Backup => PointKind::Backup,
            inventory::Kind::Snapshot => PointKind::Snapshot,
        };
        let name = policy.name.to_string();
        let task = Task { server, reserve: policy.reserve, policy: policy.into(), others: Vec::new() };
        self.truth.run_began(SERVER, &name);
        let run = self.sim.open(&task, Some(due)).await;
        let (ended, helped) = self.drive(&task, run).await;
        self.feed();
        let summary = match ended {
            Ok(Ok(summary)) => summary,
            Ok(Err(RunError::Store(error))) => panic!("{error}"),
            Ok(Err(RunError::Stopped)) => panic!("nobody has stopped it"),
            Err(_) => {
                self.sim.stop.send_replace(true);
                return Ended::Never;
            }
        };
        self.truth.run_ended(&ReportedRun {
            server: SERVER,
            policy: &name,
            kind,
            outcome: summary.outcome.as_str(),
            created: summary.created.as_ref().map(ToString::to_string),
            deleted: summary.deleted.iter().map(ToString::to_string).collect(),
        });
        Ended::Run(summary, helped)
    }

    /// Drives a run to its end. The faults end when it takes hours.
    async fn drive(&self, task: &Task, run: Run) -> (Result<Result<RunSummary, RunError>, Elapsed>, bool) {
        let mut driven = std::pin::pin!(drive(&self.sim.world, task, run));
        let ended = tokio::time::timeout(HELP, &mut driven).await;
        if ended.is_ok() {
            return (ended, false);
        }
        self.put_provider_right();
        (tokio::time::timeout(LONGEST, &mut driven).await, true)
    }

    /// Gives the checker what has happened since.
    pub fn feed(&mut self) {
        let entries = self.sim.simulator.take_record();
        let done = self.done.as_ref().and_then(|done| done.lock().unwrap().take());
        let before = done.as_ref().map_or(entries.len(), |done| entries.partition_point(|entry| entry.seq <= done.seq));
        self.truth.feed(&entries[..before]);
        if let Some(done) = done {
            self.truth.facts.held.extend(done.held);
            self.truth.facts.apart = SignedDuration::from_secs(done.apart);
        }
        self.truth.feed(&entries[before..]);
        self.entries.extend(entries);
    }

    /// Waits until this moment by the virtual clock.
    pub async fn wait_until(&self, at: Timestamp) {
        let left = self.sim.clock.now().duration_until(at);
        if let Ok(left) = Duration::try_from(left) {
            tokio::time::sleep(left).await;
        }
    }

    /// The broken rules once everything is over.
    pub fn broken(&mut self) -> Vec<Violation> {
        self.feed();
        self.truth.quiet();
        self.truth.violations().to_vec()
    }

    /// Every request so far.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Request(request) => Some(request),
            What::Change(_) => None,
        })
    }

    /// The calls that change something, in a few words: `stop, delete 805, create`.
    pub fn writes(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for word in self.requests().filter_map(write_of) {
            match words.last_mut() {
                Some(last) if last.split(" x").next() == Some(&word) => {
                    let times = last.split_once(" x").map_or(1, |(_, times)| times.parse::<u32>().unwrap());
                    *last = format!("{word} x{}", times + 1);
                }
                _ => words.push(word),
            }
        }
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }
}

fn write_of(request: &Request) -> Option<String> {
    let words: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    Some(match (request.method.as_str(), words.as_slice()) {
        ("POST", [_]) => "create".to_owned(),
        ("DELETE", [_, id]) => format!("delete {}", id.trim_start_matches("b7d1e0aa-52c4-4f0e-9a31-")),
        ("POST", [_, _, "power"]) => request.body["action"].as_str().unwrap_or("power").to_owned(),
        ("GET", _) => return None,
        (method, _) => format!("{method} {}", request.path),
    })
}
