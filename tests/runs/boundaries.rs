//! A bucket boundary between plan and create: a late point must not cost the points of the days before.
//!
//! The invariant is the provider's own: after n nights of `daily = k` there are points of min(n, k) different days, as
//! its clock dates them. No test here asks the planner what is right.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lastgood::seams::journal::summary::RunSummary;
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::drive;
use lastgood::simulator::{self, Call, Effect, Options, Rule};

use crate::support::simulated_world::{SimulatedWorld, policy};

/// A provider, a clock and a schedule.
#[derive(Clone)]
struct Case {
    what: &'static str,
    kind: Kind,
    rule: KeepRule,
    count: u32,
    /// The first due time by our clock; the others follow at `every`.
    first: &'static str,
    every: SignedDuration,
    stop_server: bool,
    options: Options,
    /// The first create of every night is lost, and not carried out.
    loses_creates: bool,
}

fn case(what: &'static str, count: u32, first: &'static str) -> Case {
    Case {
        what,
        kind: Kind::Backup,
        rule: KeepRule::Daily,
        count,
        first,
        every: SignedDuration::from_hours(24),
        stop_server: false,
        options: Options::default(),
        loses_creates: false,
    }
}

fn slow_stop() -> Options {
    Options { power: Duration::from_secs(90), ..Options::default() }
}

fn latency(skew: i64) -> Options {
    Options { latency: Duration::from_millis(700), clock_skew_seconds: skew, ..Options::default() }
}

fn skewed(skew: i64) -> Options {
    Options { clock_skew_seconds: skew, power: Duration::from_secs(10), ..Options::default() }
}

fn slow_delete(seconds: u64) -> Options {
    Options { delete: Duration::from_secs(seconds), ..Options::default() }
}

/// Each case of boundaries, with free slots and (the second of each) with counts that fill them.
fn cases() -> Vec<Case> {
    let hourly = |case: Case| Case { rule: KeepRule::Hourly, every: SignedDuration::from_hours(1), ..case };
    let stops = |case: Case| Case { stop_server: true, ..case };
    let with = |options: Options, case: Case| Case { options, ..case };
    let mut cases = Vec::new();
    for (count, kind) in [(4, Kind::Backup), (5, Kind::Snapshot)] {
        let of = |what, first| Case { kind, ..case(what, count, first) };
        let late = "2026-11-21T23:59:00Z";
        let midnight = "2026-11-22T00:00:00Z";
        cases.push(with(slow_stop(), stops(of("23:59 and a stop of 90 s", late))));
        cases.push(with(latency(0), of("23:59:59 and 0.7 s of latency", "2026-11-21T23:59:59Z")));
        cases.push(with(skewed(-5), stops(of("@daily, a stop and our clock 5 s ahead", midnight))));
        cases.push(with(latency(-1), of("@daily, 0.7 s of latency and our clock 1 s ahead", midnight)));
        cases.push(with(latency(1), of("@daily, 0.7 s of latency and our clock 1 s behind", midnight)));
        cases.push(with(skewed(40), of("23:59:30, our clock 40 s behind", "2026-11-21T23:59:30Z")));
        cases.push(with(slow_stop(), stops(hourly(of("hourly at :59 and a stop of 90 s", "2026-11-21T03:59:00Z")))));
        cases.push(with(slow_delete(180), of("23:59 and deletes of three minutes", late)));
        cases.push(Case { loses_creates: true, ..of("a lost create at 23:59:30", "2026-11-21T23:59:30Z") });
    }
    for count in [7, 10] {
        let late = case("23:59 and a stop of 90 s, many points", count, "2026-11-21T23:59:00Z");
        cases.push(with(slow_stop(), stops(late)));
    }
    cases
}

/// One run at its due time.
async fn at(sim: &SimulatedWorld, policy: &Policy, due: Timestamp) -> RunSummary {
    let task = sim.task(policy.clone()).await;
    let wait = Duration::try_from(sim.clock.now().duration_until(due)).expect("the due times follow each other");
    tokio::time::advance(wait).await;
    let run = sim.open(&task, Some(due)).await;
    drive(&sim.world, &task, run).await.unwrap()
}

fn theirs(kind: Kind) -> simulator::PointKind {
    if kind == Kind::Backup { simulator::PointKind::Backup } else { simulator::PointKind::Snapshot }
}

