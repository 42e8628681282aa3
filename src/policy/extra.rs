//! What holds and `protect` cost. A point that they keep beyond the counts of its policy is *extra*: free as long as the
//! slots suffice for everything, else paid for by the policy whose it is, with the oldest points that it may give up. So a
//! hold stops neither its own policy nor another.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::guard::{Ground, Guard, Slots};
use crate::policy::inventory::{Id, Kind, PointStatus, RestorePoint, ServerRef};
use crate::policy::planner::{Request, candidate, counts, decide, verdicts};
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::{Candidate, Verdict, upper_bound};

/// What a policy gives up, and beside which extra points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// The points that go, though the rules keep them; oldest first.
    pub points: Vec<Id>,
    /// The policy's extra points.
    pub beside: Vec<Id>,
}

/// A policy of the server and kind, as far as extra points go.
struct Stake<'a> {
    policy: &'a Policy,
    /// How many points its rules keep, a new one counted where it is to be made.
    kept: u32,
    /// What holds and `protect` keep beyond that.
    extra: Vec<&'a RestorePoint>,
    /// What it may give up, oldest first.
    may_go: Vec<&'a RestorePoint>,
}

/// What the policy of this request gives up. The verdicts are those of the counted points, with a new one counted in or
/// as they are.
pub(super) fn given_up<'a>(
    request: &Request<'a>,
    counted: &[&'a RestorePoint],
    verdicts: &[Verdict],
    with_new: bool,
) -> GivenUp {
    let ground = &request.ground;
    let own = own_stake(request, counted, verdicts, with_new);
    if own.extra.is_empty() || own.may_go.is_empty() || ground.server_wide().is_some() {
        return GivenUp::default();
    }
    let at_least = u32::from(must_make_room(request, counted, verdicts, with_new));
    let beside = own.extra.iter().map(|point| point.id.clone()).collect();
    GivenUp { points: paid_with(request, own, at_least), beside }
}

/// What goes by a policy's rules, and what it gives up, with a new point and without.
pub(super) struct Going {
    pub by_rules: BTreeSet<Id>,
    pub given_up: BTreeSet<Id>,
}

/// What would go if nothing else kept points on this server now. With `evictions` what it gives up to make room for the
/// new point counts, too.
pub(super) fn going(request: &Request<'_>, evictions: bool) -> Going {
    let counted = counted(&request.ground);
    let mut going = Going { by_rules: BTreeSet::new(), given_up: BTreeSet::new() };
    for new in [None, Some(request.now)] {
        let (verdicts, _) = verdicts(request, &counted, new);
        let dropped = counted.iter().zip(&verdicts).filter(|(_, verdict)| !verdict.keep);
        going.by_rules.extend(dropped.map(|(point, _)| point.id.clone()));
        let at_least = u32::from(evictions && must_make_room(request, &counted, &verdicts, new.is_some()));
        let own = own_stake(request, &counted, &verdicts, new.is_some());
        going.given_up.extend(paid_with(request, own, at_least));
    }
    going
}

fn is_full(request: &Request<'_>) -> bool {
    let ground = &request.ground;
    let slots = Slots::count(request.limit, ground.instance, ground.inventory, ground.memory);
    slots.room(ground.memory.reserve_now(request.reserve)) == 0
}

/// The stake of the policy of this request. Before the new point is made, the newest one does not go.
fn own_stake<'a>(
    request: &Request<'a>,
    counted: &[&'a RestorePoint],
    verdicts: &[Verdict],
    with_new: bool,
) -> Stake<'a> {
    stake(&request.ground, counted, verdicts, (with_new, with_new && !is_full(request)))
}

/// Whether no slot is free and what the new point displaces is held, so that another makes room.
fn must_make_room(request: &Request<'_>, counted: &[&RestorePoint], verdicts: &[Verdict], with_new: bool) -> bool {
    with_new && is_full(request) && !makes_room(&request.ground, counted, verdicts)
}

/// The points with which this stake pays its share; `at_least` so many.
fn paid_with<'a>(request: &Request<'a>, own: Stake<'a>, at_least: u32) -> Vec<Id> {
    let stakes = with_others(request, own);
    let payers: Vec<Payer> = stakes.iter().map(|stake| stake.payer(request.ground.at)).collect();
    let share = shares(&payers, excess(request, &stakes, &payers))[0];
    let own = &stakes[0];
    let goes = own.kept.saturating_sub(payers[0].most.saturating_sub(share)).max(at_least);
    let goes = own.may_go.iter().take(own.extra.len().min(goes as usize));
    goes.map(|point| point.id.clone()).collect()
}

