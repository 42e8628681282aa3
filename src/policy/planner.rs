//! Decides what a run does, from the policy, the lists and what the journal remembers.
//!
//! Retention says what to drop once the new point counts, and the guards say what must be kept anyway. The rest becomes
//! the plan's deletes, evictions first. Brakes are detected once and passed to everything that needs them.

mod bucket_end;
mod decisions;
mod draft;
mod evictions;
mod no_room;
mod notes;
mod prunes;
#[cfg(test)]
mod tests;

pub(super) use decisions::kept_now;
pub(crate) use no_room::no_room;

use crate::policy::brake::Brake;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::detect::detect_brakes;
use crate::policy::evidence::PlanRequest;
use crate::policy::plan::{Action, Note, Plan, PlanRefusal, Reason};
use bucket_end::RoomDecision;
use draft::Draft;

/// Decides what a run does.
#[must_use]
pub(crate) fn plan(request: &PlanRequest<'_>) -> Plan {
    let evidence = &request.evidence;
    let brakes = detect_brakes(request);
    let guards = DeleteGuards::with_brake(evidence, brakes.stops_all());
    let mut draft = Draft::dated(request, &guards, request.now);
    let mut notes = notes::notes(evidence, draft.slots);
    let (actions, refused, wait_until) = match evidence.inventory.doubt() {
        Some(doubt) => (Vec::new(), Some(PlanRefusal::Doubt(doubt)), None),
        None => match actions(&mut draft, brakes.stops_retention(), &mut notes) {
            Ok(RoomDecision::Now(actions)) => (actions, None, None),
            Ok(RoomDecision::WaitUntil(bucket_end)) => (Vec::new(), None, Some(bucket_end)),
            Err(refusal) => (Vec::new(), Some(refusal), None),
        },
    };
    if actions.is_empty() {
        draft.keep_all();
    }
    Plan {
        at: evidence.at,
        server: evidence.inventory.server.clone(),
        policy: evidence.policy.name.clone(),
        kind: evidence.policy.kind,
        slots: draft.slots,
        actions,
        points: draft.decisions,
        refused,
        notes,
        brakes: brakes.in_force,
        max_deletes: draft.max_deletes,
        wait_until,
    }
}

/// The ordered actions, or why there are none.
fn actions(
    draft: &mut Draft<'_, '_>,
    stops_retention: Option<&Brake>,
    notes: &mut Vec<Note>,
) -> Result<RoomDecision<Vec<Action>>, PlanRefusal> {
    let mut actions = Vec::new();
    if draft.slots.room(draft.request.reserve_now()) == 0 {
        match draft.make_room()? {
            RoomDecision::Now(evictions) => actions.extend(evictions.into_iter().map(Action::Delete)),
            RoomDecision::WaitUntil(bucket_end) => return Ok(RoomDecision::WaitUntil(bucket_end)),
        }
    }
    let taken = draft.slots.used - u32::try_from(actions.len()).expect("a handful") + 1;
    actions.push(Action::Create(Reason::New { free: draft.slots.limit.saturating_sub(taken) }));
    let (prunes, left) = draft.prune(stops_retention);
    actions.extend(prunes.into_iter().map(Action::Delete));
    if left > 0 {
        notes.push(Note::Braked { left, max_deletes: draft.max_deletes });
    }
    Ok(RoomDecision::Now(actions))
}
