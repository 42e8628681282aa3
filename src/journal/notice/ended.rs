//! What is reported when a run ends.

use jiff::Timestamp;

use crate::journal::event::Outcome;
use crate::journal::notice::{DeletedPoint, Fact, FailedRun, GivenUp, Good, RunProblem, SucceededRun, Tries};
use crate::journal::state::RunState;

/// What is reported besides the run's own state.
#[derive(Clone, Debug)]
pub struct AtEnd {
    /// The run's number in the journal.
    pub run: i64,
    /// The last good point.
    pub last_good: Option<Good>,
    /// The policy's next due time.
    pub next: Option<Timestamp>,
    /// The size of the created point.
    pub size_mb: Option<u64>,
}

impl Fact {
    /// The fact that a run ended.
    #[must_use]
    pub fn of_ended(state: &RunState, outcome: Outcome, error: Option<&str>, at_end: AtEnd) -> Self {
        let AtEnd { run, last_good, next, size_mb } = at_end;
        let (run, due) = (Some(run), state.key.due);
        let made = state.created.as_ref().map(|created| created.id.clone());
        let deleted = DeletedPoint::all_of(state);
        if outcome == Outcome::Succeeded {
            let (started_early, given_up) = (state.started_early, given_up(state));
            return Self::Succeeded(SucceededRun {
                run,
                due,
                made,
                size_mb,
                last_good,
                next,
                deleted,
                started_early,
                given_up,
            });
        }
        let error = error.map_or_else(|| outcome.to_string(), str::to_owned);
        let is_unknown = outcome == Outcome::Unknown;
        let problem = if is_unknown { RunProblem::Unknown { error } } else { RunProblem::Failed { error } };
        let tries = state.terms.map(|terms| Tries { made: state.attempt, allowed: terms.retries.saturating_add(1) });
        Self::Failed(FailedRun { run, due, tries, problem, last_good, next, made, deleted })
    }
}

/// What was deleted although the rules keep it, because a hold or `protect` left no other room.
fn given_up(state: &RunState) -> Vec<GivenUp> {
    let given_up = state.plan.iter().flat_map(|plan| plan.given_up());
    let given_up = given_up.filter(|(id, _)| state.deleted().any(|deleted| deleted == *id));
    given_up.map(|(id, why)| GivenUp { id: id.clone(), why: why.clone() }).collect()
}
