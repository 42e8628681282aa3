//! The facts that decisions are based on, and what they say about a point, brakes aside.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::policy::guard::Guard;
use crate::policy::inventory::{Inventory, Kind, PointId, PointStatus, RestorePoint};
use crate::policy::memory::Memory;
use crate::policy::owner::{Owner, owner};
use crate::policy::policy::{Policy, Prune};
use crate::policy::selector::Pattern;
use crate::policy::slots::Slots;
use crate::policy::text;

/// A point dated further ahead of both clocks is kept, but not counted.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A policy, what the provider lists and what the journal remembers.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The time now.
    pub at: Timestamp,
    /// `provider.instance`: the part of the mark that tells our points from another lastgood's.
    pub instance: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// What the provider lists.
    pub inventory: &'a Inventory,
    /// What the journal remembers.
    pub memory: &'a Memory,
}

/// The input of a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The policy, the list and what the journal remembers.
    pub evidence: Evidence<'a>,
    /// The slots that a server has for this kind.
    pub limit: u32,
    /// The largest `reserve` of all policies of this server and kind.
    pub reserve: u32,
    /// The other enabled policies of this server and kind.
    pub others: &'a [Arc<Policy>],
    /// Deletes already sent by earlier attempts of the same run.
    pub spent: u32,
    /// The provider's time now, which dates a point created now.
    pub now: Timestamp,
    /// The bucket end that the run has waited for. It does not wait for it again, and goes by the verdict for a point
    /// created now.
    pub waited_for: Option<Timestamp>,
}

impl PlanRequest<'_> {
    /// The slots according to this list.
    #[must_use]
    pub fn slots(&self) -> Slots {
        let Evidence { instance, inventory, memory, .. } = self.evidence;
        Slots::count(self.limit, instance, inventory, memory)
    }

    /// How many more of our points fit by this list.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.slots().room(self.reserve_now())
    }

    /// The slots reserved for people; none while an evicted point's slot waits for its new point.
    #[must_use]
    pub fn reserve_now(&self) -> u32 {
        self.evidence.memory.reserve_now(self.reserve)
    }
}

impl<'a> Evidence<'a> {
    /// Whose point it is.
    #[must_use]
    pub fn owner(&self, point: &RestorePoint) -> Owner {
        owner(point, self.instance, self.memory)
    }

    /// Whether a point is dated more than five minutes after both our clock and the provider's.
    #[must_use]
    pub fn is_future(&self, point: &RestorePoint) -> bool {
        let latest = self.inventory.provider_time.map_or(self.at, |provider| provider.max(self.at));
        point.created_at > latest + FUTURE_TOLERANCE
    }

    /// The `protect` pattern that the point matches, or might match if its text had not been cut.
    #[must_use]
    pub fn protected_by(&self, point: &RestorePoint) -> Option<String> {
        let fits_text = |pattern: &Pattern, text: &str| {
            pattern.matches(text) || (text::is_cut(text) && pattern.may_match(text.trim_end_matches('…')))
        };
        let fits = |pattern: &&Pattern| {
            point.name.as_deref().is_some_and(|name| fits_text(pattern, name)) || fits_text(pattern, &point.description)
        };
        self.policy.protect.iter().find(fits).map(ToString::to_string)
    }

    /// Why this policy must never delete the point, whatever retention says.
    #[must_use]
    pub fn not_ours_to_delete(&self, point: &RestorePoint) -> Option<Guard> {
        if point.automatic {
            return Some(Guard::Automatic);
        }
        match self.owner(point) {
            Owner::Ours(name) if !self.policy.answers_to(&name) => return Some(Guard::OtherPolicy(name)),
            Owner::Ours(_) => {}
            Owner::Stray(_) => return Some(Guard::Stray),
            Owner::OtherInstance => return Some(Guard::OtherInstance),
            Owner::Changed => return Some(Guard::Changed),
            Owner::Person if self.policy.prune == Prune::All => {}
            Owner::Person => return Some(Guard::Foreign),
        }
        if self.is_future(point) {
            return Some(Guard::Future);
        }
        self.protected_by(point).map(Guard::Protected)
    }

    /// Whether the point is the policy's own, counted or protected.
    #[must_use]
    pub(super) fn claims(&self, point: &RestorePoint) -> bool {
        self.not_ours_to_delete(point).is_none_or(|guard| matches!(guard, Guard::Protected(_)))
    }

    /// Whether a person holds the point.
    #[must_use]
    pub(super) fn is_held(&self, point: &RestorePoint) -> bool {
        self.memory.holds.contains_key(&point.id)
    }

    /// A point that shows that a second lastgood works on this server.
    #[must_use]
    pub fn stray(&self) -> Option<&'a RestorePoint> {
        self.inventory.manual().find(|point| matches!(self.owner(point), Owner::Stray(_)))
    }

    /// Why deleting a completed point would leave too few points, counting those in `gone` as deleted.
    #[must_use]
    pub fn leaves_too_little(&self, point: &RestorePoint, gone: &[PointId]) -> Option<Guard> {
        if point.status != PointStatus::Completed {
            return None;
        }
        let left = |other: &&RestorePoint| {
            other.status == PointStatus::Completed
                && other.id != point.id
                && !gone.contains(&other.id)
                && !self.memory.deleting.contains(&other.id)
                && !self.is_future(other)
        };
        if !self.inventory.manual().filter(left).any(|other| other.created_at >= point.created_at) {
            return Some(Guard::NewestOfServer);
        }
        let own = |other: &&RestorePoint| left(other) && self.not_ours_to_delete(other).is_none();
        if !self.inventory.manual().filter(own).any(|other| other.created_at >= point.created_at) {
            return Some(Guard::NewestOfPolicy);
        }
        let remaining = self.inventory.manual().filter(own).count();
        (remaining < self.policy.min_keep as usize).then_some(Guard::MinKeep(self.policy.min_keep))
    }

    /// The names or descriptions of the foreign points, for whoever must make room.
    #[must_use]
    pub fn names_of_foreign(&self) -> Vec<String> {
        let foreign = self.inventory.manual().filter(|point| !self.owner(point).is_own());
        foreign.map(|point| describe(point, self.inventory.kind)).collect()
    }
}

/// A short text for a point: its name or else its description, and its id.
#[must_use]
pub(crate) fn describe(point: &RestorePoint, kind: Kind) -> String {
    let words = point.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&point.description);
    if words.is_empty() { format!("{kind} {}", point.id) } else { format!("\"{words}\" ({kind} {})", point.id) }
}
