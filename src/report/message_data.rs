//! What a message is about, as data: notices of one kind, or a digest.

use jiff::Timestamp;

use crate::journal::notice::{Class, Fact, Notice, Topic};
use crate::report::digest::DigestFacts;

/// The kind of mail that a notice goes into: kinds are never mixed in one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailKind {
    /// Runs failed.
    Failed,
    /// Servers that we stopped do not run.
    NotStarted,
    /// Policies are stale.
    Stale,
    /// Incidents ended.
    Recovered,
    /// Runs succeeded.
    Succeeded,
    /// Anything else that a person should know.
    Attention,
}

impl MailKind {
    /// The kind of mail that this goes into.
    #[must_use]
    pub const fn of(fact: &Fact) -> Self {
        match fact {
            Fact::Failed(_) => Self::Failed,
            Fact::ServerNotStarted(_) | Fact::General { class: Class::Failure, topic: Topic::ServerStopped, .. } => {
                Self::NotStarted
            }
            Fact::Stale(_) => Self::Stale,
            Fact::Recovered(_) => Self::Recovered,
            Fact::Succeeded(_) => Self::Succeeded,
            _ => Self::Attention,
        }
    }
}

/// A notice with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedNotice {
    /// When it happened.
    pub at: Timestamp,
    /// What happened, and where.
    pub notice: Notice,
    /// Earlier notices of the same policy and server that this one replaces. What their runs did is shown with it.
    pub replaced: Vec<Notice>,
}

impl TimedNotice {
    /// A notice that replaces none.
    #[must_use]
    pub const fn new(at: Timestamp, notice: Notice) -> Self {
        Self { at, notice, replaced: Vec::new() }
    }
}

/// What one message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageData {
    /// At least one notice, all of one kind.
    Notices(MailKind, Vec<TimedNotice>),
    /// All policies at a glance.
    Digest(Box<DigestFacts>),
}
