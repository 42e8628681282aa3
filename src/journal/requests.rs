//! What a run has requested so far, from its state.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::event::Act;
use crate::journal::state::{RunState, Step, StepState};
use crate::policy::inventory::PointId;
use crate::policy::mark::Mark;

/// When no attempt has begun, a point is stuck after this long.
const STUCK_AFTER: Duration = Duration::from_hours(2);

impl RunState {
    /// The points whose delete the provider has accepted.
    pub fn deleted(&self) -> impl Iterator<Item = &PointId> {
        self.steps.iter().filter(|step| step.state == StepState::Done).filter_map(|step| match &step.act {
            Act::Delete { id, .. } => Some(id),
            _ => None,
        })
    }

    /// How many points the run has deleted.
    #[must_use]
    pub fn deletes_spent(&self) -> u32 {
        u32::try_from(self.deleted().count()).expect("a handful")
    }

    /// The time after which a point in progress is stuck.
    #[must_use]
    pub fn stuck_after(&self) -> Duration {
        self.terms.map_or(STUCK_AFTER, |terms| Duration::from_secs(terms.stuck_after_seconds))
    }

    /// The mark of this attempt's create, and the points that were listed before it was first sent.
    #[must_use]
    pub fn requested_create(&self) -> Option<(&Mark, &[PointId])> {
        self.current_steps().iter().find_map(|step| match &step.act {
            Act::Create { mark, listed } => Some((mark, listed.as_slice())),
            _ => None,
        })
    }

    /// The mark of this attempt's create.
    #[must_use]
    pub fn mark(&self) -> Option<&Mark> {
        self.requested_create().map(|(mark, _)| mark)
    }

    /// When the point was first requested: by this attempt, or by the one whose point appeared late. `now` if it was
    /// not.
    #[must_use]
    pub fn requested_at(&self, now: Timestamp) -> Timestamp {
        let first = self.current_steps().iter().find(|step| step.act.is_create()).map_or(now, |step| step.intended_at);
        self.created.as_ref().map_or(first, |created| self.steps[created.step].intended_at.min(first))
    }

    /// Since when its point is being created, as far as that is known: since the answer to the create, or since the
    /// create was intended if its answer was lost.
    #[must_use]
    pub fn creating_since(&self) -> Option<Timestamp> {
        let step = &self.steps[self.created.as_ref()?.step];
        Some(if step.answer_was_lost { step.intended_at } else { step.at })
    }

    /// The step with this number.
    #[must_use]
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get((number as usize).checked_sub(1)?)
    }

    /// The steps of the current attempt.
    #[must_use]
    pub fn current_steps(&self) -> &[Step] {
        &self.steps[self.attempt_from..]
    }

    /// Whether the run stopped looking for what this step created: its answer was lost and no list showed the point, or
    /// it is a create of an earlier attempt.
    #[must_use]
    pub fn gave_up(&self, index: usize) -> bool {
        let step = &self.steps[index];
        match step.state {
            StepState::NotDone => step.answer_was_lost,
            StepState::Done => step.act.is_create() && index < self.attempt_from,
            _ => false,
        }
    }
}
