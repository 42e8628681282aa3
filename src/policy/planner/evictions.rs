//! Evictions: deletes before the create that free the one slot that the new point needs.

use super::draft::Draft;
use super::no_room::no_room;
use crate::policy::guard::Guard;
use crate::policy::inventory::PointId;
use crate::policy::plan::{Delete, PlanRefusal, Reason};
use crate::policy::retention::KeepReason;

impl Draft<'_, '_> {
    /// Frees the one slot that the new point needs: our failed points first, then at most one completed point among
    /// those that `may_go`.
    pub(super) fn evict(&mut self, may_go: impl Fn(&PointId) -> bool) -> Result<Vec<Delete>, PlanRefusal> {
        let (mut slots, mut reserve) = (self.slots, self.request.reserve_now());
        let mut evicted = Vec::new();
        let mut because = None;
        let mut completed_left = 1_u32.saturating_sub(self.evidence().memory.evicted_since_completed);
        for delete in self.droppable() {
            if slots.room(reserve) > 0 {
                break;
            }
            if self.budget == 0 {
                because = Some(format!("max_deletes = {} allows no further delete", self.max_deletes));
                break;
            }
            if delete.completed {
                if !may_go(&delete.id) {
                    continue;
                }
                // An eviction that was accepted but not carried out is sent again and does not count as another one.
                let again = self.evidence().memory.not_gone.contains(&delete.id);
                if completed_left == 0 && !again {
                    because = Some(self.why_no_more());
                    break;
                }
                if let Some(guard) = self.too_little(&delete.id) {
                    because = Some(format!("point {} stays: {guard}", delete.id));
                    continue;
                }
                completed_left = completed_left.saturating_sub(1);
                // The new point takes this one's slot, so that the number of our points does not grow.
                reserve = 0;
            }
            self.budget -= 1;
            slots = slots.without(self.is_own(&delete.id));
            self.gone.push(delete.id.clone());
            let says_why = !delete.completed || matches!(delete.why, Reason::GivenUp { .. });
            evicted.push(Delete { why: if says_why { delete.why } else { Reason::Eviction }, ..delete });
        }
        if slots.room(reserve) > 0 { Ok(evicted) } else { Err(self.refusal(because)) }
    }

    /// Why no further completed point is evicted after the first.
    fn why_no_more(&self) -> String {
        if self.evidence().memory.evicted_since_completed > 0 {
            "a point was already evicted and no new one has been completed since, so no other is evicted".to_owned()
        } else {
            "more than one slot is missing, and a new point may displace only one completed point".to_owned()
        }
    }

    fn refusal(&self, because: Option<String>) -> PlanRefusal {
        if let Some(only_the_newest) = self.only_the_newest() {
            return only_the_newest;
        }
        // A hold on the server is among the slot blockers.
        let is_new = |guard: &&Guard| !matches!(guard, Guard::ServerHeld(_));
        let server_wide = || self.guards.server_wide().filter(is_new).map(ToString::to_string);
        no_room(&self.request, because.or_else(server_wide))
    }

    /// The refusal when only the newest point of the policy could make room, because the new one falls into the same
    /// bucket and so would gain nothing.
    fn only_the_newest(&self) -> Option<PlanRefusal> {
        let droppable = self.droppable();
        let [delete] = droppable.as_slice() else { return None };
        let newest = matches!(self.too_little(&delete.id), Some(Guard::NewestOfServer | Guard::NewestOfPolicy));
        let same_bucket = |reason: &Reason| {
            matches!(reason, Reason::Retention(KeepReason::NewerKept { .. } | KeepReason::BucketHeld { .. }))
        };
        let decision = self.decisions.iter().find(|decision| decision.id == delete.id)?;
        let same_bucket = decision.why.iter().any(same_bucket);
        (delete.completed && newest && same_bucket && self.displaced == 1).then(|| PlanRefusal::OnlyTheNewest {
            slots: self.slots,
            kind: self.evidence().policy.kind,
            id: delete.id.clone(),
        })
    }
}
