//! What became of a run's deletes, one row a case.

use super::*;
use crate::journal::answer::CallFailure;
use crate::journal::event::DeleteReason;
use crate::journal::samples::{at, began, inventory, list_point, mark, run_after};

fn delete(id: i64) -> Act {
    Act::Delete { id: PointId::Number(id), created_at: at(-id), cause: DeleteReason::Retention }
}

/// A run whose deletes of point 5 were answered so, and then settled as not done; the last one has no answer yet.
fn after(answers: &[Answer]) -> RunState {
    let mut events = began();
    for (answer, step) in answers.iter().zip(1..) {
        events.push(Event::Intended { step, act: delete(5) });
        events.push(Event::Answered { step, answer: answer.clone() });
        if matches!(answer, Answer::Unknown { .. }) {
            events.push(Event::Settled { step, found: Found::NotDone });
        }
    }
    let step = u32::try_from(answers.len()).unwrap() + 1;
    events.push(Event::Intended { step, act: delete(5) });
    run_after(&events)
}

fn unknown(error: &str) -> Answer {
    Answer::Unknown { error: error.to_owned() }
}

#[test]
fn a_404_to_a_delete_of_a_listed_point_means_what_was_sent_before() {
    let knows_none = "the provider knows no point 5 (404 Not Found), and lists it";
    for (case, before, answer) in [
        ("nothing was sent: the list has the last word", vec![], unknown(knows_none)),
        ("an answer was lost: it is gone, or about to be", vec![unknown("no answer")], Answer::AlreadyGone),
        (
            "said twice of a point that stays listed: a refusal",
            vec![unknown(knows_none)],
            Answer::Refused { error: knows_none.to_owned(), last: false },
        ),
    ] {
        let state = after(&before);
        assert_eq!(answer_to_unknown_point(&state, &PointId::Number(5), at(-5)), answer, "{case}");
    }
    let state = after(&[unknown("no answer")]);
    let other = answer_to_unknown_point(&state, &PointId::Number(5), at(-9));
    assert_eq!(other, unknown(knows_none), "the same id with another time is another point");
}

#[test]
fn the_list_says_what_became_of_a_delete_once_it_has_had_its_time() {
    let listed = |id: i64, second| inventory(vec![list_point(id, at(second), "")]);
    let gone = Some(Found::Done { id: None });
    for (case, list, settled, found) in [
        ("still listed, too early to tell", listed(5, -5), false, None),
        ("still listed", listed(5, -5), true, Some(Found::NotDone)),
        ("no longer listed", listed(6, -6), false, gone.clone()),
        ("its id was given to another point", listed(5, 30), false, gone),
    ] {
        assert_eq!(find_deleted(&list, &PointId::Number(5), at(-5), settled), found, "{case}");
    }
}

#[test]
fn an_accepted_delete_counts_as_long_as_that_very_point_is_listed() {
    let mut events = began();
    events.push(Event::Intended { step: 1, act: delete(5) });
    events.push(Event::Answered { step: 1, answer: Answer::Accepted { id: None } });
    let state = run_after(&events);
    let of = |points| still_listed(&state, &inventory(points));
    assert_eq!(of(vec![list_point(5, at(-5), ""), list_point(6, at(-6), "")]), [PointId::Number(5)]);
    assert_eq!(of(vec![list_point(5, at(30), "")]), [], "its id was given to another point");
    assert_eq!(of(Vec::new()), []);
}

#[test]
fn a_doubtful_list_does_not_prove_that_a_point_is_gone() {
    let mut list = inventory(vec![list_point(6, at(0), "")]);
    assert!(is_proven_gone(&list, &PointId::Number(5)) && !is_proven_gone(&list, &PointId::Number(6)));
    list.doubts.push("one entry cannot be read".to_owned());
    assert!(!is_proven_gone(&list, &PointId::Number(5)));
}

