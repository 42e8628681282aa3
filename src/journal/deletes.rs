//! What a run does about its deletes, and what became of them: by the provider's answers and by its list.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::answer::FailedCall;
use crate::journal::event::{Act, Answer, DeleteReason, Event, Failure, Found};
use crate::journal::state::{RunState, StepState};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Inventory, PointId, ReadProof};

/// What the journal says of a delete that was withheld so that it is decided by a new list.
pub(crate) const STALE: &str = "its turn came late and it was not sent: the list is read again first";

/// What a run does that cannot read the list that its next delete is to be decided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WithoutList {
    /// The point stays.
    Spare(Guard),
    /// The attempt fails.
    Fail(Failure),
}

/// What a run does that cannot read the list that its next delete is to be decided by. An attempt that has failed before
/// spares its failed point: the next run deletes it.
#[must_use]
pub(crate) fn without_list(state: &RunState, failed: FailedCall) -> WithoutList {
    match state.failure {
        Some(_) => WithoutList::Spare(Guard::Doubt(failed.error)),
        None => WithoutList::Fail(failed.into_failure()),
    }
}

/// Whether the run's deletes are to make room now: its point is yet to be created.
#[must_use]
pub(crate) fn makes_room(state: &RunState) -> bool {
    state.created.is_none() && state.failure.is_none()
}

/// Whether the list that a delete for this reason was decided by serves the next one, too: one list serves all prunes of a
/// run, each decided with the ones before it counted as gone.
#[must_use]
pub(crate) fn list_serves_next(reason: DeleteReason) -> bool {
    match reason {
        DeleteReason::Retention | DeleteReason::Duplicate => true,
        DeleteReason::Eviction | DeleteReason::FailedPoint | DeleteReason::OwnFailure => false,
    }
}

/// What the journal says of a delete whose turn came so late that the list it was decided by was stale: it was not sent,
/// and is decided again.
#[must_use]
pub(crate) fn withheld_as_stale(step: u32) -> [Event; 2] {
    let answer = Answer::Unknown { error: STALE.to_owned() };
    [Event::Answered { step, answer }, Event::Settled { step, found: Found::NotDone }]
}

/// When the delete was accepted whose point the run waits to be gone.
#[must_use]
pub(crate) fn last_deleted_at(state: &RunState) -> Timestamp {
    state.steps.last().map_or(state.opened_at, |step| step.at)
}

/// Why the attempt fails whose evicted point is still listed so long after its delete was accepted; `None` before
/// `stuck_after`.
#[must_use]
pub(crate) fn never_gone(id: &PointId, since_delete: Duration, stuck_after: Duration) -> Option<Failure> {
    let error = format!("the delete of point {id} was accepted, and the provider still lists it");
    (since_delete >= stuck_after).then_some(Failure { error, last: false })
}

/// What it means when the provider knows no point with this id (404) although it listed the point a moment ago. The
/// list decides. If the same answer follows a delete whose answer was lost, the point is gone or about to be gone; if
/// it is repeated word for word while the point stays listed, it is a refusal.
#[must_use]
pub(crate) fn answer_to_unknown_point(state: &RunState, id: &PointId, created_at: Timestamp) -> Answer {
    let is_it = |act: &Act| matches!(act, Act::Delete { id: of, created_at: at, .. } if of == id && *at == created_at);
    // The last step is the one that was just answered.
    let sent = state.current_steps().iter().rev().skip(1).find(|step| is_it(&step.act));
    let error = format!("the provider knows no point {id} (404 Not Found), and lists it");
    match sent {
        None => Answer::Unknown { error },
        Some(before) if before.error.as_ref() == Some(&error) => Answer::Refused { error, last: false },
        Some(_) => Answer::AlreadyGone,
    }
}

/// The listed points whose delete the provider has accepted from this run.
#[must_use]
pub(crate) fn still_listed(state: &RunState, inventory: &Inventory) -> Vec<PointId> {
    let deleted = state.steps.iter().filter(|step| step.state == StepState::Done);
    let points = deleted.filter_map(|step| match &step.act {
        Act::Delete { id, created_at, .. } => inventory.find(id).filter(|point| point.created_at == *created_at),
        _ => None,
    });
    points.map(|point| point.id.clone()).collect()
}

/// What the list says of a delete whose answer was lost. `settled` means that the list has had time to catch up.
#[must_use]
pub(crate) fn find_deleted(inventory: &Inventory, id: &PointId, created_at: Timestamp, settled: bool) -> Option<Found> {
    // The same id with a different time is a different point.
    let is_listed = inventory.find(id).is_some_and(|point| point.created_at == created_at);
    if is_listed { settled.then_some(Found::NotDone) } else { Some(Found::Done { id: None }) }
}

/// What a look shows of an evicted point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhileGoing {
    /// It is still listed: the run waits.
    StillListed,
    /// It is gone, and a point may be created by this list.
    Gone(Inventory),
    /// The look proves nothing: the server's own list does.
    AskServer,
}

/// What a look shows of an evicted point. The account's list proves that it is gone only if it shows all other points of
/// `own`, the server's own list that the delete was decided by.
#[must_use]
pub(crate) fn while_going(looked: Inventory, own: Option<&Inventory>, id: &PointId) -> WhileGoing {
    if looked.find(id).is_some() {
        return WhileGoing::StillListed;
    }
    if looked.doubt().is_none() {
        return WhileGoing::Gone(looked);
    }
    let own = own.filter(|own| own.doubt().is_none() && looked.doubts.is_empty());
    match own.is_some_and(|own| looked.shows_same_as(own, id)) {
        true => WhileGoing::Gone(Inventory { proof: ReadProof::Confirmed, ..looked }),
        false => WhileGoing::AskServer,
    }
}

/// Whether the list proves that the point is gone.
#[must_use]
pub(crate) fn is_proven_gone(inventory: &Inventory, id: &PointId) -> bool {
    inventory.doubt().is_none() && inventory.find(id).is_none()
}

#[cfg(test)]
mod tests;
