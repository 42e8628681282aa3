//! Points that are empty, or far smaller than the previous ones.

use super::*;

#[test]
fn an_empty_or_far_smaller_newest_point_stops_deletes_until_it_is_accepted() {
    let points = || (1..=8).map(ours).collect::<Vec<_>>();
    assert_eq!(case(points()).sized(100).causes(), []);
    assert_eq!(case(points()).sized(99).causes(), [BrakeCause::Small]);
    assert_eq!(case(points()).sized(0).causes(), [BrakeCause::Small]);
    let mut accepted = case(points()).sized(99);
    accepted.written().memory.brakes[0].accepted = true;
    assert_eq!(accepted.detect(), DetectedBrakes::default());
}

#[test]
fn the_newest_point_is_compared_with_the_median_of_three_to_seven_before_it() {
    let sizes = |sizes: &[u64]| {
        let mut case = case((1..).zip(sizes).map(|(days, _)| ours(days)).collect());
        for (point, size) in case.inventory.points.iter_mut().zip(sizes) {
            point.size_mb = Some(*size);
        }
        case.causes()
    };
    assert_eq!(sizes(&[99, 1000, 1000]), [], "two say nothing");
    assert_eq!(sizes(&[99, 1000, 1000, 1000]), [BrakeCause::Small]);
    assert_eq!(sizes(&[99, 500, 1000, 2000]), [BrakeCause::Small], "the median, not the smallest");
    assert_eq!(sizes(&[150, 500, 1000, 2000]), [], "nor the largest");
    let grown = [50, 100, 100, 100, 100, 1000, 1000, 1000, 1000, 1000, 1000, 1000];
    assert_eq!(sizes(&grown), [], "what is older than seven counts no more");
}

#[test]
fn a_small_point_that_is_gone_releases_its_brake() {
    let mut case = case((1..=8).map(ours).collect()).sized(0);
    case.written();
    case.lose(&[1]);
    case.memory.listed.remove(0);
    assert_eq!((case.causes(), case.detect().over), (vec![], vec![1]));
}

#[test]
fn a_small_point_is_accepted_only_for_the_policy_that_it_was_accepted_for() {
    let mut case = case((1..=8).map(ours).collect()).sized(50);
    case.written();
    let mut next = ours(1);
    (next.id, next.created_at, next.size_mb) = (PointId::Number(9), now(), Some(60));
    case.inventory.points.insert(0, next);
    case.memory.tokens.insert(Token::from_random(1_000_003), "nightly".parse().unwrap());
    assert_eq!(case.detect().new.len(), 1, "60 MB after 50 MB that nobody accepted");
    case.inventory.points.remove(0);
    assert_eq!(case.causes(), [BrakeCause::Small]);
    case.memory.brakes[0].accepted = true;
    assert_eq!(case.causes(), []);
    case.memory.brakes[0].brake.policy = Some("weekly".parse().unwrap());
    assert_eq!(case.causes(), [BrakeCause::Small]);
}

#[test]
fn an_accepted_size_is_the_new_measure() {
    let mut case = case((1..=8).map(ours).collect()).sized(50);
    case.written().memory.brakes[0].accepted = true;
    let next = RestorePoint { id: PointId::Number(9), size_mb: Some(60), created_at: now(), ..ours(1) };
    case.inventory.points.insert(0, RestorePoint { description: ours(9).description, ..next });
    case.memory.tokens.insert(Token::from_random(9 * 1_000_003), "nightly".parse().unwrap());
    assert_eq!(case.causes(), [], "60 MB after 50 MB is nothing new");
    case.inventory.points[0].size_mb = Some(0);
    assert_eq!(case.causes(), [BrakeCause::Small], "an empty one is");
}

#[test]
fn where_sizes_are_unknown_or_all_zero_nothing_is_small() {
    let mut case = case((1..=8).map(ours).collect()).sized(0);
    for point in &mut case.inventory.points {
        point.size_mb = Some(0);
    }
    assert_eq!(case.causes(), []);
    for point in &mut case.inventory.points {
        point.size_mb = None;
    }
    assert_eq!(case.causes(), []);
}