#[test]
fn the_accounts_list_proves_that_a_point_is_gone_only_beside_the_servers_own() {
    let point = |id: i64| list_point(id, at(id), "");
    let looked =
        |ids: &[i64]| Inventory { proof: ReadProof::ReadOnce, ..inventory(ids.iter().map(|id| point(*id)).collect()) };
    let own = inventory(vec![point(5), point(6), point(7)]);
    let short_of_a_page = Inventory { proof: ReadProof::ReadOnce, ..own.clone() };
    let doubtful = Inventory { doubts: vec!["it changed while it was read".to_owned()], ..looked(&[6, 7]) };
    let younger = Inventory { points: vec![point(6), list_point(7, at(70), "")], ..looked(&[]) };
    let confirmed = |ids| WhileGoing::Gone(Inventory { proof: ReadProof::Confirmed, ..looked(ids) });
    for (case, list, own, expected) in [
        ("still there", looked(&[5, 6, 7]), Some(&own), WhileGoing::StillListed),
        ("gone, and the others are there", looked(&[6, 7]), Some(&own), confirmed(&[6, 7])),
        ("another one is missing", looked(&[6]), Some(&own), WhileGoing::AskServer),
        ("another one is new", looked(&[6, 7, 8]), Some(&own), WhileGoing::AskServer),
        ("another point has an id of theirs", younger, Some(&own), WhileGoing::AskServer),
        ("doubtful", doubtful, Some(&own), WhileGoing::AskServer),
        ("the server's own list proves nothing", looked(&[6, 7]), Some(&short_of_a_page), WhileGoing::AskServer),
        ("there is none", looked(&[6, 7]), None, WhileGoing::AskServer),
        ("a list of the server", inventory(vec![point(6)]), None, WhileGoing::Gone(inventory(vec![point(6)]))),
    ] {
        let found = while_going(list, own, &PointId::Number(5));
        assert_eq!(found, expected, "{case}");
        if let WhileGoing::Gone(list) = found {
            assert_eq!(list.doubt_about_room(), None, "{case}");
            assert_eq!(list.doubt().is_some(), list.proof == ReadProof::Confirmed, "{case}: it decides no delete");
        }
    }
}

#[test]
fn without_a_list_a_delete_fails_the_attempt_or_after_a_failure_spares_the_point() {
    let failed = |how| FailedCall { error: "no list".to_owned(), status: None, how };
    let fails = |last| WithoutList::Fail(Failure { error: "no list".to_owned(), last });
    let failure = Failure { error: "the point has failed".to_owned(), last: false };
    let after_failure = run_after(&[began(), vec![Event::Failed(failure)]].concat());
    for (case, state, how, expected) in [
        ("not now", run_after(&began()), CallFailure::NotDone, fails(false)),
        ("refused", run_after(&began()), CallFailure::Refused, fails(true)),
        (
            "after a failure",
            after_failure,
            CallFailure::Refused,
            WithoutList::Spare(Guard::Doubt("no list".to_owned())),
        ),
    ] {
        assert_eq!(without_list(&state, failed(how)), expected, "{case}");
    }
}

#[test]
fn deletes_make_room_until_the_point_is_created_or_the_attempt_has_failed() {
    let act = Act::Create { mark: mark("ourtoken"), listed: Vec::new() };
    let answer = Answer::Accepted { id: Some(PointId::Number(7)) };
    let created = vec![Event::Intended { step: 1, act }, Event::Answered { step: 1, answer }];
    let failed = vec![Event::Failed(Failure { error: "no room".to_owned(), last: true })];
    for (case, then, expected) in [("planned", vec![], true), ("created", created, false), ("failed", failed, false)] {
        assert_eq!(makes_room(&run_after(&[began(), then].concat())), expected, "{case}");
    }
}

#[test]
fn one_list_serves_all_prunes_and_no_eviction() {
    for (reason, serves) in [
        (DeleteReason::Retention, true),
        (DeleteReason::Duplicate, true),
        (DeleteReason::Eviction, false),
        (DeleteReason::FailedPoint, false),
        (DeleteReason::OwnFailure, false),
    ] {
        assert_eq!(list_serves_next(reason), serves, "{reason:?}");
    }
}

#[test]
fn a_delete_that_was_withheld_as_stale_is_open_again() {
    let intent = vec![Event::Intended { step: 1, act: delete(5) }];
    let state = run_after(&[began(), intent, withheld_as_stale(1).to_vec()].concat());
    assert_eq!((state.steps[0].state, state.steps[0].answer_was_lost), (StepState::NotDone, true));
    assert_eq!(last_deleted_at(&state), state.steps[0].at);
}

#[test]
fn a_point_that_stays_listed_after_its_delete_fails_the_attempt_and_not_the_run() {
    let (id, hour) = (PointId::Number(5), Duration::from_hours(1));
    assert_eq!(never_gone(&id, hour, hour * 2), None);
    assert!(!never_gone(&id, hour * 2, hour * 2).unwrap().last);
}
