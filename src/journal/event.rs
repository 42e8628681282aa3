//! The events of a run, as they are stored. Their JSON outlives versions: fields are added, never renamed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::policy::mark::Mark;
use crate::policy::plan::Plan;
use crate::policy::policy::PolicyName;

pub use crate::policy::permit::DeleteReason;

/// What a run is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// The kind of restore point.
    pub kind: Kind,
    /// The due time; `None` for a run by hand.
    pub due: Option<Timestamp>,
}

/// What of the policy the run needs to its end, kept with the plan so that a reload cannot change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Stop the server for the time of the making.
    pub stop_server: bool,
    /// Seconds after which a point in progress is stuck.
    pub stuck_after_seconds: u64,
    /// How often a failed run is tried again.
    pub retries: u32,
    /// Seconds between the tries.
    pub retry_after_seconds: u64,
}

/// One entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An attempt begins.
    Began {
        /// 1 for the first.
        attempt: u32,
        /// What of the policy holds for it.
        terms: Terms,
    },
    /// The attempt has its plan, a refused one perhaps.
    Planned {
        /// The plan.
        plan: Box<Plan>,
    },
    /// Which point makes room depends on the bucket that the new one falls into: the run waits, once, until this moment
    /// of the provider's time, and plans then.
    Postponed {
        /// When the bucket ends.
        until: Timestamp,
    },
    /// The server was found not running, so it is neither stopped nor started.
    FoundStopped,
    /// The server was found stopped, and a start is still owed to it: it counts as stopped by this run.
    FoundOwed,
    /// The run waits no longer for the server that it is to start: the start stays owed, or was released by a person.
    StartLeft,
    /// A call is about to be sent. Written before it.
    Intended {
        /// Counts from 1 within the run.
        step: u32,
        /// What is asked for.
        act: Act,
    },
    /// What came of a call. Written after it.
    Answered {
        /// The step.
        step: u32,
        /// The answer.
        answer: Answer,
    },
    /// What the list showed of a call whose answer was lost.
    Settled {
        /// The step.
        step: u32,
        /// What is known now.
        found: Found,
    },
    /// Something awaited was seen.
    Seen(Sight),
    /// A planned delete is not sent after all.
    Spared {
        /// The point.
        id: Id,
        /// The guard that refused it.
        guard: Guard,
        /// It was to make room: the run plans again without it.
        #[serde(default)]
        replan: bool,
    },
    /// The attempt failed.
    Failed(Failure),
    /// The run is tried again from this moment on.
    Retrying {
        /// When.
        at: Timestamp,
    },
    /// The run is over.
    Ended {
        /// How.
        outcome: Outcome,
        /// Why not better.
        error: Option<String>,
    },
}

/// A call that changes something at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Stop the server.
    StopServer,
    /// Start the server that we stopped.
    StartServer,
    /// Delete a restore point.
    Delete {
        /// The point.
        id: Id,
        /// When it was begun: it and `id` together are the point.
        created_at: Timestamp,
        /// What for.
        cause: DeleteReason,
    },
    /// Make a restore point with this mark.
    Create {
        /// The mark that its text carries.
        mark: Mark,
        /// The points that were listed just before, so that a new one is told from an old one.
        listed: Vec<Id>,
    },
}

impl Act {
    /// Whether it makes a restore point.
    #[must_use]
    pub const fn is_create(&self) -> bool {
        matches!(self, Self::Create { .. })
    }

    /// The word for `history`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::StopServer => "stop",
            Self::StartServer => "start",
            Self::Delete { .. } => "delete",
            Self::Create { .. } => "create",
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The provider accepted it; a create carries the new point's key.
    Accepted {
        /// The new point, where the answer named it.
        id: Option<Id>,
    },
    /// There is no such point any more (404 to a delete).
    AlreadyGone,
    /// It certainly was not carried out.
    Refused {
        /// What the provider, or the connection, said.
        error: String,
        /// Whether it makes no sense to try again.
        last: bool,
    },
    /// It may have been carried out.
    Unknown {
        /// What the connection said.
        error: String,
    },
}

/// What the list shows of a call whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It was carried out; for a create this is the point.
    Done {
        /// The adopted point.
        id: Option<Id>,
    },
    /// It was not carried out.
    NotDone,
    /// It cannot be told.
    Undecided {
        /// What a person must look at.
        why: String,
    },
}

/// Something that a run waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// The evicted point is no longer listed, or the new one vanished while it was awaited.
    Gone(Id),
    /// The server stands still.
    ServerStopped,
    /// The server that we stopped runs again.
    ServerRunning,
    /// The server that we stopped is no longer in the account, so that nothing is left to start.
    ServerGone,
    /// The new point is completed.
    Completed {
        /// When the provider began it.
        created_at: Timestamp,
        /// Its size in MB.
        size_mb: Option<u64>,
    },
    /// The new point has failed.
    PointFailed {
        /// When the provider began it.
        created_at: Timestamp,
    },
    /// A second point with the same token: the younger of the two.
    Duplicate {
        /// The point that will go.
        id: Id,
        /// When the provider began it.
        created_at: Timestamp,
        /// The older one, which is adopted.
        adopted: Id,
    },
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In plain words, the provider's own among them.
    pub error: String,
    /// Whether the run is not tried again.
    pub last: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The point is completed and the plan carried out.
    Succeeded,
    /// It is not, and `error` says why.
    Failed,
    /// The due time was passed over.
    Skipped,
    /// Whether a point was made cannot be told: a person must look.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        })
    }
}
