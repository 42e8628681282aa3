//! Whether a delete may be sent now: one of a run, just before it is sent, or one that a person requests by hand.
//!
//! A plan is only an upper bound. A run's delete is sent only if retention still drops the point: by a fresh list, with
//! the new point's real date, and under both the run's policy and the one now in force.

use std::fmt::Display;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::delete_guards::{DeleteGuards, in_progress};
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Inventory, PointId, PointStatus, RestorePoint};
use crate::policy::planner::kept_now;

/// Why a run deletes a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteReason {
    /// A completed point must make room for the new one.
    Eviction,
    /// A failed point of ours makes room or is cleaned up.
    FailedPoint,
    /// Retention drops it.
    Retention,
    /// The point that this run created has failed.
    OwnFailure,
    /// A lost answer led to two points, and the younger one is deleted.
    Duplicate,
}

impl DeleteReason {
    /// The word in metrics.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Eviction => "eviction",
            Self::FailedPoint => "failed_point",
            Self::Retention => "retention",
            Self::OwnFailure => "own_failure",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What is known just before a delete is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeleteCheck<'a> {
    /// The run's policy with the current list, memory and provider's time.
    pub request: PlanRequest<'a>,
    /// The same for the policy now in force; `None` if it is no longer in the file.
    pub in_force: Option<PlanRequest<'a>>,
    /// The point that the run has created.
    pub made: Option<&'a PointId>,
    /// Whether the delete is to make room for the new point.
    pub makes_room: bool,
    /// The free slots that our points may take.
    pub room: u32,
    /// Listed points whose delete by this run was accepted.
    pub gone: &'a [PointId],
    /// The most deletes of the run.
    pub max_deletes: u32,
}

/// Whether a delete of a run has to wait. A duplicate is not deleted while it is in progress; once it is stuck, the
/// guards decide.
#[must_use]
pub(crate) fn has_to_wait(
    inventory: &Inventory,
    id: &PointId,
    reason: DeleteReason,
    is_stuck: impl FnOnce() -> bool,
) -> bool {
    let is_in_progress = || inventory.find(id).is_some_and(|point| point.status.is_in_progress());
    reason == DeleteReason::Duplicate && is_in_progress() && !is_stuck()
}

/// Checks what holds say about a point. Holds that cannot be read refuse the delete: there may be one.
///
/// # Errors
/// The guard that refuses the delete.
pub(crate) fn by_hold(hold: Result<Option<Guard>, impl Display>) -> Result<(), Guard> {
    match hold {
        Ok(None) => Ok(()),
        Ok(Some(guard)) => Err(guard),
        Err(error) => Err(Guard::Doubt(format!("the holds cannot be read: {error}"))),
    }
}

/// Checks a planned delete just before it is sent.
///
/// # Errors
/// The guard that refuses the delete.
pub(crate) fn before_sending(
    late: &DeleteCheck<'_>,
    id: &PointId,
    created_at: Timestamp,
    reason: DeleteReason,
) -> Result<(), Guard> {
    let evidence = &late.request.evidence;
    if late.made == Some(id) && reason != DeleteReason::OwnFailure {
        return Err(Guard::JustMade);
    }
    let point = evidence.inventory.find(id).filter(|point| point.created_at == created_at).ok_or(Guard::NotTheSame)?;
    if late.request.spent >= late.max_deletes {
        return Err(Guard::MaxDeletes(late.max_deletes));
    }
    if late.makes_room && late.room > 0 {
        return Err(Guard::NotNeeded);
    }
    match reason {
        DeleteReason::OwnFailure | DeleteReason::FailedPoint if point.status != PointStatus::Failed => {
            return Err(Guard::NotTheSame);
        }
        // The younger of the two is the newest point; it may go only once the older one is completed.
        DeleteReason::Duplicate if !is_completed(evidence, late.made) => return Err(Guard::NewestOfPolicy),
        _ => {}
    }
    consents(late, &late.request, point, reason)?;
    match &late.in_force {
        Some(request) => consents(late, request, point, reason).map_err(by_the_file_in_force),
        None if matches!(reason, DeleteReason::OwnFailure | DeleteReason::FailedPoint) => Ok(()),
        None => Err(Guard::NotInForce),
    }
}

/// Rewords a refusal by the policy in force, since the run's own policy allowed the delete.
fn by_the_file_in_force(guard: Guard) -> Guard {
    match guard {
        Guard::KeptNow(why) => Guard::KeptNow(format!("by the policy file now in force, {why}")),
        other => other,
    }
}

/// Whether this policy still allows the delete.
fn consents(
    late: &DeleteCheck<'_>,
    request: &PlanRequest<'_>,
    point: &RestorePoint,
    reason: DeleteReason,
) -> Result<(), Guard> {
    let evidence = request.evidence;
    let guards = DeleteGuards::of(&evidence);
    if reason == DeleteReason::Duplicate {
        return guards.refuses(point).map_or(Ok(()), Err);
    }
    guards.permits(&point.id, point.created_at, late.gone)?;
    let new = match reason {
        DeleteReason::Eviction => Some(request.now),
        // The list shows the new point with the provider's date.
        DeleteReason::Retention => None,
        DeleteReason::FailedPoint | DeleteReason::OwnFailure | DeleteReason::Duplicate => return Ok(()),
    };
    // Points being deleted no longer count.
    let mut memory = evidence.memory.clone();
    memory.deleting.extend(late.gone.iter().cloned());
    let request = PlanRequest { evidence: Evidence { memory: &memory, ..evidence }, ..*request };
    kept_now(&request, new, &point.id).map_or(Ok(()), |why| Err(Guard::KeptNow(why)))
}

fn is_completed(evidence: &Evidence<'_>, made: Option<&PointId>) -> bool {
    let adopted = made.and_then(|made| evidence.inventory.find(made));
    adopted.is_some_and(|older| older.status == PointStatus::Completed)
}

/// Whether a person may delete the point by hand. Who owns it and what is left are up to them; `hold` is the guard of a
/// hold on the point or its server.
///
/// # Errors
/// The guard that refuses the delete.
pub(crate) fn by_hand(point: &RestorePoint, hold: Option<Guard>) -> Result<(), Guard> {
    if point.automatic {
        return Err(Guard::Automatic);
    }
    in_progress(point).or(hold).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
