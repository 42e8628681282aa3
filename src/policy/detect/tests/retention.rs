//! A changed retention: what it would drop waits until it is accepted, gone, or changed back.

use super::*;

#[test]
fn a_changed_retention_that_would_drop_points_waits_while_evictions_still_make_room() {
    let mut case = case((1..=10).map(ours).collect());
    case.policy.keep = keep(4);
    assert_eq!(case.causes(), [BrakeCause::Retention]);
    let plan = case.plan();
    assert_eq!(plan.evictions().count(), 1, "the slots are full");
    assert_eq!(plan.prunes().count(), 0);
    let named: Vec<&PointId> = plan.brakes[0].points.iter().map(|about| &about.id).collect();
    let dropped: Vec<PointId> = (5..=10).map(PointId::Number).collect();
    assert_eq!(named, dropped.iter().collect::<Vec<_>>());
    case.written().memory.retention = kept_by(&case.policy);
    assert_eq!(case.causes(), [BrakeCause::Retention], "it waits");
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
    assert_eq!((case.causes(), case.detect().over), (vec![], vec![1]));
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
    assert_eq!(case_of().causes(), [BrakeCause::Retention]);
    let mut held = case_of();
    held.memory.holds.insert(PointId::Number(3), "audit".to_owned());
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
    assert_eq!((case.causes(), case.detect().over), (vec![], vec![1]));
}

#[test]
fn a_brake_of_a_former_name_continues_under_the_new_one_until_it_is_accepted() {
    let mut case = case((1..=10).map(ours).collect());
    case.policy.keep = keep(4);
    case.written().memory.retention = kept_by(&case.policy);
    let before = case.memory.brakes[0].brake.points.clone();
    (case.policy.name, case.policy.formerly) =
        (PolicyName::new("daily").unwrap(), vec![PolicyName::new("nightly").unwrap()]);
    let detected = case.detect();
    assert_eq!((detected.over, detected.in_force.len(), detected.new.len()), (vec![1], 1, 1));
    assert_eq!((detected.new[0].policy.as_deref(), &detected.new[0].points), (Some("daily"), &before));
    assert_eq!(case.plan().prunes().count(), 0);
    // The brakes of two merged policies become one with the points of both.
    case.policy.keep = keep(8);
    let detected = case.detect();
    assert_eq!((detected.over, detected.new.len()), (vec![1], 1), "changed once more: what it drops now waits");
    case.memory.brakes[0].accepted = true;
    case.memory.retention = kept_by(&case.policy);
    assert_eq!(case.causes(), []);
}
