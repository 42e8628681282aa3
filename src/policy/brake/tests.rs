//! What sets a brake and what releases it, each over a hand-built list.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::*;
use crate::policy::inventory::{Inventory, PointStatus, Proof, ServerRef};
use crate::policy::keep::{Count, Keep, Rule};
use crate::policy::mark::{Mark, Token};
use crate::policy::memory::{Memory, Origin, Remembered, Text};
use crate::policy::plan::{Plan, plan};
use crate::policy::policy::{Policy, PolicyName, Prune};
use crate::policy::predecessor::{Kept, Looked, remember};
use crate::policy::schedule::Schedule;

mod given_up;
mod sizes;

fn now() -> Timestamp {
    "2026-11-21T02:30:00Z".parse().unwrap()
}

fn ours(days: i64) -> RestorePoint {
    let created_at = now() - SignedDuration::from_hours(24 * days);
    let token = Token::from_random(u64::try_from(days).unwrap() * 1_000_003);
    let mark = Mark { token, instance: "main".to_owned(), policy: "nightly".to_owned(), due: created_at };
    RestorePoint {
        id: Id::Number(days),
        kind: Kind::Backup,
        server: ServerRef { id: Id::Number(1), name: "web".to_owned() },
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
    RestorePoint { id: Id::Number(100 + days), description: "by hand".to_owned(), ..ours(days) }
}

struct Case {
    policy: Policy,
    inventory: Inventory,
    memory: Memory,
    limit: u32,
    reserve: u32,
    others: Vec<Arc<Policy>>,
}

/// A policy that keeps the last ten; the journal has seen these points before, and the list shows them again.
fn case(points: Vec<RestorePoint>) -> Case {
    let policy = Policy {
        schedule: Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap(),
        keep: keep(10),
        prune: Prune::Own,
        enabled: true,
        ..Policy::departed(PolicyName::new("nightly").unwrap(), Kind::Backup)
    };
    let remembered = |point: &RestorePoint| Remembered {
        created_at: Some(point.created_at),
        text: Some(Text::of(point)),
        origin: Origin::First,
    };
    let seen = |point: &RestorePoint| Seen { about: about(point), good: point.description.starts_with("lg-") };
    let memory = Memory {
        seen_before: true,
        points: points.iter().map(|point| (point.id.clone(), remembered(point))).collect(),
        listed: points.iter().map(seen).collect(),
        retention: kept_by(&policy),
        ..Memory::default()
    };
    let inventory = Inventory {
        server: ServerRef { id: Id::Number(1), name: "web".to_owned() },
        kind: Kind::Backup,
        points,
        read_at: now(),
        provider_time: Some(now()),
        proof: Proof::OnePage,
        doubts: Vec::new(),
    };
    Case { policy, inventory, memory, limit: 10, reserve: 0, others: Vec::new() }
}

fn keep(last: u32) -> Keep {
    Keep { counts: vec![(Rule::Last, Count::Number(last))], ..Keep::default() }
}

/// What is remembered once the policy has looked, alone on the server.
fn kept_by(policy: &Policy) -> Kept {
    [(policy.name.to_string(), Looked::of(policy, &[], (10, 0)))].into()
}

impl Case {
    fn judge(&self) -> Judgement {
        judge(&self.request())
    }

    fn ground(&self) -> Ground<'_> {
        Ground { at: now(), instance: "main", policy: &self.policy, inventory: &self.inventory, memory: &self.memory }
    }

    fn causes(&self) -> Vec<Cause> {
        self.judge().in_force.iter().map(|brake| brake.cause).collect()
    }

    fn plan(&self) -> Plan {
        plan(&self.request())
    }

    fn request(&self) -> Request<'_> {
        let &Self { limit, reserve, ref others, .. } = self;
        Request { ground: self.ground(), limit, reserve, others, spent: 0, now: now(), waited_for: None }
    }

    fn lose(&mut self, ids: &[i64]) {
        self.inventory.points.retain(|point| !ids.iter().any(|id| point.id == Id::Number(*id)));
    }

    fn sized(mut self, newest: u64) -> Self {
        self.inventory.points[0].size_mb = Some(newest);
        self
    }

    /// The state holds what was judged new.
    fn written(&mut self) -> &mut Self {
        let new = self.judge().new;
        self.memory.brakes.extend(new.into_iter().zip(1..).map(|(brake, number)| Held {
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
    assert_eq!(case((1..=7).map(ours).collect()).judge(), Judgement::default());
}

#[test]
fn points_of_ours_that_are_gone_without_our_doing_stop_every_delete() {
    let mut case = case((1..=7).map(ours).collect());
    case.policy.keep = keep(2);
    case.memory.retention = kept_by(&case.policy);
    assert!(case.plan().prunes().next().is_some(), "without a brake, some would go");
    case.lose(&[3]);
    assert_eq!(case.causes(), [Cause::Gone]);
    let plan = case.plan();
    assert_eq!(plan.actions.len(), 1, "the new point is made, and none goes: {:?}", plan.actions);
    assert!(plan.points.iter().all(|point| point.keep));
    assert_eq!(plan.brakes.len(), 1);
    assert!(plan.brakes[0].text.contains('3'), "{:?}", plan.brakes);
}

#[test]
fn a_foreign_point_may_go_as_people_like() {
    let mut case = case(vec![ours(1), foreign(2), foreign(3)]);
    case.lose(&[102, 103]);
    assert_eq!(case.causes(), []);
}

#[test]
fn a_list_that_lost_half_and_three_is_much_shorter_whosever_they_were() {
    let mut case = case((1..=6).map(foreign).collect());
    case.lose(&[101, 102]);
    assert_eq!(case.causes(), []);
    case.lose(&[103]);
    assert_eq!(case.causes(), [Cause::Shorter]);
    let text = &case.plan().brakes[0].text;
    assert!(text.ends_with("(none of them was a good one of ours: it is well if people deleted them)"), "{text}");
}

#[test]
fn three_that_are_less_than_half_are_no_much_shorter_list() {
    let mut case = case((1..=7).map(foreign).collect());
    case.lose(&[101, 102, 103]);
    assert_eq!(case.causes(), []);
    case.lose(&[104]);
    assert_eq!(case.causes(), [Cause::Shorter]);
}

#[test]
fn a_later_point_under_the_id_of_one_that_is_gone_is_not_that_one() {
    let mut case = case((1..=4).map(ours).collect());
    case.inventory.points[1] = RestorePoint { id: Id::Number(2), created_at: now(), ..foreign(2) };
    assert_eq!(case.causes(), [Cause::Gone]);
    case.written();
    case.memory.listed.clear();
    assert_eq!((case.causes(), case.judge().over), (vec![Cause::Gone], vec![]), "nor does it release the brake");
}

#[test]
fn one_of_two_that_is_listed_again_releases_no_brake() {
    let mut case = case((1..=6).map(ours).collect());
    case.lose(&[2, 3]);
    case.written();
    case.memory.listed.clear();
    case.inventory.points.push(ours(2));
    assert_eq!((case.causes(), case.judge().over), (vec![Cause::Gone], vec![]));
}

#[test]
fn a_brake_that_holds_is_told_once() {
    let mut gone = case((1..=6).map(ours).collect());
    gone.lose(&[2]);
    let mut small = case((1..=8).map(ours).collect()).sized(0);
    let mut clock = case(vec![ours(1)]);
    clock.inventory.provider_time = Some(now() + SignedDuration::from_hours(2));
    let mut retention = case((1..=10).map(ours).collect());
    retention.policy.keep = keep(4);
    let mut second = case((1..=4).map(ours).collect());
    second.memory.points.remove(&Id::Number(2));
    for case in [&mut gone, &mut small, &mut clock, &mut retention, &mut second] {
        let causes = case.causes();
        assert_eq!(causes.len(), 1, "{causes:?}");
        case.written().memory.retention = kept_by(&case.policy);
        let judged = case.judge();
        assert_eq!(judged.in_force.iter().map(|brake| brake.cause).collect::<Vec<_>>(), causes);
        assert_eq!((judged.new, judged.over), (vec![], vec![]), "{causes:?}");
    }
}

#[test]
fn points_that_are_listed_again_release_their_brake() {
    let mut case = case((1..=4).map(ours).collect());
    let whole = case.inventory.points.clone();
    case.lose(&[2]);
    case.written();
    // The list that lacks it is remembered; the brake holds on.
    case.memory.listed.retain(|seen| seen.about.id != Id::Number(2));
    assert_eq!((case.causes(), case.judge().new), (vec![Cause::Gone], vec![]));
    case.inventory.points = whole;
    assert_eq!((case.causes(), case.judge().over), (vec![], vec![1]));
}

#[test]
fn a_second_loss_widens_the_brake_that_holds() {
    let mut case = case((1..=6).map(ours).collect());
    case.lose(&[2]);
    case.written();
    case.memory.listed.retain(|seen| seen.about.id != Id::Number(2));
    case.lose(&[3]);
    let judged = case.judge();
    assert_eq!(judged.in_force, judged.new);
    let ids: Vec<&Id> = judged.new[0].points.iter().map(|about| &about.id).collect();
    assert_eq!(ids, [&Id::Number(2), &Id::Number(3)]);
}

#[test]
fn a_list_in_doubt_neither_sets_nor_releases_a_brake() {
    let mut case = case((1..=4).map(ours).collect());
    case.lose(&[2]);
    case.inventory.doubts.push("short".to_owned());
    assert_eq!(case.causes(), []);
    case.inventory.doubts.clear();
    case.written();
    case.inventory.points.push(ours(2));
    case.inventory.doubts.push("short".to_owned());
    assert_eq!(case.causes(), [Cause::Gone]);
}

#[test]
fn clocks_more_than_an_hour_apart_stop_deletes_until_they_agree() {
    for sign in [1, -1] {
        let mut case = case(vec![ours(1)]);
        case.inventory.provider_time = Some(now() + SignedDuration::from_secs(sign * 3600));
        assert_eq!(case.causes(), []);
        case.inventory.provider_time = Some(now() + SignedDuration::from_secs(sign * 3601));
        assert_eq!(case.causes(), [Cause::Clock]);
        case.written().inventory.provider_time = Some(now());
        assert_eq!((case.causes(), case.judge().over), (vec![], vec![1]));
    }
}

#[test]
fn clocks_apart_that_a_person_has_accepted_brake_no_more_while_they_are() {
    let mut case = case(vec![ours(1)]);
    case.inventory.provider_time = Some(now() + SignedDuration::from_hours(2));
    case.written().memory.brakes[0].accepted = true;
    assert_eq!(case.judge(), Judgement::default());
}

#[test]
fn a_changed_retention_that_would_drop_points_waits_and_evictions_still_make_room() {
    let mut case = case((1..=10).map(ours).collect());
    case.policy.keep = keep(4);
    assert_eq!(case.causes(), [Cause::Retention]);
    let plan = case.plan();
    assert_eq!(plan.evictions().count(), 1, "the slots are full");
    assert_eq!(plan.prunes().count(), 0);
    let named: Vec<&Id> = plan.brakes[0].points.iter().map(|about| &about.id).collect();
    let dropped: Vec<Id> = (5..=10).map(Id::Number).collect();
    assert_eq!(named, dropped.iter().collect::<Vec<_>>());
    case.written().memory.retention = kept_by(&case.policy);
    assert_eq!(case.causes(), [Cause::Retention], "it waits");
    case.memory.brakes[0].accepted = true;
    assert_eq!(case.causes(), []);
    assert!(case.plan().prunes().next().is_some());
}

#[test]
fn a_retention_that_is_changed_back_releases_its_brake() {
    let mut case = case((1..=10).map(ours).collect());
    case.policy.keep = keep(4);
    case.written().memory.retention = kept_by(&case.policy);
    case.policy.keep = keep(10);
    assert_eq!((case.causes(), case.judge().over), (vec![], vec![1]));
}

#[test]
fn a_retention_that_keeps_more_or_drops_nothing_that_is_there_sets_no_brake() {
    for last in [3, 9] {
        let mut case = case((1..=3).map(ours).collect());
        case.policy.keep = keep(last);
        assert_eq!(case.causes(), []);
    }
}

#[test]
fn what_a_changed_retention_would_not_delete_anyway_sets_no_brake() {
    let case_of = || {
        let mut case = case((1..=3).map(ours).collect());
        case.policy.keep = keep(2);
        case
    };
    assert_eq!(case_of().causes(), [Cause::Retention]);
    let mut held = case_of();
    held.memory.holds.insert(Id::Number(3), "audit".to_owned());
    assert_eq!(held.causes(), []);
    let mut kept = case_of();
    kept.policy.prune = Prune::None;
    assert_eq!(kept.causes(), []);
}

#[test]
fn a_changed_retention_whose_points_are_all_gone_releases_its_brake() {
    let mut case = case((1..=3).map(ours).collect());
    case.policy.keep = keep(2);
    case.written().memory.retention = kept_by(&case.policy);
    case.lose(&[3]);
    case.memory.listed.clear();
    assert_eq!((case.causes(), case.judge().over), (vec![], vec![1]));
}

#[test]
fn a_mark_that_the_journal_does_not_know_is_a_brake_until_the_point_is_gone() {
    let mut case = case((1..=4).map(ours).collect());
    case.memory.points.remove(&Id::Number(2));
    assert_eq!(case.causes(), [Cause::SecondLastgood]);
    case.written();
    case.lose(&[2]);
    case.memory.listed.clear();
    assert_eq!((case.causes(), case.judge().over), (vec![], vec![1]));
}

#[test]
fn a_brake_on_one_kind_but_for_a_second_lastgood_leaves_the_other_alone() {
    for cause in [Cause::Gone, Cause::Shorter, Cause::Small, Cause::Clock, Cause::Retention] {
        let mut case = case((1..=4).map(ours).collect());
        let brake = Brake { cause, policy: None, text: "of snapshots".to_owned(), points: Vec::new() };
        case.memory.brakes.push(Held { number: 1, kind: Kind::Snapshot, brake, accepted: false });
        assert_eq!((case.causes(), case.judge().over), (vec![], vec![]), "{cause:?}");
    }
}

#[test]
fn a_second_lastgood_on_one_kind_stops_the_deletes_of_the_other() {
    let mut case = case((1..=4).map(ours).collect());
    case.policy.keep = keep(2);
    case.memory.retention = kept_by(&case.policy);
    let brake = Brake { cause: Cause::SecondLastgood, policy: None, text: "stray".to_owned(), points: Vec::new() };
    case.memory.brakes.push(Held { number: 1, kind: Kind::Snapshot, brake, accepted: false });
    assert_eq!(case.causes(), [Cause::SecondLastgood]);
    assert_eq!(case.plan().prunes().count(), 0);
    assert_eq!(case.judge().over, Vec::<i64>::new(), "only the other kind's list can release it");
}

#[test]
fn a_brake_of_another_policy_is_no_brake_of_this_one() {
    let mut case = case((1..=8).map(ours).collect()).sized(0);
    case.written().memory.brakes[0].brake.policy = Some("weekly".to_owned());
    case.inventory.points[0].size_mb = Some(1000);
    assert_eq!(case.causes(), []);
}

#[test]
fn a_brake_of_a_former_name_goes_on_under_the_new_one_until_it_is_accepted() {
    let mut case = case((1..=10).map(ours).collect());
    case.policy.keep = keep(4);
    case.written().memory.retention = kept_by(&case.policy);
    let before = case.memory.brakes[0].brake.points.clone();
    (case.policy.name, case.policy.formerly) =
        (PolicyName::new("daily").unwrap(), vec![PolicyName::new("nightly").unwrap()]);
    let judged = case.judge();
    assert_eq!((judged.over, judged.in_force.len(), judged.new.len()), (vec![1], 1, 1));
    assert_eq!((judged.new[0].policy.as_deref(), &judged.new[0].points), (Some("daily"), &before));
    assert_eq!(case.plan().prunes().count(), 0);
    // Two that were merged become one that is about the points of both.
    case.policy.keep = keep(8);
    let judged = case.judge();
    assert_eq!((judged.over, judged.new.len()), (vec![1], 1), "changed once more: what it drops now waits");
    case.memory.brakes[0].accepted = true;
    case.memory.retention = kept_by(&case.policy);
    assert_eq!(case.causes(), []);
}
