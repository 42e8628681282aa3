//! What a hold on a point will cost once its policy has as many points as its rules keep. Worked out before the hold is
//! placed.

use std::fmt;

use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::guard::Guard;
use crate::policy::inventory::{PointId, RestorePoint};
use crate::policy::name::PolicyName;
use crate::policy::policy::{Policy, Prune};
use crate::policy::shares::{Claim, beyond_the_slots, most, saturating_u32, shares};

/// What a hold costs a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HoldCost {
    /// The policy.
    pub policy: PolicyName,
    /// How many points it keeps with the hold, not counting held and protected ones.
    pub keeps: u32,
    /// How many it keeps without the hold.
    pub instead_of: u32,
    /// Whether there are enough slots then. If not, runs fail once they are full.
    pub suffices: bool,
}

impl fmt::Display for HoldCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, keeps, instead_of, suffices } = self;
        if !suffices {
            return write!(
                f,
                "policy {policy} has too few points to give up for this hold: once the slots are full, its runs fail for lack \
                 of room until it ends"
            );
        }
        write!(f, "policy {policy} keeps {keeps} instead of {instead_of} points of its own until this hold ends")
    }
}

/// What a hold on the point costs the request's policy, which owns it; `None` when it costs nothing.
#[must_use]
pub(crate) fn of_point(request: &PlanRequest<'_>, id: &PointId) -> Option<HoldCost> {
    let evidence = &request.evidence;
    let point = evidence.inventory.find(id).filter(|point| evidence.claims(point))?;
    // A protected point is already extra, and a held one is already accounted for.
    let is_kept_anyway = evidence.protected_by(point).is_some() || evidence.is_held(point);
    if is_kept_anyway || evidence.policy.prune == Prune::None {
        return None;
    }
    let (before, _) = gives_up(request, None);
    let (then, suffices) = gives_up(request, Some(id));
    let most = most(evidence.policy, 0, evidence.at);
    let cost = HoldCost {
        policy: evidence.policy.name.clone(),
        keeps: most.saturating_sub(then),
        instead_of: most.saturating_sub(before),
        suffices,
    };
    (then > before || !suffices).then_some(cost)
}

/// How many points the request's policy gives up once every held and protected point is extra, including `more`, and
/// whether all policies together can give up enough.
fn gives_up(request: &PlanRequest<'_>, more: Option<&PointId>) -> (u32, bool) {
    let evidence = &request.evidence;
    let others = request.others.iter().map(AsRef::as_ref).filter(|other: &&Policy| other.name != evidence.policy.name);
    let policies: Vec<&Policy> = std::iter::once(evidence.policy).chain(others).collect();
    let extra_of = |policy: &Policy| {
        let evidence = Evidence { policy, ..*evidence };
        let is_extra = |point: &&RestorePoint| match evidence.not_ours_to_delete(point) {
            Some(guard) => matches!(guard, Guard::Protected(_)),
            None => evidence.is_held(point) || more == Some(&point.id),
        };
        saturating_u32(evidence.inventory.manual().filter(is_extra).count())
    };
    let claim = |policy: &&'_ Policy| {
        let (extra, most) = (extra_of(policy), most(policy, 0, evidence.at));
        // The slots are full then: besides the point that makes room, the newest must stay.
        let stay = (policy.min_keep + 1).saturating_sub(extra).max(2);
        let spare = most.saturating_sub(stay);
        (extra, most, if policy.prune == Prune::None { 0 } else { extra.min(spare) })
    };
    let sums: Vec<(u32, u32, u32)> = policies.iter().map(claim).collect();
    let claims: Vec<Claim<'_>> = policies
        .iter()
        .zip(&sums)
        .map(|(&policy, &(_, most, can_give_up))| Claim { policy, most, can_give_up })
        .collect();
    let extra = sums.iter().map(|(extra, ..)| extra).sum();
    let excess = beyond_the_slots(request, &claims, extra);
    let shares = shares(&claims, excess);
    (shares[0], shares.iter().sum::<u32>() >= excess.min(extra))
}
