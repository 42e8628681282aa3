//! Detects the brakes of a policy on a server, that of a changed policy file among them: what it would make go and the
//! last one kept, by the rules of the policy and by what it gives up beside held and protected points.
//!
//! A sign that only one list gives (points gone without our doing) is written down before the list is, since the next
//! list would not show it any more.

use std::collections::BTreeSet;

use crate::policy::brake::{About, Brake, BrakeCause, DetectedBrakes, StoredBrake};
use crate::policy::conditions::Conditions;
use crate::policy::counted::would_drop;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, Request};
use crate::policy::extra::{Going, going};
use crate::policy::in_force::in_force;
use crate::policy::inventory::Id;
use crate::policy::predecessor::{Change, Remember, change, remember};
use crate::policy::signs::in_words;

/// The brakes in force, the new ones, and those that are over. A list in doubt neither sets a brake nor releases one: it
/// stops every delete anyway.
#[must_use]
pub fn detect_brakes(request: &Request<'_>) -> DetectedBrakes {
    let changed = change(request);
    let retention = changed.as_ref().and_then(|changed| retention_brake(request, changed));
    in_force(&request.evidence, changed.is_some(), retention)
}

/// The brakes as a run detects them, and what is to be remembered of what its policy keeps. `is_current` says whether the
/// policy is still in the file with the retention that the run began with. If not, the run is finished under it, but what it
/// keeps no longer says anything; nor does a list in doubt, or a policy that is not `enabled`.
#[must_use]
pub fn detect_in_run(request: &Request<'_>, is_current: bool, enabled: bool) -> (DetectedBrakes, Remember) {
    let mut brakes = detect_brakes(request);
    if !is_current {
        let stored = &request.evidence.memory.brakes;
        let is_retention =
            |number: &i64| stored.iter().any(|it| it.number == *number && it.brake.cause == BrakeCause::Retention);
        brakes.new.retain(|brake| brake.cause != BrakeCause::Retention);
        brakes.over.retain(|number| !is_retention(number));
    }
    let says = enabled && is_current && request.evidence.inventory.doubt().is_none();
    (brakes, if says { remember(request) } else { Remember::default() })
}

/// What a changed file would make go and the last one kept; and what waits already, if it would still go.
fn retention_brake(request: &Request<'_>, changed: &Change) -> Option<Brake> {
    let evidence = &request.evidence;
    let now = going(request, &DeleteGuards::of(evidence), false);
    let dropped: Vec<About> = would_drop(evidence).into_iter().map(About::of).collect();
    let went: Option<BTreeSet<Id>> = changed.before.as_ref().and_then(|before| went_before(request, before));
    let is_new = |about: &About| went.as_ref().is_none_or(|went| !went.contains(&about.id));
    let waits = |about: &About| {
        let waiting = |stored: &&StoredBrake| {
            stored.brake.cause == BrakeCause::Retention && stored.kind == evidence.inventory.kind && !stored.accepted
        };
        let waiting = evidence.memory.brakes.iter().filter(waiting);
        waiting
            .filter(|stored| stored.brake.concerns(evidence.policy))
            .any(|stored| stored.brake.points.contains(about))
    };
    let given_up = now.given_up.iter().filter_map(|id| evidence.inventory.find(id)).map(About::of);
    let mut points: Vec<About> = dropped.into_iter().filter(|about| changed.rules || waits(about)).collect();
    let given_up: Vec<About> = given_up.filter(|about| is_new(about) || waits(about)).collect();
    points.extend(given_up.into_iter().filter(|about| !points.contains(about)).collect::<Vec<_>>());
    let policy = evidence.policy.name.to_string();
    (!points.is_empty()).then(|| Brake {
        cause: BrakeCause::Retention,
        text: format!(
            "the policy file was changed, and {policy} would now drop {} that are there: {}; they wait, and only what \
             makes room for a new one goes",
            evidence.inventory.kind.plural(),
            in_words(&points)
        ),
        policy: Some(policy),
        points,
    })
}

/// What went, or would have gone, before the file was changed. `None` where that cannot be told.
fn went_before(request: &Request<'_>, (name, conditions): &(String, Conditions)) -> Option<BTreeSet<Id>> {
    let (policy, others) = conditions.policies(name, request.evidence.policy.kind)?;
    let evidence = Evidence { policy: &policy, ..request.evidence };
    let (limit, reserve) = (conditions.limit, conditions.reserve);
    let before = Request { evidence, limit, reserve, others: &others, ..*request };
    let Going { by_rules, given_up } = going(&before, &DeleteGuards::of(&evidence), true);
    Some(by_rules.into_iter().chain(given_up).collect())
}

#[cfg(test)]
mod tests;
