//! What holds and `protect` cost. A point that they keep beyond its policy's counts is *extra*. Extra points cost
//! nothing while there are enough slots. Otherwise the policy that owns them gives up its oldest points instead, so
//! that a hold blocks neither its own policy nor another.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::counted::Counted;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::guard::Guard;
use crate::policy::inventory::{PointId, PointStatus, RestorePoint};
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::Candidate;
use crate::policy::shares::{Claim, beyond_the_slots, most, saturating_u32, shares};

/// What a policy gives up, and for which extra points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUpPoints {
    /// The points that are deleted although the rules keep them; oldest first.
    pub points: Vec<PointId>,
    /// The policy's extra points.
    pub beside: Vec<PointId>,
}

/// The points of one policy of the server and kind.
pub(super) struct PolicyPoints<'a> {
    pub policy: &'a Policy,
    /// Points that holds and `protect` keep beyond its rules.
    pub extra: Vec<&'a RestorePoint>,
    /// How many points its rules keep, including the new one if there is one.
    kept: u32,
    /// The points it may give up, oldest first.
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

/// What a policy's rules drop, and what it gives up, with a new point or without.
pub(super) struct PointsToGo {
    pub by_rules: BTreeSet<PointId>,
    pub given_up: BTreeSet<PointId>,
}

/// What the policy would delete if no guard stopped it. With `evictions`, includes what it gives up to make room for
/// the new point.
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

/// The points of all policies of the server and kind, the request's own first. Its newest point is not given up.
pub(super) fn all_policies<'a>(request: &PlanRequest<'a>, counted: &Counted<'a>) -> Vec<PolicyPoints<'a>> {
    with_others(request, policy_points(&request.evidence, counted, false))
}

fn is_full(request: &PlanRequest<'_>) -> bool {
    request.slots().room(request.reserve_now()) == 0
}

/// The points of the request's policy. The newest may be given up only after the create, never to make room for it.
fn own_policy<'a>(request: &PlanRequest<'a>, counted: &Counted<'a>) -> PolicyPoints<'a> {
    policy_points(&request.evidence, counted, counted.with_new && !is_full(request))
}

/// Whether no slot is free and the point that the new one displaces is held, so that another must make room.
fn must_make_room(request: &PlanRequest<'_>, guards: &DeleteGuards<'_>, counted: &Counted<'_>) -> bool {
    counted.with_new && is_full(request) && !makes_room(&request.evidence, guards, counted)
}

/// The points that this policy gives up as its share; at least `at_least`, if there are that many.
fn points_given_up<'a>(request: &PlanRequest<'a>, own: PolicyPoints<'a>, at_least: u32) -> Vec<PointId> {
    let all_policies = with_others(request, own);
    let claims: Vec<Claim> = all_policies.iter().map(|one| one.claim(request.evidence.at)).collect();
    let share = shares(&claims, excess(request, &all_policies, &claims))[0];
    let own = &all_policies[0];
    let goes = own.kept.saturating_sub(claims[0].most.saturating_sub(share)).max(at_least);
    let goes = own.may_go.iter().take(own.extra.len().min(goes as usize));
    goes.map(|point| point.id.clone()).collect()
}

/// Whether a dropped or failed point can be deleted to free a slot for the new one.
fn makes_room(evidence: &Evidence<'_>, guards: &DeleteGuards<'_>, counted: &Counted<'_>) -> bool {
    let failed = evidence.inventory.manual().filter(|point| point.status == PointStatus::Failed);
    counted.dropped().chain(failed).any(|point| guards.refuses(point).is_none())
}

/// The points of this policy, then those of the other policies of the server and kind.
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
    let keeps = |point: &RestorePoint| counted.keeps(&point.id).unwrap_or(point.status != PointStatus::Failed);
    let is_extra = |point: &&RestorePoint| match evidence.not_ours_to_delete(point) {
        Some(guard) => matches!(guard, Guard::Protected(_)),
        None => evidence.is_held(point) && !keeps(point),
    };
    let new = usize::from(counted.with_new);
    let newest = counted.points().max_by_key(|point| Candidate::of(point)).filter(|_| !newest_may_go);
    let newest = newest.map(|point| &point.id);
    let mut kept: Vec<&RestorePoint> = counted.points().filter(|point| keeps(point)).collect();
    kept.sort_by_key(|point| Candidate::of(point));
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

/// By how many the points exceed the slots once each policy has as many as its rules keep.
fn excess(request: &PlanRequest<'_>, all_policies: &[PolicyPoints<'_>], claims: &[Claim<'_>]) -> u32 {
    let mut extra: Vec<&PointId> = all_policies.iter().flat_map(|one| &one.extra).map(|point| &point.id).collect();
    extra.sort_unstable();
    extra.dedup();
    beyond_the_slots(request, claims, saturating_u32(extra.len()))
}
