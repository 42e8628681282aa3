//! What is reported about a run: that it failed, or that it created its point.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::event::{Act, DeleteReason};
use crate::journal::state::{RunState, StepState};
use crate::policy::inventory::PointId;
use crate::policy::plan::Reason;

/// The last good restore point of a policy on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// The provider's key.
    pub id: PointId,
    /// When the provider began it.
    pub created_at: Timestamp,
}

/// A run that ended without a good point, or could not continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    /// The run's number in the journal; unknown in notices of earlier versions.
    pub run: Option<i64>,
    /// Its due time; `None` for a run by hand.
    pub due: Option<Timestamp>,
    /// How often it was tried, where that is known.
    pub tries: Option<Tries>,
    /// What went wrong.
    pub problem: RunProblem,
    /// The last good point at that time.
    pub last_good: Option<Good>,
    /// The policy's next due time.
    pub next: Option<Timestamp>,
    /// The point that it requested.
    pub made: Option<PointId>,
    /// The points that it deleted.
    pub deleted: Vec<DeletedPoint>,
}

/// How often a run was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// The attempts that it made.
    pub made: u32,
    /// The attempts that its policy allows.
    pub allowed: u32,
}

/// What went wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunProblem {
    /// It failed.
    Failed {
        /// Why; in the provider's own words if it was the provider.
        error: String,
    },
    /// Whether its point was made is unknown: a person must look.
    Unknown {
        /// Why.
        error: String,
    },
    /// A bug in lastgood interrupted it; it is resumed after a pause.
    CutOff {
        /// What the bug said.
        error: String,
    },
    /// Its journal cannot be read, so the run was set aside.
    Unreadable {
        /// Why.
        error: String,
    },
}

/// A run that made its point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SucceededRun {
    /// The run's number in the journal; unknown in notices of earlier versions.
    pub run: Option<i64>,
    /// Its due time; `None` for a run by hand.
    pub due: Option<Timestamp>,
    /// The point that it made.
    pub made: Option<PointId>,
    /// Its size in MB, where known.
    pub size_mb: Option<u64>,
    /// The last good point now; usually the same.
    pub last_good: Option<Good>,
    /// The policy's next due time.
    pub next: Option<Timestamp>,
    /// The points that it deleted.
    pub deleted: Vec<DeletedPoint>,
    /// Whether the server was started before the point was seen completed.
    pub started_early: bool,
    /// Those of the deleted points that the rules would have kept.
    pub given_up: Vec<GivenUp>,
}

/// A point that a run deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedPoint {
    /// The point.
    pub id: PointId,
    /// What it was deleted for; unknown in notices of earlier versions.
    pub cause: Option<DeleteReason>,
}

impl DeletedPoint {
    /// The points whose delete the provider has accepted, in order.
    #[must_use]
    pub fn all_of(run: &RunState) -> Vec<Self> {
        let done = run.steps.iter().filter(|step| step.state == StepState::Done);
        let deleted = done.filter_map(|step| match &step.act {
            Act::Delete { id, cause, .. } => Some(Self { id: id.clone(), cause: Some(*cause) }),
            _ => None,
        });
        deleted.collect()
    }
}

/// A point that was deleted although the rules keep it, because holds or `protect` left no other room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The point.
    pub id: PointId,
    /// Why.
    pub why: Reason,
}
