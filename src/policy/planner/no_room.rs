//! What a person is told when there is no room: the slots, what is in the way, and what ends that.

use super::Request;
use crate::policy::extra::in_the_way;
use crate::policy::guard::{Slots, names_of_foreign};
use crate::policy::plan::Refusal;

/// That no slot is free, and why none can be emptied, with what people can do.
#[must_use]
pub fn no_room(request: &Request<'_>, because: Option<String>) -> Refusal {
    let ground = &request.ground;
    Refusal::NoRoom {
        slots: Slots::count(request.limit, ground.instance, ground.inventory, ground.memory),
        kind: ground.policy.kind,
        reserve: request.reserve,
        foreign: names_of_foreign(ground),
        because,
        in_the_way: in_the_way(request),
    }
}
