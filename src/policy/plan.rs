//! The plan of a run, as data: ordered actions, and for every restore point a decision with its reasons.
//!
//! `plan`, `run --dry-run` and `run` use the same value; `run` performs it and never re-decides. A delete that comes
//! before the create is an eviction: it happens only when no slot is free, and only to what retention, the new point
//! counted, would drop anyway.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::brake::Brake;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Kind, PointStatus, ServerRef};
use crate::policy::policy::PolicyName;
use crate::policy::retention::KeepReason;
use crate::policy::slot_blocker::SlotBlocker;
use crate::policy::slots::Slots;

/// What a run intends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When it was made.
    pub at: Timestamp,
    /// For which server.
    pub server: ServerRef,
    /// By which policy.
    pub policy: PolicyName,
    /// Of which kind.
    pub kind: Kind,
    /// The slots as they were.
    pub slots: Slots,
    /// What to do, in order. Empty when refused.
    pub actions: Vec<Action>,
    /// A decision for every restore point of the inventory, newest first.
    pub points: Vec<Decision>,
    /// Why nothing is done.
    pub refused: Option<PlanRefusal>,
    /// What else is reported to people.
    pub notes: Vec<Note>,
    /// What looks wrong, so that deletes wait for a person.
    #[serde(default)]
    pub brakes: Vec<Brake>,
    /// The most deletes of the whole run.
    pub max_deletes: u32,
    /// Nothing is done before this moment of the provider's time, when a bucket ends: which point makes room depends on
    /// the bucket that the new one falls into.
    #[serde(default)]
    pub wait_until: Option<Timestamp>,
}

impl Plan {
    /// The points that the policy gives up beside what is held and protected, with the reason.
    pub fn given_up(&self) -> impl Iterator<Item = (&Id, &Reason)> {
        let reasons = self.points.iter().flat_map(|point| point.why.iter().map(move |why| (&point.id, why)));
        reasons.filter(|(_, why)| matches!(why, Reason::GivenUp { .. }))
    }

    /// The deletes that come before the create.
    pub fn evictions(&self) -> impl Iterator<Item = &Delete> {
        self.actions.iter().map_while(Action::as_delete)
    }

    /// The deletes that come after the new point is completed.
    pub fn prunes(&self) -> impl Iterator<Item = &Delete> {
        self.actions.iter().skip_while(|action| action.as_delete().is_some()).filter_map(Action::as_delete)
    }
}

/// One action of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Delete a restore point.
    Delete(Delete),
    /// Make the new one.
    Create(Reason),
}

impl Action {
    /// The delete, if it is one.
    #[must_use]
    pub const fn as_delete(&self) -> Option<&Delete> {
        match self {
            Self::Delete(delete) => Some(delete),
            Self::Create(_) => None,
        }
    }
}

/// A restore point to delete. Its time is part of it, so that a later point with the same id is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// The provider's key.
    pub id: Id,
    /// When the provider began the point.
    pub created_at: Timestamp,
    /// Whether it was completed, so that its delete counts as one of a good point.
    pub completed: bool,
    /// Why.
    pub why: Reason,
}

/// Why something is done or left undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// What retention says.
    Retention(KeepReason),
    /// A guard refuses the delete.
    Guard(Guard),
    /// It failed, so it is worth nothing.
    Failed,
    /// No slot is free, and retention would drop it anyway.
    Eviction,
    /// The rules keep it, but the slots do not suffice beside what holds and `protect` keep of the policy.
    GivenUp {
        /// What they keep.
        beside: Vec<Id>,
    },
    /// The policy asks for a new point, which leaves this many free slots.
    New {
        /// Free slots after it.
        free: u32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retention(reason) => reason.fmt(f),
            Self::Guard(guard) => guard.fmt(f),
            Self::Failed => f.write_str("it failed, so it is worth nothing"),
            Self::Eviction => f.write_str("no slot is free: evicted, as retention drops it anyway"),
            Self::GivenUp { beside } => {
                let beside: Vec<String> = beside.iter().map(ToString::to_string).collect();
                let beside = beside.join(", ");
                write!(f, "given up: the slots do not suffice beside {beside}, kept by a hold or `protect`")
            }
            Self::New { free: 1 } => f.write_str("the policy asks for a new one; it leaves 1 free slot"),
            Self::New { free } => write!(f, "the policy asks for a new one; it leaves {free} free slots"),
        }
    }
}

