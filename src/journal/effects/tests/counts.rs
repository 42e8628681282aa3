//! What each event of a run adds to the counters.

use super::*;
use crate::journal::event::{Act, Answer, DeleteReason, Found, Sight};

fn intended(act: Act) -> Event {
    Event::Intended { step: 1, act }
}

fn answered(answer: Answer) -> Event {
    Event::Answered { step: 1, answer }
}

fn settled(found: Found) -> Event {
    Event::Settled { step: 1, found }
}

/// What the last event adds, after the ones before it: the counter, its detail and how much.
fn counted(events: &[Event]) -> Option<(Counter, &'static str, u32)> {
    let (last, before) = events.split_last().unwrap();
    let count = counts(&run(before), last)?;
    assert_eq!(count.subject, "nightly");
    Some((count.counter, count.detail, count.by))
}

#[test]
fn a_point_is_counted_once_whenever_its_create_turns_out_to_be_carried_out() {
    let create = || intended(Act::Create { mark: mark(9), listed: Vec::new() });
    let lost = || answered(Answer::Unknown { error: "lost".to_owned() });
    let refused = Answer::Refused { error: "no".to_owned(), last: false };
    let created = Some((Counter::PointsCreated, "", 1));
    assert_eq!(counted(&[create()]), None);
    assert_eq!(counted(&[create(), answered(Answer::Accepted { id: Some(id(9)) })]), created);
    assert_eq!(counted(&[create(), answered(refused)]), None);
    assert_eq!(counted(&[create(), lost()]), None);
    assert_eq!(counted(&[create(), lost(), settled(Found::NotDone)]), None);
    let found = || settled(Found::Done { id: Some(id(9)) });
    assert_eq!(counted(&[create(), lost(), found()]), created);
    assert_eq!(counted(&[create(), lost(), settled(Found::NotDone), found()]), created, "it turns up late");
    let duplicate = Event::Seen(Sight::Duplicate { id: id(10), created_at: at(10), adopted: id(9) });
    assert_eq!(counted(&[create(), lost(), found(), duplicate]), created, "one create made two");
    let completed = Event::Seen(Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: None });
    assert_eq!(counted(&[create(), lost(), found(), completed]), None);
}

#[test]
fn a_delete_is_counted_by_its_cause_when_it_is_carried_out() {
    for cause in DELETE_REASONS {
        let delete = || intended(Act::Delete { id: id(1), created_at: at(1), cause });
        let deleted = Some((Counter::PointsDeleted, cause.word(), 1));
        assert_eq!(counted(&[delete()]), None);
        assert_eq!(counted(&[delete(), answered(Answer::Accepted { id: None })]), deleted);
        assert_eq!(counted(&[delete(), answered(Answer::AlreadyGone)]), deleted);
        let lost = answered(Answer::Unknown { error: "lost".to_owned() });
        assert_eq!(counted(&[delete(), lost, settled(Found::Done { id: None })]), deleted);
    }
    // The words are those of the journal.
    let word = |cause: DeleteReason| serde_json::to_value(cause).unwrap();
    assert!(DELETE_REASONS.iter().all(|cause| word(*cause) == cause.word()));
}

#[test]
fn a_run_is_counted_by_its_outcome_and_a_stop_of_its_server_is_not() {
    for outcome in OUTCOMES {
        let ended = Event::Ended { outcome, error: None };
        assert_eq!(counted(&[ended]), Some((Counter::Runs, outcome.word(), 1)));
    }
    let stop = || intended(Act::StopServer);
    assert_eq!(counted(&[stop(), answered(Answer::Accepted { id: None })]), None);
}
