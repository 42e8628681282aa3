//! Evictions must be valid whether the new point is dated now or in the next bucket; and the checks just before a
//! delete is sent.

use super::*;
use crate::policy::permit::{DeleteCheck, DeleteReason, before_sending};

/// A completed point of `nightly` with this time; the number is its id.
fn made(id: i64, at: &str) -> RestorePoint {
    RestorePoint { created_at: at.parse().unwrap(), id: PointId::Number(id), ..ours(id) }
}

/// Points with these times, newest first, with the ids 1, 2 and so on; the provider's time is `now`.
fn keeping(rules: &[(KeepRule, u32)], now: &str, limit: u32, points: &[&str]) -> Case {
    let points = (1..).zip(points).map(|(id, at)| made(id, at)).collect();
    let mut case = case(1, points);
    let counts = rules.iter().map(|(rule, count)| (*rule, Count::Number(*count))).collect();
    case.policy.keep = Keep { counts, ..Keep::default() };
    (case.inventory.provider_time, case.inventory.read_at) = (Some(now.parse().unwrap()), now.parse().unwrap());
    case.limit = limit;
    case
}

/// How a run makes room.
#[derive(Debug, PartialEq, Eq)]
enum RoomAction {
    Evicts(i64),
    Waits(&'static str),
    IsSkipped,
    Fails,
    NeedsNone,
}

fn does(case: &Case, waited: bool) -> RoomAction {
    does_after(case, waited.then(|| "2026-11-22T00:00:00Z".parse().unwrap()))
}

fn does_after(case: &Case, waited_for: Option<Timestamp>) -> RoomAction {
    let plan = plan(&PlanRequest { waited_for, ..case.request() });
    match (&plan.refused, plan.wait_until, evicted(&plan).as_slice()) {
        (Some(PlanRefusal::OnlyTheNewest { .. }), None, []) => RoomAction::IsSkipped,
        (Some(_), None, []) => RoomAction::Fails,
        (None, Some(until), []) if until.to_string() == "2026-11-22T00:00:00Z" => RoomAction::Waits("midnight"),
        (None, None, [id]) => RoomAction::Evicts(*id),
        (None, None, []) => RoomAction::NeedsNone,
        other => panic!("{other:?}"),
    }
}

type Rules<'a> = &'a [(KeepRule, u32)];
/// A name, the rules, the provider's time, the slots, the points; what a run does, and what it does after its wait.
type LateCase<'a> = (&'a str, Rules<'a>, &'a str, u32, &'a [&'a str], RoomAction, RoomAction);

#[test]
fn an_eviction_takes_what_both_verdicts_drop_or_the_run_waits_once() {
    use KeepRule::{Daily, Hourly, Last};
    use RoomAction::{Evicts, Fails, IsSkipped, NeedsNone, Waits};
    let daily: &[(KeepRule, u32)] = &[(Daily, 3)];
    // The newest was created before this day, on it, and long before.
    let before = &["2026-11-20T23:59:00Z", "2026-11-19T23:59:00Z", "2026-11-18T23:59:00Z"][..];
    let today = &["2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"][..];
    let twice = &["2026-11-21T00:00:30Z", "2026-11-20T12:00:30Z", "2026-11-20T00:00:30Z"][..];
    let table: &[LateCase<'_>] = &[
        ("both drop the oldest", daily, "2026-11-21T23:59:00Z", 3, before, Evicts(3), Evicts(3)),
        ("the next day alone", daily, "2026-11-21T23:59:00Z", 3, today, Waits("midnight"), IsSkipped),
        ("the last second", daily, "2026-11-21T23:59:59Z", 3, today, Waits("midnight"), IsSkipped),
        ("midnight is over", daily, "2026-11-22T00:00:00Z", 3, today, Evicts(3), Evicts(3)),
        ("midnight is far", daily, "2026-11-21T23:50:00Z", 3, today, IsSkipped, IsSkipped),
        ("room is left", daily, "2026-11-21T23:59:00Z", 4, today, NeedsNone, NeedsNone),
        ("a day has two", daily, "2026-11-21T23:59:00Z", 3, twice, Evicts(3), Evicts(3)),
        ("no buckets", &[(Last, 3)], "2026-11-21T23:59:00Z", 3, today, Evicts(3), Evicts(3)),
        ("nothing goes", &[(Last, 3)], "2026-11-21T23:59:00Z", 2, &before[..2], Fails, Fails),
        ("hours end too", &[(Hourly, 3)], "2026-11-21T23:59:00Z", 3, before, Evicts(3), Evicts(3)),
    ];
    for (what, rules, now, limit, points, first, then) in table {
        let case = keeping(rules, now, *limit, points);
        assert_eq!((&does(&case, false), &does(&case, true)), (first, then), "{what}");
    }
}

#[test]
fn the_time_from_plan_to_create_is_learned_within_bounds() {
    let today = ["2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"];
    let at = |now: &str, lead: u64| {
        let mut case = keeping(&[(KeepRule::Daily, 3)], now, 3, &today);
        case.memory.longest_lead = Duration::from_secs(lead);
        does(&case, false)
    };
    assert_eq!(at("2026-11-21T23:58:00Z", 0), RoomAction::Waits("midnight"), "two minutes at least");
    assert_eq!(at("2026-11-21T23:57:59Z", 0), RoomAction::IsSkipped);
    assert_eq!(at("2026-11-21T23:55:00Z", 300), RoomAction::Waits("midnight"));
    assert_eq!(at("2026-11-21T23:54:59Z", 300), RoomAction::IsSkipped);
    assert_eq!(at("2026-11-21T23:50:00Z", 86_400), RoomAction::Waits("midnight"), "ten minutes at most");
    assert_eq!(at("2026-11-21T23:49:59Z", 86_400), RoomAction::IsSkipped);
}

