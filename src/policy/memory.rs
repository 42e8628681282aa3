//! What the journal remembers about one server and kind: each point as it was first seen, what is in progress, and what
//! is on hold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::brake::{BrakeCause, LastListed, StoredBrake};
use crate::policy::conditions::RetentionRecords;
use crate::policy::inventory::{Inventory, PointId, PointStatus, RestorePoint};
use crate::policy::mark::{Token, tokens_of};
use crate::policy::name::PolicyName;
use crate::policy::text::cleaned;

/// What the journal remembers about one server and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether an inventory of this server and kind was recorded before.
    pub seen_before: bool,
    /// Every point that was listed or created by us and is not known to be gone.
    pub points: BTreeMap<PointId, RememberedPoint>,
    /// The token of every create that we sent or intended to send here, with the policy.
    pub tokens: BTreeMap<Token, PolicyName>,
    /// Points that we created, or may have created, and that the last list did not show. Each takes a slot.
    pub unlisted: Vec<Unlisted>,
    /// Points whose delete the provider has accepted. They take a slot while listed, and are not deleted again.
    pub deleting: BTreeSet<PointId>,
    /// Points whose delete was accepted so long ago that it may be sent again if they are still listed.
    pub not_gone: BTreeSet<PointId>,
    /// Points that runs of the policy created and that no list has shown as completed yet.
    pub unfinished: BTreeSet<PointId>,
    /// Tokens of creates given up since the last one succeeded, while an eviction waits for its new point.
    pub given_up: BTreeSet<Token>,
    /// Points on hold, with the reason.
    pub holds: BTreeMap<PointId, String>,
    /// When holds on points expire, if they do.
    pub hold_ends: BTreeMap<PointId, Timestamp>,
    /// The reason of a hold on the whole server.
    pub server_hold: Option<String>,
    /// When that hold expires, if it does.
    pub server_hold_until: Option<Timestamp>,
    /// Completed points of the policy evicted since its last completed one.
    pub evicted_since_completed: u32,
    /// The longest time from a plan to its accepted create in the latest runs on this server.
    pub longest_lead: std::time::Duration,
    /// The points of the last list, except those we have intended to delete since.
    pub listed: Vec<LastListed>,
    /// The stored brakes of the whole server, including accepted ones.
    pub brakes: Vec<StoredBrake>,
    /// What each policy of the server and kind kept when it last inspected the server.
    pub retention: RetentionRecords,
}

impl Memory {
    /// The memory, updated by this list: a point that is completed although its run gave it up replaces the point
    /// evicted for it.
    #[must_use]
    pub fn beside(self, inventory: &Inventory) -> Self {
        let at_last = |point: &RestorePoint| {
            point.status == PointStatus::Completed
                && (self.unfinished.contains(&point.id) || self.given_up_on(point).is_some())
        };
        let evicted_since_completed = if inventory.manual().any(at_last) { 0 } else { self.evicted_since_completed };
        Self { evicted_since_completed, ..self }
    }

    /// The token of a given-up create, if this point carries one: it appeared only after its run gave up on it.
    #[must_use]
    pub fn given_up_on(&self, point: &RestorePoint) -> Option<Token> {
        tokens_of(point.name.as_deref(), &point.description).find(|token| self.given_up.contains(token))
    }

    /// Applies the acceptance of these brakes by a person.
    pub fn release(&mut self, numbers: &[i64]) {
        for stored in self.brakes.iter_mut().filter(|stored| numbers.contains(&stored.number)) {
            stored.accepted = true;
            if stored.brake.cause == BrakeCause::SecondLastgood {
                for about in &stored.brake.points {
                    if let Some(point) = self.points.get_mut(&about.id) {
                        point.origin = Origin::First;
                    }
                }
            }
        }
    }

    /// Whether an eviction waits for its new point.
    #[must_use]
    pub const fn awaits_new_point(&self) -> bool {
        self.evicted_since_completed > 0
    }

    /// The slots reserved for people. Zero after an eviction whose new point is not completed yet: the new point may
    /// take the evicted one's slot, even if `reserve` has grown since.
    #[must_use]
    pub const fn reserve_now(&self, reserve: u32) -> u32 {
        if self.awaits_new_point() { 0 } else { reserve }
    }
}

/// A point as it was first seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedPoint {
    /// Distinguishes a point from a later one with the same id. `None` until a list has shown it.
    pub created_at: Option<Timestamp>,
    /// Name and description as the first list showed them. `None` until then.
    pub text: Option<PointText>,
    /// Where it came from.
    pub origin: Origin,
}

/// A point's name and description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointText {
    /// A snapshot's name.
    pub name: Option<String>,
    /// The description.
    pub description: String,
}

impl PointText {
    /// The name and description of this point.
    #[must_use]
    pub fn of(point: &RestorePoint) -> Self {
        Self { name: point.name.clone(), description: point.description.clone() }
    }

    /// Whether both are the same after cleaning. Earlier versions stored texts as the provider gave them.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let clean = |text: &Self| (text.name.as_deref().map(cleaned), cleaned(&text.description));
        self == other || clean(self) == clean(other)
    }
}

/// Where a point came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A run in this journal created it, for this policy.
    Made(PolicyName),
    /// It was in the first inventory of its server and kind.
    First,
    /// It appeared later, and no run of ours created it.
    Later,
}

/// A point that takes a slot although no list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// The provider's key, if the answer gave one.
    pub id: Option<PointId>,
    /// The token in its mark.
    pub token: Token,
}
