//! Detects the brakes of a policy on a server, including the one that a changed policy file sets when it would delete
//! points that the last file kept, by its rules or to make up for held and protected points.
//!
//! Some signs appear in one list only, such as points that disappeared. Callers store such a brake before they store
//! the list, because the next list does not show it again.

use std::collections::BTreeSet;

use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes, PointIdentity, StoredBrake};
use crate::policy::brakes_in_force::brakes_in_force;
use crate::policy::conditions::Conditions;
use crate::policy::counted::dropped_by_retention;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::extra::{PointsToGo, points_to_go};
use crate::policy::inventory::PointId;
use crate::policy::observed_brakes::in_words;
use crate::policy::retention_change::{RetentionChange, RetentionUpdate, retention_change, retention_update};

/// The brakes in force, the new ones, and those that are over. A doubtful list neither sets nor releases a brake; it
/// stops every delete anyway.
#[must_use]
pub(crate) fn detect_brakes(request: &PlanRequest<'_>) -> DetectedBrakes {
    let changed = retention_change(request);
    let retention = changed.as_ref().and_then(|changed| retention_brake(request, changed));
    brakes_in_force(&request.evidence, changed.is_some(), retention)
}

/// The brakes as a run detects them, and what is to be remembered of what its policy keeps. `is_current` says whether
/// the policy is still in the file with the retention that the run began with. If not, the run is finished under it,
/// but what it keeps no longer says anything; nor does a doubtful list, or a policy that is not `enabled`.
#[must_use]
pub(crate) fn detect_in_run(
    request: &PlanRequest<'_>,
    is_current: bool,
    enabled: bool,
) -> (DetectedBrakes, RetentionUpdate) {
    let mut brakes = detect_brakes(request);
    if !is_current {
        let stored = &request.evidence.memory.brakes;
        let is_retention =
            |number: &i64| stored.iter().any(|it| it.number == *number && it.brake.cause == BrakeCause::Retention);
        brakes.new.retain(|brake| brake.cause != BrakeCause::Retention);
        brakes.over.retain(|number| !is_retention(number));
    }
    let says = enabled && is_current && request.evidence.inventory.doubt().is_none();
    (brakes, if says { retention_update(request) } else { RetentionUpdate::default() })
}

/// The brake on points that the changed file would delete and the last one kept, and on points already waiting for
/// `accept` that would still be deleted.
fn retention_brake(request: &PlanRequest<'_>, changed: &RetentionChange) -> Option<Brake> {
    let evidence = &request.evidence;
    let now = points_to_go(request, &DeleteGuards::of(evidence), false);
    let dropped: Vec<PointIdentity> = dropped_by_retention(evidence).into_iter().map(PointIdentity::of).collect();
    let went: Option<BTreeSet<PointId>> = changed.before.as_ref().and_then(|before| went_before(request, before));
    let is_new = |about: &PointIdentity| went.as_ref().is_none_or(|went| !went.contains(&about.id));
    let waits = |about: &PointIdentity| {
        let waiting = |stored: &&StoredBrake| {
            stored.brake.cause == BrakeCause::Retention && stored.kind == evidence.inventory.kind && !stored.accepted
        };
        let waiting = evidence.memory.brakes.iter().filter(waiting);
        waiting
            .filter(|stored| stored.brake.concerns(evidence.policy))
            .any(|stored| stored.brake.points.contains(about))
    };
    let given_up = now.given_up.iter().filter_map(|id| evidence.inventory.find(id)).map(PointIdentity::of);
    let mut points: Vec<PointIdentity> = dropped.into_iter().filter(|about| changed.rules || waits(about)).collect();
    let given_up: Vec<PointIdentity> = given_up.filter(|about| is_new(about) || waits(about)).collect();
    points.extend(given_up.into_iter().filter(|about| !points.contains(about)).collect::<Vec<_>>());
    let policy = evidence.policy.name.clone();
    (!points.is_empty()).then(|| Brake {
        cause: BrakeCause::Retention,
        text: format!(
            "the policy file was changed, and {policy} would now drop existing {}: {}; they are kept until this is \
             accepted, and only what makes room for a new one is deleted",
            evidence.inventory.kind.plural(),
            in_words(&points)
        ),
        policy: Some(policy),
        points,
    })
}

/// What the policy deleted, or would have, before the file was changed. `None` if that is not known.
fn went_before(request: &PlanRequest<'_>, (name, conditions): &(String, Conditions)) -> Option<BTreeSet<PointId>> {
    let (policy, others) = conditions.policies(name, request.evidence.policy.kind)?;
    let evidence = Evidence { policy: &policy, ..request.evidence };
    let (limit, reserve) = (conditions.limit, conditions.reserve);
    let before = PlanRequest { evidence, limit, reserve, others: &others, ..*request };
    let PointsToGo { by_rules, given_up } = points_to_go(&before, &DeleteGuards::of(&evidence), true);
    Some(by_rules.into_iter().chain(given_up).collect())
}

#[cfg(test)]
mod tests;
