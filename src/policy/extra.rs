//! What holds and `protect` cost. A point that they keep beyond the counts of its policy is *extra*: free as long as the
//! slots suffice for everything, else paid for by the policy that owns it, with the oldest points that it may give up. So
//! a hold stops neither its own policy nor another.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::counted::{Counted, candidate};
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, PointStatus, RestorePoint};
use crate::policy::policy::{Policy, Prune};
use crate::policy::shares::{Claim, beyond_the_slots, most, saturating_u32, shares};

/// What a policy gives up, and beside which extra points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUpPoints {
    /// The points that go, though the rules keep them; oldest first.
    pub points: Vec<Id>,
    /// The policy's extra points.
    pub beside: Vec<Id>,
}

/// A policy of the server and kind, as far as extra points go.
pub(super) struct PolicyPoints<'a> {
    pub policy: &'a Policy,
    /// What holds and `protect` keep beyond what its rules keep.
    pub extra: Vec<&'a RestorePoint>,
    /// How many points its rules keep, a new one counted where it is to be made.
    kept: u32,
    /// What it may give up, oldest first.
    may_go: Vec<&'a RestorePoint>,
}

/// What the policy of this request gives up.
pub(super) fn given_up<'a>(
    request: &PlanRequest<'a>,
    guards: &DeleteGuards<'a>,
    counted: &Counted<'a>,
) -> GivenUpPoints {
    let own = own_policy(request, counted);
    if own.extra.is_empty() || own.may_go.is_empty() || guards.server_wide().is_some() {
        return GivenUpPoints::default();
    }
    let at_least = u32::from(must_make_room(request, guards, counted));
    let beside = own.extra.iter().map(|point| point.id.clone()).collect();
    GivenUpPoints { points: points_given_up(request, own, at_least), beside }
}

/// What goes by a policy's rules, and what it gives up, with a new point and without.
pub(super) struct PointsToGo {
    pub by_rules: BTreeSet<Id>,
    pub given_up: BTreeSet<Id>,
}

/// What would go if nothing else kept points on this server now. With `evictions`, what the policy gives up to make room
/// for the new point counts as well.
pub(super) fn points_to_go<'a>(request: &PlanRequest<'a>, guards: &DeleteGuards<'a>, evictions: bool) -> PointsToGo {
    let mut going = PointsToGo { by_rules: BTreeSet::new(), given_up: BTreeSet::new() };
    for new in [None, Some(request.now)] {
        let counted = Counted::of(&request.evidence, new);
        going.by_rules.extend(counted.dropped().map(|point| point.id.clone()));
        let at_least = u32::from(evictions && must_make_room(request, guards, &counted));
        going.given_up.extend(points_given_up(request, own_policy(request, &counted), at_least));
    }
    going
}

/// The all_policies of all policies of the server and kind, that of the request first, when its newest point does not go.
pub(super) fn all_policies<'a>(request: &PlanRequest<'a>, counted: &Counted<'a>) -> Vec<PolicyPoints<'a>> {
    with_others(request, policy_points(&request.evidence, counted, false))
}

fn is_full(request: &PlanRequest<'_>) -> bool {
    request.slots().room(request.reserve_now()) == 0
}

/// The one of the policy of this request. Before the new point is made, the newest one does not go.
fn own_policy<'a>(request: &PlanRequest<'a>, counted: &Counted<'a>) -> PolicyPoints<'a> {
    policy_points(&request.evidence, counted, counted.with_new && !is_full(request))
}

/// Whether no slot is free and what the new point displaces is held, so that another makes room.
fn must_make_room(request: &PlanRequest<'_>, guards: &DeleteGuards<'_>, counted: &Counted<'_>) -> bool {
    counted.with_new && is_full(request) && !makes_room(&request.evidence, guards, counted)
}

