//! The notes of a plan: what looks odd in the list.

use crate::policy::evidence::Evidence;
use crate::policy::owner::Owner;
use crate::policy::plan::Note;
use crate::policy::slots::Slots;

/// Notes about what looks odd in the list.
pub(super) fn notes(evidence: &Evidence<'_>, slots: Slots) -> Vec<Note> {
    let mut notes = Vec::new();
    for point in evidence.inventory.manual() {
        let owner = evidence.owner(point);
        if evidence.is_future(point) {
            notes.push(Note::Future(point.id.clone()));
        }
        if matches!(owner, Owner::Stray(_)) {
            notes.push(Note::Stray(point.id.clone()));
        }
        let late = point.created_at.duration_until(evidence.at) > as_signed(evidence.policy.stuck_after);
        if owner.is_own() && point.status.is_in_progress() && late {
            notes.push(Note::Stuck(point.id.clone()));
        }
    }
    if !evidence.memory.seen_before && slots.own > 0 {
        notes.push(Note::NewJournal(slots.own));
    }
    notes
}

fn as_signed(duration: std::time::Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}
