//! What holds and `protect` cost. A point that they keep beyond the counts of its policy is *extra*: free as long as the
//! slots suffice for everything, else paid for by the policy that owns it, with the oldest points that it may give up. So
//! a hold stops neither its own policy nor another.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::counted::{Counted, candidate};
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, Request};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, PointStatus, RestorePoint};
use crate::policy::policy::{Policy, Prune};
use crate::policy::shares::{Payer, beyond_the_slots, count, most, shares};

/// What a policy gives up, and beside which extra points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// The points that go, though the rules keep them; oldest first.
    pub points: Vec<Id>,
    /// The policy's extra points.
    pub beside: Vec<Id>,
}

/// A policy of the server and kind, as far as extra points go.
pub(super) struct Stake<'a> {
    pub policy: &'a Policy,
    /// What holds and `protect` keep beyond what its rules keep.
    pub extra: Vec<&'a RestorePoint>,
    /// How many points its rules keep, a new one counted where it is to be made.
    kept: u32,
    /// What it may give up, oldest first.
    may_go: Vec<&'a RestorePoint>,
}

/// What the policy of this request gives up.
pub(super) fn given_up<'a>(request: &Request<'a>, guards: &DeleteGuards<'a>, counted: &Counted<'a>) -> GivenUp {
    let own = own_stake(request, counted);
    if own.extra.is_empty() || own.may_go.is_empty() || guards.server_wide().is_some() {
        return GivenUp::default();
    }
    let at_least = u32::from(must_make_room(request, guards, counted));
    let beside = own.extra.iter().map(|point| point.id.clone()).collect();
    GivenUp { points: paid_with(request, own, at_least), beside }
}

/// What goes by a policy's rules, and what it gives up, with a new point and without.
pub(super) struct Going {
    pub by_rules: BTreeSet<Id>,
    pub given_up: BTreeSet<Id>,
}

/// What would go if nothing else kept points on this server now. With `evictions`, what the policy gives up to make room
/// for the new point counts as well.
pub(super) fn going<'a>(request: &Request<'a>, guards: &DeleteGuards<'a>, evictions: bool) -> Going {
    let mut going = Going { by_rules: BTreeSet::new(), given_up: BTreeSet::new() };
    for new in [None, Some(request.now)] {
        let counted = Counted::of(&request.evidence, new);
        going.by_rules.extend(counted.dropped().map(|point| point.id.clone()));
        let at_least = u32::from(evictions && must_make_room(request, guards, &counted));
        going.given_up.extend(paid_with(request, own_stake(request, &counted), at_least));
    }
    going
}

/// The stakes of all policies of the server and kind, that of the request first, when its newest point does not go.
pub(super) fn stakes<'a>(request: &Request<'a>, counted: &Counted<'a>) -> Vec<Stake<'a>> {
    with_others(request, stake(&request.evidence, counted, false))
}

fn is_full(request: &Request<'_>) -> bool {
    request.slots().room(request.reserve_now()) == 0
}

/// The stake of the policy of this request. Before the new point is made, the newest one does not go.
fn own_stake<'a>(request: &Request<'a>, counted: &Counted<'a>) -> Stake<'a> {
    stake(&request.evidence, counted, counted.with_new && !is_full(request))
}

/// Whether no slot is free and what the new point displaces is held, so that another makes room.
fn must_make_room(request: &Request<'_>, guards: &DeleteGuards<'_>, counted: &Counted<'_>) -> bool {
    counted.with_new && is_full(request) && !makes_room(&request.evidence, guards, counted)
}

/// The points with which this stake pays its share; `at_least` so many.
fn paid_with<'a>(request: &Request<'a>, own: Stake<'a>, at_least: u32) -> Vec<Id> {
    let stakes = with_others(request, own);
    let payers: Vec<Payer> = stakes.iter().map(|stake| stake.payer(request.evidence.at)).collect();
    let share = shares(&payers, excess(request, &stakes, &payers))[0];
    let own = &stakes[0];
    let goes = own.kept.saturating_sub(payers[0].most.saturating_sub(share)).max(at_least);
    let goes = own.may_go.iter().take(own.extra.len().min(goes as usize));
    goes.map(|point| point.id.clone()).collect()
}

/// Whether the rules, or its failure, let a point go by which the new one gets its slot.
fn makes_room(evidence: &Evidence<'_>, guards: &DeleteGuards<'_>, counted: &Counted<'_>) -> bool {
    let failed = evidence.inventory.manual().filter(|point| point.status == PointStatus::Failed);
    counted.dropped().chain(failed).any(|point| guards.refuses(point).is_none())
}

/// This stake, and those of the other policies of the server and kind.
fn with_others<'a>(request: &Request<'a>, own: Stake<'a>) -> Vec<Stake<'a>> {
    let name = &request.evidence.policy.name;
    let of = |other: &'a Arc<Policy>| {
        let evidence = Evidence { policy: other, ..request.evidence };
        stake(&evidence, &Counted::of(&evidence, None), false)
    };
    let others = request.others.iter().filter(|other| other.name != *name);
    std::iter::once(own).chain(others.map(of)).collect()
}

fn stake<'a>(evidence: &Evidence<'a>, counted: &Counted<'a>, newest_may_go: bool) -> Stake<'a> {
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
    Stake {
        policy: evidence.policy,
        kept: count(kept.len() + new),
        extra: evidence.inventory.manual().filter(is_extra).collect(),
        may_go: may_go.take(spare).collect(),
    }
}

impl<'a> Stake<'a> {
    fn payer(&self, at: Timestamp) -> Payer<'a> {
        let most = most(self.policy, self.kept, at);
        Payer { policy: self.policy, most, pays: count(self.extra.len().min(self.may_go.len())) }
    }
}

/// How many points there are more than slots, once each policy has all that its rules can keep.
fn excess(request: &Request<'_>, stakes: &[Stake<'_>], payers: &[Payer<'_>]) -> u32 {
    let mut extra: Vec<&Id> = stakes.iter().flat_map(|stake| &stake.extra).map(|point| &point.id).collect();
    extra.sort_unstable();
    extra.dedup();
    beyond_the_slots(request, payers, count(extra.len()))
}
