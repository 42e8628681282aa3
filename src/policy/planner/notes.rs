//! What a plan tells people besides.

use super::Planner;
use crate::policy::inventory::PointStatus;
use crate::policy::memory::Owner;
use crate::policy::plan::Note;

impl Planner<'_> {
    /// What looks odd in the list.
    pub(super) fn notes(&self) -> Vec<Note> {
        let ground = self.ground();
        let mut notes = Vec::new();
        for point in ground.inventory.manual() {
            let owner = ground.owner(point);
            if ground.is_future(point) {
                notes.push(Note::Future(point.id.clone()));
            }
            if matches!(owner, Owner::Stray(_)) {
                notes.push(Note::Stray(point.id.clone()));
            }
            let running = matches!(point.status, PointStatus::InProgress | PointStatus::Other(_));
            let late = point.created_at.duration_until(ground.at) > as_signed(ground.policy.stuck_after);
            if owner.is_own() && running && late {
                notes.push(Note::Stuck(point.id.clone()));
            }
        }
        if !ground.memory.seen_before && self.slots.own > 0 {
            notes.push(Note::NewJournal(self.slots.own));
        }
        notes
    }
}

fn as_signed(duration: std::time::Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}