/// What happens to one restore point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The provider's key.
    pub id: Id,
    /// How far it has come.
    pub status: PointStatus,
    /// When the provider began it.
    pub created_at: Timestamp,
    /// Whether it is ours.
    pub own: bool,
    /// Whether it stays.
    pub keep: bool,
    /// Why.
    pub why: Vec<Reason>,
}

/// Why a run makes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanRefusal {
    /// Every slot is taken and none may be emptied.
    NoRoom {
        /// The slots.
        slots: Slots,
        /// Backup or snapshot.
        kind: Kind,
        /// What `reserve` leaves to people.
        reserve: u32,
        /// The foreign points in the way.
        foreign: Vec<String>,
        /// Why none of our own may go.
        because: Option<String>,
        /// The holds, and what `protect` keeps, by which no room is left.
        #[serde(default)]
        in_the_way: Vec<SlotBlocker>,
    },
    /// No slot is free, and the new point would only replace the newest one of its policy. That gains nothing, and nothing
    /// is wrong.
    OnlyTheNewest {
        /// The slots.
        slots: Slots,
        /// Backup or snapshot.
        kind: Kind,
        /// The newest point of the policy.
        id: Id,
    },
    /// The list does not prove enough.
    Doubt(String),
}

impl fmt::Display for PlanRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyTheNewest { slots, kind, id } => write!(
                f,
                "no slot is free ({} of {} used), and a new {kind} would only replace the newest one, {id}: nothing is \
                 made or deleted; keep one less, or make them less often",
                slots.used, slots.limit
            ),
            Self::NoRoom { slots, kind, reserve, foreign, because, in_the_way } => {
                let own = if slots.own > 0 { format!("{} own, ", slots.own) } else { String::new() };
                write!(f, "{kind} limit reached ({own}{} foreign)", slots.foreign)?;
                write!(f, "; {} of {} slots used", slots.used, slots.limit)?;
                if *reserve > 0 {
                    write!(f, ", {reserve} left to people by reserve")?;
                }
                if let Some(because) = because {
                    write!(f, "; {because}")?;
                }
                if !foreign.is_empty() {
                    write!(f, "; foreign: {}", foreign.join(", "))?;
                }
                for way in in_the_way {
                    write!(f, "; {}", way.explanation(*kind))?;
                }
                // As long as the whole server is held, nothing else helps.
                if matches!(in_the_way.as_slice(), [SlotBlocker::Server { .. }]) {
                    return Ok(());
                }
                write!(f, "; delete a {kind} that is not needed")?;
                // Where all are people's, to keep fewer makes no room.
                if slots.own > 0 { write!(f, ", or lower what the policy keeps") } else { Ok(()) }
            }
            Self::Doubt(why) => write!(f, "the provider's list is in doubt, so nothing is made or deleted: {why}"),
        }
    }
}

/// Something that is reported to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A point is dated in the future.
    Future(Id),
    /// A point carries our mark, but this journal knows nothing of it.
    Stray(Id),
    /// `max_deletes` keeps points that retention would drop.
    Braked {
        /// How many.
        left: u32,
        /// The most deletes of one run.
        max_deletes: u32,
    },
    /// A point of ours is still in progress after `stuck_after`.
    Stuck(Id),
    /// This journal is new and found points of ours.
    NewJournal(u32),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Future(id) => write!(f, "point {id} is dated in the future: it is kept and not counted"),
            Self::Stray(id) => write!(
                f,
                "point {id} carries our mark, but this journal knows nothing of it: is a second lastgood at work with \
                 the same provider.instance? Deletes on this server are stopped; if none is at work (the first list may \
                 have been short of the point), `lastgood accept` takes it as ours"
            ),
            Self::Braked { left, max_deletes } => {
                write!(f, "{left} more would go, but a run deletes no more than {max_deletes} (max_deletes)")
            }
            Self::Stuck(id) => write!(f, "point {id} is stuck: still in progress after stuck_after"),
            Self::NewJournal(count) => {
                write!(f, "the journal is new and found points with our mark ({count}): holds are gone, set them again")
            }
        }
    }
}
