//! Any list of events at all, whether or not it makes sense.

use super::*;

/// Any event at all, whether or not it makes sense.
fn any_event() -> impl Strategy<Value = Event> {
    let step = 0_u32..5;
    let id = || prop_oneof![Just(PointId::Number(4)), Just(PointId::Number(5)), Just(PointId::Number(99))];
    let act = prop_oneof![
        Just(Act::StopServer),
        Just(Act::StartServer),
        id().prop_map(|id| Act::Delete {
            id,
            created_at: at(0),
            cause: crate::journal::event::DeleteReason::Retention
        }),
        Just(Act::Create { mark: mark(), listed: Vec::new() }),
    ];
    let answer = prop_oneof![
        proptest::option::of(id()).prop_map(|id| Answer::Accepted { id }),
        Just(Answer::AlreadyGone),
        any::<bool>().prop_map(|last| Answer::Refused { error: "no".to_owned(), last }),
        Just(Answer::Unknown { error: "lost".to_owned() }),
    ];
    let found = prop_oneof![
        proptest::option::of(id()).prop_map(|id| Found::Done { id }),
        Just(Found::NotDone),
        Just(Found::Undecided { why: "who knows".to_owned() }),
    ];
    let sight = prop_oneof![
        id().prop_map(Sight::Gone),
        Just(Sight::ServerStopped),
        Just(Sight::ServerRunning),
        Just(Sight::ServerGone),
        Just(Sight::Completed { created_at: at(1), size_mb: None, in_progress_ms: None }),
        Just(Sight::PointFailed { created_at: at(1) }),
        (id(), id()).prop_map(|(id, adopted)| Sight::Duplicate { id, created_at: at(1), adopted }),
    ];
    let outcome =
        prop_oneof![Just(Outcome::Succeeded), Just(Outcome::Failed), Just(Outcome::Skipped), Just(Outcome::Unknown)];
    prop_oneof![
        (0_u32..4, any::<bool>()).prop_map(|(attempt, stop)| Event::Began { attempt, terms: terms(stop) }),
        Just(Event::Planned { plan: Box::new(plan()) }),
        Just(Event::FoundStopped),
        Just(Event::FoundOwed),
        Just(Event::StartLeft),
        (step.clone(), act).prop_map(|(step, act)| Event::Intended { step, act }),
        (step.clone(), answer).prop_map(|(step, answer)| Event::Answered { step, answer }),
        (step, found).prop_map(|(step, found)| Event::Settled { step, found }),
        sight.prop_map(Event::Seen),
        id().prop_map(|id| Event::Spared { id, guard: Guard::Foreign, replan: false }),
        any::<bool>().prop_map(|last| Event::Failed(Failure { error: "no".to_owned(), last })),
        Just(Event::Retrying { at: at(900) }),
        outcome.prop_map(|outcome| Event::Ended { outcome, error: None }),
    ]
}

/// What no list of events may make untrue.
fn is_sound(state: &RunState) -> Result<(), TestCaseError> {
    let open = |step: &crate::journal::state::Step| matches!(step.state, StepState::Intended | StepState::Unknown);
    let opened = state.steps.iter().filter(|step| open(step)).count();
    prop_assert!(opened <= 1 && (opened == 0 || state.steps.last().is_some_and(open)), "{:?}", state.steps);
    prop_assert!(state.attempt_from <= state.steps.len());
    if let Some(made) = &state.created {
        let step = &state.steps[made.step];
        prop_assert!(matches!(step.act, Act::Create { .. }) && step.state == StepState::Done, "{:?}", step);
    }
    if state.owes_start {
        // One that was found stopped by us reads so until it is started.
        let started = state.steps.iter().any(|step| step.act == Act::StartServer);
        let stopped = state.steps.iter().any(|step| step.act == Act::StopServer);
        prop_assert!(stopped || started || state.seen_stopped || state.attempt > 1);
    }
    if let Some((outcome, ..)) = &state.ended {
        prop_assert!(!state.owes_start && opened == 0);
        let good = state.created.as_ref().is_some_and(|made| made.progress == PointProgress::Completed);
        prop_assert!(*outcome != Outcome::Succeeded || good);
        prop_assert_eq!(next(state), Next::Over);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_events_at_all_leave_a_sound_state_or_are_refused(
        stop in any::<bool>(),
        choices in choices(),
        others in proptest::collection::vec(any_event(), 1..40),
    ) {
        let (events, _) = a_run(stop, &choices);
        let length = events.len().min(usize::from(choices.first().copied().unwrap_or(0)));
        let mut state = replay(&events[..length]).unwrap();
        for event in others {
            let before = state.clone();
            match state.apply(&event, at(500)) {
                Ok(()) => {
                    is_sound(&state)?;
                    prop_assert!(before.ended.is_none());
                }
                Err(error) => {
                    prop_assert_eq!(&state, &before);
                    prop_assert!(!error.0.is_empty());
                }
            }
            // Whatever it is, something comes next.
            let _ = next(&state);
        }
    }

    #[test]
    fn what_comes_next_is_never_refused(stop in any::<bool>(), choices in choices(), others in proptest::collection::vec(any_event(), 0..20)) {
        let (events, _) = a_run(stop, &choices);
        let length = events.len().min(usize::from(choices.first().copied().unwrap_or(0)));
        let mut state = replay(&events[..length]).unwrap();
        for event in others {
            let _ = state.apply(&event, at(500));
        }
        for event in step(&state, stop, 0) {
            prop_assert!(state.apply(&event, at(600)).is_ok(), "{:?} after {:?}", event, state);
        }
    }
}
