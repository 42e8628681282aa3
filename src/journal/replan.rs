//! When a run plans later or again, because what it has found since makes the last plan wrong; and why there is finally
//! no room.

use jiff::Timestamp;

use crate::journal::event::Event;
use crate::journal::state::{IllegalEvent, RunState};
use crate::policy::guard::Guard;
use crate::policy::inventory::PointId;

/// How often a run plans again because an eviction was refused.
const REPLANS: u32 = 2;

impl RunState {
    /// What the journal says of a point whose planned delete this guard refuses. Where it was to be evicted, another one may
    /// be: the run plans again.
    #[must_use]
    pub fn spared(&self, id: &PointId, guard: Guard) -> Event {
        let replan = self.plans_again(&guard);
        Event::Spared { id: id.clone(), guard, replan }
    }

    /// Whether the run plans again when this guard refuses an eviction: nothing was created yet, and another point may be
    /// evicted instead.
    #[must_use]
    pub fn plans_again(&self, guard: &Guard) -> bool {
        // With a free slot no plan is needed, and the other guards would refuse again.
        let futile = matches!(guard, Guard::NotNeeded | Guard::MaxDeletes(_) | Guard::NotInForce | Guard::Doubt(_));
        self.may_replan() && !futile
    }

    /// Why a slot that the plan counted on is not free, and what a person can do besides the usual advice.
    #[must_use]
    pub fn why_no_room(&self) -> String {
        let Some((id, guard)) = &self.refused_eviction else {
            return "a slot that was free is taken now".to_owned();
        };
        let what_to_do = match guard {
            Guard::Brake(_) => "; `lastgood accept` lets deletes continue",
            Guard::MaxDeletes(_) => "; raise max_deletes",
            Guard::NotInForce => "; put it back",
            Guard::KeptNow(_) => "; the next run plans by that",
            _ => "",
        };
        format!("{} {id} was to make room and stays: {guard}{what_to_do}", self.key.kind)
    }

    fn may_replan(&self) -> bool {
        let requested = self.current_steps().iter().any(|step| step.act.is_create());
        self.plan.is_some() && self.created.is_none() && self.failure.is_none() && !requested && self.replans < REPLANS
    }

    pub(super) fn spare(
        &mut self,
        event: &Event,
        (id, guard): (&PointId, &Guard),
        replan: bool,
    ) -> Result<(), IllegalEvent> {
        self.refuse_if(event, self.attempt == 0, "no attempt has begun")?;
        if self.created.is_none() && self.failure.is_none() && !matches!(guard, Guard::NotNeeded) {
            self.refused_eviction = Some((id.clone(), guard.clone()));
        }
        if replan {
            self.refuse_if(event, !self.may_replan(), "it cannot plan again")?;
            self.plan = None;
            self.replans += 1;
        } else {
            self.spared.push(id.clone());
        }
        Ok(())
    }

    pub(super) fn postpone(&mut self, event: &Event, until: Timestamp) -> Result<(), IllegalEvent> {
        let wrong = self.attempt == 0 || self.plan.is_some() || self.failure.is_some();
        self.refuse_if(event, wrong, "only a plan is postponed")?;
        let again = self.postponed.is_some_and(|before| until <= before);
        self.refuse_if(event, again, "a run waits for a bucket once")?;
        (self.postponed, self.waits_for_bucket) = (Some(until), true);
        Ok(())
    }
}
