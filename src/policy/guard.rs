//! The guards, as data: the safety rules that refuse a delete, each with its reason and wording.
//!
//! `evidence`, `delete_guards` and `permit` apply them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::inventory::PointId;
use crate::policy::name::PolicyName;

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
    OtherPolicy(PolicyName),
    /// It carries our mark, but this journal has no record of it.
    Stray,
    /// The provider's plan created it.
    Automatic,
    /// It is still being created.
    InProgress(String),
    /// A person holds it.
    Held(String),
    /// A person holds the whole server.
    ServerHeld(String),
    /// Its name or description matches this pattern of `protect`.
    Protected(String),
    /// It is dated in the future.
    Future,
    /// Its delete was accepted, but it is still listed.
    Deleting,
    /// No completed manual point of the server and kind is newer.
    NewestOfServer,
    /// No completed point of the policy is newer.
    NewestOfPolicy,
    /// The policy would be left with fewer completed points than `min_keep`.
    MinKeep(u32),
    /// The policy says `prune = "none"`.
    PruneNone,
    /// The run has just created it.
    JustMade,
    /// A point on this server carries our mark, but this journal has no record of it.
    SecondLastgood(PointId),
    /// A brake is in force.
    Brake(String),
    /// The run has reached `max_deletes`.
    MaxDeletes(u32),
    /// The list is doubtful.
    Doubt(String),
    /// The list shows a different point with this id, or none.
    NotTheSame,
    /// A slot is free now, so no room has to be made.
    NotNeeded,
    /// The plan would delete it, but with what is known now it is kept, by retention or by the file in force.
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
            Self::Stray => f.write_str("it carries our mark, but this journal has no record of it"),
            Self::Automatic => f.write_str("automatic: created by the provider's plan"),
            Self::InProgress(word) => write!(f, "it is still being created ({word})"),
            Self::Held(reason) => write!(f, "on hold: {reason}"),
            Self::ServerHeld(reason) => write!(f, "the server is on hold: {reason}"),
            Self::Protected(pattern) => write!(f, "protected by \"{pattern}\""),
            Self::Future => f.write_str("dated in the future: kept and not counted"),
            Self::Deleting => f.write_str("its delete was accepted, but the provider still lists it"),
            Self::NewestOfServer => f.write_str("the newest completed point of the server"),
            Self::NewestOfPolicy => f.write_str("the newest completed point of the policy"),
            Self::MinKeep(count) => write!(f, "min_keep = {count}"),
            Self::PruneNone => f.write_str("prune = \"none\""),
            Self::JustMade => f.write_str("the run has just created it"),
            Self::SecondLastgood(id) => write!(
                f,
                "point {id} carries our mark, but this journal has no record of it: deletes on this server are stopped"
            ),
            Self::Brake(text) => write!(f, "brake: {text}"),
            Self::MaxDeletes(count) => write!(f, "brake: no more than {count} deletes in one run"),
            Self::Doubt(why) => write!(f, "the list is doubtful: {why}"),
            Self::NotTheSame => f.write_str("the list no longer shows this exact point"),
            Self::NotNeeded => f.write_str("a slot is free now, so no room has to be made"),
            Self::KeptNow(why) => write!(f, "the plan would delete it; checked again, it is kept: {why}"),
            Self::NotInForce => f.write_str("the policy is no longer in the file"),
        }
    }
}
