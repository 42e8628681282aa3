//! The slots of a server and kind, and the only place where they are summed.

use std::iter::repeat_n;

use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Inventory, RestorePoint};
use crate::policy::mark::tokens_of;
use crate::policy::memory::{Memory, Unlisted};
use crate::policy::owner::owner;

/// The slots of a server and kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// How many there are.
    pub limit: u32,
    /// How many are taken, by listed points and by points that no list shows yet.
    pub used: u32,
    /// Of the used ones, those taken by points with our mark or in our journal.
    pub own: u32,
    /// Of the used ones, all others.
    pub foreign: u32,
    /// Of the used ones, those taken by listed points on hold.
    pub held: u32,
}

/// One taken slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenSlot {
    /// Whether by a point of ours.
    pub own: bool,
    /// Whether by a point on hold.
    pub held: bool,
}

impl Slots {
    /// The slots according to an inventory.
    #[must_use]
    pub fn count(limit: u32, instance: &str, inventory: &Inventory, memory: &Memory) -> Self {
        let listed = inventory.manual().map(|point| TakenSlot {
            own: owner(point, instance, memory).is_own(),
            held: memory.holds.contains_key(&point.id),
        });
        let is_listed = |unlisted: &Unlisted| inventory.manual().any(|point| shows(point, unlisted));
        let hidden = memory.unlisted.iter().filter(|unlisted| !is_listed(unlisted)).count();
        Self::sum(limit, listed.chain(repeat_n(TakenSlot { own: true, held: false }, hidden)))
    }

    /// The slots, given those that are taken.
    #[must_use]
    pub fn sum(limit: u32, taken: impl IntoIterator<Item = TakenSlot>) -> Self {
        let mut slots = Self { limit, ..Self::default() };
        for TakenSlot { own, held } in taken {
            slots.used += 1;
            if own {
                slots.own += 1;
            } else {
                slots.foreign += 1;
            }
            slots.held += u32::from(held);
        }
        slots
    }

    /// The slots once one own or foreign point is gone.
    #[must_use]
    pub const fn without(self, own: bool) -> Self {
        let (used, less) = (self.used.saturating_sub(1), if own { (1, 0) } else { (0, 1) });
        Self { used, own: self.own.saturating_sub(less.0), foreign: self.foreign.saturating_sub(less.1), ..self }
    }

    /// How many more of our points fit: the free slots, less those reserved for people that they do not use.
    #[must_use]
    pub fn room(self, reserve: u32) -> u32 {
        let free = self.limit.saturating_sub(self.used);
        free.saturating_sub(reserve.saturating_sub(self.foreign))
    }
}

/// Whether a listed point is this one, which earlier lists did not show.
fn shows(point: &RestorePoint, unlisted: &Unlisted) -> bool {
    if unlisted.id.as_ref() == Some(&point.id) {
        return true;
    }
    tokens_of(point.name.as_deref(), &point.description).any(|token| token == unlisted.token)
}
