//! The guards: safety rules that refuse an action, each with its reason as data.
//!
//! The planner asks them before it plans a delete; `run` asks them again, of a fresh inventory, before it sends one.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::policy::brake::stops_all;
use crate::policy::inventory::{Id, Inventory, Kind, PointStatus, RestorePoint};
use crate::policy::memory::{Memory, Owner, owner};
use crate::policy::policy::{Policy, Prune};
use crate::policy::selector::Pattern;
use crate::policy::text;

/// How far after both clocks a point may be dated before it is kept uncounted.
pub const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Why a restore point is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// It carries no mark of ours.
    Foreign,
    /// A person changed its name or description.
    Changed,
    /// It carries another instance's mark.
    OtherInstance,
    /// It is another policy's.
    OtherPolicy(String),
    /// It carries our mark, but this journal knows nothing of it.
    Stray,
    /// The provider's plan made it.
    Automatic,
    /// It is still being made.
    InProgress(String),
    /// A person holds it.
    Held(String),
    /// A person holds the whole server.
    ServerHeld(String),
    /// Its name or description matches this pattern of `protect`.
    Protected(String),
    /// It is dated in the future.
    Future,
    /// Its delete was accepted before; it is still listed.
    Deleting,
    /// No completed manual point of the server and kind is newer.
    NewestOfServer,
    /// No completed point of the policy is newer.
    NewestOfPolicy,
    /// The policy would be left with fewer completed points than `min_keep`.
    MinKeep(u32),
    /// The policy says `prune = "none"`.
    PruneNone,
    /// The run made it.
    JustMade,
    /// A point on this server carries our mark, but this journal knows nothing of it.
    SecondLastgood(Id),
    /// Something looks wrong on this server: see `brake`.
    Brake(String),
    /// The run has reached `max_deletes`.
    MaxDeletes(u32),
    /// The list does not prove enough.
    Doubt(String),
    /// The list shows another point under this id, or none.
    NotTheSame,
    /// A slot is free now, so that nothing has to make room.
    NotNeeded,
    /// It was to be deleted by the plan, and stays by what is known now: another bucket, another policy.
    KeptNow(String),
    /// The policy is no longer in the file.
    NotInForce,
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("foreign: it carries no mark of ours"),
            Self::Changed => f.write_str("foreign: its name or description was changed since we first saw it"),
            Self::OtherInstance => f.write_str("foreign: it carries the mark of another lastgood"),
            Self::OtherPolicy(name) => write!(f, "it belongs to policy {name}"),
            Self::Stray => f.write_str("it carries our mark, but this journal knows nothing of it"),
            Self::Automatic => f.write_str("automatic: the provider's plan made it"),
            Self::InProgress(word) => write!(f, "it is still being made ({word})"),
            Self::Held(reason) => write!(f, "on hold: {reason}"),
            Self::ServerHeld(reason) => write!(f, "the server is on hold: {reason}"),
            Self::Protected(pattern) => write!(f, "protected by \"{pattern}\""),
            Self::Future => f.write_str("dated in the future: kept and not counted"),
            Self::Deleting => f.write_str("its delete was accepted, the provider still lists it"),
            Self::NewestOfServer => f.write_str("the newest completed point of the server"),
            Self::NewestOfPolicy => f.write_str("the newest completed point of the policy"),
            Self::MinKeep(count) => write!(f, "min_keep = {count}"),
            Self::PruneNone => f.write_str("prune = \"none\""),
            Self::JustMade => f.write_str("the run has just made it"),
            Self::SecondLastgood(id) => write!(
                f,
                "point {id} carries our mark, but this journal knows nothing of it: deletes on this server are stopped"
            ),
            Self::Brake(text) => write!(f, "brake: {text}"),
            Self::MaxDeletes(count) => write!(f, "brake: no more than {count} deletes in one run"),
            Self::Doubt(why) => write!(f, "the list is in doubt: {why}"),
            Self::NotTheSame => f.write_str("the list no longer shows this very point"),
            Self::NotNeeded => f.write_str("a slot is free now, so nothing has to make room"),
            Self::KeptNow(why) => write!(f, "the plan would delete it; asked again, it is kept: {why}"),
            Self::NotInForce => f.write_str("the policy is no longer in the file"),
        }
    }
}

/// What the guards judge by.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The time now.
    pub at: Timestamp,
    /// The part of the mark that tells our points from another lastgood's.
    pub instance: &'a str,
    /// The policy whose run this is.
    pub policy: &'a Policy,
    /// What the provider lists.
    pub inventory: &'a Inventory,
    /// What the journal remembers.
    pub memory: &'a Memory,
}

