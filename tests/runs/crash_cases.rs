//! The kinds of run that are cut off, and how each must end however often that happens.

use std::time::Duration;

use lastgood::seams::journal::notice::Class;
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::policy::Policy;
use lastgood::simulator::{self, AccountChange, Altered, By, Call, ChangeKind, Effect, Options, PointFate, Rule};

use crate::support::simulated_world::{SimulatedWorld, ours, policy};

pub const DUE: &str = "2026-11-21T02:30:00Z";

/// A kind of run: how it is set up, and how many points it leaves.
pub struct Case {
    pub name: &'static str,
    kind: Kind,
    keep: u32,
    before: u32,
    after: usize,
    pub stop_server: bool,
    /// How long a start or a stop takes.
    pub power: Duration,
    /// How long a point is in progress.
    completion: Duration,
    /// How long a deleted point keeps its slot.
    delete: Duration,
    /// How long a new point is missing from lists.
    list_lag: Duration,
    fault: Option<Rule>,
}

pub fn cases() -> Vec<Case> {
    let plain = plain();
    let fails = Altered { fate: PointFate::Fails, ..Altered::default() };
    let fails = Rule::new(Effect::CreateAs(fails)).times(1);
    let lost = |carried_out| Rule::new(Effect::Reset { carried_out }).times(1);
    let full = || Case { kind: Kind::Snapshot, keep: 5, before: 5, after: 5, name: "evict", ..plain.copy() };
    vec![
        full(),
        Case { name: "stop_server", stop_server: true, kind: Kind::Snapshot, ..plain.copy() },
        Case { name: "evict and stop_server", stop_server: true, ..full() },
        Case { name: "retry", fault: Some(fails.clone()), ..plain.copy() },
        Case { name: "evict and retry", fault: Some(fails), ..full() },
        Case { name: "create lost", fault: Some(lost(true).call(Call::Create)), ..full() },
        Case { name: "create never sent", fault: Some(lost(false).call(Call::Create)), ..full() },
        Case { name: "delete lost", fault: Some(lost(true).call(Call::Delete)), ..full() },
        Case { name: "power lost", stop_server: true, fault: Some(lost(true).call(Call::Power)), ..plain.copy() },
        plain,
    ]
}

/// Cut off only after their writes and requests: their many awaits bring nothing new.
pub fn more_cases() -> Vec<Case> {
    let lost = Rule::new(Effect::Reset { carried_out: true }).times(1).call(Call::Create);
    let full = || Case { kind: Kind::Snapshot, keep: 5, before: 5, after: 5, ..plain() };
    let fails = Altered { fate: PointFate::Fails, ..Altered::default() };
    vec![
        Case { name: "slow delete", delete: Duration::from_secs(9), ..full() },
        Case { name: "slow delete and stop_server", delete: Duration::from_secs(9), stop_server: true, ..full() },
        // Given up by the first attempt, found by the second.
        Case { name: "listed late", list_lag: Duration::from_secs(12), ..plain() },
        // The first point is listed only after the second was requested.
        Case { name: "twins", list_lag: Duration::from_secs(12), fault: Some(lost), ..plain() },
        Case {
            name: "stop_server and retry",
            stop_server: true,
            fault: Some(Rule::new(Effect::CreateAs(fails)).times(1)),
            ..plain()
        },
    ]
}

/// Shutdown leaves a call without an answer and starts the server, which the next start of the process may find still
/// starting.
pub fn silent_cases() -> impl Iterator<Item = Case> {
    let cases = [
        ("create silent", Call::Create, false),
        ("create carried out in silence", Call::Create, true),
        ("delete silent", Call::Delete, false),
        ("delete carried out in silence", Call::Delete, true),
    ];
    cases.into_iter().map(|(name, call, carried_out)| {
        let full = || Case { kind: Kind::Snapshot, keep: 5, before: 5, after: 5, ..plain() };
        Case {
            name,
            stop_server: true,
            fault: Some(Rule::new(Effect::Silence { seconds: None, carried_out }).times(1).call(call)),
            power: Duration::from_secs(12),
            completion: Duration::from_secs(8),
            ..if call == Call::Delete { full() } else { plain() }
        }
    })
}

/// A backup of a server that is stopped for it.
pub fn stops_its_server(name: &'static str) -> Case {
    Case { name, stop_server: true, ..plain() }
}

