//! The plan of a run, as data: ordered actions, and for every restore point a decision with its reasons.
//!
//! `plan`, `run --dry-run` and `run` use the same value; `run` performs it and never decides anew. A delete before the
//! create is an eviction: planned only when no slot is free, and only for points that retention would drop anyway once
//! the new point counts.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::brake::Brake;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Kind, PointId, PointStatus, ServerRef};
use crate::policy::name::PolicyName;
use crate::policy::retention::KeepReason;
use crate::policy::slot_blocker::SlotBlocker;
use crate::policy::slots::Slots;

/// What a run is going to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When it was made.
    pub at: Timestamp,
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// The kind.
    pub kind: Kind,
    /// The slots at that time.
    pub slots: Slots,
    /// What to do, in order. Empty when refused.
    pub actions: Vec<Action>,
    /// A decision for every restore point of the inventory, newest first.
    pub points: Vec<Decision>,
    /// Why the run does nothing, if so.
    pub refused: Option<PlanRefusal>,
    /// Anything else to report.
    pub notes: Vec<Note>,
    /// The brakes in force.
    #[serde(default)]
    pub brakes: Vec<Brake>,
    /// The most deletes of the whole run.
    pub max_deletes: u32,
    /// Do nothing before this time by the provider's clock, when a bucket ends: which point makes room depends on the
    /// bucket that the new one falls into.
    #[serde(default)]
    pub wait_until: Option<Timestamp>,
}

impl Plan {
    /// The points that the policy gives up for held and protected ones, with the reason.
    pub fn given_up(&self) -> impl Iterator<Item = (&PointId, &Reason)> {
        let reasons = self.points.iter().flat_map(|point| point.why.iter().map(move |why| (&point.id, why)));
        reasons.filter(|(_, why)| matches!(why, Reason::GivenUp { .. }))
    }

    /// The deletes before the create.
    pub fn evictions(&self) -> impl Iterator<Item = &Delete> {
        self.actions.iter().map_while(Action::as_delete)
    }

    /// The deletes after the new point is completed.
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
    /// Create the new one.
    Create(Reason),
}

impl Action {
    /// The delete, if this is one.
    #[must_use]
    pub const fn as_delete(&self) -> Option<&Delete> {
        match self {
            Self::Delete(delete) => Some(delete),
            Self::Create(_) => None,
        }
    }
}

/// A restore point to delete. Includes its time, because the provider may give the id to a later point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// The provider's key.
    pub id: PointId,
    /// When the provider started creating it.
    pub created_at: Timestamp,
    /// Whether it was completed.
    pub completed: bool,
    /// Why.
    pub why: Reason,
}

/// Why a point is deleted, kept or created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The reason that retention gives.
    Retention(KeepReason),
    /// A guard refuses the delete.
    Guard(Guard),
    /// It failed, so it cannot be restored.
    Failed,
    /// No slot is free, and retention would drop it anyway.
    Eviction,
    /// The rules keep it, but there are not enough slots besides the points kept by holds and `protect`.
    GivenUp {
        /// The points kept by holds and `protect`.
        beside: Vec<PointId>,
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
            Self::Failed => f.write_str("it failed, so it cannot be restored"),
            Self::Eviction => f.write_str("no slot is free: evicted, because retention would drop it anyway"),
            Self::GivenUp { beside } => {
                let beside: Vec<String> = beside.iter().map(ToString::to_string).collect();
                let beside = beside.join(", ");
                write!(f, "given up: not enough slots besides {beside}, kept by a hold or `protect`")
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
    pub id: PointId,
    /// Its status.
    pub status: PointStatus,
    /// When the provider started creating it.
    pub created_at: Timestamp,
    /// Whether it is ours.
    pub own: bool,
    /// Whether it is kept.
    pub keep: bool,
    /// Why.
    pub why: Vec<Reason>,
}

/// Why a run creates nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanRefusal {
    /// Every slot is taken and none may be freed.
    NoRoom {
        /// The slots.
        slots: Slots,
        /// Backup or snapshot.
        kind: Kind,
        /// The slots that `reserve` keeps for people.
        reserve: u32,
        /// The foreign points that take slots.
        foreign: Vec<String>,
        /// Why none of our own may be deleted.
        because: Option<String>,
        /// The holds and `protect` patterns that keep slots taken.
        #[serde(default)]
        in_the_way: Vec<SlotBlocker>,
    },
    /// No slot is free, and the new point would only replace the newest one of its policy. There is nothing to gain,
    /// and nothing is wrong.
    OnlyTheNewest {
        /// The slots.
        slots: Slots,
        /// Backup or snapshot.
        kind: Kind,
        /// The newest point of the policy.
        id: PointId,
    },
    /// The list is doubtful.
    Doubt(String),
}

impl fmt::Display for PlanRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyTheNewest { slots, kind, id } => write!(
                f,
                "no slot is free ({} of {} used), and a new {kind} would only replace the newest one, {id}: nothing is \
                 created or deleted; keep one fewer, or create them less often",
                slots.used, slots.limit
            ),
            Self::NoRoom { slots, kind, reserve, foreign, because, in_the_way } => {
                let own = if slots.own > 0 { format!("{} own, ", slots.own) } else { String::new() };
                write!(f, "{kind} limit reached ({own}{} foreign)", slots.foreign)?;
                write!(f, "; {} of {} slots used", slots.used, slots.limit)?;
                if *reserve > 0 {
                    write!(f, ", {reserve} kept for people by reserve")?;
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
                // While the whole server is on hold, nothing else helps.
                if matches!(in_the_way.as_slice(), [SlotBlocker::Server { .. }]) {
                    return Ok(());
                }
                write!(f, "; delete a {kind} that is not needed")?;
                // If all points are foreign, keeping fewer makes no room.
                if slots.own > 0 { write!(f, ", or lower what the policy keeps") } else { Ok(()) }
            }
            Self::Doubt(why) => write!(f, "the provider's list is doubtful, so nothing is created or deleted: {why}"),
        }
    }
}

/// Something to report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A point is dated in the future.
    Future(PointId),
    /// A point carries our mark, but this journal has no record of it.
    Stray(PointId),
    /// `max_deletes` keeps points that retention would drop.
    Braked {
        /// How many.
        left: u32,
        /// The most deletes of one run.
        max_deletes: u32,
    },
    /// A point of ours is still in progress after `stuck_after`.
    Stuck(PointId),
    /// This journal is new, and there are points of ours.
    NewJournal(u32),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Future(id) => write!(f, "point {id} is dated in the future: it is kept and not counted"),
            Self::Stray(id) => write!(
                f,
                "point {id} carries our mark, but this journal has no record of it: is a second lastgood running with the \
                 same provider.instance? Deletes on this server are stopped; if there is none (the first list may have \
                 lacked the point), `lastgood accept` accepts it as ours"
            ),
            Self::Braked { left, max_deletes } => {
                write!(f, "{left} more would be deleted, but a run deletes no more than {max_deletes} (max_deletes)")
            }
            Self::Stuck(id) => write!(f, "point {id} is stuck: still in progress after stuck_after"),
            Self::NewJournal(count) => {
                write!(f, "the journal is new and found points with our mark ({count}): holds are gone, set them again")
            }
        }
    }
}
