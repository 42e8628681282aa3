//! The rules of what is deleted and what is made, each over a hand-built list, and as properties over random ones.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::policy::inventory::{Inventory, Kind, Proof, ServerRef};
use crate::policy::keep::{Count, Keep, Rule};
use crate::policy::mark::Token;
use crate::policy::memory::{Memory, Origin, Remembered, Text, Unlisted};
use crate::policy::policy::{Policy, PolicyName};
use crate::policy::schedule::Schedule;
use crate::policy::selector::Pattern;

fn now() -> Timestamp {
    "2026-11-21T02:30:00Z".parse().unwrap()
}

fn policy(last: u32) -> Policy {
    Policy {
        schedule: Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap(),
        keep: Keep { counts: vec![(Rule::Last, Count::Number(last))], ..Keep::default() },
        prune: Prune::Own,
        stuck_after: Duration::from_secs(7200),
        ..Policy::departed(PolicyName::new("nightly").unwrap(), Kind::Snapshot)
    }
}

fn mark(number: i64, policy: &str, instance: &str) -> Mark {
    let token = Token::from_random(u64::try_from(number).unwrap() * 1_000_003);
    let due = now() - SignedDuration::from_hours(24 * number);
    Mark { token, instance: instance.to_owned(), policy: policy.to_owned(), due }
}

/// A completed point of `nightly`, so many days old; the number is its id.
fn ours(days: i64) -> RestorePoint {
    let mark = mark(days, "nightly", "main");
    RestorePoint { name: Some(mark.name()), description: mark.description(), ..foreign(days) }
}

