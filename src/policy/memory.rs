//! What the journal remembers of one server and kind, as an argument: what was seen of each point first, what is in
//! progress, what a person holds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::brake::{BrakeCause, LastListed, StoredBrake};
use crate::policy::conditions::RetentionRecords;
use crate::policy::inventory::{Id, Inventory, PointStatus, RestorePoint};
use crate::policy::mark::{Token, tokens_of};
use crate::policy::text::cleaned;

/// What the journal remembers of one server and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether an inventory of this server and kind was recorded before.
    pub seen_before: bool,
    /// Every point that was listed, or made by us, and is not known to be gone.
    pub points: BTreeMap<Id, RememberedPoint>,
    /// The token of every create that we sent or intended to send here, with its policy.
    pub tokens: BTreeMap<Token, String>,
    /// Points that we made, or may have made, and that the last list did not show: each takes a slot.
    pub unlisted: Vec<Unlisted>,
    /// Points whose delete the provider has accepted. While they are listed they take a slot; they are not deleted again.
    pub deleting: BTreeSet<Id>,
    /// Points whose delete was accepted so long ago that it may be sent again, if they are still listed.
    pub not_gone: BTreeSet<Id>,
    /// Points that runs of the policy made, and that no list has shown as completed yet.
    pub unfinished: BTreeSet<Id>,
    /// Tokens of the creates that were given up since one was last made, while an eviction waits for its new point.
    pub given_up: BTreeSet<Token>,
    /// Points that a person holds, with the reason.
    pub holds: BTreeMap<Id, String>,
    /// When holds on points end, where they end by themselves.
    pub hold_ends: BTreeMap<Id, Timestamp>,
    /// The reason why nothing at all may be deleted on this server, where a person said so.
    pub server_hold: Option<String>,
    /// When that hold ends by itself.
    pub server_hold_until: Option<Timestamp>,
    /// Completed points of the policy evicted since its last completed one.
    pub evicted_since_completed: u32,
    /// The longest time from a plan to its accepted create in the last runs on this server.
    pub longest_lead: std::time::Duration,
    /// What the last list showed and we have not intended to delete since.
    pub listed: Vec<LastListed>,
    /// The stored brakes of the whole server, accepted ones included.
    pub brakes: Vec<StoredBrake>,
    /// What each policy of the server and kind kept when it last looked here.
    pub retention: RetentionRecords,
}

impl Memory {
    /// What holds given this list: a point that its run has given up and that is completed after all replaces what was
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

    /// The token of a given-up create that this point carries: a list shows it only now that nobody waits for it.
    #[must_use]
    pub fn given_up_on(&self, point: &RestorePoint) -> Option<Token> {
        tokens_of(point.name.as_deref(), &point.description).find(|token| self.given_up.contains(token))
    }

    /// What would be remembered once a person has accepted these brakes.
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

    /// The slots that our points leave to people. A point that was evicted since the last completed one has left its
    /// slot to the next: that one may take it, though a `reserve` that grew would forbid one more.
    #[must_use]
    pub const fn reserve_now(&self, reserve: u32) -> u32 {
        if self.evicted_since_completed > 0 { 0 } else { reserve }
    }
}

/// A point as it was first seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedPoint {
    /// Tells a point from a later one with the same id. `None` until a list has shown it.
    pub created_at: Option<Timestamp>,
    /// Name and description as the first list showed them. `None` until then.
    pub text: Option<Text>,
    /// How we came to know it.
    pub origin: Origin,
}

/// The words on a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// A snapshot's name.
    pub name: Option<String>,
    /// The description.
    pub description: String,
}

impl Text {
    /// The words on this point.
    #[must_use]
    pub fn of(point: &RestorePoint) -> Self {
        Self { name: point.name.clone(), description: point.description.clone() }
    }

    /// Whether both say the same. A state from before texts were cleaned has them as the provider gave them.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let clean = |text: &Self| (text.name.as_deref().map(cleaned), cleaned(&text.description));
        self == other || clean(self) == clean(other)
    }
}

/// How we came to know a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A run of this journal made it, for this policy.
    Made(String),
    /// It was in the first inventory of its server and kind.
    First,
    /// It appeared later, and no run of ours made it.
    Later,
}

/// A point that takes a slot though no list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// The provider's key, where the answer gave one.
    pub id: Option<Id>,
    /// What its mark will carry.
    pub token: Token,
}
