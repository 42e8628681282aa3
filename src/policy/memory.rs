//! What the journal remembers of one server and kind, as an argument: whose a point is, what was seen of it first,
//! what is under way, what a person holds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::brake::{self, Seen};
use crate::policy::inventory::{Id, Inventory, PointStatus, RestorePoint};
use crate::policy::mark::{Mark, Token, tokens_of};
use crate::policy::predecessor::Kept;
use crate::policy::text::cleaned;

/// What the journal remembers of one server and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether an inventory of this server and kind was recorded before.
    pub seen_before: bool,
    /// Every point that was listed, or made by us, and is not known to be gone.
    pub points: BTreeMap<Id, Remembered>,
    /// The token of every create that we sent or meant to send here, with its policy.
    pub tokens: BTreeMap<Token, String>,
    /// Points that we made, or may have made, and that the last list did not show: each takes a slot. With the id,
    /// where the provider gave one, and the token.
    pub unlisted: Vec<Unlisted>,
    /// Points whose delete the provider has accepted: still listed ones take a slot and are deleted no second time.
    pub deleting: BTreeSet<Id>,
    /// Points whose delete was accepted so long ago that it may be sent again, if they are still listed.
    pub not_gone: BTreeSet<Id>,
    /// Points that runs of the policy made, and that no list has shown as completed yet.
    pub unfinished: BTreeSet<Id>,
    /// Tokens of the creates that were given up since one was last made, while an eviction waits for its new point.
    pub given_up: BTreeSet<Token>,
    /// Points that a person holds, with the reason.
    pub holds: BTreeMap<Id, String>,
    /// When those of these holds end that end by themselves.
    pub hold_ends: BTreeMap<Id, Timestamp>,
    /// The reason why nothing at all may be deleted on this server, where a person said so.
    pub server_hold: Option<String>,
    /// When that hold ends by itself.
    pub server_hold_until: Option<Timestamp>,
    /// Completed points of the policy evicted since its last completed one.
    pub evicted_since_completed: u32,
    /// The longest time from a plan to its accepted create in the last runs on this server.
    pub longest_lead: std::time::Duration,
    /// What the last list showed and we did not mean to delete since.
    pub listed: Vec<Seen>,
    /// The brakes that hold, and those that a person has accepted, on the whole server.
    pub brakes: Vec<brake::Held>,
    /// What each policy of the server and kind kept when it last looked here.
    pub retention: Kept,
}

impl Memory {
    /// What is true beside this list: a point that its run has given up, and that is completed after all, is the new
    /// point of what was evicted for it.
    #[must_use]
    pub fn beside(self, inventory: &Inventory) -> Self {
        let at_last = |point: &RestorePoint| {
            point.status == PointStatus::Completed
                && (self.unfinished.contains(&point.id) || self.given_up_on(point).is_some())
        };
        let evicted_since_completed = if inventory.manual().any(at_last) { 0 } else { self.evicted_since_completed };
        Self { evicted_since_completed, ..self }
    }

    /// The token of a create that was given up, on a point that a list shows later than anybody waited for it.
    #[must_use]
    pub fn given_up_on(&self, point: &RestorePoint) -> Option<Token> {
        tokens_of(point.name.as_deref(), &point.description).find(|token| self.given_up.contains(token))
    }

    /// What would be remembered once a person has accepted these brakes.
    pub fn release(&mut self, numbers: &[i64]) {
        for held in self.brakes.iter_mut().filter(|held| numbers.contains(&held.number)) {
            held.accepted = true;
            if held.brake.cause == brake::Cause::SecondLastgood {
                for about in &held.brake.points {
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
pub struct Remembered {
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

    /// Whether both say the same. A state of before texts were cleaned has them as the provider gave them.
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
    /// It turned up later and no run of ours made it.
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

/// Whose a restore point is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Ours: made for this policy.
    Ours(String),
    /// It carries our mark, but this journal neither made it nor saw it in its first inventory: a second lastgood.
    Stray(String),
    /// It carries the mark of another instance, or one that names none.
    OtherInstance,
    /// It was ours, and a person has changed its name or description since we first saw it.
    Changed,
    /// It carries no mark.
    Person,
}

impl Owner {
    /// Whether the point counts as *own* in what is shown.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::Stray(_))
    }
}

/// Whose `point` is, by its id in the journal, else by its mark.
#[must_use]
pub fn owner(point: &RestorePoint, instance: &str, memory: &Memory) -> Owner {
    let remembered =
        memory.points.get(&point.id).filter(|known| known.created_at.is_none_or(|at| at == point.created_at));
    let changed =
        remembered.and_then(|known| known.text.as_ref()).is_some_and(|first| !first.is_same(&Text::of(point)));
    if let Some(Remembered { origin: Origin::Made(policy), .. }) = remembered {
        return if changed { Owner::Changed } else { Owner::Ours(policy.clone()) };
    }
    let bears = |name: Option<&str>, description: &str| tokens_of(name, description).next().is_some();
    let was_marked = remembered
        .and_then(|known| known.text.as_ref())
        .is_some_and(|text| bears(text.name.as_deref(), &text.description));
    // Whoever's mark it was: a point that lost it by a person's hand is not a person's to lose.
    if changed && was_marked {
        return Owner::Changed;
    }
    match Mark::parse(&point.description) {
        Some(mark) if mark.instance == instance => {
            let known = memory.tokens.contains_key(&mark.token)
                || match remembered {
                    Some(known) => known.origin == Origin::First,
                    None => !memory.seen_before,
                };
            // A mark that a person wrote into a point of theirs later on does not make it ours.
            if changed {
                Owner::Changed
            } else if known {
                Owner::Ours(mark.policy)
            } else {
                Owner::Stray(mark.policy)
            }
        }
        Some(_) => Owner::OtherInstance,
        None => {
            let mut tokens = tokens_of(point.name.as_deref(), &point.description).peekable();
            let marked = tokens.peek().is_some();
            match tokens.find_map(|token| memory.tokens.get(&token)) {
                Some(policy) => Owner::Ours(policy.clone()),
                None if marked => Owner::OtherInstance,
                None => Owner::Person,
            }
        }
    }
}
