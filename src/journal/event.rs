//! The events of a run, as they are stored. Their JSON outlives versions: fields are added, never renamed.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::guard::Guard;
use crate::policy::inventory::{Kind, PointId, ServerRef};
use crate::policy::mark::Mark;
use crate::policy::name::PolicyName;
use crate::policy::plan::Plan;
use crate::policy::policy::Policy;

pub(crate) use crate::policy::permit::DeleteReason;

/// The server, policy and due time of a run.
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

/// The policy settings an attempt runs under, stored with it so that a reload cannot change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Stop the server while the point is being created.
    pub stop_server: bool,
    /// Seconds after which a point in progress is stuck.
    pub stuck_after_seconds: u64,
    /// How often a failed run is retried.
    pub retries: u32,
    /// Seconds between the attempts.
    pub retry_after_seconds: u64,
}

impl Terms {
    /// The settings of this policy.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        Self {
            stop_server: policy.stop_server,
            // Less than a second is none at all.
            stuck_after_seconds: policy.stuck_after.as_secs().max(1),
            retries: policy.retries,
            retry_after_seconds: policy.retry_after.as_secs(),
        }
    }
}

/// One entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An attempt begins.
    Began {
        /// 1 for the first.
        attempt: u32,
        /// The policy settings it runs under.
        terms: Terms,
    },
    /// The attempt has its plan, which may be a refusal.
    Planned {
        /// The plan.
        plan: Box<Plan>,
    },
    /// Which point makes room depends on the bucket that the new one falls into: the run waits, once, until this moment
    /// of the provider's time, then plans.
    Postponed {
        /// When the bucket ends.
        until: Timestamp,
    },
    /// The server was found stopped, so the run neither stops nor starts it.
    FoundStopped,
    /// The server was found stopped and is still owed a start: it counts as stopped by this run.
    FoundOwed,
    /// The run no longer waits for the server that it must start: the start remains owed, or a person released it.
    StartLeft,
    /// A call is about to be sent. Written before it.
    Intended {
        /// Numbered from 1 within the run.
        step: u32,
        /// What it requests.
        act: Act,
    },
    /// How a call was answered. Written after it.
    Answered {
        /// The step.
        step: u32,
        /// The answer.
        answer: Answer,
    },
    /// What the provider's lists showed about a call whose answer was lost.
    Settled {
        /// The step.
        step: u32,
        /// What is known now.
        found: Found,
    },
    /// Something that the run waited for was seen.
    Seen(Sight),
    /// A planned delete is not sent.
    Spared {
        /// The point.
        id: PointId,
        /// The guard that refused it.
        guard: Guard,
        /// It was an eviction: the run plans again without it.
        #[serde(default)]
        replan: bool,
    },
    /// The attempt failed.
    Failed(Failure),
    /// The run is retried at this time.
    Retrying {
        /// When.
        at: Timestamp,
    },
    /// The run is over.
    Ended {
        /// How it ended.
        outcome: Outcome,
        /// Why it did not succeed.
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
        id: PointId,
        /// When it was begun: `id` and this together identify the point.
        created_at: Timestamp,
        /// Why.
        cause: DeleteReason,
    },
    /// Create a restore point with this mark.
    Create {
        /// The mark in its text.
        mark: Mark,
        /// The points that were listed just before, to tell new points from old ones.
        listed: Vec<PointId>,
    },
}

impl Act {
    /// Why it deletes a restore point, if it does.
    #[must_use]
    pub(crate) const fn delete_reason(&self) -> Option<DeleteReason> {
        match self {
            Self::Delete { cause, .. } => Some(*cause),
            _ => None,
        }
    }

    /// Whether it creates a restore point.
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

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The provider accepted it; for a create, with the new point's id.
    Accepted {
        /// The new point.
        id: Option<PointId>,
    },
    /// The point no longer exists (404 to a delete).
    AlreadyGone,
    /// It was certainly not carried out.
    Refused {
        /// What the provider, or the connection, said.
        error: String,
        /// Whether trying again is pointless.
        last: bool,
    },
    /// It may have been carried out.
    Unknown {
        /// What the connection said.
        error: String,
    },
}

/// What the provider's lists show about a call whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It was carried out.
    Done {
        /// For a create, the adopted point.
        id: Option<PointId>,
    },
    /// It was not carried out.
    NotDone,
    /// Nothing proves either.
    Undecided {
        /// What a person has to check.
        why: String,
    },
}

/// Something that a run waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// The evicted point is no longer listed, or the new one vanished while it was awaited.
    Gone(PointId),
    /// The server is stopped.
    ServerStopped,
    /// The server that we stopped runs again.
    ServerRunning,
    /// The server that we stopped is no longer in the account, so there is nothing to start.
    ServerGone,
    /// The new point is completed.
    Completed {
        /// When the provider began it.
        created_at: Timestamp,
        /// Its size in MB.
        size_mb: Option<u64>,
        /// How long after its request a look last showed it in progress, in milliseconds; `None` if none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_progress_ms: Option<u64>,
    },
    /// The new point has failed.
    PointFailed {
        /// When the provider began it.
        created_at: Timestamp,
    },
    /// A second point of the same create: the younger of the two.
    Duplicate {
        /// The younger one, which is deleted later.
        id: PointId,
        /// When the provider began it.
        created_at: Timestamp,
        /// The older one, which is adopted.
        adopted: PointId,
    },
}

impl Sight {
    /// The same, with how long after its request a look last showed the point in progress.
    #[must_use]
    pub(crate) fn after(self, in_progress_for: Option<Duration>) -> Self {
        match self {
            Self::Completed { created_at, size_mb, .. } => {
                let milliseconds = in_progress_for.and_then(|time| u64::try_from(time.as_millis()).ok());
                Self::Completed { created_at, size_mb, in_progress_ms: milliseconds }
            }
            other => other,
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In plain words, with the provider's own if there are any.
    pub error: String,
    /// Whether the run is not retried.
    pub last: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The point is completed and the plan carried out.
    Succeeded,
    /// It did not succeed, and `error` says why.
    Failed,
    /// There was nothing to do at this due time.
    Skipped,
    /// Whether a point was created cannot be determined: a person has to check.
    Unknown,
}

impl Outcome {
    /// Whether a run that ended so is reported: nothing is wrong with one that was skipped.
    #[must_use]
    pub const fn is_reported(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Unknown => true,
            Self::Skipped => false,
        }
    }

    /// The word in the state and in every output.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
