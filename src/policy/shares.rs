//! How the policies of a server share its slots when the points do not fit: how many each keeps, and how many each must
//! give up.

use jiff::Timestamp;

use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::inventory::RestorePoint;
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::upper_bound;

/// How many slots a policy needs, and how many points it can give up.
pub(super) struct Claim<'a> {
    pub policy: &'a Policy,
    /// The most points that its rules can keep.
    pub most: u32,
    /// The most points that it can give up.
    pub can_give_up: u32,
}

/// The most points that the rules of a policy can keep; without a limit, as many as it has now.
pub(super) fn most(policy: &Policy, kept: u32, at: Timestamp) -> u32 {
    let bound = || upper_bound(&policy.keep, policy.keep_mode, &policy.schedule, at);
    Some(policy).filter(|policy| policy.prune != Prune::None).and_then(|_| bound()).unwrap_or_else(|| kept.max(1))
}

/// By how many the slots are exceeded: by what all policies keep, the unused part of `reserve`, the points that belong
/// to no policy, and this many extra ones.
pub(super) fn beyond_the_slots(request: &PlanRequest<'_>, claims: &[Claim<'_>], extra: u32) -> u32 {
    let evidence = &request.evidence;
    let is_claimed =
        |point: &RestorePoint| claims.iter().any(|claim| Evidence { policy: claim.policy, ..*evidence }.claims(point));
    let unclaimed = saturating_u32(evidence.inventory.manual().filter(|point| !is_claimed(point)).count());
    let counts = claims.iter().fold(0_u32, |sum, claim| sum.saturating_add(claim.most));
    let reserve = request.reserve.saturating_sub(request.slots().foreign);
    counts.saturating_add(reserve).saturating_add(unclaimed).saturating_add(extra).saturating_sub(request.limit)
}

/// How many points each policy gives up: one at a time in turn, by name, until `excess` is covered or none can give
/// more.
pub(super) fn shares(claims: &[Claim<'_>], excess: u32) -> Vec<u32> {
    let mut shares = vec![0; claims.len()];
    let mut by_name: Vec<usize> = (0..claims.len()).collect();
    by_name.sort_by_key(|&index| &claims[index].policy.name);
    let mut left = excess;
    while left > 0 {
        let before = left;
        for &index in &by_name {
            if left > 0 && shares[index] < claims[index].can_give_up {
                shares[index] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shares
}

/// A number of points as `u32`.
pub(super) fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
