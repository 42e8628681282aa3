//! Room for a new point that may fall into this bucket or into the next: what is evicted must be dropped in both cases.
//!
//! Between plan and create lie an eviction, a stop and the request itself. Dated a minute later, on the next day, the new
//! point displaces another one than planned.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{Planner, Request, Room};
use crate::policy::guard::{Guard, Slots};
use crate::policy::inventory::Id;
use crate::policy::plan::{Delete, Reason, Refusal};
use crate::policy::retention::{KeepReason, next_bucket_end};

/// The shortest and the longest time that is allowed for from a plan to its create.
const LEAD: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(10));

/// The end of the bucket that the new point may miss, unless the run has waited for it.
fn bucket_end(request: &Request<'_>) -> Option<Timestamp> {
    let (ground, (shortest, longest)) = (request.ground, LEAD);
    let lead = ground.memory.longest_lead.clamp(shortest, longest);
    let end = next_bucket_end(&ground.policy.keep, &ground.policy.timezone, request.now)?;
    let waited = request.waited_for.is_some_and(|waited_for| end <= waited_for);
    (!waited && end <= request.now + lead).then_some(end)
}

impl Planner<'_> {
    /// Evicts what is dropped whether the new point is dated now or in the next bucket. Where that does not suffice, and
    /// one of the two alone would, the run waits until it is certain.
    pub(super) fn make_room(&mut self) -> Result<Room<Vec<Delete>>, Refusal> {
        let Some(bucket_end) = bucket_end(&self.request) else { return self.evict(|_| true).map(Room::Made) };
        let mut then = Planner::dated(&self.request, self.slots, Some(bucket_end));
        let dropped: BTreeSet<Id> = then.dropped().cloned().collect();
        let before = (self.budget, self.gone.clone());
        let refusal = match self.evict(|id| dropped.contains(id)) {
            Ok(evicted) => return Ok(Room::Made(evicted)),
            Err(refusal) => refusal,
        };
        (self.budget, self.gone) = before;
        let now_alone = self.evict(|_| true).is_ok();
        if now_alone || then.evict(|_| true).is_ok() { Ok(Room::Later(bucket_end)) } else { Err(refusal) }
    }

    /// The points that retention drops and no guard keeps.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &Id> {
        self.decisions.iter().filter(|decision| !decision.keep).map(|decision| &decision.id)
    }

    /// Where nothing but the newest point of the policy would go, since the new one falls into the same bucket, the new
    /// one is worth no more than that one.
    pub(super) fn only_the_newest(&self) -> Option<Refusal> {
        let droppable = self.droppable();
        let [delete] = droppable.as_slice() else { return None };
        let newest = matches!(self.too_little(&delete.id), Some(Guard::NewestOfServer | Guard::NewestOfPolicy));
        let same_bucket = |reason: &Reason| {
            matches!(reason, Reason::Retention(KeepReason::NewerStands { .. } | KeepReason::BucketHeld { .. }))
        };
        let decision = self.decisions.iter().find(|decision| decision.id == delete.id)?;
        let same_bucket = decision.why.iter().any(same_bucket);
        (delete.completed && newest && same_bucket && self.displaced == 1).then(|| Refusal::OnlyTheNewest {
            slots: self.slots,
            kind: self.request.ground.policy.kind,
            id: delete.id.clone(),
        })
    }
}

/// Why a point stays, asked again with what is known now; `None` when it is dropped still. Without `new` the list shows
/// the new point.
pub(in crate::policy) fn kept_now(request: &Request<'_>, new: Option<Timestamp>, id: &Id) -> Option<String> {
    let ground = &request.ground;
    let slots = Slots::count(request.limit, ground.instance, ground.inventory, ground.memory);
    let planner = Planner::dated(request, slots, new);
    let decision = planner.decisions.iter().find(|decision| decision.id == *id)?;
    let words = |why: &[Reason]| why.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    decision.keep.then(|| words(&decision.why))
}
