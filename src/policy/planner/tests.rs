//! The rules for deletes and creates, each over a hand-built list, and as properties over random ones.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::plan;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Inventory, Kind, PointId, PointStatus, ReadProof, RestorePoint, ServerId, ServerRef};
use crate::policy::keep::{Count, Keep, KeepRule};
use crate::policy::mark::{Mark, Token};
use crate::policy::memory::{Memory, Origin, PointText, RememberedPoint, Unlisted};
use crate::policy::name::PolicyName;
use crate::policy::plan::{Action, Note, Plan, PlanRefusal, Reason};
use crate::policy::policy::{Policy, Prune};
use crate::policy::schedule::Schedule;
use crate::policy::selector::Pattern;
use crate::policy::slots::Slots;

mod extra;
mod late;
mod ownership;
mod properties;
mod room;

fn now() -> Timestamp {
    "2026-11-21T02:30:00Z".parse().unwrap()
}

fn policy(last: u32) -> Policy {
    Policy {
        schedule: Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap(),
        keep: Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() },
        prune: Prune::Own,
        stuck_after: Duration::from_secs(7200),
        ..Policy::removed(PolicyName::new("nightly").unwrap(), Kind::Snapshot)
    }
}

fn mark(number: i64, policy: &str, instance: &str) -> Mark {
    let token = Token::from_random(u64::try_from(number).unwrap() * 1_000_003);
    let due = now() - SignedDuration::from_hours(24 * number);
    Mark { token, instance: instance.to_owned(), policy: policy.parse().unwrap(), due }
}

/// A completed point of `nightly` of this age in days; the number is its id.
fn ours(days: i64) -> RestorePoint {
    let mark = mark(days, "nightly", "main");
    RestorePoint { name: Some(mark.name()), description: mark.description(), ..foreign(days) }
}

fn foreign(days: i64) -> RestorePoint {
    RestorePoint {
        id: PointId::Number(days),
        kind: Kind::Snapshot,
        server: server(),
        automatic: false,
        status: PointStatus::Completed,
        size_mb: Some(1000),
        created_at: now() - SignedDuration::from_hours(24 * days),
        expires_at: None,
        name: Some(format!("before-upgrade-{days}")),
        description: "by hand".to_owned(),
    }
}

fn of_policy(days: i64, policy: &str) -> RestorePoint {
    let mark = mark(days, policy, "main");
    RestorePoint { name: Some(mark.name()), description: mark.description(), ..foreign(days) }
}

fn server() -> ServerRef {
    ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() }
}

/// A case: change what matters, then plan.
#[derive(Debug)]
struct Case {
    policy: Policy,
    inventory: Inventory,
    memory: Memory,
    limit: u32,
    reserve: u32,
    others: Vec<Arc<Policy>>,
    spent: u32,
}

/// A policy that keeps the last `last`, with these points and a journal that saw them all first.
fn case(last: u32, points: Vec<RestorePoint>) -> Case {
    let remembered = |point: &RestorePoint| RememberedPoint {
        created_at: Some(point.created_at),
        text: Some(PointText::of(point)),
        origin: Origin::First,
    };
    let memory = Memory {
        seen_before: true,
        points: points.iter().map(|point| (point.id.clone(), remembered(point))).collect(),
        ..Memory::default()
    };
    let inventory = Inventory {
        server: server(),
        kind: Kind::Snapshot,
        points,
        read_at: now(),
        provider_time: Some(now()),
        proof: ReadProof::OnePage,
        doubts: Vec::new(),
    };
    Case { policy: policy(last), inventory, memory, limit: 5, reserve: 0, others: Vec::new(), spent: 0 }
}

impl Case {
    fn plan(&self) -> Plan {
        plan(&self.request())
    }

    fn request(&self) -> PlanRequest<'_> {
        let (evidence, now) = (self.evidence(), self.inventory.provider_time.unwrap_or(now()));
        let &Self { limit, reserve, spent, .. } = self;
        PlanRequest { evidence, limit, reserve, others: &self.others, spent, now, waited_for: None }
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence { at: now(), instance: "main", policy: &self.policy, inventory: &self.inventory, memory: &self.memory }
    }

    fn guards(&self) -> DeleteGuards<'_> {
        DeleteGuards::of(&self.evidence())
    }

    fn refused(&self) -> String {
        self.plan().refused.expect("it is refused").to_string()
    }
}

fn evicted(plan: &Plan) -> Vec<i64> {
    plan.evictions().map(|delete| number(&delete.id)).collect()
}

fn pruned(plan: &Plan) -> Vec<i64> {
    plan.prunes().map(|delete| number(&delete.id)).collect()
}

fn number(id: &PointId) -> i64 {
    let PointId::Number(number) = id else { panic!("{id}") };
    *number
}