/// The different days (or hours) of the points that the provider has.
fn buckets(sim: &SimulatedWorld, kind: Kind, rule: KeepRule) -> BTreeSet<String> {
    let account = sim.simulator.account();
    let points = account.points_of(theirs(kind), "web-server-01");
    let length = if rule == KeepRule::Hourly { "2026-11-21T00".len() } else { "2026-11-21".len() };
    points.iter().map(|point| point.created_at.to_string()[..length].to_owned()).collect()
}

fn daily(kind: Kind, rule: KeepRule, count: u32, stop_server: bool) -> Policy {
    let keep = Keep { counts: vec![(rule, Count::Number(count))], ..Keep::default() };
    Policy { keep, stop_server, ..policy(kind, 1) }
}

#[tokio::test(start_paused = true)]
async fn after_n_nights_of_k_there_are_points_of_as_many_different_days() {
    let mut wrong = Vec::new();
    for case in cases() {
        let Case { what, kind, rule, count, .. } = case;
        let sim = SimulatedWorld::new(case.options.clone());
        let policy = daily(kind, rule, count, case.stop_server);
        let mut due: Timestamp = case.first.parse().unwrap();
        for night in 1..=count + 4 {
            if case.loses_creates {
                let lost = Rule::new(Effect::Reset { carried_out: false }).call(Call::Create).times(1);
                sim.simulator.add_fault(lost);
            }
            let run = at(&sim, &policy, due).await;
            let there = buckets(&sim, kind, rule).len();
            let wanted = night.min(count) as usize;
            if run.outcome.as_str() != "succeeded" || there < wanted {
                wrong.push(format!("{what}, {rule} = {count}, night {night}: {there} of {wanted}, {run:?}"));
                break;
            }
            due += case.every;
        }
        if sim.simulator.account().record().requests().any(|request| request.status == Some(400)) {
            wrong.push(format!("{what}, {rule} = {count}: the provider's limit error was met"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_could_displace_only_the_newest_point_is_skipped_without_an_incident() {
    let sim = SimulatedWorld::new(Options::default());
    let policy = daily(Kind::Snapshot, KeepRule::Daily, 5, false);
    let mut due: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
    for turn in 0..24 {
        let run = at(&sim, &policy, due).await;
        // From the fifth day's second run on, all slots are full.
        let outcome = if turn >= 9 && turn % 2 == 1 { "skipped" } else { "succeeded" };
        assert_eq!(run.outcome.as_str(), outcome, "turn {turn}: {run:?}");
        if outcome == "skipped" {
            let error = run.error.unwrap_or_default();
            assert!(error.contains("newest") && !error.contains("lower what"), "{error}");
            assert!(run.deleted.is_empty() && run.attempts == 1);
        }
        due += SignedDuration::from_hours(12);
    }
    assert_eq!(buckets(&sim, Kind::Snapshot, KeepRule::Daily).len(), 5);
    assert_eq!(sim.world.store.incidents().await.unwrap().len(), 0);
    let reported = sim.world.store.waiting().await.unwrap();
    assert!(
        reported.iter().all(|waiting| !format!("{:?}", waiting.notice.class()).contains("Failure")),
        "{reported:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn buckets_are_cut_by_the_wall_clock_of_the_policys_zone() {
    for (zone, due) in [("Europe/Berlin", "2026-11-21T22:59:00Z"), ("Asia/Kathmandu", "2026-11-21T18:14:00Z")] {
        let zone = TimeZone::get(zone).unwrap();
        for count in [4, 10] {
            let sim = SimulatedWorld::new(slow_stop());
            let policy = Policy { timezone: zone.clone(), ..daily(Kind::Backup, KeepRule::Daily, count, true) };
            let mut due: Timestamp = due.parse().unwrap();
            for night in 1..=count + 4 {
                let run = at(&sim, &policy, due).await;
                assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
                let account = sim.simulator.account();
                let points = account.points_of(simulator::PointKind::Backup, "web-server-01");
                let days: BTreeSet<_> = points.iter().map(|point| zone.to_datetime(point.created_at).date()).collect();
                assert!(days.len() >= night.min(count) as usize, "night {night} of {count}: {days:?}");
                due += SignedDuration::from_hours(24);
            }
        }
    }
}
