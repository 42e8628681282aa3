//! What sets and releases each brake, over hand-built lists.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::detect_brakes;
use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes, LastListed, PointIdentity, StoredBrake};
use crate::policy::brakes_in_force::stops_all;
use crate::policy::conditions::{RetentionRecord, RetentionRecords};
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::inventory::{Inventory, Kind, PointId, PointStatus, ReadProof, RestorePoint, ServerId, ServerRef};
use crate::policy::keep::{Count, Keep, KeepRule};
use crate::policy::mark::{Mark, Token};
use crate::policy::memory::{Memory, Origin, PointText, RememberedPoint};
use crate::policy::name::PolicyName;
use crate::policy::plan::Plan;
use crate::policy::planner::plan;
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention_change::retention_update;
use crate::policy::schedule::Schedule;

mod given_up;
mod missing;
mod retention;
mod sizes;

fn now() -> Timestamp {
    "2026-11-21T02:30:00Z".parse().unwrap()
}

fn ours(days: i64) -> RestorePoint {
    let created_at = now() - SignedDuration::from_hours(24 * days);
    let token = Token::from_random(u64::try_from(days).unwrap() * 1_000_003);
    let mark = Mark { token, instance: "main".to_owned(), policy: "nightly".parse().unwrap(), due: created_at };
    RestorePoint {
        id: PointId::Number(days),
        kind: Kind::Backup,
        server: ServerRef { id: ServerId::Number(1), name: "web".to_owned() },
        automatic: false,
        status: PointStatus::Completed,
        size_mb: Some(1000),
        created_at,
        expires_at: None,
        name: None,
        description: mark.description(),
    }
}

fn foreign(days: i64) -> RestorePoint {
    RestorePoint { id: PointId::Number(100 + days), description: "by hand".to_owned(), ..ours(days) }
}

struct BrakeCase {
    policy: Policy,
    inventory: Inventory,
    memory: Memory,
    limit: u32,
    reserve: u32,
    others: Vec<Arc<Policy>>,
}

/// A policy that keeps the last ten; the journal has seen these points before, and the list shows them again.
fn case(points: Vec<RestorePoint>) -> BrakeCase {
    let policy = Policy {
        schedule: Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap(),
        keep: keep(10),
        prune: Prune::Own,
        enabled: true,
        ..Policy::removed(PolicyName::new("nightly").unwrap(), Kind::Backup)
    };
    let remembered = |point: &RestorePoint| RememberedPoint {
        created_at: Some(point.created_at),
        text: Some(PointText::of(point)),
        origin: Origin::First,
    };
    let seen = |point: &RestorePoint| LastListed {
        about: PointIdentity::of(point),
        good: point.description.starts_with("lg-"),
    };
    let memory = Memory {
        seen_before: true,
        points: points.iter().map(|point| (point.id.clone(), remembered(point))).collect(),
        listed: points.iter().map(seen).collect(),
        retention: kept_by(&policy),
        ..Memory::default()
    };
    let inventory = Inventory {
        server: ServerRef { id: ServerId::Number(1), name: "web".to_owned() },
        kind: Kind::Backup,
        points,
        read_at: now(),
        provider_time: Some(now()),
        proof: ReadProof::OnePage,
        doubts: Vec::new(),
    };
    BrakeCase { policy, inventory, memory, limit: 10, reserve: 0, others: Vec::new() }
}

fn keep(last: u32) -> Keep {
    Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() }
}

/// What is stored once the policy, alone on the server, has inspected it.
fn kept_by(policy: &Policy) -> RetentionRecords {
    [(policy.name.to_string(), RetentionRecord::of(policy, &[], (10, 0)))].into()
}

impl BrakeCase {
    fn detect(&self) -> DetectedBrakes {
        let detected = detect_brakes(&self.request());
        // The guards find the brake that stops every delete without asking retention.
        assert_eq!(stops_all(&self.evidence()).as_ref(), detected.stops_all());
        detected
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence { at: now(), instance: "main", policy: &self.policy, inventory: &self.inventory, memory: &self.memory }
    }

    fn causes(&self) -> Vec<BrakeCause> {
        self.detect().in_force.iter().map(|brake| brake.cause).collect()
    }

    fn plan(&self) -> Plan {
        plan(&self.request())
    }

    fn request(&self) -> PlanRequest<'_> {
        let &Self { limit, reserve, ref others, .. } = self;
        PlanRequest { evidence: self.evidence(), limit, reserve, others, spent: 0, now: now(), waited_for: None }
    }

    fn lose(&mut self, ids: &[i64]) {
        self.inventory.points.retain(|point| !ids.iter().any(|id| point.id == PointId::Number(*id)));
    }

    fn sized(mut self, newest: u64) -> Self {
        self.inventory.points[0].size_mb = Some(newest);
        self
    }

    /// The new brakes are stored.
    fn written(&mut self) -> &mut Self {
        let new = self.detect().new;
        self.memory.brakes.extend(new.into_iter().zip(1..).map(|(brake, number)| StoredBrake {
            number,
            kind: Kind::Backup,
            brake,
            accepted: false,
        }));
        self
    }
}

