//! What a run does next, from its state alone. The first attempt, a retry and a run resumed after a crash all use the
//! same function: there is no other recovery.

use jiff::Timestamp;

use crate::journal::event::{Act, DeleteReason, Outcome};
use crate::journal::state::{CreatedPoint, PointProgress, RunState, Step, StepState};
use crate::policy::inventory::PointId;
use crate::policy::plan::{Plan, PlanRefusal};

/// How often a call whose answer was lost is sent in one attempt, the first time included.
pub(crate) const SENDS: usize = 3;

/// What a run does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Record that the first attempt begins.
    Begin,
    /// Read the inventory, plan, record the plan.
    Plan,
    /// Wait until this moment of the provider's time, without a run permit and without the lease; then plan.
    WaitForBucket(Timestamp),
    /// Look at the server and stop it if it runs.
    StopServer,
    /// Wait until the server is stopped.
    AwaitStopped,
    /// Delete a point, unless a guard refuses now.
    Delete {
        /// The point.
        id: PointId,
        /// When it was begun.
        created_at: Timestamp,
        /// What for.
        cause: DeleteReason,
    },
    /// Wait until the evicted point is no longer listed.
    AwaitGone(PointId),
    /// Read the list again and, if it shows a free slot, request the point.
    Create,
    /// Find out whether a call whose answer was lost was carried out.
    Settle(u32),
    /// Wait until the new point is completed.
    Await(PointId),
    /// Start the server that we stopped, and wait until it runs.
    StartServer,
    /// Record that the attempt failed because of a step or the plan.
    Fail {
        /// In words.
        error: String,
        /// Whether the run is not retried.
        last: bool,
    },
    /// The attempt failed and the run may be tried again: record when.
    Retry {
        /// Seconds from now.
        after_seconds: u64,
    },
    /// Wait until then, then record that the next attempt begins.
    Wait(Timestamp),
    /// Record the run's end.
    End {
        /// How it ended.
        outcome: Outcome,
        /// Why it did not succeed.
        error: Option<String>,
    },
    /// The run is over.
    Over,
}

/// Whether a run that does this next may soon look whether a point is gone that it has evicted.
#[must_use]
pub(crate) const fn may_evict_soon(next: &Next) -> bool {
    match next {
        Next::Begin | Next::Plan | Next::AwaitGone(_) => true,
        Next::Delete { cause, .. } => matches!(cause, DeleteReason::Eviction | DeleteReason::FailedPoint),
        _ => false,
    }
}

/// What the run does next.
#[must_use]
pub(crate) fn next(state: &RunState) -> Next {
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
    // Whether the point exists cannot be determined, so the run creates and stops nothing more. First it starts the
    // server that was stopped for the point.
    if let Some(step) = state.steps.iter().find(|step| step.act.is_create() && step.state == StepState::Undecided) {
        let unknown = || Next::End { outcome: Outcome::Unknown, error: step.error.clone() };
        return if state.owes_start { Next::StartServer } else { unknown() };
    }
    let Some(plan) = &state.plan else {
        return state.postponed.filter(|_| state.waits_for_bucket).map_or(Next::Plan, Next::WaitForBucket);
    };
    match &plan.refused {
        // Nothing is wrong, and a new point would be of no use.
        Some(refusal @ PlanRefusal::OnlyTheNewest { .. }) if !state.owes_start => {
            return Next::End { outcome: Outcome::Skipped, error: Some(refusal.to_string()) };
        }
        Some(PlanRefusal::OnlyTheNewest { .. }) => return Next::StartServer,
        Some(refusal) => {
            return Next::Fail { error: refusal.to_string(), last: !matches!(refusal, PlanRefusal::Doubt(_)) };
        }
        None => {}
    }
    before_create(state, plan).or_else(|| create(state)).unwrap_or_else(|| after_create(state, plan))
}

/// The last step, if its outcome is not known.
fn unsettled(state: &RunState) -> Option<u32> {
    let last = state.steps.last()?;
    let open = matches!(last.state, StepState::Intended | StepState::Unknown);
    open.then(|| u32::try_from(state.steps.len()).expect("a run has few steps"))
}

fn before_create(state: &RunState, plan: &Plan) -> Option<Next> {
    if state.created.is_some() {
        return None;
    }
    // Room is made first, so that the server is down no longer than its point needs.
    let eviction = plan.evictions().find_map(|delete| match progress_of(state, &delete.id, delete.created_at) {
        DeleteProgress::Open => {
            let cause = if delete.completed { DeleteReason::Eviction } else { DeleteReason::FailedPoint };
            Some(Next::Delete { id: delete.id.clone(), created_at: delete.created_at, cause })
        }
        DeleteProgress::Accepted if !state.gone.contains(&delete.id) => Some(Next::AwaitGone(delete.id.clone())),
        DeleteProgress::Accepted | DeleteProgress::Spared => None,
        DeleteProgress::Failed(next) => Some(next),
    });
    let stops = state.terms.is_some_and(|terms| terms.stop_server) && !state.found_stopped;
    eviction.or_else(|| (stops && !state.seen_stopped).then(|| stop(state)))
}

