//! PURE: when, where and for whom a message is written, and moments in the words of its readers.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::event::DeleteReason;
use crate::journal::notice::Good;
use crate::policy::inventory::Kind;
use crate::report::content::blocks::{Content, Tone};
use crate::report::text::{due, future, moment, past};

/// When, where and for whom a message is written.
#[derive(Clone, Debug)]
pub struct MailContext {
    /// The moment from which ages are counted.
    pub now: Timestamp,
    /// The zone in which the report's readers live.
    pub timezone: TimeZone,
    /// The `provider.instance` that writes.
    pub instance: String,
}

impl MailContext {
    pub(super) fn content(&self, tone: Tone, subject: String, title: String) -> Content {
        let zone = self.timezone.iana_name().unwrap_or("the zone of each time");
        let footer = format!(
            "Written by lastgood, instance {}, at {}. Times are in {zone}.",
            self.instance,
            moment(self.now, &self.timezone)
        );
        Content { subject, preheader: String::new(), title, tone, blocks: Vec::new(), footer }
    }

    pub(super) fn past(&self, at: Timestamp) -> String {
        past(at, self.now, &self.timezone)
    }

    pub(super) fn future(&self, at: Timestamp) -> String {
        future(at, self.now, &self.timezone)
    }

    pub(super) fn moment(&self, at: Timestamp) -> String {
        moment(at, &self.timezone)
    }

    pub(super) fn due(&self, at: Timestamp) -> String {
        due(at, &self.timezone)
    }

    pub(super) fn last_good(&self, good: Option<&Good>, kind: Option<Kind>) -> String {
        match good {
            Some(good) => format!("{}, {} {}", self.past(good.created_at), word(kind), good.id),
            None => format!("none: there is no completed {} of this policy to go back to", word(kind)),
        }
    }
}

/// A kind of restore point, or any.
pub(super) fn word(kind: Option<Kind>) -> &'static str {
    kind.map_or("restore point", Kind::word)
}

/// Why a run deleted a point, in a word or two.
pub(super) const fn delete_cause(cause: DeleteReason) -> &'static str {
    match cause {
        DeleteReason::Eviction => "eviction",
        DeleteReason::FailedPoint => "failed point",
        DeleteReason::Retention => "retention",
        DeleteReason::OwnFailure => "the run's own failed point",
        DeleteReason::Duplicate => "duplicate",
    }
}