/// Whether the rules, or its failure, let a point go by which the new one gets its slot.
fn makes_room(ground: &Ground<'_>, counted: &[&RestorePoint], verdicts: &[Verdict]) -> bool {
    let dropped = counted.iter().zip(verdicts).filter(|(_, verdict)| !verdict.keep).map(|(point, _)| *point);
    let failed = ground.inventory.manual().filter(|point| point.status == PointStatus::Failed);
    dropped.chain(failed).any(|point| ground.refuses(point).is_none())
}

/// The stakes of all policies of the server and kind, that of the request first.
fn with_others<'a>(request: &Request<'a>, own: Stake<'a>) -> Vec<Stake<'a>> {
    let name = &request.ground.policy.name;
    let of = |other: &'a Arc<Policy>| {
        let ground = Ground { policy: other, ..request.ground };
        let counted: Vec<&RestorePoint> = counted(&ground);
        let candidates: Vec<Candidate> = counted.iter().map(|point| candidate(point)).collect();
        stake(&ground, &counted, &decide(other, &candidates), (false, false))
    };
    let others = request.others.iter().filter(|other| other.name != *name);
    std::iter::once(own).chain(others.map(of)).collect()
}

fn counted<'a>(ground: &Ground<'a>) -> Vec<&'a RestorePoint> {
    ground.inventory.points.iter().filter(|point| counts(ground, point)).collect()
}

fn stake<'a>(
    ground: &Ground<'a>,
    counted: &[&'a RestorePoint],
    verdicts: &[Verdict],
    (with_new, newest_may_go): (bool, bool),
) -> Stake<'a> {
    let held = |point: &RestorePoint| ground.memory.holds.contains_key(&point.id);
    let keeps = |point: &RestorePoint| {
        let place = counted.iter().position(|other| other.id == point.id);
        place.map_or(point.status != PointStatus::Failed, |place| verdicts[place].keep)
    };
    let is_extra = |point: &&RestorePoint| match ground.not_ours_to_delete(point) {
        Some(guard) => matches!(guard, Guard::Protected(_)),
        None => held(point) && !keeps(point),
    };
    let new = usize::from(with_new);
    let newest = counted.iter().max_by_key(|point| candidate(point)).filter(|_| !newest_may_go).map(|point| &point.id);
    let mut kept: Vec<&RestorePoint> = counted.iter().copied().filter(|point| keeps(point)).collect();
    kept.sort_by_key(|point| candidate(point));
    let stays = counted.iter().filter(|point| keeps(point) || held(point)).count() + new;
    let spare = stays.saturating_sub(ground.policy.min_keep as usize);
    let may_go = kept
        .iter()
        .copied()
        .filter(|point| !held(point) && Some(&point.id) != newest && ground.policy.prune != Prune::None);
    Stake {
        policy: ground.policy,
        kept: count(kept.len() + new),
        extra: ground.inventory.manual().filter(is_extra).collect(),
        may_go: may_go.take(spare).collect(),
    }
}

/// What a policy wants of the slots, and what it can give up.
pub(super) struct Payer<'a> {
    pub policy: &'a Policy,
    /// The most that its rules can come to keep.
    pub most: u32,
    /// How many points it gives up at most.
    pub pays: u32,
}

impl<'a> Stake<'a> {
    fn payer(&self, at: Timestamp) -> Payer<'a> {
        let most = most(self.policy, self.kept, at);
        Payer { policy: self.policy, most, pays: count(self.extra.len().min(self.may_go.len())) }
    }
}

/// The most points that the rules of a policy can come to keep; where nothing bounds them, those that there are.
pub(super) fn most(policy: &Policy, kept: u32, at: Timestamp) -> u32 {
    let bound = || upper_bound(&policy.keep, policy.keep_mode, &policy.schedule, at);
    Some(policy).filter(|policy| policy.prune != Prune::None).and_then(|_| bound()).unwrap_or_else(|| kept.max(1))
}

/// How many points there are more than slots, once each policy has all that its rules can keep.
fn excess(request: &Request<'_>, stakes: &[Stake<'_>], payers: &[Payer<'_>]) -> u32 {
    let mut extra: Vec<&Id> = stakes.iter().flat_map(|stake| &stake.extra).map(|point| &point.id).collect();
    extra.sort_unstable();
    extra.dedup();
    beyond_the_slots(request, payers, count(extra.len()))
}

/// How many points there are more than slots: all counts, what `reserve` leaves to people and they do not use, the points
/// that no policy counts as its own, and so many extra ones.
pub(super) fn beyond_the_slots(request: &Request<'_>, payers: &[Payer<'_>], extra: u32) -> u32 {
    let ground = &request.ground;
    let slots = Slots::count(request.limit, ground.instance, ground.inventory, ground.memory);
    let claimed = |point: &RestorePoint| payers.iter().any(|payer| claims(ground, payer.policy, point));
    let unclaimed = count(ground.inventory.manual().filter(|point| !claimed(point)).count());
    let counts = payers.iter().fold(0_u32, |sum, payer| sum.saturating_add(payer.most));
    let reserve = request.reserve.saturating_sub(slots.foreign);
    counts.saturating_add(reserve).saturating_add(unclaimed).saturating_add(extra).saturating_sub(request.limit)
}

