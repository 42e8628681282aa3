//! The events of a run, and what they make of a debt.

use super::*;
use crate::journal::debt::{Debt, DebtKind, OwedStart, Start, StopEvidence};
use crate::journal::event::{Act, Answer, DeleteReason, Failure, Found, Outcome, Sight};
use crate::journal::notice::{Good, Notice, Recovery, Topic};

fn intended(step: u32, act: Act) -> Event {
    Event::Intended { step, act }
}

fn create() -> Act {
    Act::Create { mark: mark(9), listed: Vec::new() }
}

fn delete(cause: DeleteReason) -> Act {
    Act::Delete { id: id(1), created_at: at(1), cause }
}

fn answered(answer: Answer) -> Event {
    Event::Answered { step: 1, answer }
}

fn settled(found: Found) -> Event {
    Event::Settled { step: 1, found }
}

fn accepted(number: Option<i64>) -> Event {
    answered(Answer::Accepted { id: number.map(id) })
}

fn refused(error: &str) -> Event {
    answered(Answer::Refused { error: error.to_owned(), last: false })
}

fn lost() -> Event {
    answered(Answer::Unknown { error: "lost".to_owned() })
}

fn undecided() -> Event {
    settled(Found::Undecided { why: "two points".to_owned() })
}

fn token(state: TokenState) -> Change {
    Change::TokenSettled { token: mark(9).token, state }
}

/// The point of the create was made, `seconds` after the plan.
fn made(number: i64, seconds: u64) -> Vec<Change> {
    let created = Change::PointCreated { point: id(number), token: Some(mark(9).token) };
    vec![token(TokenState::Made), created, Change::LeadMeasured(Duration::from_secs(seconds))]
}

fn debt(event: DebtEvent) -> Change {
    Change::Debt(event)
}

/// What the last event changes, after the ones before it.
fn changes(events: &[Event]) -> Vec<Change> {
    let (last, before) = events.split_last().unwrap();
    let state = run(before);
    let mut after = state.clone();
    let now = at(i64::try_from(events.len()).unwrap());
    after.apply(last, now).unwrap();
    effects(&state, last, now, &[])
}

