//! The journal's promises over random runs: every prefix replays, what is made is never asked for again, an end is
//! final, and what cannot follow is refused and changes nothing.

use jiff::Timestamp;
use proptest::prelude::*;

use crate::journal::event::{Act, Answer, Event, Failure, Found, Outcome, Sight};
use crate::journal::next::{Next, next};
use crate::journal::samples::{self, at, key, terms};
use crate::journal::state::{PointProgress, RunState, StepState};
use crate::policy::guard::Guard;
use crate::policy::inventory::PointId;
use crate::policy::mark::{Mark, Token};
use crate::policy::plan::{Action, Delete, Plan, Reason};

mod model;

fn plan() -> Plan {
    let delete = |id: i64, why| Delete { id: PointId::Number(id), created_at: at(-id), completed: true, why };
    Plan {
        actions: vec![
            Action::Delete(delete(5, Reason::Eviction)),
            Action::Create(Reason::New { free: 0 }),
            Action::Delete(delete(4, Reason::Failed)),
        ],
        ..samples::plan()
    }
}

fn mark() -> Mark {
    Mark { token: Token::from_random(7), instance: "main".to_owned(), policy: "nightly".parse().unwrap(), due: at(0) }
}

/// What a provider and its connection may make of a call; the number chooses.
fn answer(act: &Act, choice: u8) -> Answer {
    let id = act.is_create().then_some(PointId::Number(99));
    match choice % 6 {
        0..=2 => Answer::Accepted { id },
        3 => Answer::Refused { error: "no".to_owned(), last: false },
        4 => Answer::Refused { error: "never".to_owned(), last: true },
        _ => Answer::Unknown { error: "lost".to_owned() },
    }
}

fn found(act: &Act, choice: u8) -> Found {
    let id = act.is_create().then_some(PointId::Number(99));
    match choice % 4 {
        0 | 1 => Found::Done { id },
        2 => Found::NotDone,
        _ => Found::Undecided { why: "who knows".to_owned() },
    }
}

/// The events that `drive` would write next, with the world's part chosen by a number.
fn step(state: &RunState, stop_server: bool, choice: u8) -> Vec<Event> {
    let number = u32::try_from(state.steps.len()).unwrap() + 1;
    let call = |act: Act| {
        let answer = answer(&act, choice);
        vec![Event::Intended { step: number, act }, Event::Answered { step: number, answer }]
    };
    match next(state) {
        Next::Over => Vec::new(),
        Next::Begin | Next::Wait(_) => vec![Event::Began { attempt: state.attempt + 1, terms: terms(stop_server) }],
        Next::Plan if choice % 9 == 8 && state.postponed.is_none() => vec![Event::Postponed { until: at(60) }],
        Next::Plan | Next::WaitForBucket(_) => vec![Event::Planned { plan: Box::new(plan()) }],
        Next::StopServer if choice % 7 == 6 && state.owes_start => vec![Event::Seen(Sight::ServerStopped)],
        Next::StopServer if choice % 7 == 6 => vec![Event::FoundStopped],
        Next::StopServer if choice % 7 == 5 && !state.owes_start => vec![Event::FoundOwed],
        Next::StopServer => call(Act::StopServer),
        Next::AwaitStopped if choice % 7 == 6 => failed(false),
        Next::AwaitStopped => vec![Event::Seen(Sight::ServerStopped)],
        Next::Delete { id, .. } if choice % 5 == 4 => vec![Event::Spared { id, guard: Guard::Foreign, replan: false }],
        Next::Delete { id, created_at, cause } => call(Act::Delete { id, created_at, cause }),
        Next::AwaitGone(_) if choice % 7 == 6 => failed(false),
        Next::AwaitGone(id) => vec![Event::Seen(Sight::Gone(id))],
        Next::Create => call(Act::Create { mark: mark(), listed: Vec::new() }),
        Next::Settle(step) => {
            let found = found(&state.steps[step as usize - 1].act, choice);
            vec![Event::Settled { step, found }]
        }
        Next::Await(id) => match choice % 6 {
            0..=2 => vec![Event::Seen(Sight::Completed { created_at: at(1), size_mb: None, in_progress_ms: None })],
            3 => vec![Event::Seen(Sight::PointFailed { created_at: at(1) })],
            4 => vec![Event::Seen(Sight::Gone(id))],
            _ => failed(true),
        },
        Next::StartServer if choice.is_multiple_of(3) => vec![Event::Seen(Sight::ServerRunning)],
        Next::StartServer if choice % 3 == 1 && choice > 100 => vec![Event::StartLeft],
        Next::StartServer => call(Act::StartServer),
        Next::Fail { error, last } => vec![Event::Failed(Failure { error, last })],
        Next::Retry { .. } => vec![Event::Retrying { at: at(900) }],
        Next::End { outcome, error } => vec![Event::Ended { outcome, error }],
    }
}

