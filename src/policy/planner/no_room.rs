//! The refusal when there is no room: the slots, what is in the way, and what ends that.

use crate::policy::counted::{Counted, candidate};
use crate::policy::evidence::{Evidence, Request};
use crate::policy::extra::stakes;
use crate::policy::in_the_way::InTheWay;
use crate::policy::inventory::RestorePoint;
use crate::policy::plan::Refusal;

/// That no slot is free, and why none can be emptied, with what people can do.
#[must_use]
pub fn no_room(request: &Request<'_>, because: Option<String>) -> Refusal {
    Refusal::NoRoom {
        slots: request.slots(),
        kind: request.evidence.policy.kind,
        reserve: request.reserve,
        foreign: request.evidence.names_of_foreign(),
        because,
        in_the_way: in_the_way(request),
    }
}

/// The holds, and what `protect` keeps, by which no room is left; oldest point first.
fn in_the_way(request: &Request<'_>) -> Vec<InTheWay> {
    let evidence = &request.evidence;
    let memory = evidence.memory;
    if let Some(reason) = memory.server_hold.clone() {
        let (server, until) = (evidence.inventory.server.clone(), memory.server_hold_until);
        return vec![InTheWay::Server { server, reason, until }];
    }
    let counted = Counted::of(evidence, Some(request.now));
    let stakes = stakes(request, &counted);
    // Where a point is extra, each hold of its policy is one too many.
    let own_held = counted.points().filter(|point| evidence.is_held(point) && !stakes[0].extra.is_empty());
    let mut points: Vec<&RestorePoint> = stakes.iter().flat_map(|stake| stake.extra.iter().copied()).collect();
    points.extend(own_held);
    points.sort_by_key(|point| candidate(point));
    points.dedup_by_key(|point| &point.id);
    let protected_by = |point: &RestorePoint| {
        let claimed_by = stakes.iter().map(|stake| Evidence { policy: stake.policy, ..*evidence });
        claimed_by.filter(|evidence| evidence.claims(point)).find_map(|evidence| evidence.protected_by(point))
    };
    let way = |point: &RestorePoint| match memory.holds.get(&point.id) {
        Some(reason) => Some(InTheWay::Point {
            id: point.id.clone(),
            reason: reason.clone(),
            until: memory.hold_ends.get(&point.id).copied(),
        }),
        None => protected_by(point).map(|pattern| InTheWay::Protected { id: point.id.clone(), pattern }),
    };
    points.into_iter().filter_map(way).collect()
}