impl Ground<'_> {
    /// Whose the point is.
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

    /// The pattern of `protect` that the point matches, or may match with what was cut off its text.
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

    /// Why the point never belongs to what this policy may delete, whatever retention says.
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

    /// The point that proves a second lastgood on this server, if one does.
    #[must_use]
    pub fn stray(&self) -> Option<&RestorePoint> {
        self.inventory.manual().find(|point| matches!(self.owner(point), Owner::Stray(_)))
    }

    /// Why nothing at all may be deleted here now.
    #[must_use]
    pub fn server_wide(&self) -> Option<Guard> {
        if let Some(doubt) = self.inventory.doubt() {
            return Some(Guard::Doubt(doubt));
        }
        if let Some(reason) = &self.memory.server_hold {
            return Some(Guard::ServerHeld(reason.clone()));
        }
        if let Some(stray) = self.stray() {
            return Some(Guard::SecondLastgood(stray.id.clone()));
        }
        if let Some(brake) = stops_all(self) {
            return Some(Guard::Brake(brake.to_string()));
        }
        (self.policy.prune == Prune::None).then_some(Guard::PruneNone)
    }

    /// Why this one point may not be deleted now, apart from how many would be left.
    #[must_use]
    pub fn refuses(&self, point: &RestorePoint) -> Option<Guard> {
        if let Some(guard) = self.not_ours_to_delete(point) {
            return Some(guard);
        }
        if matches!(point.status, PointStatus::InProgress | PointStatus::Other(_)) {
            return Some(Guard::InProgress(point.status.to_string()));
        }
        if let Some(reason) = self.memory.holds.get(&point.id) {
            return Some(Guard::Held(reason.clone()));
        }
        if self.memory.deleting.contains(&point.id) {
            return Some(Guard::Deleting);
        }
        self.server_wide()
    }

    /// Why the delete of a completed point would leave too little, when `gone` are already taken as deleted.
    #[must_use]
    pub fn leaves_too_little(&self, point: &RestorePoint, gone: &[Id]) -> Option<Guard> {
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

    /// The last word before a delete is sent: the planned point against a fresh inventory.
    ///
    /// # Errors
    /// The guard that refuses.
    pub fn permits(&self, id: &Id, created_at: Timestamp, gone: &[Id]) -> Result<(), Guard> {
        let same = self.inventory.find(id).filter(|point| point.created_at == created_at);
        let Some(point) = same else { return Err(Guard::NotTheSame) };
        self.refuses(point).or_else(|| self.leaves_too_little(point, gone)).map_or(Ok(()), Err)
    }
}

/// The slots of a server and kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// How many the provider gives.
    pub limit: u32,
    /// How many are taken: listed ones, and those that no list shows yet.
    pub used: u32,
    /// Of the used ones, those that carry our mark or are in our journal.
    pub own: u32,
    /// Of the used ones, all others.
    pub foreign: u32,
    /// Of the listed ones, those on hold.
    pub held: u32,
}

impl Slots {
    /// Counts the slots of an inventory.
    #[must_use]
    pub fn count(limit: u32, instance: &str, inventory: &Inventory, memory: &Memory) -> Self {
        let mut slots = Self { limit, ..Self::default() };
        for point in inventory.manual() {
            slots.used += 1;
            if owner(point, instance, memory).is_own() {
                slots.own += 1
            } else {
                slots.foreign += 1
            }
            slots.held += u32::from(memory.holds.contains_key(&point.id));
        }
        let listed =
            |unlisted: &crate::policy::memory::Unlisted| inventory.manual().any(|point| shows(point, unlisted));
        let hidden = memory.unlisted.iter().filter(|unlisted| !listed(unlisted)).count();
        let hidden = u32::try_from(hidden).unwrap_or(u32::MAX);
        slots.used += hidden;
        slots.own += hidden;
        slots
    }

    /// The slots when one of these points is gone.
    #[must_use]
    pub const fn without(self, own: bool) -> Self {
        let (used, less) = (self.used.saturating_sub(1), if own { (1, 0) } else { (0, 1) });
        Self { used, own: self.own.saturating_sub(less.0), foreign: self.foreign.saturating_sub(less.1), ..self }
    }

    /// How many more of our points fit: free slots, less those that `reserve` leaves to people and they do not use.
    #[must_use]
    pub fn room(self, reserve: u32) -> u32 {
        let free = self.limit.saturating_sub(self.used);
        free.saturating_sub(reserve.saturating_sub(self.foreign))
    }
}

/// Whether a listed point is the one that we miss.
fn shows(point: &RestorePoint, unlisted: &crate::policy::memory::Unlisted) -> bool {
    if unlisted.id.as_ref() == Some(&point.id) {
        return true;
    }
    crate::policy::mark::tokens_of(point.name.as_deref(), &point.description).any(|token| token == unlisted.token)
}

/// The names or descriptions of the foreign points, for the person who must make room.
#[must_use]
pub fn names_of_foreign(ground: &Ground<'_>) -> Vec<String> {
    let foreign = ground.inventory.manual().filter(|point| !ground.owner(point).is_own());
    foreign.map(|point| describe(point, ground.inventory.kind)).collect()
}

/// A point in a few words: its name, else its description, and its id.
#[must_use]
pub fn describe(point: &RestorePoint, kind: Kind) -> String {
    let words = point.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&point.description);
    if words.is_empty() { format!("{kind} {}", point.id) } else { format!("\"{words}\" ({kind} {})", point.id) }
}
