//! What retention decides about, and its verdict, as data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reason::KeepReason;
use crate::policy::inventory::{PointId, RestorePoint};
use crate::policy::mark::Mark;

/// A completed point that counts. Ordered by time, then due time (none sorts first), then id: the larger is the newer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// `created_at`.
    pub at: Timestamp,
    /// The due time in its mark, which orders points created in the same second.
    pub due: Option<Timestamp>,
    /// The provider's key; `None` for a point that is yet to be created.
    pub id: Option<PointId>,
}

impl Candidate {
    /// A listed point.
    #[must_use]
    pub fn of(point: &RestorePoint) -> Self {
        let due = Mark::parse(&point.description).map(|mark| mark.due);
        Self { at: point.created_at, due, id: Some(point.id.clone()) }
    }

    /// A point with only a time.
    #[cfg(test)]
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at, due: None, id: None }
    }
}

/// The verdict on one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeepVerdict {
    /// Whether it is kept.
    pub keep: bool,
    /// Why it is kept, or why each rule drops it. Empty only if nothing is pruned.
    pub why: Vec<KeepReason>,
}

/// There is no rule that could keep anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no rule keeps anything: name at least one of last, hourly, daily, weekly, monthly, yearly or within, above zero"
)]
pub struct NoRules;
