//! What a mail tells of, as data: failures, stale policies, recoveries, successes. Nothing here is worded yet, all of
//! it can be stored as JSON with the event that it belongs to.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::report::digest::DigestFacts;
use crate::report::notice::Notice;

/// The last good restore point of a policy on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// The provider's key of it.
    pub id: Id,
    /// When the provider began it.
    pub created_at: Timestamp,
}

/// What happens after a failure without anybody's doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// The run is tried again.
    Retry {
        /// When.
        at: Timestamp,
        /// Which try that will be, the first retry being 1.
        retry: u32,
        /// How many retries there are.
        of: u32,
    },
    /// Nothing before the next due time.
    Due(Timestamp),
    /// Nothing until a person acts; what that person can do.
    Person(String),
}

/// A policy on a server that something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// The server; `None` when the matter is not about one.
    pub server: Option<ServerRef>,
    /// The policy's name; `None` when the matter is not about one.
    pub policy: Option<String>,
    /// What the policy makes.
    pub kind: Option<Kind>,
    /// When it happened.
    pub at: Timestamp,
    /// Why, in the provider's own words where they are the provider's.
    pub cause: String,
    /// What the run had done before it ended, one action each: a mail never hides a delete.
    pub done: Vec<String>,
    /// The newest completed point; `None` when there is none.
    pub last_good: Option<Good>,
    /// What happens next and when.
    pub next: Option<Next>,
    /// The command to look closer, as `lastgood history --server web-server-01`.
    pub command: String,
}

/// A policy on a server whose last good point is too old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// Where, and the last cause that is known.
    pub affected: Affected,
    /// The age that it should not pass.
    pub max_age: Duration,
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The server; `None` when the incident was not about one.
    pub server: Option<ServerRef>,
    /// The policy; `None` when the incident was not about one.
    pub policy: Option<String>,
    /// What the policy makes.
    pub kind: Option<Kind>,
    /// When the incident opened.
    pub since: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// What had been wrong.
    pub cause: String,
    /// The point that is good again.
    pub last_good: Option<Good>,
    /// Due times that gave no restore point, oldest first.
    pub lost: Vec<Timestamp>,
    /// The command to look closer.
    pub command: String,
}

/// A run that did what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: String,
    /// What it makes.
    pub kind: Kind,
    /// When it ended.
    pub at: Timestamp,
    /// The point that it made.
    pub made: Good,
    /// Its size in MB, where known.
    pub size_mb: Option<u64>,
    /// The ids that it deleted.
    pub deleted: Vec<Id>,
}

/// What a report is told of (`on` in the policy file), and how events are gathered into mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A run failed, or a server that we stopped does not run.
    Failure,
    /// A last good point is too old.
    Stale,
    /// An incident ended.
    Recovery,
    /// A run did what it should.
    Success,
    /// Anything else that a person should know; told to whom failures are told.
    Warning,
}

impl Class {
    /// Whether a report with these classes after `on` is told of this one. Warnings go where failures go.
    #[must_use]
    pub fn told_by(self, on: &[Self]) -> bool {
        let asked = if self == Self::Warning { Self::Failure } else { self };
        on.contains(&asked)
    }
}

/// One fact, as it is stored with its event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A run failed.
    Failed(Affected),
    /// A last good point is too old.
    Stale(Stale),
    /// An incident ended.
    Recovered(Recovery),
    /// A run did what it should.
    Succeeded(Success),
    /// Something else that a person should know.
    Notice(Notice),
}

impl Fact {
    /// Whom it is told to.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Failed(_) => Class::Failure,
            Self::Stale(_) => Class::Stale,
            Self::Recovered(_) => Class::Recovery,
            Self::Succeeded(_) => Class::Success,
            Self::Notice(notice) => notice.class(),
        }
    }
}

/// What one mail is about: facts of one sort, at least one (save the digest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Runs failed.
    Failed(Vec<Affected>),
    /// Policies are stale.
    Stale(Vec<Stale>),
    /// Incidents ended.
    Recovered(Vec<Recovery>),
    /// Runs did what they should.
    Succeeded(Vec<Success>),
    /// Other matters, those of one class.
    Notices(Vec<Notice>),
    /// All policies at a glance.
    Digest(Box<DigestFacts>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_goes_where_failures_go() {
        assert!(Class::Warning.told_by(&[Class::Failure]));
        assert!(!Class::Warning.told_by(&[Class::Stale, Class::Recovery, Class::Success]));
        assert!(!Class::Success.told_by(&[Class::Failure, Class::Stale, Class::Recovery]));
    }

    #[test]
    fn a_fact_reads_back_from_the_json_of_its_event() {
        let fact = Fact::Failed(crate::report::samples::failed("web-server-01", "snapshot limit reached (5 foreign)"));
        let json = serde_json::to_string(&fact).unwrap();
        assert_eq!(serde_json::from_str::<Fact>(&json).unwrap(), fact);
    }
}