fn why(plan: &Plan, id: i64) -> Vec<Reason> {
    plan.points.iter().find(|point| point.id == PointId::Number(id)).unwrap().why.clone()
}

fn guard(plan: &Plan, id: i64) -> Guard {
    let point = plan.points.iter().find(|point| point.id == PointId::Number(id)).unwrap();
    assert!(point.keep, "{point:?}");
    match point.why.last() {
        Some(Reason::Guard(guard)) => guard.clone(),
        other => panic!("no guard but {other:?}"),
    }
}

#[test]
fn the_oldest_goes_after_the_new_one_is_made() {
    let plan = case(3, vec![ours(1), ours(2), ours(3)]).plan();
    assert_eq!((evicted(&plan), pruned(&plan)), (vec![], vec![3]));
    assert!(matches!(plan.actions[0], Action::Create(_)));
    assert_eq!(plan.slots, Slots { limit: 5, used: 3, own: 3, foreign: 0, held: 0 });
}

#[test]
fn the_new_point_is_counted_on_the_day_that_the_provider_will_date_it() {
    let mut case = case(1, vec![ours(1), ours(2)]);
    case.policy.keep = Keep { counts: vec![(KeepRule::Daily, Count::Number(2))], ..Keep::default() };
    // Midnight in the policy's zone is between the two clocks, which are not far enough apart for a brake.
    case.policy.timezone = TimeZone::fixed(jiff::tz::offset(-2));
    assert_eq!(pruned(&case.plan()), [2]);
    // Our clock already shows the 21st, the provider's still the 20th, the day of the first point.
    case.inventory.provider_time = Some("2026-11-21T01:50:00Z".parse().unwrap());
    assert_eq!(pruned(&case.plan()), [1]);
}

/// Each changes the third of four points of a policy that keeps two, which would be deleted, or the case around it.
#[test]
fn what_must_never_be_deleted_stays_with_its_guard() {
    type Alteration = fn(&mut Case);
    let table: [(&str, Alteration, Guard); 16] = [
        ("foreign", |case| put(case, foreign(3)), Guard::Foreign),
        ("automatic", |case| case.inventory.points[2].automatic = true, Guard::Automatic),
        ("other policy's", |case| put(case, of_policy(3, "weekly")), Guard::OtherPolicy("weekly".parse().unwrap())),
        (
            "in progress",
            |case| case.inventory.points[2].status = PointStatus::InProgress,
            Guard::InProgress("in_progress".to_owned()),
        ),
        (
            "a status never seen",
            |case| case.inventory.points[2].status = PointStatus::Other("frozen".to_owned()),
            Guard::InProgress("frozen".to_owned()),
        ),
        (
            "held",
            |case| drop(case.memory.holds.insert(PointId::Number(3), "audit".to_owned())),
            Guard::Held("audit".to_owned()),
        ),
        (
            "held server",
            |case| case.memory.server_hold = Some("audit".to_owned()),
            Guard::ServerHeld("audit".to_owned()),
        ),
        (
            "protected by name",
            |case| case.policy.protect = vec![Pattern::new(case.inventory.points[2].name.as_ref().unwrap())],
            Guard::Protected(mark(3, "nightly", "main").name()),
        ),
        (
            "protected by description",
            |case| case.policy.protect = vec![Pattern::new("lg-* nightly 2026-11-18*")],
            Guard::Protected("lg-* nightly 2026-11-18*".to_owned()),
        ),
        ("renamed by a person", |case| case.inventory.points[2].name = Some("keep-this".to_owned()), Guard::Changed),
        ("described by a person", |case| case.inventory.points[2].description.push_str(" (keep!)"), Guard::Changed),
        (
            "another instance's",
            |case| {
                let mark = mark(3, "nightly", "other");
                let description = mark.description();
                put(case, RestorePoint { name: Some(mark.name()), description, ..foreign(3) });
            },
            Guard::OtherInstance,
        ),
        (
            "marked by its name alone, with a token we do not know",
            |case| put(case, RestorePoint { description: String::new(), ..ours(3) }),
            Guard::OtherInstance,
        ),
        (
            "marked by what is left of its description, with a token we do not know",
            |case| put(case, RestorePoint { name: None, description: ours(3).description[..20].to_owned(), ..ours(3) }),
            Guard::OtherInstance,
        ),
        ("deleting", |case| case.memory.deleting.extend([PointId::Number(3)]), Guard::Deleting),
        ("nothing is pruned", |case| case.policy.prune = Prune::None, Guard::PruneNone),
    ];
    for (name, change, expected) in table {
        let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
        change(&mut case);
        let plan = case.plan();
        assert_eq!(guard(&plan, 3), expected, "{name}");
        assert!(plan.prunes().all(|delete| delete.id != PointId::Number(3)), "{name}");
        let point = case.inventory.find(&PointId::Number(3)).unwrap();
        let last_word = case.guards().permits(&point.id, point.created_at, &[]);
        assert_eq!(last_word, Err(expected), "the last word: {name}");
    }
}

