//! Which brakes are in force: the brakes observed in a list, compared with the stored ones. Some are over, some
//! continue, some are new.
//!
//! A condition that ends by itself (points listed again, clocks that agree again) releases its brake.

use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes, PointIdentity, StoredBrake};
use crate::policy::evidence::Evidence;
use crate::policy::observed_brakes::observed_brakes;

/// The brake that stops every delete here, including evictions. Does not depend on what retention would drop.
pub(super) fn stops_all(evidence: &Evidence<'_>) -> Option<Brake> {
    brakes_in_force(evidence, false, None).stops_all().cloned()
}

/// The brakes in force. `is_changed` says whether the policy file was changed; `retention` is the brake that this sets.
/// A doubtful list neither sets nor releases a brake; it stops every delete anyway.
pub(super) fn brakes_in_force(evidence: &Evidence<'_>, is_changed: bool, retention: Option<Brake>) -> DetectedBrakes {
    let mut detected = DetectedBrakes::default();
    let kind = evidence.inventory.kind;
    let proven = evidence.inventory.doubt().is_none();
    let mut observed = if proven { observed_brakes(evidence, retention) } else { Vec::new() };
    let mut kept: Vec<&StoredBrake> = Vec::new();
    for stored in &evidence.memory.brakes {
        let same_kind = stored.kind == kind;
        if same_kind && proven && is_over(stored, evidence, is_changed, &observed) {
            detected.over.push(stored.number);
            continue;
        }
        if same_kind && proven && !stored.accepted && is_of_former_name(&stored.brake, evidence) {
            detected.over.push(stored.number);
            observe_under_new_name(&stored.brake, evidence, &mut observed);
            continue;
        }
        // A second lastgood affects the whole server.
        let concerns = same_kind || stored.brake.cause == BrakeCause::SecondLastgood;
        if concerns && !stored.accepted && stored.brake.concerns(evidence.policy) {
            detected.in_force.push(stored.brake.clone());
        }
        if same_kind {
            kept.push(stored);
        }
    }
    for brake in observed {
        let stored = kept.iter().find(|stored| stored.brake.is_same(&brake));
        add(&mut detected, brake, stored.copied());
    }
    detected
}

/// Adds an observed brake, unless the stored one of the same cause and policy covers it.
fn add(detected: &mut DetectedBrakes, brake: Brake, stored: Option<&StoredBrake>) {
    match stored {
        Some(stored) if stored.accepted && brake.cause == BrakeCause::Clock => {}
        Some(stored) if !stored.accepted && brake.points.iter().all(|about| stored.brake.points.contains(about)) => {}
        Some(stored) if !stored.accepted => {
            let mut wider = Brake { points: stored.brake.points.clone(), ..brake.clone() };
            wider.widen(&brake.points);
            detected.in_force.retain(|other| !other.is_same(&wider));
            detected.in_force.push(wider.clone());
            detected.new.push(wider);
        }
        _ => {
            detected.in_force.push(brake.clone());
            detected.new.push(brake);
        }
    }
}

/// Whether it was set under a former name of the policy.
fn is_of_former_name(brake: &Brake, evidence: &Evidence<'_>) -> bool {
    let policy = evidence.policy;
    brake.policy.as_ref().is_some_and(|name| *name != policy.name && policy.answers_to(name))
}

/// Carries an unaccepted brake over to the policy's new name.
fn observe_under_new_name(brake: &Brake, evidence: &Evidence<'_>, observed: &mut Vec<Brake>) {
    let renamed = Brake { policy: Some(evidence.policy.name.clone()), ..brake.clone() };
    match observed.iter_mut().find(|other| other.is_same(&renamed)) {
        Some(other) => other.widen(&renamed.points),
        None => observed.push(renamed),
    }
}

/// Whether the condition of a brake has ended by itself.
fn is_over(stored: &StoredBrake, evidence: &Evidence<'_>, is_changed: bool, observed: &[Brake]) -> bool {
    let brake = &stored.brake;
    let is_listed = |about: &PointIdentity| evidence.inventory.find(&about.id).is_some_and(|point| about.is(point));
    match brake.cause {
        BrakeCause::Gone | BrakeCause::Shorter => brake.points.iter().all(is_listed),
        BrakeCause::Small => !brake.points.iter().any(is_listed),
        BrakeCause::Clock | BrakeCause::SecondLastgood => !observed.iter().any(|other| other.is_same(brake)),
        BrakeCause::Retention => {
            // Points that still wait are included in the brake that the change sets.
            (is_changed && brake.concerns(evidence.policy)) || !brake.points.iter().any(is_listed)
        }
    }
}