fn failed(last: bool) -> Vec<Event> {
    vec![Event::Failed(Failure { error: "no".to_owned(), last })]
}

/// A run as it may go, to its end if the choices last that long.
fn a_run(stop_server: bool, choices: &[u8]) -> (Vec<Event>, RunState) {
    let (mut state, mut events) = (RunState::opened(key(), at(0)), Vec::new());
    for choice in choices {
        for event in step(&state, stop_server, *choice) {
            state.apply(&event, at(i64::try_from(events.len()).unwrap())).unwrap();
            events.push(event);
        }
    }
    (events, state)
}

fn replay(events: &[Event]) -> Result<RunState, crate::journal::state::IllegalEvent> {
    let timed = events.iter().zip(0..).map(|(event, second)| (at(second), event));
    RunState::replay(key(), at(0), timed)
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..80)
}

proptest! {
    #[test]
    fn every_prefix_of_a_run_replays_and_continues_to_the_same_end(stop in any::<bool>(), choices in choices()) {
        let (events, state) = a_run(stop, &choices);
        prop_assert_eq!(replay(&events).unwrap(), state);
        for length in 0..events.len() {
            let mut cut = replay(&events[..length]).unwrap();
            // A start drives it on with a provider that does what it is asked: it ends.
            let mut steps = 0;
            while cut.ended.is_none() {
                for event in step(&cut, stop, 0) {
                    cut.apply(&event, at(10_000 + steps)).unwrap();
                }
                steps += 1;
                prop_assert!(steps < 100, "it never ends: {:?}", next(&cut));
            }
            prop_assert!(!cut.owes_start, "a server that we stopped is started again");
        }
    }

    #[test]
    fn what_is_made_is_never_asked_for_again_and_good_comes_before_gone(stop in any::<bool>(), choices in choices()) {
        let (events, _) = a_run(stop, &choices);
        for length in 0..=events.len() {
            let state = replay(&events[..length]).unwrap();
            let next = next(&state);
            if state.created.as_ref().is_some_and(|made| matches!(made.progress, PointProgress::Running | PointProgress::Completed)) {
                prop_assert!(!matches!(next, Next::Create | Next::Retry { .. }), "{:?}", next);
            }
            if let Next::Delete { id, .. } = &next {
                let completed = state.created.as_ref().is_some_and(|made| made.progress == PointProgress::Completed);
                prop_assert!(*id != PointId::Number(4) || completed, "retention before the new point is completed");
            }
            let unsettled = |last: &crate::journal::state::Step| matches!(last.state, StepState::Intended | StepState::Unknown);
            if state.steps.last().is_some_and(unsettled) {
                prop_assert!(matches!(next, Next::Settle(_)), "{:?}", next);
            }
            if matches!(next, Next::End { .. } | Next::Retry { .. }) {
                prop_assert!(!state.owes_start, "{:?}", next);
            }
        }
    }

    #[test]
    fn an_end_is_final_and_a_refused_event_changes_nothing(stop in any::<bool>(), choices in choices(), other in choices()) {
        let (_, mut state) = a_run(stop, &choices);
        let (foreign, _) = a_run(!stop, &other);
        for event in foreign {
            let before = state.clone();
            if state.apply(&event, at(0)).is_err() {
                prop_assert_eq!(&state, &before);
            } else {
                prop_assert!(before.ended.is_none(), "{:?} after the end", event);
            }
        }
    }

    #[test]
    fn events_read_back_from_their_json(stop in any::<bool>(), choices in choices()) {
        for event in a_run(stop, &choices).0 {
            let text = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }
}

#[test]
fn events_that_cannot_follow_are_refused() {
    let began = Event::Began { attempt: 1, terms: terms(true) };
    let planned = || Event::Planned { plan: Box::new(plan()) };
    let intended = |step, act| Event::Intended { step, act };
    let create = || Act::Create { mark: mark(), listed: Vec::new() };
    let accepted =
        |step, id: Option<i64>| Event::Answered { step, answer: Answer::Accepted { id: id.map(PointId::Number) } };
    let ended = |outcome| Event::Ended { outcome, error: None };
    let table: Vec<(&str, Vec<Event>, Event)> = vec![
        ("no attempt", vec![], planned()),
        ("a second attempt at once", vec![began.clone()], Event::Began { attempt: 2, terms: terms(true) }),
        ("a second plan", vec![began.clone(), planned()], planned()),
        ("a create without a plan", vec![began.clone()], intended(1, create())),
        ("a step left out", vec![began.clone(), planned()], intended(2, create())),
        ("two open steps", vec![began.clone(), planned(), intended(1, create())], intended(2, create())),
        ("an answer to nothing", vec![began.clone(), planned()], accepted(1, Some(9))),
        ("a point without an id", vec![began.clone(), planned(), intended(1, create())], accepted(1, None)),
        (
            "a second create",
            vec![began.clone(), planned(), intended(1, create()), accepted(1, Some(9))],
            intended(2, create()),
        ),
        ("a start of a server that we did not stop", vec![began.clone(), planned()], intended(1, Act::StartServer)),
        ("a success without a point", vec![began.clone(), planned()], ended(Outcome::Succeeded)),
        (
            "an end while a server is stopped",
            vec![began.clone(), planned(), intended(1, Act::StopServer), accepted(1, None)],
            ended(Outcome::Failed),
        ),
        ("an end with an open step", vec![began.clone(), planned(), intended(1, create())], ended(Outcome::Failed)),
        ("a retry without a failure", vec![began, planned()], Event::Retrying { at: at(9) }),
        ("anything after the end", vec![ended(Outcome::Skipped)], ended(Outcome::Skipped)),
    ];
    for (name, before, event) in table {
        let mut state = replay(&before).unwrap();
        let kept = state.clone();
        assert!(state.apply(&event, at(99)).is_err(), "{name}");
        assert_eq!(state, kept, "{name}");
    }
}

#[test]
fn a_stop_of_which_nobody_knows_what_became_leaves_the_start_owed() {
    let owes = |found: Found| {
        let began = Event::Began { attempt: 1, terms: terms(true) };
        let stop = Event::Intended { step: 1, act: Act::StopServer };
        let settled = Event::Settled { step: 1, found };
        replay(&[began, Event::Planned { plan: Box::new(plan()) }, stop, settled]).unwrap().owes_start
    };
    assert!(owes(Found::Undecided { why: "it could not be asked".to_owned() }));
    assert!(owes(Found::Done { id: None }));
    assert!(!owes(Found::NotDone));
}

#[test]
fn an_undecided_create_ends_as_unknown_only_after_the_server_was_started() {
    let mut state = replay(&[
        Event::Began { attempt: 1, terms: terms(true) },
        Event::Planned { plan: Box::new(Plan { actions: vec![Action::Create(Reason::New { free: 1 })], ..plan() }) },
        Event::Intended { step: 1, act: Act::StopServer },
        Event::Answered { step: 1, answer: Answer::Accepted { id: None } },
        Event::Seen(Sight::ServerStopped),
        Event::Intended { step: 2, act: Act::Create { mark: mark(), listed: Vec::new() } },
        Event::Settled { step: 2, found: Found::Undecided { why: "look".to_owned() } },
    ])
    .unwrap();
    assert_eq!(next(&state), Next::StartServer);
    state.apply(&Event::Seen(Sight::ServerRunning), at(9)).unwrap();
    assert_eq!(next(&state), Next::End { outcome: Outcome::Unknown, error: Some("look".to_owned()) });
}