#[test]
fn a_run_that_waited_for_one_bucket_waits_for_a_later_one() {
    let today = ["2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"];
    let case = keeping(&[(KeepRule::Daily, 3)], "2026-11-21T23:59:00Z", 3, &today);
    let after = |waited_for: &str| does_after(&case, Some(waited_for.parse().unwrap()));
    assert_eq!(after("2026-11-21T00:00:00Z"), RoomAction::Waits("midnight"));
    assert_eq!(after("2026-11-22T00:00:00Z"), RoomAction::IsSkipped);
}

#[test]
fn a_reserve_in_the_last_slot_skips_the_run_and_foreign_points_there_fail_it() {
    let today = ["2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"];
    let mut case = keeping(&[(KeepRule::Daily, 3)], "2026-11-21T12:00:00Z", 4, &today);
    case.reserve = 1;
    assert_eq!(does(&case, false), RoomAction::IsSkipped);
    // Only one point is kept, and foreign ones take the rest: that must be reported.
    let mut case = keeping(&[(KeepRule::Daily, 1)], "2026-11-22T12:00:00Z", 2, &today[..1]);
    case.inventory.points.push(foreign(2));
    assert_eq!(does(&case, false), RoomAction::Fails);
}

/// The check just before point `id` is deleted, assuming the plan deletes it.
fn last_word(case: &Case, id: i64, cause: DeleteReason, in_force: Option<&Policy>) -> Result<(), Guard> {
    let point = case.inventory.find(&PointId::Number(id)).unwrap();
    let made = PointId::Number(1);
    let late = DeleteCheck {
        request: case.request(),
        in_force: in_force
            .map(|policy| PlanRequest { evidence: Evidence { policy, ..case.evidence() }, ..case.request() }),
        made: (cause == DeleteReason::Retention).then_some(&made),
        makes_room: cause == DeleteReason::Eviction,
        room: 0,
        gone: &[],
        max_deletes: 5,
    };
    before_sending(&late, &point.id, point.created_at, cause)
}

#[test]
fn a_prune_is_checked_again_with_the_new_points_real_date() {
    // Planned at 23:59 as of that day, dated after midnight: last night's point is the only one of its day.
    let points = ["2026-11-22T00:00:30Z", "2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"];
    let case = keeping(&[(KeepRule::Daily, 3)], "2026-11-22T00:00:40Z", 5, &points);
    let word = |id| last_word(&case, id, DeleteReason::Retention, Some(&case.policy));
    assert!(matches!(word(2), Err(Guard::KeptNow(why)) if why == "daily 2026-11-21 (2 of 3)"), "{:?}", word(2));
    assert_eq!(word(4), Ok(()));
    assert_eq!(word(1), Err(Guard::JustMade));
}

#[test]
fn an_eviction_is_checked_again_with_the_new_point_dated_now() {
    let points = ["2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"];
    for (now, expected) in [("2026-11-21T23:59:00Z", false), ("2026-11-22T00:00:00Z", true)] {
        let case = keeping(&[(KeepRule::Daily, 3)], now, 3, &points);
        let word = last_word(&case, 3, DeleteReason::Eviction, Some(&case.policy));
        assert_eq!(word.is_ok(), expected, "{now}: {word:?}");
        assert!(word.is_ok() || matches!(word, Err(Guard::KeptNow(_))), "{word:?}");
    }
}

#[test]
fn both_policies_must_allow_a_delete() {
    let points = ["2026-11-22T00:00:30Z", "2026-11-21T00:00:30Z", "2026-11-20T00:00:30Z", "2026-11-19T00:00:30Z"];
    let mut case = keeping(&[(KeepRule::Daily, 3)], "2026-11-22T00:00:40Z", 5, &points);
    let keep = |count| Keep { counts: vec![(KeepRule::Daily, Count::Number(count))], ..Keep::default() };
    let word = |policy: Option<Policy>, case: &Case| last_word(case, 4, DeleteReason::Retention, policy.as_ref());
    let with = |keep| Policy { keep, ..case.policy.clone() };
    assert_eq!(word(Some(with(keep(2))), &case), Ok(()));
    assert!(matches!(word(Some(with(keep(4))), &case), Err(Guard::KeptNow(_))));
    assert_eq!(word(Some(Policy { prune: Prune::None, ..with(keep(3)) }), &case), Err(Guard::PruneNone));
    assert_eq!(word(Some(Policy { min_keep: 4, ..with(keep(3)) }), &case), Err(Guard::MinKeep(4)));
    assert_eq!(word(None, &case), Err(Guard::NotInForce));
    // Our own failed point is useless to any policy.
    case.inventory.points[3].status = PointStatus::Failed;
    assert_eq!(last_word(&case, 4, DeleteReason::FailedPoint, None), Ok(()));
    assert_eq!(last_word(&case, 3, DeleteReason::FailedPoint, None), Err(Guard::NotTheSame));
}
