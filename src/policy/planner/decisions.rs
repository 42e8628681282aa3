//! A decision for every listed point, from retention, the points given up, and the guards that do not depend on the
//! plan's other deletes.

use jiff::Timestamp;

use crate::policy::counted::Counted;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::PlanRequest;
use crate::policy::extra::{GivenUpPoints, given_up};
use crate::policy::guard::Guard;
use crate::policy::inventory::{PointId, PointStatus, RestorePoint};
use crate::policy::plan::{Decision, Reason};

/// The decisions about all listed points, newest first.
pub(super) fn decisions<'a>(
    request: &PlanRequest<'a>,
    guards: &DeleteGuards<'a>,
    counted: &Counted<'a>,
) -> Vec<Decision> {
    let given_up = given_up(request, guards, counted);
    let points = request.evidence.inventory.points.iter();
    points.map(|point| decision(request, guards, (counted, &given_up), point)).collect()
}

fn decision(
    request: &PlanRequest<'_>,
    guards: &DeleteGuards<'_>,
    (counted, given_up): (&Counted<'_>, &GivenUpPoints),
    point: &RestorePoint,
) -> Decision {
    let mut why = Vec::new();
    let mut keep = true;
    if let Some(kept) = counted.keeps(&point.id) {
        keep = kept;
        why.extend(counted.why(&point.id).into_iter().map(Reason::Retention));
        if given_up.points.contains(&point.id) {
            keep = false;
            why.push(Reason::GivenUp { beside: given_up.beside.clone() });
        }
    } else if point.status == PointStatus::Failed {
        keep = false;
        why.push(Reason::Failed);
    }
    if let Some(guard) = guards.refuses(point).filter(|guard| !keep || is_worth_saying(guard)) {
        keep = true;
        why.push(Reason::Guard(guard));
    }
    let own = request.evidence.owner(point).is_own();
    let (id, status, created_at) = (point.id.clone(), point.status.clone(), point.created_at);
    Decision { id, status, created_at, own, keep, why }
}

/// Whether a guard is worth reporting for a point that is kept anyway or does not count.
const fn is_worth_saying(guard: &Guard) -> bool {
    use Guard::{Brake, Doubt, PruneNone, SecondLastgood, ServerHeld};
    !matches!(guard, PruneNone | SecondLastgood(_) | ServerHeld(_) | Doubt(_) | Brake(_))
}

/// How many points the new one displaces. Points on hold are not displaced; points given up for them are.
pub(super) fn displaced<'a>(request: &PlanRequest<'a>, guards: &DeleteGuards<'a>, with_new: &Counted<'a>) -> u32 {
    let without = Counted::of(&request.evidence, None);
    let (before, after) = (leaving(request, guards, &without), leaving(request, guards, with_new));
    u32::try_from(after.iter().filter(|id| !before.contains(id)).count()).expect("a handful")
}

/// The points that retention drops and no one holds, and those given up.
fn leaving<'a>(request: &PlanRequest<'a>, guards: &DeleteGuards<'a>, counted: &Counted<'a>) -> Vec<&'a PointId> {
    let given_up = given_up(request, guards, counted).points;
    let is_dropped = |point: &RestorePoint| counted.keeps(&point.id) == Some(false);
    let goes =
        |point: &&RestorePoint| given_up.contains(&point.id) || (is_dropped(point) && !request.evidence.is_held(point));
    counted.points().filter(goes).map(|point| &point.id).collect()
}

/// Why a point is kept with what is known now; `None` if it is still dropped. `new` is the date assumed for the new
/// point, unless the list shows it already.
pub(in crate::policy) fn kept_now(request: &PlanRequest<'_>, new: Option<Timestamp>, id: &PointId) -> Option<String> {
    let evidence = &request.evidence;
    let decisions = decisions(request, &DeleteGuards::of(evidence), &Counted::of(evidence, new));
    let decision = decisions.iter().find(|decision| decision.id == *id)?;
    let words = |why: &[Reason]| why.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    decision.keep.then(|| words(&decision.why))
}
