//! What became of a run's deletes, according to the provider's answers and its list.

use jiff::Timestamp;

use crate::journal::event::{Act, Answer, Found};
use crate::journal::state::{RunState, StepState};
use crate::policy::inventory::{Inventory, PointId};

/// What it means when the provider knows no point with this id (404) although it listed the point a moment ago. The
/// list decides. If the same answer follows a delete whose answer was lost, the point is gone or about to be gone; if
/// it is repeated word for word while the point stays listed, it is a refusal.
#[must_use]
pub fn answer_to_unknown_point(state: &RunState, id: &PointId, created_at: Timestamp) -> Answer {
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
pub fn still_listed(state: &RunState, inventory: &Inventory) -> Vec<PointId> {
    let deleted = state.steps.iter().filter(|step| step.state == StepState::Done);
    let points = deleted.filter_map(|step| match &step.act {
        Act::Delete { id, created_at, .. } => inventory.find(id).filter(|point| point.created_at == *created_at),
        _ => None,
    });
    points.map(|point| point.id.clone()).collect()
}

/// What the list says of a delete whose answer was lost. `settled` means that the list has had time to catch up.
#[must_use]
pub fn find_deleted(inventory: &Inventory, id: &PointId, created_at: Timestamp, settled: bool) -> Option<Found> {
    // The same id with a different time is a different point.
    let is_listed = inventory.find(id).is_some_and(|point| point.created_at == created_at);
    if is_listed { settled.then_some(Found::NotDone) } else { Some(Found::Done { id: None }) }
}

/// Whether the list proves that the point is gone.
#[must_use]
pub fn is_proven_gone(inventory: &Inventory, id: &PointId) -> bool {
    inventory.doubt().is_none() && inventory.find(id).is_none()
}

#[cfg(test)]
mod tests;
