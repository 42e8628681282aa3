//! How long the provider may take to show the outcome of a call whose answer was lost, and when the outcome is unknown.

use std::time::Duration;

use crate::journal::event::Found;
use crate::journal::state::{Step, StepState};

/// How long a run has waited for the outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waited {
    /// The time since the call, or its lost answer, was written.
    pub since_call: Duration,
    /// The time since this process started looking.
    pub here: Duration,
}

/// The time that the provider may take to show the outcome of this call: lists may lag by `settle`, and a call without
/// an answer may also have been in flight for `timeout`, the longest that a request takes.
#[must_use]
pub(crate) fn time_to_show(step: &Step, settle: Duration, timeout: Duration) -> Duration {
    settle + if step.state == StepState::Intended { timeout } else { Duration::ZERO }
}

/// Whether that time is over. Setting the clock back does not make it longer.
#[must_use]
pub(crate) fn is_settled(looked: Waited, time_to_show: Duration) -> bool {
    looked.since_call.max(looked.here) >= time_to_show
}

/// What the journal says about a call whose outcome could not be looked up for `stuck_after`; `None` before that.
#[must_use]
pub(crate) fn found_nothing(looked: Waited, time_to_show: Duration, stuck_after: Duration) -> Option<Found> {
    let overdue = looked.since_call.saturating_sub(time_to_show).max(looked.here);
    let why = "the provider could not be asked what became of it";
    (overdue > stuck_after).then(|| Found::Undecided { why: why.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Act, Answer, Event};
    use crate::journal::samples::{began, run_after};

    const SETTLE: Duration = Duration::from_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn looked(since_call: u64, here: u64) -> Waited {
        Waited { since_call: Duration::from_secs(since_call), here: Duration::from_secs(here) }
    }

    #[test]
    fn a_call_without_any_answer_may_have_been_on_its_way_for_one_request() {
        let intended = [began(), vec![Event::Intended { step: 1, act: Act::StopServer }]].concat();
        let answer = Answer::Unknown { error: "no answer".to_owned() };
        let lost = [intended.clone(), vec![Event::Answered { step: 1, answer }]].concat();
        for (case, events, expected) in [("no answer", intended, SETTLE + TIMEOUT), ("a lost answer", lost, SETTLE)] {
            assert_eq!(time_to_show(&run_after(&events).steps[0], SETTLE, TIMEOUT), expected, "{case}");
        }
    }

    #[test]
    fn a_list_has_had_its_time_by_the_clock_or_by_what_was_watched() {
        for (case, looked, settled) in [
            ("too early", looked(59, 59), false),
            ("by the clock", looked(60, 0), true),
            ("the clock was set back", looked(0, 60), true),
        ] {
            assert_eq!(is_settled(looked, SETTLE), settled, "{case}");
        }
    }

    #[test]
    fn a_provider_that_could_not_be_asked_for_so_long_leaves_it_undecided() {
        let stuck_after = Duration::from_secs(7200);
        for (case, looked, gives_up) in [
            ("it has its time to show it", looked(7260, 7200), false),
            ("and no more", looked(7261, 0), true),
            ("the clock was set back", looked(0, 7201), true),
        ] {
            assert_eq!(found_nothing(looked, SETTLE, stuck_after).is_some(), gives_up, "{case}");
        }
    }
}