/// Stops the server. Stops before our own start at a shutdown of the process do not count: that start undid them.
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

fn create(state: &RunState) -> Option<Next> {
    if let Some(created) = &state.created {
        let point = format!("{} {}", state.key.kind, created.id);
        return match created.progress {
            PointProgress::Vanished => {
                Some(Next::Fail { error: format!("{point} was being created and is no longer listed"), last: false })
            }
            PointProgress::Running => Some(Next::Await(created.id.clone())),
            PointProgress::Failed => {
                Some(Next::Fail { error: format!("the provider could not create it: {point} has failed"), last: false })
            }
            PointProgress::Completed => None,
        };
    }
    Some(match last(state, Act::is_create) {
        None => Next::Create,
        Some(step) if refused(step) => Next::Fail { error: words_of_create(state, step), last: step.last },
        Some(step) if sends(state, Act::is_create) >= SENDS => {
            failed(step, "was requested three times and never appeared")
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
        match progress_of(state, id, created_at) {
            DeleteProgress::Open => return Next::Delete { id: id.clone(), created_at, cause },
            DeleteProgress::Failed(next) => return next,
            DeleteProgress::Accepted | DeleteProgress::Spared => {}
        }
    }
    Next::End { outcome: Outcome::Succeeded, error: None }
}

/// After a failed attempt: the server is started, our failed point is deleted, then the run is tried again or ends.
fn after_failure(state: &RunState) -> Next {
    if state.owes_start {
        return Next::StartServer;
    }
    if let Some(created) = &state.created
        && created.progress == PointProgress::Failed
        && let Some(created_at) = created.created_at
        && matches!(progress_of(state, &created.id, created_at), DeleteProgress::Open)
    {
        return Next::Delete { id: created.id.clone(), created_at, cause: DeleteReason::OwnFailure };
    }
    let failure = state.failure.as_ref().expect("asked only after a failure");
    let terms = state.terms.filter(|terms| state.attempt <= terms.retries && !failure.last);
    // What the attempt created stays: otherwise the next attempt would create a second point for the same due time.
    let is_there = |point: &CreatedPoint| matches!(point.progress, PointProgress::Running | PointProgress::Completed);
    let has_point = state.created.as_ref().is_some_and(is_there);
    match terms {
        Some(terms) if !has_point => Next::Retry { after_seconds: terms.retry_after_seconds },
        _ => Next::End { outcome: Outcome::Failed, error: Some(failure.error.clone()) },
    }
}

/// How far a planned delete has come.
enum DeleteProgress {
    /// It will be sent.
    Open,
    /// The provider has accepted it.
    Accepted,
    /// A guard has refused it.
    Spared,
    /// It has failed.
    Failed(Next),
}

/// The progress of the delete of the point with this id and time; the provider may reuse the id of an evicted point.
fn progress_of(state: &RunState, point: &PointId, begun: Timestamp) -> DeleteProgress {
    if state.spared.contains(point) {
        return DeleteProgress::Spared;
    }
    let is_it = |act: &Act| matches!(act, Act::Delete { id, created_at, .. } if id == point && *created_at == begun);
    match last(state, is_it) {
        None => DeleteProgress::Open,
        Some(step) if step.state == StepState::Done => DeleteProgress::Accepted,
        Some(step) if refused(step) => DeleteProgress::Failed(failed(step, "could not be deleted")),
        Some(step) if sends(state, is_it) >= SENDS => DeleteProgress::Failed(failed(step, "could not be deleted")),
        Some(_) => DeleteProgress::Open,
    }
}

fn last(state: &RunState, is_it: impl Fn(&Act) -> bool) -> Option<&Step> {
    state.current_steps().iter().rev().find(|step| is_it(&step.act))
}

fn sends(state: &RunState, is_it: impl Fn(&Act) -> bool) -> usize {
    state.current_steps().iter().filter(|step| is_it(&step.act)).count()
}

/// Whether the provider (or the connection) refused, as opposed to a lost answer that turned out to be not done.
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

/// After a lost answer, a refusal may come from the slot that the first point takes.
fn words_of_create(state: &RunState, step: &Step) -> String {
    let lost = state.current_steps().iter().any(|before| before.act.is_create() && before.answer_was_lost);
    let first =
        "; the answer to the first create was lost, so its point may exist and not be listed yet: check the list";
    format!("{}{}", words(step), if lost { first } else { "" })
}

fn words(step: &Step) -> String {
    step.error.clone().unwrap_or_else(|| "the provider refused".to_owned())
}
