//! How a list of restore points changes what is remembered about them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::journal::effects::change::{Change, TokenState};
use crate::journal::effects::known_point::KnownPoint;
use crate::policy::inventory::{Inventory, PointId, PointStatus, RestorePoint};
use crate::policy::mark::Token;
use crate::policy::memory::{Memory, Origin, PointText};
use crate::policy::name::PolicyName;
use crate::policy::owner::{Owner, owner};

/// What is known when a list is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    /// The points of the server and kind.
    pub points: &'a [KnownPoint],
    /// The same and more, in the planner's form.
    pub memory: &'a Memory,
    /// `provider.instance`.
    pub instance: &'a str,
    /// The policy that read the list.
    pub policy: &'a PolicyName,
    /// How long lists may lag behind accepted calls.
    pub settle: Duration,
}

/// What this list changes: points are new, have changed, or are gone. A point that we made and that no list shows yet
/// is remembered until `settle` has passed.
#[must_use]
pub(crate) fn listed(before: &Before<'_>, inventory: &Inventory) -> Vec<Change> {
    let known: HashMap<&PointId, &KnownPoint> = before.points.iter().map(|point| (&point.id, point)).collect();
    let mut changes = Vec::new();
    let mut seen_again = Vec::new();
    for point in &inventory.points {
        if point.status == PointStatus::Completed
            && let Some(token) = before.memory.given_up_on(point)
        {
            // No list showed it while its run waited, but it exists after all.
            changes.push(Change::TokenSettled { token, state: TokenState::Made });
            changes.push(Change::EvictionsReplaced { policy: before.policy.clone() });
        }
        let known = known.get(&point.id).copied();
        let now = one_listed(before, known, point, inventory.read_at, &mut changes);
        if known.is_some_and(|known| KnownPoint { seen_at: now.seen_at, ..known.clone() } == now) {
            seen_again.push(now.id);
        } else {
            changes.push(Change::PointRemembered(Box::new(now)));
        }
    }
    if !seen_again.is_empty() {
        changes.push(Change::PointsSeenAgain(seen_again));
    }
    // Points missing from a doubtful list may still exist, and such a list does not count as the first one either.
    if inventory.doubt().is_none() {
        changes.extend(missing(before, inventory));
        changes.push(Change::InventoryRead);
    }
    changes
}

/// What is remembered about a listed point from now on.
fn one_listed(
    before: &Before<'_>,
    known: Option<&KnownPoint>,
    point: &RestorePoint,
    read_at: Timestamp,
    changes: &mut Vec<Change>,
) -> KnownPoint {
    let policy = match owner(point, before.instance, before.memory) {
        Owner::Ours(policy) => Some(policy),
        _ => None,
    };
    let created_at = storable(point.created_at);
    if let Some(policy) = policy.as_ref().filter(|_| point.status == PointStatus::Completed)
        && known.is_some_and(|known| known.made_at.is_some() && known.status != Some(PointStatus::Completed))
    {
        // Its run may have given up on it; the point evicted for it now has its replacement.
        changes.push(Change::EvictionsReplaced { policy: policy.clone() });
    }
    // The id of a point that is gone may be reused for another point.
    let is_same = |known: &&KnownPoint| known.created_at.is_none_or(|at| at == created_at);
    changes.extend(known.filter(|known| !is_same(known)).and_then(vanished));
    // A point that disappeared from lists and came back keeps its first text and its origin.
    let remembered = before.memory.points.get(&point.id);
    let remembered = remembered.filter(|known| known.created_at.is_none_or(|at| at == point.created_at));
    let first = match known.filter(is_same) {
        Some(known) => known.clone(),
        None => KnownPoint::new(
            point.id.clone(),
            match (remembered, &policy, before.memory.seen_before) {
                (Some(remembered), ..) => remembered.origin.clone(),
                (None, Some(policy), true) => Origin::Made(policy.clone()),
                (None, _, false) => Origin::First,
                (None, None, true) => Origin::Later,
            },
        ),
    };
    let remembered_text = || remembered.and_then(|known| known.text.clone());
    KnownPoint {
        created_at: Some(created_at),
        first_text: first.first_text.or_else(remembered_text).or_else(|| Some(PointText::of(point))),
        policy,
        status: Some(point.status.clone()),
        size_mb: point.size_mb,
        automatic: point.automatic,
        seen_at: Some(read_at),
        ..first
    }
}

/// A point missing from the list is gone, unless it was made so recently that the list may not show it yet.
fn missing(before: &Before<'_>, inventory: &Inventory) -> Vec<Change> {
    let settle = SignedDuration::try_from(before.settle).unwrap_or(SignedDuration::MAX);
    let settled = inventory.read_at.checked_sub(settle).unwrap_or(Timestamp::MIN);
    let listed: HashSet<&PointId> = inventory.points.iter().map(|point| &point.id).collect();
    let is_gone = |point: &&KnownPoint| {
        let was_seen_before = point.seen_at != Some(inventory.read_at);
        !listed.contains(&point.id) && was_seen_before && point.made_at.is_none_or(|made| made < settled)
    };
    before.points.iter().filter(is_gone).flat_map(forgotten).collect()
}

/// The provider has made a point for a policy. Its text is remembered when a list next shows it; what was known about
/// an earlier point with the same id does not apply to it.
#[must_use]
pub(crate) fn point_created(
    known: Option<&KnownPoint>,
    (point, token): (&PointId, Option<&Token>),
    policy: &PolicyName,
    at: Timestamp,
) -> Vec<Change> {
    let created = KnownPoint {
        policy: Some(policy.clone()),
        automatic: known.is_some_and(|known| known.automatic),
        made_at: Some(at),
        token: token.cloned(),
        ..KnownPoint::new(point.clone(), Origin::Made(policy.clone()))
    };
    known.and_then(vanished).into_iter().chain([Change::PointRemembered(Box::new(created))]).collect()
}

/// A remembered point is gone.
#[must_use]
pub(crate) fn point_gone(known: Option<&KnownPoint>) -> Vec<Change> {
    known.map(forgotten).unwrap_or_default()
}

fn forgotten(known: &KnownPoint) -> Vec<Change> {
    vanished(known).into_iter().chain([Change::PointForgotten(known.id.clone())]).collect()
}

fn vanished(known: &KnownPoint) -> Option<Change> {
    known.vanished().map(|vanished| Change::PointVanished(Box::new(vanished)))
}

/// The time as the state can store it; times after 2262 are all treated as equal.
fn storable(at: Timestamp) -> Timestamp {
    let last = Timestamp::from_nanosecond(i128::from(i64::MAX)).unwrap_or(Timestamp::MAX);
    let first = Timestamp::from_nanosecond(i128::from(i64::MIN)).unwrap_or(Timestamp::MIN);
    at.clamp(first, last)
}
