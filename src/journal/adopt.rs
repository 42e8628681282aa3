//! Whose a new restore point is: what the answer to a create means and, where the answer was lost, which listed point
//! the create made.
//!
//! A point is adopted only by its id, its token, or a text that is a beginning of ours. If none of these decides, a
//! person has to check.

use crate::journal::event::{Act, Answer, Event, Found, Outcome, Sight};
use crate::journal::state::{RunState, Step, StepState};
use crate::policy::evidence::Evidence;
use crate::policy::inventory::{Inventory, Kind, PointId, PointStatus, RestorePoint, newest_first};
use crate::policy::mark::{Mark, Token, is_beginning, moment_by_hand, tokens_of};
use crate::policy::memory::Memory;
use crate::policy::owner::Owner;

/// A point of a create that the run believed lost or had given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LatePoint {
    /// The create made it after all.
    Ours {
        /// The number of the create's step.
        step: u32,
        /// The point.
        id: PointId,
    },
    /// The create may have made it; nothing proves or disproves it.
    Undecidable {
        /// The number of the create's step.
        step: u32,
        /// What a person has to check.
        why: String,
    },
}

impl LatePoint {
    /// What the journal says of the step now.
    #[must_use]
    pub(crate) fn into_event(self) -> Event {
        match self {
            Self::Ours { step, id } => Event::Settled { step, found: Found::Done { id: Some(id) } },
            Self::Undecidable { step, why } => Event::Settled { step, found: Found::Undecided { why } },
        }
    }
}

/// A create whose answer was lost.
struct LostCreate<'a> {
    number: u32,
    step: &'a Step,
    mark: &'a Mark,
    /// The points that were listed before it was sent.
    listed: &'a [PointId],
}

/// What it means that the provider accepted a create and answered with `id`. `listed` are the points that were listed
/// before it was sent.
#[must_use]
pub(crate) fn answer_to_create(kind: Kind, id: Option<PointId>, listed: &[PointId]) -> Answer {
    match id {
        // Whoever made that point, this create did not. The list shows whether it made another one.
        Some(id) if listed.contains(&id) => {
            Answer::Unknown { error: format!("the provider answered with {kind} {id}, which was there before") }
        }
        Some(id) => Answer::Accepted { id: Some(id) },
        None => Answer::Unknown { error: "the provider accepted it and named no id".to_owned() },
    }
}

/// The mark of the next create. If the attempt repeats a create whose answer was lost, it is the same mark; otherwise
/// it is a new one with the first of `tokens` that no point here carries.
#[must_use]
pub(crate) fn mark_of_next_create(
    state: &RunState,
    instance: &str,
    (inventory, memory): (&Inventory, &Memory),
    mut tokens: impl Iterator<Item = Token>,
) -> Mark {
    if let Some((mark, _)) = state.requested_create() {
        return mark.clone();
    }
    // If the token were in use, another point would look like a duplicate of the new one.
    let is_free = |token: &Token| {
        !memory.tokens.contains_key(token) && !inventory.points.iter().any(|point| carries(point, token))
    };
    let key = &state.key;
    Mark {
        token: tokens.find(is_free).expect("the source of tokens never ends"),
        instance: instance.to_owned(),
        policy: key.policy.clone(),
        due: key.due.unwrap_or_else(|| moment_by_hand(state.opened_at)),
    }
}

/// What the list says of this attempt's create, whose answer was lost. `settled` means that the list has had time to
/// catch up; before that, a point that it does not show may still appear, and the result is `None`.
#[must_use]
pub(crate) fn find_created(state: &RunState, inventory: &Inventory, settled: bool) -> Option<Found> {
    let (mark, listed) = state.requested_create()?;
    // Of two points, the older one is adopted. The wait for its completion finds the other.
    if let Some(older) = oldest_first(inventory, |point| is_of_create(point, mark, listed)).first() {
        return Some(Found::Done { id: Some(older.id.clone()) });
    }
    if !settled {
        return None;
    }
    let unmarked = inventory.manual().find(|point| !listed.contains(&point.id) && has_no_trace_of(point, mark));
    Some(match unmarked {
        Some(point) => Found::Undecided { why: run_again_after_check(point) },
        None => Found::NotDone,
    })
}

