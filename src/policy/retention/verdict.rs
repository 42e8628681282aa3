//! What retention decides about, and what it says, as data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reason::KeepReason;
use crate::policy::inventory::Id;

/// A completed point that takes part in the decision. Ordered by time, then due time (none is lowest), then id:
/// the larger one is the newer one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// `created_at`.
    pub at: Timestamp,
    /// The due time in its mark, which tells points of the same second apart.
    pub due: Option<Timestamp>,
    /// The provider's key; `None` for a point that is still to be made.
    pub id: Option<Id>,
}

impl Candidate {
    /// A point of which only the time is known.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at, due: None, id: None }
    }
}

/// What retention says of one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepVerdict {
    /// Whether it stays.
    pub keep: bool,
    /// Why it stays, or why each rule lets it go; never empty.
    pub why: Vec<KeepReason>,
}

/// There is no rule that could keep anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no rule keeps anything: name at least one of last, hourly, daily, weekly, monthly, yearly or within, above zero"
)]
pub struct NoRules;
