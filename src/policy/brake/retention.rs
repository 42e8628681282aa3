//! The brake of a changed policy file: what it would make go and the last one kept, by the rules of the policy and by what
//! it gives up beside held and protected points.

use std::collections::BTreeSet;

use super::{About, Brake, Cause, Held, about, concerns_policy, in_words};
use crate::policy::conditions::Conditions;
use crate::policy::extra::{Going, going};
use crate::policy::guard::Ground;
use crate::policy::inventory::Id;
use crate::policy::planner::{Request, would_drop};
use crate::policy::predecessor::Change;

/// What a changed file would make go and the last one kept; and what waits already, if it would go still.
pub(super) fn brake(request: &Request<'_>, changed: &Change) -> Option<Brake> {
    let ground = &request.ground;
    let now = going(request, false);
    let dropped: Vec<About> = would_drop(ground).into_iter().map(about).collect();
    let went: Option<BTreeSet<Id>> = changed.before.as_ref().and_then(|before| went_before(request, before));
    let new = |about: &About| went.as_ref().is_none_or(|went| !went.contains(&about.id));
    let waits = |about: &About| {
        let retention = |held: &&Held| held.brake.cause == Cause::Retention && held.kind == ground.inventory.kind;
        let held = ground.memory.brakes.iter().filter(retention).filter(|held| !held.accepted);
        held.filter(|held| concerns_policy(&held.brake, ground)).any(|held| held.brake.points.contains(about))
    };
    let given_up = now.given_up.iter().filter_map(|id| ground.inventory.find(id)).map(about);
    let mut points: Vec<About> = dropped.into_iter().filter(|about| changed.rules || waits(about)).collect();
    let given_up: Vec<About> = given_up.filter(|about| new(about) || waits(about)).collect();
    points.extend(given_up.into_iter().filter(|about| !points.contains(about)).collect::<Vec<_>>());
    let policy = ground.policy.name.to_string();
    (!points.is_empty()).then(|| Brake {
        cause: Cause::Retention,
        text: format!(
            "the policy file was changed, and {policy} would now drop {} that are there: {}; they wait, and only what \
             makes room for a new one goes",
            ground.inventory.kind.plural(),
            in_words(&points)
        ),
        policy: Some(policy),
        points,
    })
}

/// What went, or would have gone, before the file was changed. `None` where that cannot be told.
fn went_before(request: &Request<'_>, (name, conditions): &(String, Conditions)) -> Option<BTreeSet<Id>> {
    let (policy, others) = conditions.policies(name, request.ground.policy.kind)?;
    let ground = Ground { policy: &policy, ..request.ground };
    let (limit, reserve) = (conditions.limit, conditions.reserve);
    let Going { by_rules, given_up } = going(&Request { ground, limit, reserve, others: &others, ..*request }, true);
    Some(by_rules.into_iter().chain(given_up).collect())
}
