//! What can go wrong with a request: plain data, read from JSON by the word in `do`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::call::Call;
use super::options::RetryAfter;
use super::person::Act;
use super::points::Altered;

/// What a rule does to a request. `carried_out` says whether the account does what was asked before the answer is
/// lost or replaced; effects without it always let it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The connection is refused: nothing was sent. (Over HTTP it is closed unanswered: a peer that got the request
    /// cannot refuse it any more. `Simulator::refuse_for` closes the port itself.)
    Refuse {},
    /// The connection is closed without an answer.
    Reset {
        /// See above.
        #[serde(default)]
        carried_out: bool,
    },
    /// No answer.
    Silence {
        /// After so long the connection is closed; never when absent.
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
    /// The head at once, the body in drips.
    SlowBody {
        /// How long the body takes.
        seconds: f64,
    },
    /// Another status.
    Status(StatusEffect),
    /// The right answer under another content type.
    ContentType {
        /// `text/html`.
        value: String,
    },
    /// A whole HTTP body, but half of the JSON.
    TruncatedJson {},
    /// The connection breaks in the middle of the body.
    BrokenBody {},
    /// A body of this size, sent in pieces; JSON to the end.
    HugeBody {
        /// How many bytes.
        bytes: u64,
    },
    /// `count` says more than there is.
    ShortCount {
        /// How many more.
        by: i64,
    },
    /// Items are missing from a page, `count` is not changed.
    MissingItems {
        /// How many.
        items: usize,
    },
    /// The list is cut to its first items, and `count` agrees with the lie.
    OnlyItems {
        /// How many are left.
        items: usize,
    },
    /// The first items of a page are there twice.
    DuplicateItems {
        /// How many.
        items: usize,
        /// Whether `count` counts them too.
        #[serde(default)]
        counted: bool,
    },
    /// Pages after the first begin this many items late (skipping some) or early (repeating some).
    Shift {
        /// Positive skips, negative repeats.
        by: i64,
    },
    /// The page's items come in another order.
    Reorder {},
    /// A filtered list has points of other servers in it too.
    ForeignItems {
        /// How many at most.
        items: usize,
    },
    /// Listed items (points or servers) show these values instead of their own.
    Show {
        /// Field by field; `created_at` can be `{"in_seconds": 600}`, seen from now.
        fields: Map<String, Value>,
        /// Only the first items, as many as this.
        #[serde(default)]
        first: Option<usize>,
    },
    /// The new point is not what was asked, or does not become what it should.
    CreateAs(Altered),
    /// A person acts, before or after this request.
    Meanwhile {
        /// What is done.
        acts: Vec<Act>,
        /// After the request was carried out, before the answer; else before.
        #[serde(default)]
        after: bool,
    },
}

/// An answer that is not the account's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusEffect {
    /// 400, 401, 403, 404, 409, 429, 500, 502, 503, 302 …
    pub code: u16,
    /// A text is sent as it is; other JSON as JSON; a usual body for the code when absent.
    #[serde(default)]
    pub body: Option<Value>,
    /// `application/json`, or `text/html` for a body that is a text.
    #[serde(default)]
    pub content_type: Option<String>,
    /// More headers, `Location` among them.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The header of that name.
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

    /// The word that rules name it by.
    #[must_use]
    pub fn word(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("do").and_then(Value::as_str).unwrap_or("fault").to_owned()
    }

    /// Whether the account gets to see the request.
    pub(super) fn carries_out(&self) -> bool {
        match self {
            Self::Refuse {} => false,
            Self::Reset { carried_out } | Self::Silence { carried_out, .. } => *carried_out,
            Self::Status(status) => status.carried_out,
            _ => true,
        }
    }

    /// Whether the effect has anything to work on in such a request; if not, its rule is not used up by it.
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
            _ => true,
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