/// The point of a create that the run believed lost, or that an earlier attempt gave up because no list showed it, if
/// the list shows it now. Sending another create would make a second point for the same due time.
///
/// A point that is only possibly ours is found, too: nothing more is created until a person has checked it.
#[must_use]
pub(crate) fn find_late_point(state: &RunState, evidence: &Evidence<'_>) -> Option<LatePoint> {
    late_point_of_ours(state, evidence.inventory).or_else(|| undecidable_point(state, evidence))
}

fn late_point_of_ours(state: &RunState, inventory: &Inventory) -> Option<LatePoint> {
    let is_being_deleted = |point: &RestorePoint| state.deleted().any(|id| *id == point.id);
    let given_up = (1_u32..).zip(state.steps.iter().enumerate()).filter(|(_, (index, _))| state.gave_up(*index));
    given_up.map(|(number, (_, step))| (number, step)).find_map(|(number, step)| {
        let is_it = |point: &RestorePoint| {
            is_of_step(point, step) && point.status != PointStatus::Failed && !is_being_deleted(point)
        };
        let older = oldest_first(inventory, is_it).first().map(|point| point.id.clone());
        older.map(|id| LatePoint::Ours { step: number, id })
    })
}

fn undecidable_point(state: &RunState, evidence: &Evidence<'_>) -> Option<LatePoint> {
    lost_creates(state).filter(|create| create.step.state == StepState::NotDone).find_map(|create| {
        let point = may_be_of(&create, evidence)?;
        Some(LatePoint::Undecidable { step: create.number, why: run_again_after_check(point) })
    })
}

/// The list as if this create had made nothing yet. Every plan already counts the new point; counted twice, it would
/// displace one point too many. A duplicate of it does not count either, because it is deleted separately.
#[must_use]
pub(crate) fn without_points_of(state: &RunState, step: u32, inventory: &Inventory) -> Inventory {
    let mut without = inventory.clone();
    let step = &state.steps[step as usize - 1];
    without.points.retain(|point| !is_of_step(point, step));
    without
}

/// A second point of the create that made `id`: the older one is adopted, the younger one is deleted later.
#[must_use]
pub(crate) fn find_duplicate(state: &RunState, inventory: &Inventory, id: &PointId) -> Option<Sight> {
    if state.duplicate.is_some() {
        return None;
    }
    let created = state.created.as_ref()?;
    let Act::Create { mark, .. } = &state.steps[created.step].act else { return None };
    // A beginning of our text counts only where the create was sent more than once.
    let listed_before = listed_before_first_send(state, &mark.token);
    let both = oldest_first(inventory, |point| match listed_before {
        Some(listed) => is_of_create(point, mark, listed),
        None => carries(point, &mark.token),
    });
    let [older, younger, ..] = both.as_slice() else { return None };
    if older.id != *id && younger.id != *id {
        return None;
    }
    // A beginning of our text is enough to adopt a point, and never to delete one.
    let was_answered = || state.steps.iter().any(|step| step.created.as_ref() == Some(&younger.id));
    if !carries(younger, &mark.token) && !was_answered() {
        return None;
    }
    Some(Sight::Duplicate { id: younger.id.clone(), created_at: younger.created_at, adopted: older.id.clone() })
}

/// Whether a run that ends so may have left a point that `find_left_over` finds. One that did not succeed is a person's to
/// look at as it is.
#[must_use]
pub(crate) fn may_have_left_over(state: &RunState, outcome: Outcome) -> bool {
    outcome == Outcome::Succeeded
        && lost_creates(state).next().is_some()
        && state.steps.iter().filter(|step| step.act.is_create()).count() > 1
}

/// A point that may belong to a create whose answer was lost and that was sent again or given up since. No retention
/// rule frees its slot.
#[must_use]
pub(crate) fn find_left_over<'a>(state: &RunState, evidence: &Evidence<'a>) -> Option<&'a RestorePoint> {
    let was_replaced = |create: &LostCreate<'_>| {
        create.step.state == StepState::NotDone || listed_before_first_send(state, &create.mark.token).is_some()
    };
    lost_creates(state).filter(was_replaced).find_map(|create| may_be_of(&create, evidence))
}

/// What a list says of the point that is awaited; `None` while it is in progress.
#[must_use]
pub(crate) fn sight_of(point: &RestorePoint) -> Option<Sight> {
    let created_at = point.created_at;
    match point.status {
        PointStatus::Completed => Some(Sight::Completed { created_at, size_mb: point.size_mb, in_progress_ms: None }),
        PointStatus::Failed => Some(Sight::PointFailed { created_at }),
        PointStatus::InProgress | PointStatus::Other(_) => None,
    }
}

