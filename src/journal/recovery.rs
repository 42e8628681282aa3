//! What a run does next, from its state alone. The first attempt, a retry and the way on after a crash all ask the
//! same function: there is no recovery besides it.

use jiff::Timestamp;

use crate::journal::event::{Act, DeleteReason, Outcome};
use crate::journal::state::{Made, Progress, RunState, Step, StepState};
use crate::policy::inventory::Id;
use crate::policy::plan::{Delete, Plan, PlanRefusal};

/// How often a call whose answer was lost is sent in one attempt, the first time included.
pub const SENDS: usize = 3;

/// What a run does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write that the first attempt begins.
    Begin,
    /// Read the inventory, plan, write the plan.
    Plan,
    /// Wait until this moment of the provider's time, without a place and without the lease; then plan.
    WaitForBucket(Timestamp),
    /// Look at the server and stop it if it runs.
    StopServer,
    /// Wait until the server stands still.
    AwaitStopped,
    /// Delete a point, unless a guard refuses it now.
    Delete {
        /// The point.
        id: Id,
        /// When it was begun.
        created_at: Timestamp,
        /// What for.
        cause: DeleteReason,
    },
    /// Wait until the evicted point is no longer listed.
    AwaitGone(Id),
    /// Read the list again; if it shows a free slot, ask for the point.
    Create,
    /// Find out what became of a call whose answer was lost.
    Settle(u32),
    /// Wait until the new point is completed.
    Await(Id),
    /// Start the server that we stopped, and wait until it runs.
    StartServer,
    /// Write that the attempt failed: the reason is in a step.
    Fail {
        /// In words.
        error: String,
        /// Whether the run is not tried again.
        last: bool,
    },
    /// The attempt failed and may be tried again: write when.
    Retry {
        /// Seconds from now.
        after_seconds: u64,
    },
    /// Nothing until then; afterwards write that the next attempt begins.
    Wait(Timestamp),
    /// Write the run's end.
    End {
        /// How.
        outcome: Outcome,
        /// Why not better.
        error: Option<String>,
    },
    /// The run is over.
    Over,
}

/// What comes next.
#[must_use]
pub fn next(state: &RunState) -> Next {
    if state.ended.is_some() {
        return Next::Over;
    }
    if state.attempt == 0 {
        return Next::Begin;
    }
    if let Some(step) = unsettled(state) {
        return Next::Settle(step);
    }
    if let Some(at) = state.retry_at {
        return Next::Wait(at);
    }
    if state.failure.is_some() {
        return after_failure(state);
    }
    // Whether the point is there nobody can tell: the run makes and stops nothing more. The server that was stopped for
    // it is started first.
    if let Some(step) = state.steps.iter().find(|step| step.act.is_create() && step.state == StepState::Undecided) {
        let unknown = || Next::End { outcome: Outcome::Unknown, error: step.error.clone() };
        return if state.owes_start { Next::StartServer } else { unknown() };
    }
    let Some(plan) = &state.plan else {
        return state.postponed.filter(|_| state.waits).map_or(Next::Plan, Next::WaitForBucket);
    };
    match &plan.refused {
        // Nothing is wrong, and nothing would be gained.
        Some(refusal @ PlanRefusal::OnlyTheNewest { .. }) if !state.owes_start => {
            return Next::End { outcome: Outcome::Skipped, error: Some(refusal.to_string()) };
        }
        Some(PlanRefusal::OnlyTheNewest { .. }) => return Next::StartServer,
        Some(refusal) => {
            return Next::Fail { error: refusal.to_string(), last: !matches!(refusal, PlanRefusal::Doubt(_)) };
        }
        None => {}
    }
    before_create(state, plan).or_else(|| make(state)).unwrap_or_else(|| after_create(state, plan))
}

/// The last step, if what became of it is not known.
fn unsettled(state: &RunState) -> Option<u32> {
    let last = state.steps.last()?;
    let open = matches!(last.state, StepState::Intended | StepState::Unknown);
    open.then(|| u32::try_from(state.steps.len()).expect("a run has few steps"))
}

fn before_create(state: &RunState, plan: &Plan) -> Option<Next> {
    if state.made.is_some() {
        return None;
    }
    // Room first: the server is down no longer than its point needs.
    let eviction = plan.evictions().find_map(|delete| match fate(state, delete) {
        Fate::Open => {
            let cause = if delete.completed { DeleteReason::Eviction } else { DeleteReason::FailedPoint };
            Some(Next::Delete { id: delete.id.clone(), created_at: delete.created_at, cause })
        }
        Fate::Accepted if !state.gone.contains(&delete.id) => Some(Next::AwaitGone(delete.id.clone())),
        Fate::Accepted | Fate::Spared => None,
        Fate::Failed(next) => Some(next),
    });
    let stops = state.terms.is_some_and(|terms| terms.stop_server) && !state.found_stopped;
    eviction.or_else(|| (stops && !state.seen_stopped).then(|| stop(state)))
}

/// The server is to stand still. A stop that was undone since, by our own start on the way out of the process, counts
/// for nothing.
fn stop(state: &RunState) -> Next {
    let steps = state.current_steps();
    let from = steps.iter().rposition(|step| step.act == Act::StartServer).map_or(0, |started| started + 1);
    let stops: Vec<&Step> = steps[from..].iter().filter(|step| step.act == Act::StopServer).collect();
    match stops.last() {
        Some(Step { state: StepState::Done, .. }) if state.owes_start => Next::AwaitStopped,
        // It was seen running again.
        Some(Step { state: StepState::Done, .. }) if stops.len() < SENDS => Next::StopServer,
        Some(step) if stops.len() >= SENDS || refused(step) => failed(step, "could not be stopped"),
        _ => Next::StopServer,
    }
}

