//! A restore point as the state remembers it, and what the planner gets to know about it.

use crate::policy::name::PolicyName;
use std::time::Duration;

use jiff::Timestamp;

use crate::journal::notice::Good;
use crate::policy::brake::{LastListed, PointIdentity};
use crate::policy::inventory::{PointId, PointStatus, newest_first};
use crate::policy::mark::Token;
use crate::policy::memory::{Memory, Origin, PointText, RememberedPoint, Unlisted};

/// How long an accepted delete counts as in progress. If the point is still listed after that, the delete may be sent
/// again.
const DELETE_LASTS: Duration = Duration::from_hours(1);

/// A point that was listed, or made by us, and is not known to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownPoint {
    /// The provider's key.
    pub id: PointId,
    /// When the provider began it; `None` until a list has shown it.
    pub created_at: Option<Timestamp>,
    /// Name and description as first listed.
    pub first_text: Option<PointText>,
    /// How we came to know it.
    pub origin: Origin,
    /// Its policy, if it is ours.
    pub policy: Option<PolicyName>,
    /// Its status in the last list.
    pub status: Option<PointStatus>,
    /// Its size in the last list.
    pub size_mb: Option<u64>,
    /// Whether the provider's plan made it.
    pub automatic: bool,
    /// When the provider accepted its delete.
    pub delete_accepted_at: Option<Timestamp>,
    /// When a list last showed it.
    pub seen_at: Option<Timestamp>,
    /// When the provider accepted our create.
    pub made_at: Option<Timestamp>,
    /// The token that its mark carries.
    pub token: Option<Token>,
    /// Since when we intend to delete it.
    pub delete_intended_at: Option<Timestamp>,
}

/// How a point looked at first that disappeared from a list although we did not delete it. If a list shows it again,
/// this decides whose it is, not what a person has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vanished {
    /// The provider's key.
    pub id: PointId,
    /// When the provider began it; a later point with the same id is a different one.
    pub created_at: Timestamp,
    /// Name and description as first listed.
    pub first_text: PointText,
    /// How we came to know it.
    pub origin: Origin,
}

impl KnownPoint {
    /// A point about which only its origin is known.
    #[must_use]
    pub(crate) const fn new(id: PointId, origin: Origin) -> Self {
        Self {
            id,
            created_at: None,
            first_text: None,
            origin,
            policy: None,
            status: None,
            size_mb: None,
            automatic: false,
            delete_accepted_at: None,
            seen_at: None,
            made_at: None,
            token: None,
            delete_intended_at: None,
        }
    }

    /// What is kept about the point once it is gone. A point that we deleted does not come back.
    pub(super) fn vanished(&self) -> Option<Vanished> {
        let first = self.created_at.zip(self.first_text.clone());
        let (created_at, first_text) = first.filter(|_| !self.automatic && self.delete_accepted_at.is_none())?;
        Some(Vanished { id: self.id.clone(), created_at, first_text, origin: self.origin.clone() })
    }

    /// The point as the brakes see it, if it would be missed when a list lacks it.
    fn last_listed(&self) -> Option<LastListed> {
        let leaves_by_us = self.delete_accepted_at.or(self.delete_intended_at).is_some();
        let created_at = self.created_at.filter(|_| self.seen_at.is_some() && !self.automatic && !leaves_by_us)?;
        let good = self.status == Some(PointStatus::Completed) && self.policy.is_some();
        Some(LastListed { about: PointIdentity { id: self.id.clone(), created_at }, good })
    }
}

/// Whether a point counts as there, by the last list: its delete was not accepted, or a list has shown it since.
#[must_use]
pub(crate) fn is_present(delete_accepted_at: Option<Timestamp>, seen_at: Option<Timestamp>) -> bool {
    delete_accepted_at.is_none_or(|accepted| seen_at.is_some_and(|seen| seen > accepted))
}

/// Whether a point with this status and policy is a good one of a policy with these names.
#[must_use]
pub(crate) fn is_good(status: &PointStatus, policy: Option<&PolicyName>, names: &[PolicyName]) -> bool {
    *status == PointStatus::Completed && policy.is_some_and(|policy| names.contains(policy))
}

/// The last good one of these.
#[must_use]
pub(crate) fn last_good(good: impl Iterator<Item = Good>) -> Option<Good> {
    good.min_by(|a, b| newest_first((a.created_at, &a.id), (b.created_at, &b.id)))
}

/// Adds what the planner gets to know about these points for a policy. Lists may lag behind accepted calls by `settle`.
pub(crate) fn recall(points: &[KnownPoint], policy: &str, (settle, at): (Duration, Timestamp), memory: &mut Memory) {
    for point in points {
        let id = &point.id;
        if let Some(accepted) = point.delete_accepted_at {
            let in_progress = accepted + DELETE_LASTS > at;
            let of = if in_progress { &mut memory.deleting } else { &mut memory.not_gone };
            of.insert(id.clone());
        }
        let is_completed = point.status == Some(PointStatus::Completed);
        if point.made_at.is_some() && !is_completed && point.policy.as_deref() == Some(policy) {
            memory.unfinished.insert(id.clone());
        }
        let may_lag = point.seen_at.is_none() && point.made_at.is_some_and(|made| made + settle > at);
        if let Some(token) = point.token.clone().filter(|_| may_lag) {
            memory.unlisted.push(Unlisted { id: Some(id.clone()), token });
        }
        memory.listed.extend(point.last_listed());
        let (created_at, text, origin) = (point.created_at, point.first_text.clone(), point.origin.clone());
        memory.points.insert(id.clone(), RememberedPoint { created_at, text, origin });
    }
}

/// Adds how points looked at first that were missing from lists at some time, if nothing more is known about them.
pub(crate) fn recall_vanished(vanished: Vec<Vanished>, memory: &mut Memory) {
    for Vanished { id, created_at, first_text, origin } in vanished {
        let unknown = RememberedPoint { created_at: Some(created_at), text: None, origin };
        let known = memory.points.entry(id).or_insert(unknown);
        if known.created_at.is_none_or(|at| at == created_at) && known.text.is_none() {
            known.text = Some(first_text);
        }
    }
}