fn plain() -> Case {
    Case {
        name: "plain",
        kind: Kind::Backup,
        keep: 3,
        before: 3,
        after: 3,
        stop_server: false,
        power: Duration::from_secs(1),
        completion: Duration::from_secs(2),
        delete: Duration::ZERO,
        list_lag: Duration::ZERO,
        fault: None,
    }
}

impl Case {
    fn copy(&self) -> Self {
        Self { fault: self.fault.clone(), ..*self }
    }

    pub fn policy(&self) -> Policy {
        Policy { stop_server: self.stop_server, ..policy(self.kind, self.keep) }
    }

    fn theirs(&self) -> simulator::PointKind {
        match self.kind {
            Kind::Backup => simulator::PointKind::Backup,
            Kind::Snapshot => simulator::PointKind::Snapshot,
        }
    }

    pub async fn set_up(&self) -> SimulatedWorld {
        let foreign = (1..=self.before).map(|day| ours(self.theirs(), day)).collect();
        let latency = Duration::from_millis(200);
        let Self { power, completion, delete, list_lag, .. } = *self;
        let options = Options { foreign, latency, power, completion, delete, list_lag, ..Options::default() };
        let sim = SimulatedWorld::new(options);
        // Short, since every check in this time is an await to be cut off at.
        sim.world.settings.change(|settings| settings.settle = Duration::from_secs(4));
        sim.world.settings.change(|settings| settings.timeout = Duration::from_secs(4));
        sim.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 0.2 }).call(Call::Server));
        if let Some(rule) = &self.fault {
            sim.simulator.add_fault(rule.clone());
        }
        sim.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 0.2 }));
        sim
    }

    /// Checks the end, which is the same however often the run was cut off.
    pub async fn check(&self, sim: &SimulatedWorld, how: &str) {
        let how = format!("{}, {how}", self.name);
        let account = sim.simulator.account();
        let points = account.points_of(self.theirs(), "web-server-01");
        let shown = format!("{how}: {:#?}", sim.world.store.history(None, 9).await.unwrap());
        // Lists that lag for longer than `settle` look wrong: a brake may keep the oldest until a person has looked.
        let braked = usize::from(self.list_lag > sim.world.settings().settle);
        let left = self.after..=self.after + braked;
        assert!(left.contains(&points.len()), "{left:?} points, {shown}\n{points:#?}");
        assert!(points.iter().all(|point| point.status == "completed"), "{shown}");
        let of_due = points.iter().filter(|point| point.description.contains(&format!(" nightly {DUE} "))).count();
        assert_eq!(of_due, 1, "one restore point a due time, {shown}");
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{shown}");
        if self.stop_server {
            assert_eq!(
                made_of_a_running_server(account.record().changes()),
                0,
                "{shown}\n{:#?}",
                account.record().entries()
            );
        }
        let limit_met = account.record().requests().any(|request| request.account_status == Some(400));
        assert!(!limit_met, "room first, {shown}");
        let runs = sim.world.store.history(None, 9).await.unwrap();
        assert_eq!(runs.len(), 1, "{shown}");
        assert_eq!(runs[0].summary.outcome.as_str(), "succeeded", "{shown}");
        assert!(runs[0].summary.deleted.len() <= 2, "{shown}");
        let reported = sim.world.store.waiting().await.unwrap();
        let of_run = reported.iter().filter(|waiting| waiting.notice.class() == Class::Success).count();
        assert_eq!(of_run, 1, "reported once, {shown}");
        assert_eq!(sim.world.store.leases().await.unwrap(), [], "{shown}");
        let limit = account.options().slots(self.theirs());
        assert!(account.record().changes().all(|change| change.used.is_none_or(|used| used <= limit)), "{shown}");
    }
}

/// How many points a client created while the server was not stopped.
fn made_of_a_running_server<'a>(changes: impl Iterator<Item = &'a AccountChange>) -> usize {
    let (mut status, mut made) = ("active".to_owned(), 0);
    for change in changes.filter(|change| change.server == "web-server-01") {
        match change.change {
            ChangeKind::ServerStatus => change.detail["to"].as_str().unwrap().clone_into(&mut status),
            ChangeKind::PointCreated if change.by == By::Client => made += usize::from(status != "stopped"),
            _ => {}
        }
    }
    made
}
