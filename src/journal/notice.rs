//! What people must be told, as data: events wait in the store until a mail has told them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Id, Kind, ServerRef};

/// For whom a notice is: the words of `on` in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Something did not happen, or a person must look.
    Failure,
    /// A policy has no good restore point of late.
    Stale,
    /// It is well again.
    Recovery,
    /// A run succeeded.
    Success,
}

impl Class {
    /// The word of the policy file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Stale => "stale",
            Self::Recovery => "recovery",
            Self::Success => "success",
        }
    }
}

/// What the matter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A run failed, or its outcome cannot be told.
    Run,
    /// The last good point is older than `max_age`.
    Stale,
    /// Due times were passed over.
    Missed,
    /// A server of the file is gone.
    ServerGone,
    /// A server that we stopped does not run.
    ServerStopped,
    /// This journal is new and found points of ours.
    NewJournal,
    /// A second lastgood is at work.
    SecondLastgood,
    /// Something looks wrong: deletes wait for a person.
    Brake,
    /// More to delete than one run may, a stuck point, a point from the future and the like.
    Attention,
    /// The clock was set back: a last handled due time was put right.
    Clock,
    /// A reload was refused.
    Reload,
    /// The counts of the policies no longer fit a server's slots.
    Overfilled,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Stale => "stale",
            Self::Missed => "missed",
            Self::ServerGone => "server_gone",
            Self::ServerStopped => "server_stopped",
            Self::NewJournal => "new_journal",
            Self::SecondLastgood => "second_lastgood",
            Self::Brake => "brake",
            Self::Attention => "attention",
            Self::Clock => "clock",
            Self::Reload => "reload",
            Self::Overfilled => "overfilled",
        })
    }
}

/// The last good restore point of a policy on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// The provider's key.
    pub id: Id,
    /// When the provider began it.
    pub created_at: Timestamp,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which reports hear of it.
    pub class: Class,
    /// What the matter is.
    pub topic: Topic,
    /// The server, where there is one.
    pub server: Option<ServerRef>,
    /// The policy, where there is one.
    pub policy: Option<String>,
    /// The kind of restore point.
    pub kind: Option<Kind>,
    /// What happened, in one sentence, the provider's own words among them.
    pub text: String,
    /// The last good restore point then.
    pub last_good: Option<Good>,
    /// What happens next and when.
    pub next: Option<Timestamp>,
    /// For a recovery: when the trouble began.
    pub since: Option<Timestamp>,
    /// For a recovery: the due times that were lost.
    pub lost: Vec<Timestamp>,
    /// The point that the run made.
    #[serde(default)]
    pub made: Option<Id>,
    /// What the run deleted.
    #[serde(default)]
    pub deleted: Vec<Id>,
    /// For a success: the size of the new point in MB.
    #[serde(default)]
    pub size_mb: Option<u64>,
    /// The reports of the policy; empty: every report with `on`.
    pub reports: Vec<String>,
}

impl Notice {
    /// What happened, and nothing besides.
    #[must_use]
    pub const fn new(class: Class, topic: Topic, text: String) -> Self {
        Self {
            class,
            topic,
            server: None,
            policy: None,
            kind: None,
            text,
            last_good: None,
            next: None,
            since: None,
            lost: Vec::new(),
            made: None,
            deleted: Vec::new(),
            size_mb: None,
            reports: Vec::new(),
        }
    }
}
