//! What a run that owes its server a start still does during a shutdown.

use crate::journal::event::{Act, Event, Found};
use crate::journal::power::starts;
use crate::journal::state::{RunState, Step, StepState};
use crate::policy::inventory::ServerStatus;

/// The step of a run whose outcome is open at a shutdown. It would block the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenStep {
    /// There is none.
    None,
    /// A stop or a start. Its answer counts as lost and the call as carried out, which this records.
    Power(Event),
    /// A create or a delete. It stays open: the next start of the process finds out its outcome.
    Point,
}

/// The step whose outcome is open at a shutdown.
#[must_use]
pub(crate) fn open_step(state: &RunState) -> OpenStep {
    let is_open = |step: &&Step| matches!(step.state, StepState::Intended | StepState::Unknown);
    match state.steps.last().filter(is_open).map(|step| &step.act) {
        None => OpenStep::None,
        Some(Act::StopServer | Act::StartServer) => {
            OpenStep::Power(Event::Settled { step: number(state), found: Found::Done { id: None } })
        }
        Some(Act::Create { .. } | Act::Delete { .. }) => OpenStep::Point,
    }
}

/// What is done at a shutdown about a server that is owed a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeforeExit {
    /// It is asked to start.
    Start,
    /// Nothing more.
    Leave,
    /// It is looked at again.
    LookAgain,
}

/// What is done at a shutdown about a server with this status; `None` if it could not be read.
#[must_use]
pub(crate) fn before_exit(state: &RunState, status: Option<&ServerStatus>) -> BeforeExit {
    match status {
        Some(ServerStatus::Stopped) => BeforeExit::Start,
        // It was asked before, or somebody else has started it.
        Some(_) if starts(state).any(|step| step.state == StepState::Done) => BeforeExit::Leave,
        Some(ServerStatus::Active) if state.seen_stopped => BeforeExit::Leave,
        // It may still be stopping.
        _ => BeforeExit::LookAgain,
    }
}

/// What follows a start that was just sent during a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AfterLastStart {
    /// Nothing more: it was carried out.
    Leave,
    /// The server is looked at again. If the answer was lost, this is recorded first: another start may be sent.
    LookAgain(Option<Event>),
}

/// What follows the run's last step, a start, during a shutdown.
#[must_use]
pub(crate) fn after_last_start(state: &RunState) -> AfterLastStart {
    match state.steps.last().map(|step| step.state) {
        Some(StepState::Intended | StepState::Unknown) => {
            AfterLastStart::LookAgain(Some(Event::Settled { step: number(state), found: Found::NotDone }))
        }
        Some(StepState::NotDone) | None => AfterLastStart::LookAgain(None),
        Some(StepState::Done | StepState::Undecided) => AfterLastStart::Leave,
    }
}

/// The number of the last step.
fn number(state: &RunState) -> u32 {
    u32::try_from(state.steps.len()).expect("a run has few steps")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Answer, DeleteReason, Sight};
    use crate::journal::samples::{at, began, mark, run_after};
    use crate::policy::inventory::PointId;

    fn run(then: &[Event]) -> RunState {
        run_after(&[began(), then.to_vec()].concat())
    }

    fn sent(step: u32, act: Act, answer: Option<Answer>) -> Vec<Event> {
        let answered = answer.map(|answer| Event::Answered { step, answer });
        std::iter::once(Event::Intended { step, act }).chain(answered).collect()
    }

    fn accepted() -> Option<Answer> {
        Some(Answer::Accepted { id: None })
    }

    fn lost() -> Option<Answer> {
        Some(Answer::Unknown { error: "no answer".to_owned() })
    }

    #[test]
    fn an_open_stop_counts_as_carried_out_and_an_open_create_stays_open() {
        let done = OpenStep::Power(Event::Settled { step: 1, found: Found::Done { id: None } });
        let delete = Act::Delete { id: PointId::Number(5), created_at: at(-5), cause: DeleteReason::Eviction };
        let create = Act::Create { mark: mark("ourtoken"), listed: Vec::new() };
        for (case, events, expected) in [
            ("nothing was sent", vec![], OpenStep::None),
            ("a stop without an answer", sent(1, Act::StopServer, None), done.clone()),
            ("a stop whose answer was lost", sent(1, Act::StopServer, lost()), done),
            ("a stop that was accepted", sent(1, Act::StopServer, accepted()), OpenStep::None),
            ("a create", sent(1, create, None), OpenStep::Point),
            ("a delete", sent(1, delete, lost()), OpenStep::Point),
        ] {
            assert_eq!(open_step(&run(&events)), expected, "{case}");
        }
    }

    #[test]
    fn only_a_server_that_reads_stopped_is_started_at_the_shutdown() {
        let stopping = sent(1, Act::StopServer, accepted());
        let stopped = [stopping.clone(), vec![Event::Seen(Sight::ServerStopped)]].concat();
        let started = [stopped.clone(), sent(2, Act::StartServer, accepted())].concat();
        let starting = ServerStatus::Other("starting".to_owned());
        for (case, events, status, expected) in [
            ("it is stopped", &stopping, Some(ServerStatus::Stopped), BeforeExit::Start),
            ("it runs, and may yet stop", &stopping, Some(ServerStatus::Active), BeforeExit::LookAgain),
            ("it runs after it was down", &stopped, Some(ServerStatus::Active), BeforeExit::Leave),
            ("somebody is starting it", &stopped, Some(starting.clone()), BeforeExit::LookAgain),
            ("we are starting it", &started, Some(starting), BeforeExit::Leave),
            ("our start is not seen yet", &started, Some(ServerStatus::Stopped), BeforeExit::Start),
            ("it cannot be read", &started, None, BeforeExit::LookAgain),
        ] {
            assert_eq!(before_exit(&run(events), status.as_ref()), expected, "{case}");
        }
    }

    #[test]
    fn a_last_start_is_sent_again_until_one_is_accepted() {
        let refused = Some(Answer::Refused { error: "busy".to_owned(), last: false });
        let not_done = Event::Settled { step: 2, found: Found::NotDone };
        for (case, answer, expected) in [
            ("accepted", accepted(), AfterLastStart::Leave),
            ("refused", refused, AfterLastStart::LookAgain(None)),
            ("lost", lost(), AfterLastStart::LookAgain(Some(not_done))),
        ] {
            let events = [sent(1, Act::StopServer, accepted()), sent(2, Act::StartServer, answer)].concat();
            assert_eq!(after_last_start(&run(&events)), expected, "{case}");
        }
    }
}
