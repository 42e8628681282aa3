//! The kinds of run that are killed, and how each must end however often that happens.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::mark::{Mark, Token};
use lastgood::simulator::{
    self, Altered, Call, ChangeKind, Effect, Options, PointFate, PointSpec, Rule, ServerSpec, Style,
};

use crate::gated_host::{DUE, GatedHost};

/// A kind of run.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub kind: Kind,
    /// Points that `keep` leaves; as many are there before.
    pub keep: u32,
    pub stop_server: bool,
    /// How long a deleted point keeps its slot.
    pub delete: Duration,
    /// How long a new point is missing from lists.
    pub list_lag: Duration,
    pub fault: Option<Rule>,
}

/// Every kind of run that makes a point.
pub fn cases() -> Vec<Case> {
    let plain = Case {
        name: "plain",
        kind: Kind::Backup,
        keep: 3,
        stop_server: false,
        delete: Duration::ZERO,
        list_lag: Duration::ZERO,
        fault: None,
    };
    let full = Case { name: "eviction", kind: Kind::Snapshot, keep: 5, ..plain.clone() };
    let fails = Effect::CreateAs(Altered { fate: PointFate::Fails, ..Altered::default() });
    let lost = Effect::Reset { carried_out: true };
    vec![
        Case { name: "stop_server", kind: Kind::Snapshot, stop_server: true, ..plain.clone() },
        Case { name: "eviction and stop_server", stop_server: true, ..full.clone() },
        Case { name: "slow delete", delete: Duration::from_millis(400), ..full.clone() },
        Case { name: "retry", fault: Some(Rule::new(fails).times(1)), ..plain.clone() },
        Case { name: "create lost", fault: Some(Rule::new(lost).call(Call::Create).times(1)), ..plain.clone() },
        full,
        plain,
    ]
}

impl Case {
    fn theirs(&self) -> simulator::PointKind {
        match self.kind {
            Kind::Backup => simulator::PointKind::Backup,
            Kind::Snapshot => simulator::PointKind::Snapshot,
        }
    }

    /// The provider with the points of earlier runs, and the policy.
    pub fn host(&self) -> GatedHost {
        let now = lastgood::seams::clock::Clock::System.now();
        let options = Options {
            servers: ServerSpec::numbered(1, Style::Integer),
            foreign: (1..=self.keep).rev().map(|day| self.of_earlier(day, now)).collect(),
            completion: Duration::from_millis(150),
            power: Duration::from_millis(150),
            delete: self.delete,
            list_lag: self.list_lag,
            ..Options::default()
        };
        let (kind, keep, stop) = (self.kind, self.keep, self.stop_server);
        // The schedule is never due while the test runs: its due time is recorded by the test.
        let host = GatedHost::new(
            options,
            &format!(
                "[policy.nightly]\nkind = \"{kind}\"\nservers = [\"*\"]\nschedule = \"30 2 29 2 *\"\n\
                 keep = {{ last = {keep} }}\nstop_server = {stop}\nretries = 2\nretry_after = \"0s\"\n"
            ),
        );
        if let Some(rule) = &self.fault {
            host.simulator.add_fault(rule.clone());
        }
        host
    }

    fn of_earlier(&self, day: u32, now: Timestamp) -> PointSpec {
        let mark = Mark {
            token: Token::from_random(u64::from(day) * 1_000_003),
            instance: "main".to_owned(),
            policy: "nightly".parse().unwrap(),
            due: now.round(jiff::Unit::Second).unwrap() - SignedDuration::from_hours(24 * i64::from(day)),
        };
        PointSpec {
            name: (self.kind == Kind::Snapshot).then(|| mark.name()),
            description: mark.description(),
            ..PointSpec::aged(self.theirs(), "web-server-01", i64::from(day) * 86_400)
        }
    }

    /// What must be true when nothing is left to do.
    pub fn check(&self, host: &GatedHost, how: &str) {
        let history = host.history();
        let account = host.simulator.account();
        let points = account.points_of(self.theirs(), "web-server-01");
        let shown = format!("{}, {how}: {history:#?}\n{points:#?}\n{:#?}", self.name, account.record().entries());
        assert_eq!(points.len(), self.keep as usize, "points, {shown}");
        assert!(points.iter().all(|point| point.status == "completed"), "completed, {shown}");
        let of_due = points.iter().filter(|point| point.description.contains(&format!(" nightly {DUE}"))).count();
        assert_eq!(of_due, 1, "one restore point a due time, {shown}");
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{shown}");
        let refused = account.record().requests().find(|request| request.account_status == Some(400));
        assert_eq!(refused, None, "room first, {shown}");
        let limit = account.options().slots(self.theirs());
        assert!(account.record().changes().all(|change| change.used.is_none_or(|used| used <= limit)), "{shown}");
        assert_eq!(history.len(), 1, "{shown}");
        assert_eq!(history[0].summary.outcome.as_str(), "succeeded", "{shown}");
        let created = history[0].summary.created.as_ref().map(ToString::to_string);
        let new = points.iter().find(|point| point.description.contains(DUE)).map(|point| point.id.to_string());
        assert_eq!(created, new, "the run knows its point, {shown}");
        let gone = |change: &&simulator::AccountChange| change.change == ChangeKind::PointDeleted;
        let old_gone = account
            .record()
            .changes()
            .filter(gone)
            .filter(|change| change.point.as_ref().is_some_and(|point| !point.description.contains(DUE)));
        assert_eq!(old_gone.count(), 1, "one old point goes, {shown}");
        assert_eq!(host.mails().len(), 1, "one mail: {:?}, {shown}", host.mails());
    }
}
