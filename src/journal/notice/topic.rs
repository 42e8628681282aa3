//! How notices are sorted: by class (which reports carry them) and by topic (which incident they belong to). The words
//! of both are stored in the database and shown by `status`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which reports carry a notice: the words of `on` in the policy file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Something did not happen, or a person must check.
    Failure,
    /// A policy has no recent good restore point.
    Stale,
    /// An incident is over.
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

    /// The word under which it is stored that a report has dealt with a notice of this class. One that it skipped in silence
    /// does not count as reported.
    #[must_use]
    pub const fn reported_word(self, is_sent: bool) -> &'static str {
        if is_sent { self.word() } else { "silent" }
    }

    /// Whether a notice of this class opens an incident, or continues the open one.
    #[must_use]
    pub const fn opens_incident(self) -> bool {
        matches!(self, Self::Failure | Self::Stale)
    }
}

/// What a notice is about. At most one incident is open for each server, policy and topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A run failed, or its outcome is unknown.
    Run,
    /// The last good point is older than `max_age`.
    Stale,
    /// Due times passed without a run.
    Missed,
    /// A server of the file is gone.
    ServerGone,
    /// A server that we stopped does not run.
    ServerStopped,
    /// This journal is new and found points of ours.
    NewJournal,
    /// A second lastgood works on the same servers.
    SecondLastgood,
    /// Something looks wrong: deletes wait for a person.
    Brake,
    /// More to delete than one run may, a stuck point, a point dated in the future, and so on.
    Attention,
    /// The clock was set back: a last handled due time was corrected.
    Clock,
    /// A reload was refused.
    Reload,
    /// The counts of the policies no longer fit a server's slots.
    Overfilled,
}

impl Topic {
    /// The topic of the incident that it belongs to: a failing policy that becomes stale is the same incident.
    #[must_use]
    pub const fn of_incident(self) -> Self {
        match self {
            Self::Stale => Self::Run,
            other => other,
        }
    }

    /// Every topic.
    pub(crate) const ALL: [Self; 12] = [
        Self::Run,
        Self::Stale,
        Self::Missed,
        Self::ServerGone,
        Self::ServerStopped,
        Self::NewJournal,
        Self::SecondLastgood,
        Self::Brake,
        Self::Attention,
        Self::Clock,
        Self::Reload,
        Self::Overfilled,
    ];
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
