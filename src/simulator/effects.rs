//! What can go wrong with a request, as data. In JSON, `do` names the effect.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::call::Call;
use super::options::RetryAfter;
use super::person::PersonAction;
use super::points::Altered;

/// What a rule does to a request. `carried_out` says whether the request is carried out before its answer is lost or
/// replaced; it always is for effects without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The connection is refused: nothing was sent. (Over HTTP it is closed without an answer, because a peer that
    /// received the request can no longer refuse it. `Simulator::refuse_for` closes the port itself.)
    Refuse {},
    /// The connection is closed without an answer.
    Reset {
        /// See above.
        #[serde(default)]
        carried_out: bool,
    },
    /// No answer.
    Silence {
        /// When the connection is closed; never if absent.
        #[serde(default)]
        seconds: Option<f64>,
        /// See above.
        #[serde(default)]
        carried_out: bool,
    },
    /// The right answer, late.
    AnsweredLate {
        /// How late.
        seconds: f64,
    },
    /// The headers at once, the body slowly in pieces.
    SlowBody {
        /// How long the body takes.
        seconds: f64,
    },
    /// Another status.
    Status(StatusEffect),
    /// The right answer with another content type.
    ContentType {
        /// `text/html`.
        value: String,
    },
    /// A complete HTTP body with only half of the JSON.
    TruncatedJson {},
    /// The connection breaks in the middle of the body.
    BrokenBody {},
    /// A body of this size, sent in pieces; valid JSON.
    HugeBody {
        /// How many bytes.
        bytes: u64,
    },
    /// `count` is higher than the number of items.
    ShortCount {
        /// How many more.
        by: i64,
    },
    /// Items are missing from a page; `count` is unchanged.
    MissingItems {
        /// How many.
        items: usize,
    },
    /// The list is cut to its first items, and `count` matches.
    OnlyItems {
        /// How many are left.
        items: usize,
    },
    /// The first items of a page are repeated.
    DuplicateItems {
        /// How many.
        items: usize,
        /// Whether `count` includes the repeated ones.
        #[serde(default)]
        counted: bool,
    },
    /// Pages after the first begin this many items late (skipping some) or early (repeating some).
    Shift {
        /// Positive skips, negative repeats.
        by: i64,
    },
    /// The page's items are in another order.
    Reorder {},
    /// A filtered list also contains points of other servers.
    ForeignItems {
        /// How many at most.
        items: usize,
    },
    /// Listed items (points or servers) show these values instead of their own.
    Show {
        /// Values by field; `created_at` can be `{"in_seconds": 600}`, relative to now.
        fields: Map<String, Value>,
        /// Only this many items, from the first.
        #[serde(default)]
        first: Option<usize>,
    },
    /// The new point differs from the request, or does not develop as it should.
    CreateAs(Altered),
    /// A person acts, before or after this request.
    Meanwhile {
        /// The actions.
        acts: Vec<PersonAction>,
        /// Whether they happen after the request is carried out and before the answer; otherwise before the request.
        #[serde(default)]
        after: bool,
    },
}

/// An answer that replaces the account's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusEffect {
    /// 400, 401, 403, 404, 409, 429, 500, 502, 503, 302 …
    pub code: u16,
    /// Text is sent as is, other JSON as JSON. If absent, the usual body for the code.
    #[serde(default)]
    pub body: Option<Value>,
    /// If absent, `application/json`, or `text/html` for a text body.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Additional headers, such as `Location`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The `Retry-After` header.
    #[serde(default)]
    pub retry_after: Option<RetryAfter>,
    /// See [`Effect`].
    #[serde(default)]
    pub carried_out: bool,
}

impl Effect {
    /// An answer with this status and its usual body; nothing is carried out.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status(StatusEffect::new(code))
    }

    /// Its name in rules.
    #[must_use]
    pub fn word(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("do").and_then(Value::as_str).unwrap_or("fault").to_owned()
    }

    /// Whether the request reaches the account.
    pub(super) fn carries_out(&self) -> bool {
        match self {
            Self::Refuse {} => false,
            Self::Reset { carried_out } | Self::Silence { carried_out, .. } => *carried_out,
            Self::Status(status) => status.carried_out,
            Self::AnsweredLate { .. }
            | Self::SlowBody { .. }
            | Self::ContentType { .. }
            | Self::TruncatedJson {}
            | Self::BrokenBody {}
            | Self::HugeBody { .. }
            | Self::ShortCount { .. }
            | Self::MissingItems { .. }
            | Self::OnlyItems { .. }
            | Self::DuplicateItems { .. }
            | Self::Shift { .. }
            | Self::Reorder {}
            | Self::ForeignItems { .. }
            | Self::Show { .. }
            | Self::CreateAs(_)
            | Self::Meanwhile { .. } => true,
        }
    }

    /// Whether the effect applies to this kind of request. Otherwise the rule does not count it.
    pub(super) fn fits(&self, call: Call) -> bool {
        match self {
            Self::ShortCount { .. }
            | Self::MissingItems { .. }
            | Self::OnlyItems { .. }
            | Self::DuplicateItems { .. }
            | Self::Shift { .. }
            | Self::Reorder {}
            | Self::Show { .. } => matches!(call, Call::List | Call::Servers),
            Self::ForeignItems { .. } => call == Call::List,
            Self::CreateAs(_) => call == Call::Create,
            Self::Refuse {}
            | Self::Reset { .. }
            | Self::Silence { .. }
            | Self::AnsweredLate { .. }
            | Self::SlowBody { .. }
            | Self::Status(_)
            | Self::ContentType { .. }
            | Self::TruncatedJson {}
            | Self::BrokenBody {}
            | Self::HugeBody { .. }
            | Self::Meanwhile { .. } => true,
        }
    }
}

impl StatusEffect {
    /// This status with its usual body; nothing is carried out.
    #[must_use]
    pub fn new(code: u16) -> Self {
        Self { code, body: None, content_type: None, headers: BTreeMap::new(), retry_after: None, carried_out: false }
    }
}