fn make(state: &RunState) -> Option<Next> {
    if let Some(made) = &state.made {
        return match made.progress {
            Progress::Vanished => {
                let error = format!("{} {} was being made and is no longer listed", state.key.kind, made.id);
                Some(Next::Fail { error, last: false })
            }
            Progress::Running => Some(Next::Await(made.id.clone())),
            Progress::Failed => {
                let error = format!("the provider could not make it: {} {} has failed", state.key.kind, made.id);
                Some(Next::Fail { error, last: false })
            }
            Progress::Completed => None,
        };
    }
    Some(match last(state, Act::is_create) {
        None => Next::Create,
        Some(step) if refused(step) => Next::Fail { error: words_of_create(state, step), last: step.last },
        Some(step) if sends(state, Act::is_create) >= SENDS => {
            failed(step, "was asked for three times and never appeared")
        }
        Some(_) => Next::Create,
    })
}

fn after_create(state: &RunState, plan: &Plan) -> Next {
    if state.owes_start {
        return Next::StartServer;
    }
    let duplicate = state.duplicate.as_ref().map(|(id, created_at)| (id, *created_at, DeleteReason::Duplicate));
    let prunes = plan.prunes().map(|delete| {
        (
            &delete.id,
            delete.created_at,
            if delete.completed { DeleteReason::Retention } else { DeleteReason::FailedPoint },
        )
    });
    for (id, created_at, cause) in duplicate.into_iter().chain(prunes) {
        match fate_of(state, id, created_at) {
            Fate::Open => return Next::Delete { id: id.clone(), created_at, cause },
            Fate::Failed(next) => return next,
            Fate::Accepted | Fate::Spared => {}
        }
    }
    Next::End { outcome: Outcome::Succeeded, error: None }
}

/// After a failed attempt: the server is started, a failed point of ours cleared away, then the run is tried again or
/// ends.
fn after_failure(state: &RunState) -> Next {
    if state.owes_start {
        return Next::StartServer;
    }
    if let Some(made) = &state.made
        && made.progress == Progress::Failed
        && let Some(created_at) = made.created_at
        && matches!(fate_of(state, &made.id, created_at), Fate::Open)
    {
        return Next::Delete { id: made.id.clone(), created_at, cause: DeleteReason::OwnFailure };
    }
    let failure = state.failure.as_ref().expect("asked only after a failure");
    let terms = state.terms.filter(|terms| state.attempt <= terms.retries && !failure.last);
    // What the attempt made stays: a new attempt would make a second one for the same due time.
    let there = |made: &Made| matches!(made.progress, Progress::Running | Progress::Completed);
    let made = state.made.as_ref().is_some_and(there);
    match terms {
        Some(terms) if !made => Next::Retry { after_seconds: terms.retry_after_seconds },
        _ => Next::End { outcome: Outcome::Failed, error: Some(failure.error.clone()) },
    }
}

/// What has become of a planned delete.
enum Fate {
    Open,
    Accepted,
    Spared,
    Failed(Next),
}

fn fate(state: &RunState, delete: &Delete) -> Fate {
    fate_of(state, &delete.id, delete.created_at)
}

/// The time is part of it: the new point may have been given the id of the evicted one.
fn fate_of(state: &RunState, point: &Id, begun: Timestamp) -> Fate {
    if state.spared.contains(point) {
        return Fate::Spared;
    }
    let is_it = |act: &Act| matches!(act, Act::Delete { id, created_at, .. } if id == point && *created_at == begun);
    match last(state, is_it) {
        None => Fate::Open,
        Some(step) if step.state == StepState::Done => Fate::Accepted,
        Some(step) if refused(step) => Fate::Failed(failed(step, "could not be deleted")),
        Some(step) if sends(state, is_it) >= SENDS => Fate::Failed(failed(step, "could not be deleted")),
        Some(_) => Fate::Open,
    }
}

fn last(state: &RunState, is_it: impl Fn(&Act) -> bool) -> Option<&Step> {
    state.current_steps().iter().rev().find(|step| is_it(&step.act))
}

fn sends(state: &RunState, is_it: impl Fn(&Act) -> bool) -> usize {
    state.current_steps().iter().filter(|step| is_it(&step.act)).count()
}

/// Whether the provider (or the connection) said no, as opposed to a lost answer that turned out as not done.
fn refused(step: &Step) -> bool {
    step.state == StepState::NotDone && step.error.is_some() && !step.answer_was_lost
}

fn failed(step: &Step, what: &str) -> Next {
    let subject = match &step.act {
        Act::StopServer | Act::StartServer => "the server".to_owned(),
        Act::Delete { id, .. } => format!("point {id}"),
        Act::Create { mark, .. } => format!("the point with mark lg-{}", mark.token),
    };
    let why = step.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    Next::Fail { error: format!("{subject} {what}{why}"), last: step.last }
}

/// A refusal after a lost answer may be for want of the very slot that the first point takes.
fn words_of_create(state: &RunState, step: &Step) -> String {
    let lost = state.current_steps().iter().any(|before| before.act.is_create() && before.answer_was_lost);
    let first =
        "; the answer to the first create was lost, so its point may be there and not listed yet: look at the list";
    format!("{}{}", words(step), if lost { first } else { "" })
}

fn words(step: &Step) -> String {
    step.error.clone().unwrap_or_else(|| "the provider refused".to_owned())
}
