//! Points that disappeared, and lists that are much shorter than the last one.

use super::*;

#[test]
fn points_of_ours_that_disappeared_stop_every_delete() {
    let mut case = case((1..=7).map(ours).collect());
    case.policy.keep = keep(2);
    case.memory.retention = kept_by(&case.policy);
    assert!(case.plan().prunes().next().is_some(), "without a brake, some would go");
    case.lose(&[3]);
    assert_eq!(case.causes(), [BrakeCause::Gone]);
    let plan = case.plan();
    assert_eq!(plan.actions.len(), 1, "the new point is made, and none goes: {:?}", plan.actions);
    assert!(plan.points.iter().all(|point| point.keep));
    assert_eq!(plan.brakes.len(), 1);
    assert!(plan.brakes[0].text.contains('3'), "{:?}", plan.brakes);
}

#[test]
fn a_foreign_point_may_disappear_at_any_time() {
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
    assert_eq!(case.causes(), [BrakeCause::Shorter]);
    let text = &case.plan().brakes[0].text;
    assert!(text.ends_with("(none of them was a good one of ours: this is fine if someone deleted them)"), "{text}");
}

#[test]
fn three_that_are_less_than_half_do_not_make_a_much_shorter_list() {
    let mut case = case((1..=7).map(foreign).collect());
    case.lose(&[101, 102, 103]);
    assert_eq!(case.causes(), []);
    case.lose(&[104]);
    assert_eq!(case.causes(), [BrakeCause::Shorter]);
}

#[test]
fn a_later_point_with_a_reused_id_is_a_different_point() {
    let mut case = case((1..=4).map(ours).collect());
    case.inventory.points[1] = RestorePoint { id: PointId::Number(2), created_at: now(), ..foreign(2) };
    assert_eq!(case.causes(), [BrakeCause::Gone]);
    case.written();
    case.memory.listed.clear();
    assert_eq!((case.causes(), case.detect().over), (vec![BrakeCause::Gone], vec![]), "nor does it release the brake");
}

#[test]
fn one_of_two_that_is_listed_again_releases_no_brake() {
    let mut case = case((1..=6).map(ours).collect());
    case.lose(&[2, 3]);
    case.written();
    case.memory.listed.clear();
    case.inventory.points.push(ours(2));
    assert_eq!((case.causes(), case.detect().over), (vec![BrakeCause::Gone], vec![]));
}

#[test]
fn points_that_are_listed_again_release_their_brake() {
    let mut case = case((1..=4).map(ours).collect());
    let whole = case.inventory.points.clone();
    case.lose(&[2]);
    case.written();
    // The list without it is stored; the brake stays.
    case.memory.listed.retain(|seen| seen.about.id != PointId::Number(2));
    assert_eq!((case.causes(), case.detect().new), (vec![BrakeCause::Gone], vec![]));
    case.inventory.points = whole;
    assert_eq!((case.causes(), case.detect().over), (vec![], vec![1]));
}

#[test]
fn a_second_loss_widens_the_brake_that_holds() {
    let mut case = case((1..=6).map(ours).collect());
    case.lose(&[2]);
    case.written();
    case.memory.listed.retain(|seen| seen.about.id != PointId::Number(2));
    case.lose(&[3]);
    let detected = case.detect();
    assert_eq!(detected.in_force, detected.new);
    let ids: Vec<&PointId> = detected.new[0].points.iter().map(|about| &about.id).collect();
    assert_eq!(ids, [&PointId::Number(2), &PointId::Number(3)]);
}

#[test]
fn a_mark_that_the_journal_does_not_know_is_a_brake_until_the_point_is_gone() {
    let mut case = case((1..=4).map(ours).collect());
    case.memory.points.remove(&PointId::Number(2));
    assert_eq!(case.causes(), [BrakeCause::SecondLastgood]);
    case.written();
    case.lose(&[2]);
    case.memory.listed.clear();
    assert_eq!((case.causes(), case.detect().over), (vec![], vec![1]));
}
