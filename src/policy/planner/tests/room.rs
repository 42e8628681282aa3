//! What makes room for a new point, how much, and what takes a slot.

use super::*;

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
fn a_plan_that_needs_two_evictions_says_so_and_mentions_no_earlier_one() {
    let mut over = case(3, vec![ours(1), ours(2), ours(3), ours(4), ours(5), foreign(9)]);
    over.limit = 5;
    let refused = over.refused();
    assert!(refused.contains("6 of 5 slots used; more than one slot is missing"), "{refused}");
    assert!(!refused.contains("already evicted"), "{refused}");
    over.memory.evicted_since_completed = 1;
    assert!(over.refused().contains("already evicted and no new one has been completed since"), "{}", over.refused());
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
    assert!(full.refused().contains("already evicted"), "{}", full.refused());
    assert!(full.plan().points.iter().all(|point| point.keep));
    full.memory.not_gone.insert(PointId::Number(4));
    assert!(full.refused().contains("already evicted"), "the oldest goes first: {}", full.refused());
    full.memory.not_gone = [PointId::Number(5)].into();
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
fn a_failed_point_is_evicted_before_an_older_completed_one_and_no_more_than_needed() {
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
        "delete a snapshot that is not needed, or lower what the policy keeps",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let text = case(4, (1..=5).map(foreign).collect()).refused();
    assert!(text.ends_with("; delete a snapshot that is not needed"), "to keep fewer makes no room: {text}");
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
    for id in [None, Some(PointId::Number(77))] {
        let plan = full(vec![Unlisted { id, token: token(77) }]);
        assert!(matches!(plan.refused, Some(PlanRefusal::NoRoom { .. })), "{plan:?}");
        assert_eq!((plan.slots.used, plan.slots.own), (5, 5));
    }
    let listed = [Unlisted { id: Some(PointId::Number(1)), token: token(77) }, Unlisted { id: None, token: token(2) }];
    assert_eq!(full(listed.to_vec()).refused, None, "the list shows them: they are not counted twice");
}

#[test]
fn a_point_whose_delete_was_accepted_takes_its_slot_and_no_second_goes_in_its_place() {
    let mut case = case(4, vec![ours(1), ours(2), ours(3), ours(4), ours(5)]);
    case.memory.deleting.insert(PointId::Number(5));
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