/// Whether the point is one that this policy counts or protects.
pub(super) fn claims(ground: &Ground<'_>, policy: &Policy, point: &RestorePoint) -> bool {
    let ground = Ground { policy, ..*ground };
    ground.not_ours_to_delete(point).is_none_or(|guard| matches!(guard, Guard::Protected(_)))
}

/// What each pays, in their order: one after the other by name, until all is paid or nobody can.
pub(super) fn shares(payers: &[Payer<'_>], excess: u32) -> Vec<u32> {
    let mut shares = vec![0; payers.len()];
    let mut by_name: Vec<usize> = (0..payers.len()).collect();
    by_name.sort_by_key(|&place| &payers[place].policy.name);
    let mut left = excess;
    while left > 0 {
        let before = left;
        for &place in &by_name {
            if left > 0 && shares[place] < payers[place].pays {
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

/// What a person can end when there is no room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InTheWay {
    /// A hold on the whole server.
    Server {
        /// The server.
        server: ServerRef,
        /// The words of the person.
        reason: String,
        /// Until when; `None`: until it is released.
        until: Option<Timestamp>,
    },
    /// A hold on a point.
    Point {
        /// The point.
        id: Id,
        /// The words of the person.
        reason: String,
        /// Until when; `None`: until it is released.
        until: Option<Timestamp>,
    },
    /// A pattern of `protect`.
    Protected {
        /// The point that it keeps.
        id: Id,
        /// The pattern.
        pattern: String,
    },
}

impl InTheWay {
    /// What is in the way, and how it ends.
    #[must_use]
    pub fn sentence(&self, kind: Kind) -> String {
        let until = |until: &Option<Timestamp>| {
            until.map_or_else(|| "until it is released".to_owned(), |until| format!("until {until}"))
        };
        match self {
            Self::Server { server, reason, until: end } => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                let name = if server.name.chars().all(plain) { server.name.clone() } else { server.id.to_string() };
                let until = until(end);
                format!(
                    "the server is on hold ({reason}; {until}): `lastgood release server {name}` lets points go again"
                )
            }
            Self::Point { id, reason, until: end } => {
                let until = until(end);
                format!("{kind} {id} is on hold ({reason}; {until}): `lastgood release {kind} {id}` ends that")
            }
            Self::Protected { id, pattern } => format!("{kind} {id} is protected by \"{pattern}\""),
        }
    }
}

/// The holds, and what `protect` keeps, by which no room is left; oldest point first.
pub(super) fn in_the_way(request: &Request<'_>) -> Vec<InTheWay> {
    let ground = &request.ground;
    let memory = ground.memory;
    if let Some(reason) = memory.server_hold.clone() {
        let (server, until) = (ground.inventory.server.clone(), memory.server_hold_until);
        return vec![InTheWay::Server { server, reason, until }];
    }
    let counted = counted(ground);
    let (verdicts, _) = verdicts(request, &counted, Some(request.now));
    let stakes = with_others(request, stake(ground, &counted, &verdicts, (true, false)));
    // Where a point is extra, each hold of its policy is one too many.
    let own_held = counted.iter().copied().filter(|point| memory.holds.contains_key(&point.id));
    let own_held = own_held.filter(|_| !stakes[0].extra.is_empty());
    let mut points: Vec<&RestorePoint> = stakes.iter().flat_map(|stake| stake.extra.iter().copied()).collect();
    points.extend(own_held);
    points.sort_by_key(|point| candidate(point));
    points.dedup_by_key(|point| &point.id);
    let protected_by = |point: &RestorePoint| {
        stakes.iter().find_map(|stake| match (Ground { policy: stake.policy, ..*ground }).not_ours_to_delete(point) {
            Some(Guard::Protected(pattern)) => Some(pattern),
            _ => None,
        })
    };
    let way = |point: &RestorePoint| match memory.holds.get(&point.id) {
        Some(reason) => Some(InTheWay::Point {
            id: point.id.clone(),
            reason: reason.clone(),
            until: memory.hold_ends.get(&point.id).copied(),
        }),
        None => protected_by(point).map(|pattern| InTheWay::Protected { id: point.id.clone(), pattern }),
    };
    points.into_iter().filter_map(way).collect()
}

/// Points in a few words: `501, 502`.
pub(super) struct Listed<'a>(pub &'a [Id]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
