//! Room for a new point close to the end of a bucket: what is evicted must be droppable whether the new point falls
//! into this bucket or the next.
//!
//! An eviction, a server stop and the request itself come between plan and create. A point dated a minute later, on the
//! next day, may displace a different one than planned.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::draft::Draft;
use crate::policy::evidence::PlanRequest;
use crate::policy::inventory::PointId;
use crate::policy::plan::{Delete, PlanRefusal};
use crate::policy::retention::next_bucket_end;

/// The shortest and longest time assumed between a plan and its create.
const LEAD: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(10));

/// How to make room for the new point.
pub(super) enum RoomDecision<T> {
    /// Do this now.
    Now(T),
    /// Wait: which point must go depends on the bucket of the new one, which is certain after this time.
    WaitUntil(Timestamp),
}

/// The end of the current bucket, if the new point may be created after it. `None` if the run has waited for it
/// already.
fn bucket_end(request: &PlanRequest<'_>) -> Option<Timestamp> {
    let (evidence, (shortest, longest)) = (request.evidence, LEAD);
    let lead = evidence.memory.longest_lead.clamp(shortest, longest);
    let end = next_bucket_end(&evidence.policy.keep, &evidence.policy.timezone, request.now)?;
    let waited = request.waited_for.is_some_and(|waited_for| end <= waited_for);
    (!waited && end <= request.now + lead).then_some(end)
}

impl Draft<'_, '_> {
    /// Evicts points that are dropped whether the new point is dated now or in the next bucket. If that is not enough,
    /// but one of the two alone would be, the run waits until the bucket is certain.
    pub(super) fn make_room(&mut self) -> Result<RoomDecision<Vec<Delete>>, PlanRefusal> {
        let Some(bucket_end) = bucket_end(&self.request) else { return self.evict(|_| true).map(RoomDecision::Now) };
        let mut then = Draft::dated(&self.request, self.guards, bucket_end);
        let dropped: BTreeSet<PointId> = then.dropped().map(|decision| decision.id.clone()).collect();
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