#[test]
fn each_call_and_what_became_of_it() {
    let (eviction, retention) = (DeleteReason::Eviction, DeleteReason::Retention);
    let accept_delete = Change::DeleteAccepted(id(1));
    let not_deleted = Change::DeleteIntended { point: id(1), since: None };
    let done = || settled(Found::Done { id: None });
    let already = "the server is already running";
    let table: Vec<(&str, Act, Vec<Event>, Vec<Change>)> = vec![
        (
            "a create takes a slot before it is sent",
            create(),
            vec![],
            vec![Change::TokenOpened { token: mark(9).token, policy: "nightly".parse().unwrap() }],
        ),
        ("it made its point", create(), vec![accepted(Some(9))], made(9, 2)),
        ("it was refused", create(), vec![refused("no")], vec![token(TokenState::NotMade)]),
        ("its answer was lost", create(), vec![lost()], vec![]),
        ("its point was found", create(), vec![lost(), settled(Found::Done { id: Some(id(9)) })], made(9, 3)),
        ("no list shows it", create(), vec![lost(), settled(Found::NotDone)], vec![token(TokenState::NotMade)]),
        ("the outcome cannot be determined", create(), vec![lost(), undecided()], vec![token(TokenState::Undecided)]),
        (
            "a delete is intended before it is sent",
            delete(retention),
            vec![],
            vec![Change::DeleteIntended { point: id(1), since: Some(at(1)) }],
        ),
        ("it was accepted", delete(retention), vec![accepted(None)], vec![accept_delete.clone()]),
        (
            "an eviction counts",
            delete(eviction),
            vec![accepted(None)],
            vec![accept_delete.clone(), Change::PointEvicted],
        ),
        (
            "so does one of a point that was gone before",
            delete(eviction),
            vec![answered(Answer::AlreadyGone)],
            vec![accept_delete.clone(), Change::PointEvicted],
        ),
        (
            "and one that the list shows as carried out",
            delete(eviction),
            vec![lost(), done()],
            vec![accept_delete, Change::PointEvicted],
        ),
        ("a refused delete", delete(eviction), vec![refused("no")], vec![not_deleted.clone()]),
        (
            "a delete that was not carried out",
            delete(eviction),
            vec![lost(), settled(Found::NotDone)],
            vec![not_deleted],
        ),
        ("a lost answer to a delete", delete(eviction), vec![lost()], vec![]),
        ("a delete whose outcome cannot be determined", delete(eviction), vec![lost(), undecided()], vec![]),
        ("a stop", Act::StopServer, vec![], vec![debt(DebtEvent::StopIntended { step: 1 })]),
        ("it was accepted", Act::StopServer, vec![accepted(None)], vec![]),
        ("it was refused", Act::StopServer, vec![refused("no")], vec![debt(DebtEvent::StopRefused { step: 1 })]),
        ("its answer was lost", Act::StopServer, vec![lost()], vec![]),
        ("it was carried out", Act::StopServer, vec![lost(), done()], vec![]),
        (
            "it was not carried out so far",
            Act::StopServer,
            vec![lost(), settled(Found::NotDone)],
            vec![debt(DebtEvent::Left)],
        ),
    ];
    for (name, act, then, expected) in table {
        let events: Vec<Event> = std::iter::once(intended(1, act)).chain(then).collect();
        assert_eq!(changes(&events), expected, "{name}");
    }
    let start = |answer: Option<Answer>| {
        let sent = vec![intended(1, Act::StopServer), accepted(None), intended(2, Act::StartServer)];
        changes(&sent.into_iter().chain(answer.map(|answer| Event::Answered { step: 2, answer })).collect::<Vec<_>>())
    };
    let refused = |error: &str| Some(Answer::Refused { error: error.to_owned(), last: false });
    for (answer, expected) in [
        (None, DebtEvent::StartIntended),
        (Some(Answer::Accepted { id: None }), DebtEvent::StartAnswered(Start::Accepted)),
        (refused("no"), DebtEvent::StartAnswered(Start::NotSent)),
        (refused(already), DebtEvent::StartAnswered(Start::RunsAlready)),
    ] {
        assert_eq!(start(answer), [debt(expected)]);
    }
    assert_eq!(start(Some(Answer::Unknown { error: "lost".to_owned() })), []);
}

#[test]
fn what_a_run_sees() {
    let created = [intended(1, create()), accepted(Some(9))];
    let stopped = [intended(1, Act::StopServer), accepted(None)];
    let completed = Event::Seen(Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: Some(1_000) });
    let failed = Event::Seen(Sight::PointFailed { created_at: at(9) });
    let twice = Event::Seen(Sight::Duplicate { id: id(11), created_at: at(12), adopted: id(10) });
    let created_as = |number: i64| Change::PointCreated { point: id(number), token: Some(mark(9).token) };
    let table: Vec<(&str, &[Event], Event, Vec<Change>)> = vec![
        (
            "the new point is completed",
            &created,
            completed,
            vec![
                Change::EvictionsReplaced { policy: "nightly".parse().unwrap() },
                Change::CreationMeasured(Took { at_least: Duration::from_secs(1), at_most: Duration::from_secs(1) }),
            ],
        ),
        ("the new point has failed", &created, failed, vec![]),
        (
            "the new point has vanished",
            &created,
            Event::Seen(Sight::Gone(id(9))),
            vec![Change::PointGone(id(9)), token(TokenState::NotMade)],
        ),
        ("an evicted point is gone", &[], Event::Seen(Sight::Gone(id(1))), vec![Change::PointGone(id(1))]),
        ("a second point appeared", &created, twice, vec![created_as(10), created_as(11)]),
        ("the server is stopped", &stopped, Event::Seen(Sight::ServerStopped), vec![debt(DebtEvent::SeenStopped)]),
        (
            "the server runs",
            &stopped,
            Event::Seen(Sight::ServerRunning),
            vec![debt(DebtEvent::Left), debt(DebtEvent::SeenRunning)],
        ),
        ("the server is gone", &stopped, Event::Seen(Sight::ServerGone), vec![debt(DebtEvent::Left)]),
        ("the start is left to others", &stopped, Event::StartLeft, vec![debt(DebtEvent::Left)]),
        (
            "the server was found stopped, and is owed a start",
            &[],
            Event::FoundOwed,
            vec![debt(DebtEvent::TakenOver), debt(DebtEvent::SeenStopped)],
        ),
        ("the server was found stopped", &[], Event::FoundStopped, vec![]),
        ("the attempt failed", &[], Event::Failed(Failure { error: "no".to_owned(), last: false }), vec![]),
    ];
    for (name, before, event, expected) in table {
        let events: Vec<Event> = before.iter().cloned().chain([event]).collect();
        assert_eq!(changes(&events), expected, "{name}");
    }
}

