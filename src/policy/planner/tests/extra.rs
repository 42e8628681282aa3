//! What holds and `protect` cost, and which policy.

use super::*;
use crate::policy::keep::KeepMode;

const NOTHING: [i64; 0] = [];

fn hold(case: &mut Case, ids: &[i64]) {
    case.memory.holds.extend(ids.iter().map(|id| (PointId::Number(*id), "audit".to_owned())));
}

/// Another policy of the server and kind.
fn other(name: &str, last: u32) -> Arc<Policy> {
    Arc::new(Policy { name: PolicyName::new(name).unwrap(), enabled: true, ..policy(last) })
}

fn gone(case: &Case) -> Vec<i64> {
    let plan = case.plan();
    assert_eq!(plan.refused, None, "{plan:?}");
    plan.actions.iter().filter_map(Action::as_delete).map(|delete| number(&delete.id)).collect()
}

fn nightly_of_five(held: &[i64]) -> Case {
    let mut case = case(5, (1..=5).map(ours).collect());
    hold(&mut case, held);
    case
}

#[test]
fn what_is_given_up_is_the_oldest_that_nothing_keeps_and_the_plan_says_why() {
    for (held, goes) in [(&[5][..], 4), (&[5, 4], 3), (&[5, 3], 4), (&[5, 4, 3], 2), (&[1], 5), (&[], 5)] {
        let case = nightly_of_five(held);
        assert_eq!(gone(&case), [goes], "held: {held:?}");
        assert_eq!(case.plan().max_deletes, 2, "it is what the new point displaces: {held:?}");
    }
    let plan = nightly_of_five(&[5]).plan();
    let text = plan.evictions().next().unwrap().why.to_string();
    assert_eq!(text, "given up: not enough slots besides 5, kept by a hold or `protect`");
    assert_eq!(plan.given_up().map(|(id, _)| number(id)).collect::<Vec<_>>(), [4]);
}