fn foreign(days: i64) -> RestorePoint {
    RestorePoint {
        id: Id::Number(days),
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
    ServerRef { id: Id::Number(12345), name: "web-server-01".to_owned() }
}

/// A case: change what matters, then plan.
#[derive(Debug)]
struct Case {
    policy: Policy,
    inventory: Inventory,
    memory: Memory,
    limit: u32,
    reserve: u32,
    spent: u32,
}

/// A policy that keeps the last `last`, with these points and a journal that saw them all first.
fn case(last: u32, points: Vec<RestorePoint>) -> Case {
    let remembered = |point: &RestorePoint| Remembered {
        created_at: Some(point.created_at),
        text: Some(Text::of(point)),
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
        proof: Proof::OnePage,
        doubts: Vec::new(),
    };
    Case { policy: policy(last), inventory, memory, limit: 5, reserve: 0, spent: 0 }
}

impl Case {
    fn plan(&self) -> Plan {
        let ground = self.ground();
        plan(&Request { ground, limit: self.limit, reserve: self.reserve, spent: self.spent })
    }

    fn ground(&self) -> Ground<'_> {
        Ground { at: now(), instance: "main", policy: &self.policy, inventory: &self.inventory, memory: &self.memory }
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

fn number(id: &Id) -> i64 {
    let Id::Number(number) = id else { panic!("{id}") };
    *number
}

fn why(plan: &Plan, id: i64) -> Vec<Reason> {
    plan.points.iter().find(|point| point.id == Id::Number(id)).unwrap().why.clone()
}

fn guard(plan: &Plan, id: i64) -> Guard {
    let point = plan.points.iter().find(|point| point.id == Id::Number(id)).unwrap();
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
    case.policy.keep = Keep { counts: vec![(Rule::Daily, Count::Number(2))], ..Keep::default() };
    // The policy's midnight lies between the two clocks, which are not so far apart that a brake holds.
    case.policy.timezone = TimeZone::fixed(jiff::tz::offset(-2));
    assert_eq!(pruned(&case.plan()), [2]);
    // Our clock shows the 21st already, the provider's is still at the 20th, the day of the first one.
    case.inventory.provider_time = Some("2026-11-21T01:50:00Z".parse().unwrap());
    assert_eq!(pruned(&case.plan()), [1]);
}

/// Each changes the third of four points of a policy that keeps two, so that it would go, or the case around it.
#[test]
fn what_must_never_be_deleted_stays_with_its_guard() {
    type Change = fn(&mut Case);
    let table: [(&str, Change, Guard); 16] = [
        ("foreign", |case| put(case, foreign(3)), Guard::Foreign),
        ("automatic", |case| case.inventory.points[2].automatic = true, Guard::Automatic),
        ("other policy's", |case| put(case, of_policy(3, "weekly")), Guard::OtherPolicy("weekly".to_owned())),
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
            |case| drop(case.memory.holds.insert(Id::Number(3), "audit".to_owned())),
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
        ("deleting", |case| case.memory.deleting.extend([Id::Number(3)]), Guard::Deleting),
        ("nothing is pruned", |case| case.policy.prune = Prune::None, Guard::PruneNone),
    ];
    for (name, change, expected) in table {
        let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
        change(&mut case);
        let plan = case.plan();
        assert_eq!(guard(&plan, 3), expected, "{name}");
        assert!(plan.prunes().all(|delete| delete.id != Id::Number(3)), "{name}");
        let point = case.inventory.find(&Id::Number(3)).unwrap();
        let last_word = case.ground().permits(&point.id, point.created_at, &[]);
        assert_eq!(last_word, Err(expected), "the last word: {name}");
    }
}

fn put(case: &mut Case, point: RestorePoint) {
    let remembered =
        Remembered { created_at: Some(point.created_at), text: Some(Text::of(&point)), origin: Origin::First };
    case.memory.points.insert(point.id.clone(), remembered);
    let place = case.inventory.points.iter().position(|other| other.id == point.id).unwrap();
    case.inventory.points[place] = point;
}

#[test]
fn with_prune_all_peoples_points_count_as_own_but_no_other_policys_former_or_not() {
    let mut case = case(1, vec![ours(1), foreign(2), of_policy(3, "weekly"), of_policy(4, "long-gone")]);
    case.policy.prune = Prune::All;
    let plan = case.plan();
    assert_eq!(pruned(&plan), [2, 1]);
    assert_eq!(guard(&plan, 3), Guard::OtherPolicy("weekly".to_owned()));
    assert_eq!(guard(&plan, 4), Guard::OtherPolicy("long-gone".to_owned()));
}

#[test]
fn with_prune_all_a_mark_that_a_person_took_off_does_not_make_the_point_a_persons() {
    for instance in ["main", "other"] {
        let mark = mark(3, "weekly", instance);
        let marked = RestorePoint { name: None, description: mark.description(), ..foreign(3) };
        let mut case = case(1, vec![ours(1), ours(2), marked]);
        case.policy.prune = Prune::All;
        case.inventory.points[2].description = "mine".to_owned();
        assert_eq!(guard(&case.plan(), 3), Guard::Changed);
    }
}

#[test]
fn points_of_a_former_name_are_the_policys_own() {
    let mut case = case(2, vec![ours(1), of_policy(2, "daily"), of_policy(3, "daily")]);
    case.policy.formerly = vec![PolicyName::new("daily").unwrap()];
    assert_eq!(pruned(&case.plan()), [3, 2]);
}

#[test]
fn what_is_protected_is_not_counted() {
    let mut case = case(2, vec![ours(1), ours(2), ours(3)]);
    case.policy.protect = vec![Pattern::new(case.inventory.points[0].name.as_ref().unwrap())];
    // Kept are the new one and 2; had 1 been counted, 2 would go.
    assert_eq!(pruned(&case.plan()), [3]);
}

#[test]
fn a_point_dated_more_than_five_minutes_after_both_clocks_is_kept_uncounted_and_told() {
    let at = |provider: i64, point: i64| {
        let mut case = case(2, vec![ours(1), ours(2), ours(3)]);
        case.inventory.provider_time = Some(now() + SignedDuration::from_secs(provider));
        case.inventory.points[0].created_at = now() + SignedDuration::from_secs(point);
        case.memory.points.clear();
        case.memory.seen_before = false;
        case.plan()
    };
    let plan = at(0, 301);
    assert_eq!(guard(&plan, 1), Guard::Future);
    assert_eq!(pruned(&plan), [3], "2 and the new one stay: 1 is not counted");
    assert!(plan.notes.contains(&Note::Future(Id::Number(1))));
    for (provider, point) in [(0, 300), (600, 900), (-600, 300)] {
        let plan = at(provider, point);
        assert_eq!(pruned(&plan), [3, 2], "{provider} {point}");
        assert!(plan.notes.iter().all(|note| !matches!(note, Note::Future(_))));
    }
    assert_eq!(guard(&at(600, 901), 1), Guard::Future);
}

#[test]
fn a_mark_that_the_journal_does_not_know_stops_every_delete_and_is_told() {
    let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
    case.memory.points.remove(&Id::Number(3));
    let plan = case.plan();
    assert_eq!(plan.prunes().count(), 0);
    assert_eq!(guard(&plan, 2), Guard::SecondLastgood(Id::Number(3)));
    assert_eq!(guard(&plan, 3), Guard::Stray);
    assert!(plan.notes.contains(&Note::Stray(Id::Number(3))));
    case.memory.tokens.insert(mark(3, "nightly", "main").token, "nightly".to_owned());
    assert_eq!(pruned(&case.plan()), [3, 2], "its token is in the journal");
    case.memory.tokens.clear();
    case.memory.seen_before = false;
    let plan = case.plan();
    assert_eq!(plan.prunes().count(), 2, "the first inventory");
    assert!(plan.notes.contains(&Note::NewJournal(3)));
}

#[test]
fn a_mark_that_turned_up_later_stays_a_second_lastgoods_at_the_next_look() {
    let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
    case.memory.points.get_mut(&Id::Number(3)).unwrap().origin = Origin::Later;
    assert_eq!(guard(&case.plan(), 3), Guard::Stray);
}

#[test]
fn a_person_s_hand_on_a_point_makes_it_theirs_though_the_journal_made_it_or_it_bears_a_mark_now() {
    let mut made = case(1, vec![ours(1), ours(2), ours(3)]);
    made.memory.points.get_mut(&Id::Number(3)).unwrap().origin = Origin::Made("nightly".to_owned());
    assert_eq!(pruned(&made.plan()), [3, 2]);
    made.inventory.points[2].description = "keep this".to_owned();
    assert_eq!(guard(&made.plan(), 3), Guard::Changed);
    let mut marked = case(1, vec![ours(1), ours(2), foreign(3)]);
    marked.inventory.points[2].description = ours(3).description;
    assert_eq!(guard(&marked.plan(), 3), Guard::Changed);
}

#[test]
fn a_point_that_is_completed_after_its_run_gave_it_up_lets_the_next_be_evicted() {
    let full = case(3, vec![ours(1), ours(2), ours(3), ours(4), ours(5)]);
    let beside = |id: i64| {
        let memory = full.memory.clone();
        let unfinished = [Id::Number(id)].into();
        Memory { evicted_since_completed: 1, unfinished, ..memory }.beside(&full.inventory).evicted_since_completed
    };
    assert_eq!((beside(1), beside(77)), (0, 1));
}

#[test]
fn a_point_that_the_journal_made_is_ours_whatever_the_provider_has_left_of_its_text() {
    for (name, description) in [(None, String::new()), (Some("snapshot-1"), "lg-".to_owned())] {
        let mut case = case(2, vec![ours(1), ours(2), ours(3)]);
        let mut changed = ours(3);
        changed.name = name.map(str::to_owned);
        changed.description = description;
        put(&mut case, changed);
        case.memory.points.get_mut(&Id::Number(3)).unwrap().origin = Origin::Made("nightly".to_owned());
        assert_eq!(pruned(&case.plan()), [3, 2]);
    }
}

#[test]
fn an_id_that_came_again_is_not_the_point_that_the_journal_made() {
    let mut case = case(1, vec![ours(1), ours(2), foreign(3)]);
    let known = case.memory.points.get_mut(&Id::Number(3)).unwrap();
    known.origin = Origin::Made("nightly".to_owned());
    known.created_at = Some(now() - SignedDuration::from_hours(99));
    assert_eq!(guard(&case.plan(), 3), Guard::Foreign);
    let ground = case.ground();
    assert_eq!(ground.permits(&Id::Number(2), now(), &[]), Err(Guard::NotTheSame));
    assert_eq!(ground.permits(&Id::Number(9), now(), &[]), Err(Guard::NotTheSame));
}

#[test]
fn a_list_in_doubt_makes_and_deletes_nothing() {
    let full = || vec![ours(1), ours(2), ours(3), ours(4), ours(5)];
    for change in
        [(|case: &mut Case| case.inventory.doubts.push("entry 3 is unreadable".to_owned())) as fn(&mut Case), |case| {
            case.inventory.proof = Proof::ReadOnce
        }]
    {
        let mut case = case(2, full());
        change(&mut case);
        let plan = case.plan();
        assert!(matches!(plan.refused, Some(Refusal::Doubt(_))));
        assert_eq!(plan.actions, []);
        assert!(plan.points.iter().all(|point| point.keep));
        let point = &case.inventory.points[4];
        assert!(matches!(case.ground().permits(&point.id, point.created_at, &[]), Err(Guard::Doubt(_))));
    }
    let mut case = case(5, full());
    case.inventory.proof = Proof::ReadTwice;
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
    assert_eq!(case.ground().permits(&point.id, point.created_at, &[]), Err(Guard::MinKeep(3)));
}

#[test]
fn the_newest_completed_point_of_the_server_and_of_the_policy_is_refused() {
    let case_of = |points| case(1, points);
    let permits = |case: &Case, id: i64, gone: &[Id]| {
        let point = case.inventory.find(&Id::Number(id)).unwrap();
        case.ground().permits(&point.id, point.created_at, gone)
    };
    let case = case_of(vec![ours(1), ours(2)]);
    assert_eq!(permits(&case, 1, &[]), Err(Guard::NewestOfServer));
    assert_eq!(permits(&case, 2, &[]), Ok(()));
    assert_eq!(permits(&case, 2, &[Id::Number(1)]), Err(Guard::NewestOfServer), "1 is as good as gone");
    let case = case_of(vec![foreign(1), ours(2), ours(3)]);
    assert_eq!(permits(&case, 2, &[]), Err(Guard::NewestOfPolicy));
    // What is in progress, failed, automatic, in the future or being deleted is no newer good point.
    let changes: [fn(&mut Case); 5] = [
        |case| case.inventory.points[0].status = PointStatus::InProgress,
        |case| case.inventory.points[0].status = PointStatus::Failed,
        |case| case.inventory.points[0].automatic = true,
        |case| put(case, RestorePoint { created_at: now() + SignedDuration::from_hours(1), ..ours(1) }),
        |case| case.memory.deleting.extend([Id::Number(1)]),
    ];
    for change in changes {
        let mut case = case_of(vec![ours(1), ours(2)]);
        change(&mut case);
        assert_eq!(permits(&case, 2, &[]), Err(Guard::NewestOfServer));
    }
}

#[test]
fn no_more_is_deleted_than_the_new_point_displaces_plus_one_unless_the_policy_says_so() {
    let points = || vec![ours(1), ours(2), ours(3), ours(4)];
    let plan_of = |max_deletes: Option<u32>, spent: u32| {
        let mut case = case(2, points());
        case.limit = 10;
        case.policy.max_deletes = max_deletes;
        case.spent = spent;
        case.plan()
    };
    // 1 and 2 would stay without the new one; it displaces 2.
    let plan = plan_of(None, 0);
    assert_eq!(pruned(&plan), [4, 3]);
    assert_eq!(guard(&plan, 2), Guard::MaxDeletes(2));
    assert!(plan.notes.contains(&Note::Braked { left: 1, max_deletes: 2 }));
    assert_eq!(pruned(&plan_of(Some(9), 0)), [4, 3, 2]);
    assert_eq!(pruned(&plan_of(Some(1), 0)), [4]);
    assert!(pruned(&plan_of(Some(0), 0)).is_empty());
    assert_eq!(pruned(&plan_of(None, 1)), [4], "one was sent by an earlier attempt");
}

#[test]
fn a_plan_that_needs_two_evictions_says_so_and_speaks_of_no_earlier_one() {
    let mut over = case(3, vec![ours(1), ours(2), ours(3), ours(4), ours(5), foreign(9)]);
    over.limit = 5;
    let refused = over.refused();
    assert!(refused.contains("6 of 5 slots used; more than one slot is missing"), "{refused}");
    assert!(!refused.contains("evicted already"), "{refused}");
    over.memory.evicted_since_completed = 1;
    assert!(over.refused().contains("evicted already, and none was completed since"), "{}", over.refused());
}

#[test]
fn a_point_is_evicted_only_when_no_slot_is_free_and_only_one() {
    let plan = case(4, vec![ours(1), ours(2), ours(3), ours(4)]).plan();
    assert_eq!((evicted(&plan), pruned(&plan)), (vec![], vec![4]), "a slot is free");
    let mut full = case(3, vec![ours(1), ours(2), ours(3), ours(4), ours(5)]);
    let plan = full.plan();
    assert_eq!((evicted(&plan), pruned(&plan)), (vec![5], vec![4]), "one makes room, the other waits");
    assert!(matches!(plan.actions[0], Action::Delete(_)) && matches!(plan.actions[1], Action::Create(_)));
    assert_eq!(why(&plan, 5).len(), 1);
    full.memory.evicted_since_completed = 1;
    assert!(full.refused().contains("evicted already"), "{}", full.refused());
    assert!(full.plan().points.iter().all(|point| point.keep));
    full.memory.not_gone.insert(Id::Number(4));
    assert!(full.refused().contains("evicted already"), "the oldest goes first: {}", full.refused());
    full.memory.not_gone = [Id::Number(5)].into();
    assert_eq!(
        evicted(&full.plan()),
        [5],
        "the provider accepted its delete and did not carry it out: it is sent again"
    );
}

#[test]
fn failed_points_of_ours_make_room_first_and_foreign_ones_never() {
    let mut case = case(5, vec![ours(1), ours(2), foreign(3), ours(4), ours(5)]);
    case.inventory.points[1].status = PointStatus::Failed;
    case.inventory.points[2].status = PointStatus::Failed;
    let plan = case.plan();
    assert_eq!((evicted(&plan), pruned(&plan)), (vec![2], vec![]));
    assert_eq!(guard(&plan, 3), Guard::Foreign);
}

#[test]
fn a_failed_point_makes_room_before_an_older_completed_one_and_no_more_go_than_must() {
    let mut case = case(3, vec![ours(1), ours(2), ours(3), ours(4), ours(5)]);
    for place in [1, 2] {
        case.inventory.points[place].status = PointStatus::Failed;
    }
    case.policy.max_deletes = Some(9);
    let plan = case.plan();
    assert_eq!((evicted(&plan), pruned(&plan)), (vec![3], vec![2, 5]));
}

#[test]
fn what_retention_keeps_makes_no_room_and_the_refusal_names_the_foreign_points() {
    let text = case(4, vec![ours(1), ours(2), ours(3), foreign(4), foreign(5)]).refused();
    for part in [
        "limit reached (3 own, 2 foreign); 5 of 5 slots used",
        "before-upgrade-4",
        "before-upgrade-5",
        "delete a snapshot",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn the_last_good_point_is_not_evicted_though_retention_drops_it() {
    let mut case = case(1, vec![ours(1), foreign(2)]);
    case.limit = 2;
    assert!(case.refused().contains("point 1 stays"), "{}", case.refused());
}

#[test]
fn reserve_leaves_slots_to_people_and_counts_those_they_use() {
    let room = |points: Vec<RestorePoint>, reserve: u32| {
        let mut case = case(9, points);
        case.reserve = reserve;
        case.plan().refused.is_none()
    };
    assert!(room(vec![ours(1), ours(2), ours(3)], 1));
    assert!(!room(vec![ours(1), ours(2), ours(3), ours(4)], 1), "the last slot is theirs");
    assert!(room(vec![ours(1), ours(2), ours(3), foreign(4)], 1), "they have theirs");
    assert!(!room(vec![ours(1), ours(2), ours(3), foreign(4)], 2));
}

#[test]
fn a_reserve_that_grew_is_reached_by_exchanging_one_for_one() {
    let mut case = case(4, vec![ours(1), ours(2), ours(3), ours(4), ours(5)]);
    case.reserve = 1;
    let plan = case.plan();
    assert_eq!((evicted(&plan), pruned(&plan)), (vec![5], vec![4]));
    // The create failed after the eviction: the next attempt may take the slot that was left to it.
    case.inventory.points.pop();
    case.memory.evicted_since_completed = 1;
    let plan = case.plan();
    assert_eq!((plan.refused.clone(), evicted(&plan), pruned(&plan)), (None, vec![], vec![4]));
}

#[test]
fn with_prune_all_a_persons_point_makes_room_beside_a_reserve() {
    let mut case = case(3, vec![ours(1), ours(2), ours(3), ours(4), foreign(5)]);
    (case.policy.prune, case.reserve) = (Prune::All, 1);
    let plan = case.plan();
    assert_eq!((plan.refused.clone(), evicted(&plan)), (None, vec![5]));
}

#[test]
fn points_that_no_list_shows_and_intents_without_an_answer_take_slots() {
    let full = |unlisted: Vec<Unlisted>| {
        let mut case = case(9, vec![ours(1), ours(2), ours(3), ours(4)]);
        case.memory.unlisted = unlisted;
        case.plan()
    };
    let token = |number| mark(number, "nightly", "main").token;
    assert_eq!(full(Vec::new()).refused, None);
    for id in [None, Some(Id::Number(77))] {
        let plan = full(vec![Unlisted { id, token: token(77) }]);
        assert!(matches!(plan.refused, Some(Refusal::NoRoom { .. })), "{plan:?}");
        assert_eq!((plan.slots.used, plan.slots.own), (5, 5));
    }
    let listed = [Unlisted { id: Some(Id::Number(1)), token: token(77) }, Unlisted { id: None, token: token(2) }];
    assert_eq!(full(listed.to_vec()).refused, None, "the list shows them: they are not counted twice");
}

#[test]
fn a_point_whose_delete_was_accepted_takes_its_slot_and_no_second_goes_in_its_place() {
    let mut case = case(4, vec![ours(1), ours(2), ours(3), ours(4), ours(5)]);
    case.memory.deleting.insert(Id::Number(5));
    let plan = case.plan();
    assert_eq!(plan.slots.used, 5);
    assert!(evicted(&plan).iter().all(|id| *id != 5));
    assert_eq!(guard(&plan, 5), Guard::Deleting);
}

#[test]
fn automatic_backups_take_no_slot() {
    let points = (1..=5).map(|day| RestorePoint { automatic: true, ..foreign(day) });
    assert_eq!(case(1, points.collect()).plan().slots.used, 0);
}

#[test]
fn points_of_the_same_second_are_told_apart_by_due_time_and_then_by_id() {
    let at = |days, id: i64| RestorePoint { id: Id::Number(id), created_at: ours(9).created_at, ..ours(days) };
    // 12 has the older due time, whatever its id.
    assert_eq!(pruned(&case(3, vec![at(1, 10), at(2, 11), at(3, 12)]).plan()), [12]);
    let same = |id: i64| RestorePoint { id: Id::Number(id), ..ours(9) };
    assert_eq!(pruned(&case(3, vec![same(12), same(11), same(10)]).plan()), [10]);
}

#[test]
fn a_point_in_progress_for_longer_than_stuck_after_is_told() {
    let mut case = case(3, vec![ours(1)]);
    case.inventory.points[0].status = PointStatus::InProgress;
    assert!(case.plan().notes.contains(&Note::Stuck(Id::Number(1))));
    case.policy.stuck_after = Duration::from_secs(2 * 86_400);
    assert_eq!(case.plan().notes, []);
}

fn any_point(id: i64) -> impl Strategy<Value = RestorePoint> {
    let what = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    let status = prop_oneof![
        6 => Just(PointStatus::Completed),
        1 => Just(PointStatus::Failed),
        1 => Just(PointStatus::InProgress),
        1 => Just(PointStatus::Other("odd".to_owned()))
    ];
    (what, status, -40_i64..90_000, any::<bool>()).prop_map(move |(what, status, minutes, automatic)| {
        let base = match what {
            0 => ours(id),
            1 => foreign(id),
            2 => of_policy(id, "weekly"),
            _ => RestorePoint { description: mark(id, "nightly", "other").description(), ..foreign(id) },
        };
        let created_at = now() - SignedDuration::from_mins(minutes);
        RestorePoint { status, created_at, automatic: automatic && what == 1, ..base }
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    let points = (1..=8_i64).map(any_point).collect::<Vec<_>>();
    let numbers = (1_u32..6, 0_usize..9, 0_u32..3, 1_u32..4, proptest::option::of(0_u32..5));
    let odd = (any::<bool>(), 0_u32..2, 0_i64..30, 0_i64..30, 0_u32..8);
    (points, numbers, odd).prop_map(|(mut points, (last, used, reserve, min_keep, max_deletes), odd)| {
        points.truncate(used);
        points.sort_by_key(|point| std::cmp::Reverse(point.created_at));
        let mut case = case(last, points);
        let (all, evicted_before, held, deleting, rule) = odd;
        case.policy.prune = if all { Prune::All } else { Prune::Own };
        if rule < 2 {
            case.policy.keep = Keep {
                counts: vec![(Rule::Daily, Count::Number(last)), (Rule::Weekly, Count::Number(rule))],
                ..Keep::default()
            };
        }
        (case.policy.min_keep, case.policy.max_deletes, case.reserve) = (min_keep, max_deletes, reserve);
        case.memory.holds.insert(Id::Number(held), "held".to_owned());
        case.memory.deleting.insert(Id::Number(deleting));
        case.memory.evicted_since_completed = evicted_before;
        case.limit = 8;
        case
    })
}

/// The case after the plan was carried out.
fn applied(case: Case, plan: &Plan) -> Case {
    let Case { policy, mut inventory, mut memory, limit, reserve, spent } = case;
    inventory.points.retain(|point| !plan.actions.iter().filter_map(Action::as_delete).any(|it| it.id == point.id));
    let made = RestorePoint { id: Id::Number(99), created_at: now(), ..ours(0) };
    memory.points.insert(
        made.id.clone(),
        Remembered { created_at: Some(now()), text: Some(Text::of(&made)), origin: Origin::Made("nightly".to_owned()) },
    );
    inventory.points.insert(0, made);
    memory.evicted_since_completed = 0;
    Case { policy, inventory, memory, limit, reserve, spent }
}

proptest! {
    #[test]
    fn nothing_is_deleted_that_a_guard_names_and_every_point_has_one_decision(case in any_case()) {
        let plan = case.plan();
        let ground = case.ground();
        prop_assert_eq!(plan.points.len(), case.inventory.points.len());
        for delete in plan.actions.iter().filter_map(Action::as_delete) {
            let point = case.inventory.find(&delete.id).unwrap();
            prop_assert_eq!(ground.refuses(point), None);
            prop_assert_eq!(point.created_at, delete.created_at);
            let decision = plan.points.iter().find(|decision| decision.id == delete.id).unwrap();
            prop_assert!(!decision.keep && !decision.why.is_empty());
        }
        for decision in &plan.points {
            let goes = plan.actions.iter().filter_map(Action::as_delete).any(|delete| delete.id == decision.id);
            prop_assert_eq!(goes, !decision.keep, "{:?}", decision);
        }
    }

    #[test]
    fn evictions_come_first_then_one_create_then_prunes(case in any_case()) {
        let plan = case.plan();
        let creates = plan.actions.iter().filter(|action| matches!(action, Action::Create(_))).count();
        prop_assert_eq!(creates, usize::from(plan.refused.is_none()));
        if plan.refused.is_some() {
            prop_assert!(plan.actions.is_empty());
        }
        let completed = plan.evictions().filter(|delete| delete.completed).count();
        prop_assert!(completed <= usize::from(case.memory.evicted_since_completed == 0));
        if plan.slots.room(case.memory.reserve_now(case.reserve)) > 0 {
            prop_assert_eq!(plan.evictions().count(), 0, "a slot is free");
        }
        let deletes = plan.actions.iter().filter_map(Action::as_delete).count();
        prop_assert!(deletes <= plan.max_deletes as usize);
    }

    #[test]
    fn slots_are_never_exceeded_and_a_good_point_is_there_throughout(case in any_case()) {
        let plan = case.plan();
        if plan.refused.is_none() {
            let used = case.inventory.manual().count() - plan.evictions().count() + 1;
            prop_assert!(used <= case.limit as usize);
            let good = |point: &&RestorePoint| {
                point.status == PointStatus::Completed && !case.memory.deleting.contains(&point.id)
            };
            let before = case.inventory.manual().filter(good).count();
            let left = case.inventory.manual().filter(good).filter(|point| {
                !plan.evictions().any(|delete| delete.id == point.id)
            });
            prop_assert!(before == 0 || left.count() > 0, "good before gone");
        }
    }

    #[test]
    fn after_a_plan_retention_drops_nothing_more_but_what_a_brake_kept(case in any_case()) {
        let mut case = case;
        case.policy.max_deletes = Some(99);
        let plan = case.plan();
        if plan.refused.is_none() {
            let then = applied(case, &plan);
            let ground = then.ground();
            let counted: Vec<&RestorePoint> =
                ground.inventory.points.iter().filter(|point| counts(&ground, point)).collect();
            let candidates: Vec<Candidate> = counted.iter().map(|point| candidate(point)).collect();
            let verdicts = retention::decide(
                &candidates, &then.policy.keep, then.policy.keep_mode, &then.policy.timezone).unwrap();
            let remaining = counted.len();
            for (point, verdict) in counted.iter().zip(verdicts) {
                let kept = verdict.keep || ground.refuses(point).is_some();
                prop_assert!(kept || remaining <= then.policy.min_keep as usize, "{:?}", point);
            }
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(case in any_case(), turn in 0_usize..8) {
        let plan = case.plan();
        let mut turned = case;
        if !turned.inventory.points.is_empty() {
            let turn = turn % turned.inventory.points.len();
            turned.inventory.points.rotate_left(turn);
            turned.inventory.points.reverse();
        }
        let other = turned.plan();
        prop_assert_eq!(&plan.actions, &other.actions);
        prop_assert_eq!(plan.refused.is_some(), other.refused.is_some());
    }
}