/// The points with which this one can_give_up its share; `at_least` so many.
fn points_given_up<'a>(request: &PlanRequest<'a>, own: PolicyPoints<'a>, at_least: u32) -> Vec<Id> {
    let all_policies = with_others(request, own);
    let claims: Vec<Claim> = all_policies.iter().map(|one| one.claim(request.evidence.at)).collect();
    let share = shares(&claims, excess(request, &all_policies, &claims))[0];
    let own = &all_policies[0];
    let goes = own.kept.saturating_sub(claims[0].most.saturating_sub(share)).max(at_least);
    let goes = own.may_go.iter().take(own.extra.len().min(goes as usize));
    goes.map(|point| point.id.clone()).collect()
}

/// Whether the rules, or its failure, let a point go by which the new one gets its slot.
fn makes_room(evidence: &Evidence<'_>, guards: &DeleteGuards<'_>, counted: &Counted<'_>) -> bool {
    let failed = evidence.inventory.manual().filter(|point| point.status == PointStatus::Failed);
    counted.dropped().chain(failed).any(|point| guards.refuses(point).is_none())
}

/// This one, and those of the other policies of the server and kind.
fn with_others<'a>(request: &PlanRequest<'a>, own: PolicyPoints<'a>) -> Vec<PolicyPoints<'a>> {
    let name = &request.evidence.policy.name;
    let of = |other: &'a Arc<Policy>| {
        let evidence = Evidence { policy: other, ..request.evidence };
        policy_points(&evidence, &Counted::of(&evidence, None), false)
    };
    let others = request.others.iter().filter(|other| other.name != *name);
    std::iter::once(own).chain(others.map(of)).collect()
}

fn policy_points<'a>(evidence: &Evidence<'a>, counted: &Counted<'a>, newest_may_go: bool) -> PolicyPoints<'a> {
    let keeps = |point: &RestorePoint| {
        let verdict = counted.verdict(&point.id);
        verdict.map_or(point.status != PointStatus::Failed, |verdict| verdict.keep)
    };
    let is_extra = |point: &&RestorePoint| match evidence.not_ours_to_delete(point) {
        Some(guard) => matches!(guard, Guard::Protected(_)),
        None => evidence.is_held(point) && !keeps(point),
    };
    let new = usize::from(counted.with_new);
    let newest = counted.points().max_by_key(|point| candidate(point)).filter(|_| !newest_may_go);
    let newest = newest.map(|point| &point.id);
    let mut kept: Vec<&RestorePoint> = counted.points().filter(|point| keeps(point)).collect();
    kept.sort_by_key(|point| candidate(point));
    let stays = counted.points().filter(|point| keeps(point) || evidence.is_held(point)).count() + new;
    let spare = stays.saturating_sub(evidence.policy.min_keep as usize);
    let may_go = kept
        .iter()
        .copied()
        .filter(|point| !evidence.is_held(point) && Some(&point.id) != newest && evidence.policy.prune != Prune::None);
    PolicyPoints {
        policy: evidence.policy,
        kept: saturating_u32(kept.len() + new),
        extra: evidence.inventory.manual().filter(is_extra).collect(),
        may_go: may_go.take(spare).collect(),
    }
}

impl<'a> PolicyPoints<'a> {
    fn claim(&self, at: Timestamp) -> Claim<'a> {
        let most = most(self.policy, self.kept, at);
        Claim { policy: self.policy, most, can_give_up: saturating_u32(self.extra.len().min(self.may_go.len())) }
    }
}

/// How many points there are more than slots, once each policy has all that its rules can keep.
fn excess(request: &PlanRequest<'_>, all_policies: &[PolicyPoints<'_>], claims: &[Claim<'_>]) -> u32 {
    let mut extra: Vec<&Id> = all_policies.iter().flat_map(|one| &one.extra).map(|point| &point.id).collect();
    extra.sort_unstable();
    extra.dedup();
    beyond_the_slots(request, claims, saturating_u32(extra.len()))
}
