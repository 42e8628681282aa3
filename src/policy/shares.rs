//! How the policies of a server share what does not fit into its slots: who wants how many, and who can_give_up.

use jiff::Timestamp;

use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::inventory::RestorePoint;
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::upper_bound;

/// What a policy wants of the slots, and what it can give up.
pub(super) struct Claim<'a> {
    pub policy: &'a Policy,
    /// The most points that its rules can come to keep.
    pub most: u32,
    /// How many points it gives up at most.
    pub can_give_up: u32,
}

/// The most points that the rules of a policy can come to keep; where nothing bounds them, those that there are.
pub(super) fn most(policy: &Policy, kept: u32, at: Timestamp) -> u32 {
    let bound = || upper_bound(&policy.keep, policy.keep_mode, &policy.schedule, at);
    Some(policy).filter(|policy| policy.prune != Prune::None).and_then(|_| bound()).unwrap_or_else(|| kept.max(1))
}

/// How many points there are more than slots: all counts, what `reserve` leaves to people and they do not use, the points
/// that no policy counts as its own, and so many extra ones.
pub(super) fn beyond_the_slots(request: &PlanRequest<'_>, claims: &[Claim<'_>], extra: u32) -> u32 {
    let evidence = &request.evidence;
    let is_claimed =
        |point: &RestorePoint| claims.iter().any(|claim| Evidence { policy: claim.policy, ..*evidence }.claims(point));
    let unclaimed = saturating_u32(evidence.inventory.manual().filter(|point| !is_claimed(point)).count());
    let counts = claims.iter().fold(0_u32, |sum, claim| sum.saturating_add(claim.most));
    let reserve = request.reserve.saturating_sub(request.slots().foreign);
    counts.saturating_add(reserve).saturating_add(unclaimed).saturating_add(extra).saturating_sub(request.limit)
}

/// What each can_give_up, in their order: one after the other by name, until all is paid or nobody can.
pub(super) fn shares(claims: &[Claim<'_>], excess: u32) -> Vec<u32> {
    let mut shares = vec![0; claims.len()];
    let mut by_name: Vec<usize> = (0..claims.len()).collect();
    by_name.sort_by_key(|&place| &claims[place].policy.name);
    let mut left = excess;
    while left > 0 {
        let before = left;
        for &place in &by_name {
            if left > 0 && shares[place] < claims[place].can_give_up {
                shares[place] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shares
}

/// A number of points, as slots are counted.
pub(super) fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
