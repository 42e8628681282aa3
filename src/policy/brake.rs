//! Brakes, as data. A brake stops deletes because something looks wrong, until a person has checked and run
//! `lastgood accept`. `observed_brakes` and `detect` set them, `brakes_in_force` releases them.

use crate::policy::name::PolicyName;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Kind, PointId, RestorePoint};
use crate::policy::policy::Policy;

/// What looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrakeCause {
    /// The list is much shorter than the last one, and we did not delete what is missing.
    Shorter,
    /// Completed points of ours are gone, and we did not delete them.
    Gone,
    /// The newest point is completed, but empty or far smaller than the ones before it.
    Small,
    /// The provider's time and ours are far apart.
    Clock,
    /// The policy file was changed and would drop points that were kept before.
    Retention,
    /// A point carries our mark, but this journal has no record of it.
    SecondLastgood,
}

impl BrakeCause {
    /// The name used in JSON and in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shorter => "shorter",
            Self::Gone => "gone",
            Self::Small => "small",
            Self::Clock => "clock",
            Self::Retention => "retention",
            Self::SecondLastgood => "second_lastgood",
        }
    }
}

/// Identifies a point. Includes its time, because the provider may give the id to a later point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointIdentity {
    /// The provider's key.
    pub id: PointId,
    /// When the provider began it.
    pub created_at: Timestamp,
}

impl PointIdentity {
    /// The identity of this point.
    #[must_use]
    pub(super) fn of(point: &RestorePoint) -> Self {
        Self { id: point.id.clone(), created_at: point.created_at }
    }

    /// Whether this is the same point.
    #[must_use]
    pub(super) fn is(&self, point: &RestorePoint) -> bool {
        point.id == self.id && point.created_at == self.created_at
    }
}

/// A brake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// What looks wrong.
    pub cause: BrakeCause,
    /// The policy whose deletes stop; `None` stops those of every policy of this server and kind.
    pub policy: Option<PolicyName>,
    /// What is wrong, in one sentence.
    pub text: String,
    /// The points it is about.
    pub points: Vec<PointIdentity>,
}

impl Brake {
    /// Whether both have the same cause and stop the same policy.
    #[must_use]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.cause == other.cause && self.policy == other.policy
    }

    /// Whether it stops deletes by this policy.
    #[must_use]
    pub(super) fn concerns(&self, policy: &Policy) -> bool {
        self.policy.as_ref().is_none_or(|name| policy.answers_to(name))
    }

    /// Adds the points that are not yet in it.
    pub(super) fn widen(&mut self, points: &[PointIdentity]) {
        let more: Vec<PointIdentity> = points.iter().filter(|about| !self.points.contains(about)).cloned().collect();
        self.points.extend(more);
    }
}

impl fmt::Display for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A brake as stored in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBrake {
    /// Its number.
    pub number: i64,
    /// The kind of restore point.
    pub kind: Kind,
    /// The brake.
    pub brake: Brake,
    /// Whether a person has accepted it. It stays stored until its condition is over.
    pub accepted: bool,
}

/// A point in the last list that we did not intend to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastListed {
    /// The point.
    pub about: PointIdentity,
    /// Whether it was completed and ours.
    pub good: bool,
}

/// The brakes of a policy on a server, from an inventory and the stored brakes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetectedBrakes {
    /// The brakes in force for this policy now.
    pub in_force: Vec<Brake>,
    /// Those of them that are not stored yet, or are stored with fewer points.
    pub new: Vec<Brake>,
    /// The numbers of the stored brakes that are over.
    pub over: Vec<i64>,
}

impl DetectedBrakes {
    /// The brake that stops every delete, including evictions.
    #[must_use]
    pub fn stops_all(&self) -> Option<&Brake> {
        self.in_force.iter().find(|brake| brake.cause != BrakeCause::Retention)
    }

    /// The brake that stops deletes by retention; evictions may still make room.
    #[must_use]
    pub fn stops_retention(&self) -> Option<&Brake> {
        self.in_force.iter().find(|brake| brake.cause == BrakeCause::Retention)
    }
}
