//! PURE: what the words of a message depend on besides its facts: now, the readers' zone and the instance.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::event::DeleteReason;
use crate::journal::notice::Good;
use crate::policy::inventory::Kind;
use crate::report::content::blocks::{Content, Tone};
use crate::report::text::{due, future, moment, past};

/// When and for whom a message is written, and by which instance.
#[derive(Clone, Debug)]
pub struct MailContext {
    /// The moment from which ages are measured.
    pub now: Timestamp,
    /// The report's zone.
    pub timezone: TimeZone,
    /// `provider.instance`.
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
            None => format!("none: this policy has no completed {}", word(kind)),
        }
    }
}

/// The word for a kind, or for any restore point.
pub(super) fn word(kind: Option<Kind>) -> &'static str {
    kind.map_or("restore point", Kind::word)
}

/// Why a run deleted a point, in a few words.
pub(super) const fn delete_cause(cause: DeleteReason) -> &'static str {
    match cause {
        DeleteReason::Eviction => "eviction",
        DeleteReason::FailedPoint => "failed point",
        DeleteReason::Retention => "retention",
        DeleteReason::OwnFailure => "the run's own failed point",
        DeleteReason::Duplicate => "duplicate",
    }
}