#[test]
fn the_same_list_again_sets_no_brake() {
    assert_eq!(case((1..=7).map(ours).collect()).detect(), DetectedBrakes::default());
}

#[test]
fn a_brake_in_force_is_reported_once() {
    let mut gone = case((1..=6).map(ours).collect());
    gone.lose(&[2]);
    let mut small = case((1..=8).map(ours).collect()).sized(0);
    let mut clock = case(vec![ours(1)]);
    clock.inventory.provider_time = Some(now() + SignedDuration::from_hours(2));
    let mut retention = case((1..=10).map(ours).collect());
    retention.policy.keep = keep(4);
    let mut second = case((1..=4).map(ours).collect());
    second.memory.points.remove(&PointId::Number(2));
    for case in [&mut gone, &mut small, &mut clock, &mut retention, &mut second] {
        let causes = case.causes();
        assert_eq!(causes.len(), 1, "{causes:?}");
        case.written().memory.retention = kept_by(&case.policy);
        let detected = case.detect();
        assert_eq!(detected.in_force.iter().map(|brake| brake.cause).collect::<Vec<_>>(), causes);
        assert_eq!((detected.new, detected.over), (vec![], vec![]), "{causes:?}");
    }
}

#[test]
fn a_doubtful_list_neither_sets_nor_releases_a_brake() {
    let mut case = case((1..=4).map(ours).collect());
    case.lose(&[2]);
    case.inventory.doubts.push("short".to_owned());
    assert_eq!(case.causes(), []);
    case.inventory.doubts.clear();
    case.written();
    case.inventory.points.push(ours(2));
    case.inventory.doubts.push("short".to_owned());
    assert_eq!(case.causes(), [BrakeCause::Gone]);
}

#[test]
fn clocks_more_than_an_hour_apart_stop_deletes_until_they_agree() {
    for sign in [1, -1] {
        let mut case = case(vec![ours(1)]);
        case.inventory.provider_time = Some(now() + SignedDuration::from_secs(sign * 3600));
        assert_eq!(case.causes(), []);
        case.inventory.provider_time = Some(now() + SignedDuration::from_secs(sign * 3601));
        assert_eq!(case.causes(), [BrakeCause::Clock]);
        case.written().inventory.provider_time = Some(now());
        assert_eq!((case.causes(), case.detect().over), (vec![], vec![1]));
    }
}

#[test]
fn an_accepted_clock_difference_sets_no_further_brake() {
    let mut case = case(vec![ours(1)]);
    case.inventory.provider_time = Some(now() + SignedDuration::from_hours(2));
    case.written().memory.brakes[0].accepted = true;
    assert_eq!(case.detect(), DetectedBrakes::default());
}

#[test]
fn a_brake_on_one_kind_does_not_affect_the_other_except_for_a_second_lastgood() {
    for cause in [BrakeCause::Gone, BrakeCause::Shorter, BrakeCause::Small, BrakeCause::Clock, BrakeCause::Retention] {
        let mut case = case((1..=4).map(ours).collect());
        let brake = Brake { cause, policy: None, text: "of snapshots".to_owned(), points: Vec::new() };
        case.memory.brakes.push(StoredBrake { number: 1, kind: Kind::Snapshot, brake, accepted: false });
        assert_eq!((case.causes(), case.detect().over), (vec![], vec![]), "{cause:?}");
    }
}

#[test]
fn a_second_lastgood_on_one_kind_stops_the_deletes_of_the_other() {
    let mut case = case((1..=4).map(ours).collect());
    case.policy.keep = keep(2);
    case.memory.retention = kept_by(&case.policy);
    let brake = Brake { cause: BrakeCause::SecondLastgood, policy: None, text: "stray".to_owned(), points: Vec::new() };
    case.memory.brakes.push(StoredBrake { number: 1, kind: Kind::Snapshot, brake, accepted: false });
    assert_eq!(case.causes(), [BrakeCause::SecondLastgood]);
    assert_eq!(case.plan().prunes().count(), 0);
    assert_eq!(case.detect().over, Vec::<i64>::new(), "only the other kind's list can release it");
}

#[test]
fn a_brake_of_another_policy_is_no_brake_of_this_one() {
    let mut case = case((1..=8).map(ours).collect()).sized(0);
    case.written().memory.brakes[0].brake.policy = Some("weekly".parse().unwrap());
    case.inventory.points[0].size_mb = Some(1000);
    assert_eq!(case.causes(), []);
}
