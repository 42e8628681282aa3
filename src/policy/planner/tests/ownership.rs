//! Who owns a point, and what follows from it.

use super::*;
use crate::policy::text::cleaned;

#[test]
fn with_prune_all_peoples_points_count_as_own_but_no_other_policys_former_or_not() {
    let mut case = case(1, vec![ours(1), foreign(2), of_policy(3, "weekly"), of_policy(4, "long-gone")]);
    case.policy.prune = Prune::All;
    let plan = case.plan();
    assert_eq!(pruned(&plan), [2, 1]);
    assert_eq!(guard(&plan, 3), Guard::OtherPolicy("weekly".parse().unwrap()));
    assert_eq!(guard(&plan, 4), Guard::OtherPolicy("long-gone".parse().unwrap()));
}

#[test]
fn with_prune_all_removing_a_mark_does_not_make_a_point_deletable() {
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
fn a_point_dated_over_five_minutes_after_both_clocks_is_kept_uncounted_and_reported() {
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
    assert!(plan.notes.contains(&Note::Future(PointId::Number(1))));
    for (provider, point) in [(0, 300), (600, 900), (-600, 300)] {
        let plan = at(provider, point);
        assert_eq!(pruned(&plan), [3, 2], "{provider} {point}");
        assert!(plan.notes.iter().all(|note| !matches!(note, Note::Future(_))));
    }
    assert_eq!(guard(&at(600, 901), 1), Guard::Future);
}

#[test]
fn a_mark_that_the_journal_does_not_know_stops_every_delete_and_is_reported() {
    let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
    case.memory.points.remove(&PointId::Number(3));
    let plan = case.plan();
    assert_eq!(plan.prunes().count(), 0);
    assert_eq!(guard(&plan, 2), Guard::SecondLastgood(PointId::Number(3)));
    assert_eq!(guard(&plan, 3), Guard::Stray);
    assert!(plan.notes.contains(&Note::Stray(PointId::Number(3))));
    case.memory.tokens.insert(mark(3, "nightly", "main").token, "nightly".parse().unwrap());
    assert_eq!(pruned(&case.plan()), [3, 2], "its token is in the journal");
    case.memory.tokens.clear();
    case.memory.seen_before = false;
    let plan = case.plan();
    assert_eq!(plan.prunes().count(), 2, "the first inventory");
    assert!(plan.notes.contains(&Note::NewJournal(3)));
}

#[test]
fn a_mark_that_appeared_later_still_counts_as_a_second_lastgoods_at_the_next_inspection() {
    let mut case = case(1, vec![ours(1), ours(2), ours(3)]);
    case.memory.points.get_mut(&PointId::Number(3)).unwrap().origin = Origin::Later;
    assert_eq!(guard(&case.plan(), 3), Guard::Stray);
}

#[test]
fn an_edited_point_is_foreign_even_if_the_journal_made_it_or_it_has_a_mark_now() {
    let mut made = case(1, vec![ours(1), ours(2), ours(3)]);
    made.memory.points.get_mut(&PointId::Number(3)).unwrap().origin = Origin::Made("nightly".parse().unwrap());
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
        let unfinished = [PointId::Number(id)].into();
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
        case.memory.points.get_mut(&PointId::Number(3)).unwrap().origin = Origin::Made("nightly".parse().unwrap());
        assert_eq!(pruned(&case.plan()), [3, 2]);
    }
}

#[test]
fn a_reused_id_is_not_the_point_that_the_journal_made() {
    let mut case = case(1, vec![ours(1), ours(2), foreign(3)]);
    let known = case.memory.points.get_mut(&PointId::Number(3)).unwrap();
    known.origin = Origin::Made("nightly".parse().unwrap());
    known.created_at = Some(now() - SignedDuration::from_hours(99));
    assert_eq!(guard(&case.plan(), 3), Guard::Foreign);
    let guards = case.guards();
    assert_eq!(guards.permits(&PointId::Number(2), now(), &[]), Err(Guard::NotTheSame));
    assert_eq!(guards.permits(&PointId::Number(9), now(), &[]), Err(Guard::NotTheSame));
}

#[test]
fn a_text_that_was_cut_counts_as_protected_by_what_it_may_have_matched() {
    let description = cleaned(&format!("{} keep", "x".repeat(300)));
    let long = RestorePoint { name: None, description, ..foreign(2) };
    let mut case = case(1, vec![ours(1), long, foreign(3)]);
    case.policy.prune = Prune::All;
    case.policy.protect = vec![Pattern::new("y*"), Pattern::new("*keep")];
    let plan = case.plan();
    assert_eq!(guard(&plan, 2), Guard::Protected("*keep".to_owned()));
    assert_eq!(pruned(&plan), [3, 1]);
}

#[test]
fn points_stored_before_texts_were_cleaned_are_recognised() {
    let mut case = case(1, vec![ours(1), ours(2)]);
    let point = case.inventory.points.iter().find(|point| point.id == PointId::Number(2)).unwrap().clone();
    let first =
        PointText { name: Some(format!("{}\u{200b}", point.name.unwrap())), description: "a\nb\u{1b}".repeat(100) };
    let of = |text: &PointText| PointText {
        name: text.name.as_deref().map(cleaned),
        description: cleaned(&text.description),
    };
    assert!(first.is_same(&of(&first)) && !first.is_same(&PointText { description: "a".to_owned(), ..first.clone() }));
    let description = format!("{}\r\n", point.description);
    case.memory.points.get_mut(&PointId::Number(2)).unwrap().text =
        Some(PointText { name: None, description: description.clone() });
    let listed = case.inventory.points.iter_mut().find(|point| point.id == PointId::Number(2)).unwrap();
    (listed.name, listed.description) = (None, cleaned(&description));
    assert_eq!(pruned(&case.plan()), [2, 1]);
    case.memory.points.get_mut(&PointId::Number(2)).unwrap().text =
        Some(PointText { name: None, description: "x".to_owned() });
    assert_eq!(guard(&case.plan(), 2), Guard::Changed);
}
