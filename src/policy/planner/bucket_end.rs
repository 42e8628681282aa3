//! RoomDecision for a new point that may fall into this bucket or into the next: what is evicted must be dropped in both cases.
//!
//! Between plan and create come an eviction, a stop and the request itself. Dated a minute later, on the next day, the new
//! point displaces a different one than planned.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::draft::Draft;
use crate::policy::evidence::PlanRequest;
use crate::policy::inventory::Id;
use crate::policy::plan::{Delete, PlanRefusal};
use crate::policy::retention::next_bucket_end;

/// The shortest and the longest time that is allowed for from a plan to its create.
const LEAD: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(10));

/// The room for the new point.
pub(super) enum RoomDecision<T> {
    /// This makes it.
    Now(T),
    /// Which point makes it depends on the bucket that the new one falls into: after this moment that is certain.
    WaitUntil(Timestamp),
}

/// The end of the bucket that the new point may miss, unless the run has waited for it.
fn bucket_end(request: &PlanRequest<'_>) -> Option<Timestamp> {
    let (evidence, (shortest, longest)) = (request.evidence, LEAD);
    let lead = evidence.memory.longest_lead.clamp(shortest, longest);
    let end = next_bucket_end(&evidence.policy.keep, &evidence.policy.timezone, request.now)?;
    let waited = request.waited_for.is_some_and(|waited_for| end <= waited_for);
    (!waited && end <= request.now + lead).then_some(end)
}

impl Draft<'_, '_> {
    /// Evicts what is dropped whether the new point is dated now or in the next bucket. Where that does not suffice, and
    /// one of the two alone would, the run waits until it is certain.
    pub(super) fn make_room(&mut self) -> Result<RoomDecision<Vec<Delete>>, PlanRefusal> {
        let Some(bucket_end) = bucket_end(&self.request) else { return self.evict(|_| true).map(RoomDecision::Now) };
        let mut then = Draft::dated(&self.request, self.guards, bucket_end);
        let dropped: BTreeSet<Id> = then.dropped().map(|decision| decision.id.clone()).collect();
        let before = (self.budget, self.gone.clone());
        let refusal = match self.evict(|id| dropped.contains(id)) {
            Ok(evicted) => return Ok(RoomDecision::Now(evicted)),
            Err(refusal) => refusal,
        };
        (self.budget, self.gone) = before;
        let now_alone = self.evict(|_| true).is_ok();
        if now_alone || then.evict(|_| true).is_ok() { Ok(RoomDecision::WaitUntil(bucket_end)) } else { Err(refusal) }
    }
}