#[test]
fn never_the_newest_and_never_below_min_keep() {
    let all_but_the_newest = nightly_of_five(&[2, 3, 4, 5]);
    let text = all_but_the_newest.refused();
    for part in ["snapshot 2 is on hold (audit; until it is released)", "`lastgood release snapshot 5`"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let mut kept = nightly_of_five(&[5]);
    kept.policy.min_keep = 6;
    assert!(kept.plan().refused.is_some());
    kept.policy.min_keep = 4;
    assert_eq!(gone(&kept), [4], "what is held counts towards it");
}

#[test]
fn a_held_server_is_named_with_the_end_of_its_hold() {
    let mut case = nightly_of_five(&[]);
    case.memory.server_hold = Some("audit".to_owned());
    case.memory.server_hold_until = Some("2027-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(
        case.refused(),
        "snapshot limit reached (5 own, 0 foreign); 5 of 5 slots used; the server is on hold (audit; until \
         2027-01-01T00:00:00Z): `lastgood release server web-server-01` allows deletes again"
    );
}

#[test]
fn the_slots_are_those_of_all_policies_the_reserve_people_and_what_is_extra() {
    let with = |limit: u32, reserve: u32, people: i64, others: &[u32]| {
        let mut points: Vec<RestorePoint> = (1..=3).map(ours).collect();
        points.extend((20..20 + people).map(foreign));
        let mut case = case(3, points);
        hold(&mut case, &[3]);
        (case.limit, case.reserve) = (limit, reserve);
        case.others = others.iter().zip(["a", "b"]).map(|(last, name)| other(name, *last)).collect();
        gone(&case)
    };
    assert_eq!(with(4, 0, 0, &[]), NOTHING, "3 and 1 extra are 4");
    assert_eq!(with(5, 2, 0, &[]), [2], "3, 1 and 2 left to people are 6");
    assert_eq!(with(6, 2, 0, &[]), NOTHING);
    assert_eq!(with(6, 2, 2, &[]), NOTHING, "they use what is left to them");
    assert_eq!(with(6, 0, 2, &[]), NOTHING);
    assert_eq!(with(6, 0, 3, &[]), [2]);
    assert_eq!(with(6, 0, 0, &[2]), NOTHING);
    assert_eq!(with(5, 0, 0, &[2]), [2]);
    assert_eq!(with(6, 0, 0, &[1, 2]), [2]);
}

#[test]
fn policies_share_by_name_and_one_without_extra_points_gives_up_nothing() {
    let of = |named: &str, held: &[i64]| {
        let points =
            vec![ours(1), of_policy(2, "weekly"), ours(3), of_policy(4, "weekly"), ours(5), of_policy(6, "weekly")];
        let mut case = case(2, points);
        hold(&mut case, held);
        case.limit = 7;
        case.others = vec![other("weekly", 2), other("third", 2)];
        if named == "weekly" {
            (case.policy, case.others) = ((*other("weekly", 2)).clone(), vec![Arc::new(policy(2)), other("third", 2)]);
        }
        case.policy.max_deletes = Some(9);
        gone(&case)
    };
    // Two extra, 2 + 2 + 2 counted: one too many for seven slots. nightly comes first.
    assert_eq!(of("nightly", &[5, 6]), [3, 1]);
    assert_eq!(of("weekly", &[5, 6]), [4]);
    assert_eq!(of("weekly", &[5]), [6, 4], "it has nothing extra: as always");
}

#[test]
fn what_a_hold_will_cost_is_known_beforehand() {
    let cost = |limit: u32, held: &[i64], id: i64| {
        let mut case = case(5, (1..=5).map(ours).collect());
        hold(&mut case, held);
        case.limit = limit;
        let request = PlanRequest { limit, ..case.request() };
        crate::policy::hold_cost::of_point(&request, &PointId::Number(id)).map(|cost| cost.to_string())
    };
    let words = |keeps: u32, of: u32| {
        Some(format!("policy nightly keeps {keeps} instead of {of} points of its own until this hold ends"))
    };
    assert_eq!(cost(5, &[], 1), words(4, 5));
    assert_eq!(cost(5, &[5], 1), words(3, 4));
    assert_eq!(cost(6, &[], 1), None);
    assert_eq!(cost(6, &[5], 1), words(4, 5));
    assert_eq!(cost(5, &[1], 1), None, "it is held already");
    assert!(cost(5, &[2, 3, 4, 5], 1).unwrap().contains("its runs fail for lack of room"));
}

proptest! {
    #[test]
    fn a_hold_makes_no_other_point_go_where_slots_suffice(
        days in proptest::collection::btree_set(1_i64..400, 1..12),
        held in proptest::collection::vec(0_usize..12, 0..5),
        (last, daily, weekly) in (0_u32..4, 0_u32..5, 0_u32..4),
        (union, limit) in (any::<bool>(), 8_u32..40),
    ) {
        let mut free = case(1, days.iter().map(|day| ours(*day)).collect());
        let counts = vec![
            (KeepRule::Last, Count::Number(last + 1)), (KeepRule::Daily, Count::Number(daily)), (KeepRule::Weekly, Count::Number(weekly)),
        ];
        free.policy.keep = Keep { counts, ..Keep::default() };
        free.policy.keep_mode = if union { KeepMode::Union } else { KeepMode::Sequential };
        (free.policy.max_deletes, free.limit) = (Some(99), limit);
        let days: Vec<i64> = days.into_iter().collect();
        let held: Vec<i64> = held.into_iter().map(|place| days[place % days.len()]).collect();
        let mut beside = case(1, free.inventory.points.clone());
        (beside.policy, beside.limit) = (free.policy.clone(), limit);
        hold(&mut beside, &held);
        let (without, with) = (free.plan(), beside.plan());
        let goes = |plan: &Plan| -> Vec<i64> {
            plan.actions.iter().filter_map(Action::as_delete).map(|delete| number(&delete.id)).collect()
        };
        let unheld: Vec<i64> = goes(&without).into_iter().filter(|id| !held.contains(id)).collect();
        let extra = u32::try_from(held.len()).unwrap();
        let suffices = last + 1 + daily + weekly + extra <= limit && days.len() < limit as usize;
        if suffices {
            prop_assert_eq!(goes(&with).into_iter().collect::<std::collections::BTreeSet<_>>(),
                unheld.into_iter().collect::<std::collections::BTreeSet<_>>());
        } else if with.refused.is_none() && without.refused.is_none() {
            // No more is given up than is held.
            let more = goes(&with).into_iter().filter(|id| !unheld.contains(id)).count();
            prop_assert!(more <= held.len(), "{more} for {held:?}");
        }
    }
}
