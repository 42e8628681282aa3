//! The refusal for lack of room: the slots, what keeps them taken, and how to change that.

use crate::policy::counted::Counted;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::extra::all_policies;
use crate::policy::inventory::RestorePoint;
use crate::policy::plan::PlanRefusal;
use crate::policy::retention::Candidate;
use crate::policy::slot_blocker::SlotBlocker;

/// The refusal when no slot is free and none can be freed, with what people can do about it.
#[must_use]
pub(crate) fn no_room(request: &PlanRequest<'_>, because: Option<String>) -> PlanRefusal {
    PlanRefusal::NoRoom {
        slots: request.slots(),
        kind: request.evidence.policy.kind,
        reserve: request.reserve,
        foreign: request.evidence.names_of_foreign(),
        because,
        in_the_way: in_the_way(request),
    }
}

/// The holds and `protect` patterns that keep slots taken; oldest point first.
fn in_the_way(request: &PlanRequest<'_>) -> Vec<SlotBlocker> {
    let evidence = &request.evidence;
    let memory = evidence.memory;
    if let Some(reason) = memory.server_hold.clone() {
        let (server, until) = (evidence.inventory.server.clone(), memory.server_hold_until);
        return vec![SlotBlocker::Server { server, reason, until }];
    }
    let counted = Counted::of(evidence, Some(request.now));
    let policies = all_policies(request, &counted);
    // Once any point is extra, every hold of the policy costs a slot.
    let own_held = counted.points().filter(|point| evidence.is_held(point) && !policies[0].extra.is_empty());
    let mut points: Vec<&RestorePoint> = policies.iter().flat_map(|one| one.extra.iter().copied()).collect();
    points.extend(own_held);
    points.sort_by_key(|point| Candidate::of(point));
    points.dedup_by_key(|point| &point.id);
    let protected_by = |point: &RestorePoint| {
        let claimed_by = policies.iter().map(|one| Evidence { policy: one.policy, ..*evidence });
        claimed_by.filter(|evidence| evidence.claims(point)).find_map(|evidence| evidence.protected_by(point))
    };
    let blocker = |point: &RestorePoint| match memory.holds.get(&point.id) {
        Some(reason) => Some(SlotBlocker::Point {
            id: point.id.clone(),
            reason: reason.clone(),
            until: memory.hold_ends.get(&point.id).copied(),
        }),
        None => protected_by(point).map(|pattern| SlotBlocker::Protected { id: point.id.clone(), pattern }),
    };
    points.into_iter().filter_map(blocker).collect()
}
