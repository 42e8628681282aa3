//! When a run plans later or anew: what it found since makes the plan of a moment ago the wrong one.

use jiff::Timestamp;

use crate::journal::event::Event;
use crate::journal::state::{IllegalEvent, RunState};
use crate::policy::guard::Guard;
use crate::policy::inventory::Id;

/// How often a run plans again, since a point was kept that was to make room.
const REPLANS: u32 = 2;

impl RunState {
    /// Whether the run plans anew where this guard keeps a point that was to make room: nothing was made yet, and another
    /// point may go.
    #[must_use]
    pub fn plans_again(&self, guard: &Guard) -> bool {
        // With a free slot no plan is needed, and another one would meet these again.
        let futile = matches!(guard, Guard::NotNeeded | Guard::MaxDeletes(_) | Guard::NotInForce | Guard::Doubt(_));
        self.may_replan() && !futile
    }

    fn may_replan(&self) -> bool {
        let asked = self.current_steps().iter().any(|step| step.act.is_create());
        self.plan.is_some() && self.made.is_none() && self.failure.is_none() && !asked && self.replans < REPLANS
    }

    pub(super) fn spare(
        &mut self,
        event: &Event,
        (id, guard): (&Id, &Guard),
        replan: bool,
    ) -> Result<(), IllegalEvent> {
        self.refuse_if(event, self.attempt == 0, "no attempt has begun")?;
        if self.made.is_none() && self.failure.is_none() && !matches!(guard, Guard::NotNeeded) {
            self.made_no_room = Some((id.clone(), guard.clone()));
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
        (self.postponed, self.waits) = (Some(until), true);
        Ok(())
    }
}