#[test]
fn only_a_successful_run_closes_incidents_and_its_recovery_goes_where_successes_go() {
    let ended = |outcome| Event::Ended { outcome, error: None };
    for outcome in [Outcome::Failed, Outcome::Skipped, Outcome::Unknown] {
        assert_eq!(changes(&[ended(outcome)]), [debt(DebtEvent::Left), Change::RunEnded(outcome)]);
    }
    let completed = Event::Seen(Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: None });
    let before = run(&[intended(1, create()), accepted(Some(9)), completed]);
    let good = Good { id: id(9), created_at: at(9) };
    let fact = success(1, &good);
    let success = Notice { reports: vec!["oncall".to_owned()], ..Notice::of_server(server(), fact) };
    for (reports, expected) in
        [(vec![], (vec![], None)), (vec![success], (vec!["oncall".to_owned()], Some(good.clone())))]
    {
        let (reports, last_good) = (effects(&before, &ended(Outcome::Succeeded), at(5), &reports), expected);
        let (names, last_good) = last_good;
        let expected = [
            debt(DebtEvent::Left),
            Change::RunEnded(Outcome::Succeeded),
            Change::NoLongerStale,
            Change::IncidentsClosed { policy: None, topic: Topic::Clock },
            Change::PolicyRecovered { reports: names, last_good },
        ];
        assert_eq!(reports, expected);
    }
}

#[test]
fn what_an_event_makes_of_a_debt() {
    let known = |seen_down, start| StopEvidence { seen_down, start, ..StopEvidence::default() };
    let (fresh, sent) = (StopEvidence::default(), known(true, Start::Sent));
    let evidence = |evidence| Some(DebtChange::Evidence(evidence));
    let refused = |step| DebtEvent::StopRefused { step };
    let table = [
        ("the stop that opened it was refused", 1, fresh, refused(4), Some(DebtChange::Void)),
        ("another step's stop was refused", 1, fresh, refused(5), Some(DebtChange::Left)),
        ("an earlier stop may have been carried out", 2, fresh, refused(4), Some(DebtChange::Left)),
        ("a start is sent to what reads stopped", 1, fresh, DebtEvent::StartIntended, evidence(sent)),
        ("it was accepted", 1, sent, DebtEvent::StartAnswered(Start::Accepted), evidence(known(true, Start::Accepted))),
        (
            "it runs already, so it was never seen down",
            1,
            sent,
            DebtEvent::StartAnswered(Start::RunsAlready),
            evidence(known(false, Start::RunsAlready)),
        ),
        ("it is stopped", 1, fresh, DebtEvent::SeenStopped, evidence(known(true, Start::NotSent))),
        ("it runs after our start", 1, sent, DebtEvent::SeenRunning, Some(DebtChange::Ended(Recovery::ServerRuns))),
        ("it runs, but may be going down still", 1, fresh, DebtEvent::SeenRunning, None),
        ("the run takes it over", 1, fresh, DebtEvent::TakenOver, Some(DebtChange::InCharge)),
    ];
    for (name, round, evidence, event, expected) in table {
        let debt = Debt {
            server: server(),
            since: at(0),
            run: Some(7),
            step: Some(4),
            policy: None,
            kind: None,
            what: DebtKind::Start(OwedStart { round, in_charge: Some(7), evidence }),
        };
        assert_eq!(debt_after(&debt, 7, &event), expected, "{name}");
    }
}