/// What was listed before the create with this token was first sent, if it was sent more than once.
fn listed_before_first_send<'a>(state: &'a RunState, token: &Token) -> Option<&'a [PointId]> {
    let mut sent = state.steps.iter().filter_map(|step| match &step.act {
        Act::Create { mark, listed } if mark.token == *token => Some(listed.as_slice()),
        _ => None,
    });
    let first = sent.next()?;
    sent.next().map(|_| first)
}

/// The creates of the whole run whose answer was lost.
fn lost_creates(state: &RunState) -> impl Iterator<Item = LostCreate<'_>> {
    let lost = (1_u32..).zip(&state.steps).filter(|(_, step)| step.answer_was_lost);
    lost.filter_map(|(number, step)| match &step.act {
        Act::Create { mark, listed } => Some(LostCreate { number, step, mark, listed }),
        _ => None,
    })
}

fn may_be_of<'a>(create: &LostCreate<'_>, evidence: &Evidence<'a>) -> Option<&'a RestorePoint> {
    let may_be_it = |point: &&RestorePoint| {
        !create.listed.contains(&point.id)
            && has_no_trace_of(point, create.mark)
            && evidence.owner(point) == Owner::Person
    };
    evidence.inventory.manual().find(may_be_it)
}

fn run_again_after_check(point: &RestorePoint) -> String {
    format!("{} and run the policy again", ask_person_to_check(point))
}

/// What a person is asked to do about a point that may be ours.
fn ask_person_to_check(point: &RestorePoint) -> String {
    format!(
        "the answer to the create was lost, and {} {} of {} has appeared without any text that shows whose it is: look at \
         it, delete it if nobody needs it,",
        point.kind, point.id, point.created_at
    )
}

fn oldest_first(inventory: &Inventory, is_it: impl Fn(&RestorePoint) -> bool) -> Vec<&RestorePoint> {
    let mut found: Vec<&RestorePoint> = inventory.manual().filter(|point| is_it(point)).collect();
    found.sort_by(|a, b| newest_first((b.created_at, &b.id), (a.created_at, &a.id)));
    found
}

/// Whether the create with this mark made the point. The token proves it even if the id belonged to another point
/// before; a prefix of our text alone does not.
fn is_of_create(point: &RestorePoint, mark: &Mark, listed: &[PointId]) -> bool {
    carries(point, &mark.token) || (!listed.contains(&point.id) && is_beginning_of_text(point, mark))
}

/// Whether this step made the point: its text proves it, or it is a new point with the id from the answer and no text
/// that belongs to someone else (ids may be reused).
fn is_of_step(point: &RestorePoint, step: &Step) -> bool {
    let Act::Create { mark, listed } = &step.act else { return false };
    let was_answered =
        || step.created.as_ref() == Some(&point.id) && !listed.contains(&point.id) && has_no_trace_of(point, mark);
    is_of_create(point, mark, listed) || was_answered()
}

/// Whether the point's text carries this token.
fn carries(point: &RestorePoint, token: &Token) -> bool {
    tokens_of(point.name.as_deref(), &point.description).any(|carried| carried == *token)
}

/// Whether the point carries a beginning of our text that is long enough to prove it ours.
fn is_beginning_of_text(point: &RestorePoint, mark: &Mark) -> bool {
    // Another token belongs to someone else, however similar the beginning is.
    tokens_of(point.name.as_deref(), &point.description).next().is_none()
        && (is_beginning(&point.description, &mark.description())
            || point.name.as_deref().is_some_and(|name| is_beginning(name, &mark.name())))
}

/// Whether nothing on the point says whose it is. A name alone does not: the provider may have changed ours.
fn has_no_trace_of(point: &RestorePoint, mark: &Mark) -> bool {
    point.description.trim().is_empty()
        // Too little of our text to prove that it is ours, but enough that it may be.
        || mark.description().starts_with(&point.description)
        || (is_too_short_to_tell(&point.description) && point.name.as_deref().is_none_or(is_too_short_to_tell))
}

/// Whether a text could be a beginning of ours or of another lastgood's.
fn is_too_short_to_tell(text: &str) -> bool {
    text.starts_with("lg-") || "lg-".starts_with(text)
}

#[cfg(test)]
mod tests;