fn put(case: &mut Case, point: RestorePoint) {
    let remembered = RememberedPoint {
        created_at: Some(point.created_at),
        text: Some(PointText::of(&point)),
        origin: Origin::First,
    };
    case.memory.points.insert(point.id.clone(), remembered);
    let place = case.inventory.points.iter().position(|other| other.id == point.id).unwrap();
    case.inventory.points[place] = point;
}

#[test]
fn with_a_doubtful_list_nothing_is_created_or_deleted() {
    let full = || vec![ours(1), ours(2), ours(3), ours(4), ours(5)];
    for change in
        [(|case: &mut Case| case.inventory.doubts.push("entry 3 is unreadable".to_owned())) as fn(&mut Case), |case| {
            case.inventory.proof = ReadProof::ReadOnce
        }]
    {
        let mut case = case(2, full());
        change(&mut case);
        let plan = case.plan();
        assert!(matches!(plan.refused, Some(PlanRefusal::Doubt(_))));
        assert_eq!(plan.actions, []);
        assert!(plan.points.iter().all(|point| point.keep));
        let point = &case.inventory.points[4];
        assert!(matches!(case.guards().permits(&point.id, point.created_at, &[]), Err(Guard::Doubt(_))));
    }
    let mut case = case(5, full());
    case.inventory.proof = ReadProof::ReadTwice;
    assert_eq!(evicted(&case.plan()), [5]);
}

#[test]
fn min_keep_stays_though_retention_drops_it() {
    let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
    case.policy.min_keep = 3;
    case.policy.max_deletes = Some(9);
    let plan = case.plan();
    assert_eq!(pruned(&plan), [3], "1, 2 and the new one are three");
    assert_eq!(guard(&plan, 2), Guard::MinKeep(3));
    let point = &case.inventory.points[2];
    assert_eq!(case.guards().permits(&point.id, point.created_at, &[]), Err(Guard::MinKeep(3)));
}

#[test]
fn the_newest_completed_point_of_the_server_and_of_the_policy_is_refused() {
    let case_of = |points| case(1, points);
    let permits = |case: &Case, id: i64, gone: &[PointId]| {
        let point = case.inventory.find(&PointId::Number(id)).unwrap();
        case.guards().permits(&point.id, point.created_at, gone)
    };
    let case = case_of(vec![ours(1), ours(2)]);
    assert_eq!(permits(&case, 1, &[]), Err(Guard::NewestOfServer));
    assert_eq!(permits(&case, 2, &[]), Ok(()));
    assert_eq!(permits(&case, 2, &[PointId::Number(1)]), Err(Guard::NewestOfServer), "1 is as good as gone");
    let case = case_of(vec![foreign(1), ours(2), ours(3)]);
    assert_eq!(permits(&case, 2, &[]), Err(Guard::NewestOfPolicy));
    // A point in progress, failed, automatic, in the future or being deleted is not a newer good point.
    let changes: [fn(&mut Case); 5] = [
        |case| case.inventory.points[0].status = PointStatus::InProgress,
        |case| case.inventory.points[0].status = PointStatus::Failed,
        |case| case.inventory.points[0].automatic = true,
        |case| put(case, RestorePoint { created_at: now() + SignedDuration::from_hours(1), ..ours(1) }),
        |case| case.memory.deleting.extend([PointId::Number(1)]),
    ];
    for change in changes {
        let mut case = case_of(vec![ours(1), ours(2)]);
        change(&mut case);
        assert_eq!(permits(&case, 2, &[]), Err(Guard::NewestOfServer));
    }
}

#[test]
fn points_of_the_same_second_are_ordered_by_due_time_and_then_by_id() {
    let at = |days, id: i64| RestorePoint { id: PointId::Number(id), created_at: ours(9).created_at, ..ours(days) };
    // 12 has the older due time, despite its id.
    assert_eq!(pruned(&case(3, vec![at(1, 10), at(2, 11), at(3, 12)]).plan()), [12]);
    let same = |id: i64| RestorePoint { id: PointId::Number(id), ..ours(9) };
    assert_eq!(pruned(&case(3, vec![same(12), same(11), same(10)]).plan()), [10]);
}

#[test]
fn a_point_in_progress_for_longer_than_stuck_after_is_reported() {
    let mut case = case(3, vec![ours(1)]);
    case.inventory.points[0].status = PointStatus::InProgress;
    assert!(case.plan().notes.contains(&Note::Stuck(PointId::Number(1))));
    case.policy.stuck_after = Duration::from_secs(2 * 86_400);
    assert_eq!(case.plan().notes, []);
}
