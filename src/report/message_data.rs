//! What a message is about, as data: notices of one kind, or a digest.

use jiff::Timestamp;

use crate::journal::notice::{Class, Fact, Notice, Topic};
use crate::report::digest::DigestFacts;

/// The kind of mail that a notice goes into; a mail never mixes kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailKind {
    /// Runs failed.
    Failed,
    /// Servers that lastgood stopped are not running.
    NotStarted,
    /// Policies are stale.
    Stale,
    /// Incidents ended.
    Recovered,
    /// Runs succeeded.
    Succeeded,
    /// Anything else that people should know.
    Attention,
}

impl MailKind {
    /// The kind of mail that a fact goes into.
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
    /// Earlier notices of the same policy and server that this one replaces. What their runs did is still shown.
    pub replaced: Vec<Notice>,
}

impl TimedNotice {
    /// A notice that replaces none.
    #[must_use]
    pub const fn new(at: Timestamp, notice: Notice) -> Self {
        Self { at, notice, replaced: Vec::new() }
    }
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageData {
    /// At least one notice, all of one kind.
    Notices(MailKind, Vec<TimedNotice>),
    /// A digest of all policies.
    Digest(Box<DigestFacts>),
}
