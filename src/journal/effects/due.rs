//! How far the due times of a policy on a server have been handled, when the policy is new or was changed.

use jiff::Timestamp;

use crate::policy::inventory::Kind;

/// A policy on a server, as the state remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedPolicy {
    /// The schedule, zone and splay in words.
    pub schedule: String,
    /// What it makes; `None` where an earlier version did not write it: the kind that it is next seen with.
    pub kind: Option<Kind>,
    /// The last due time that was handled; at first the moment the policy was first seen.
    pub handled: Timestamp,
    /// When the policy was first seen on the server.
    pub first_at: Timestamp,
    /// Whether it was reported as stale.
    pub stale_told: bool,
}

/// Where the policy stands from now on. One that is seen for the first time, or with a changed schedule, starts from
/// `at`. Of another kind it is another policy, seen for the first time.
#[must_use]
pub fn follow(known: Option<&FollowedPolicy>, (schedule, kind): (&str, Kind), at: Timestamp) -> FollowedPolicy {
    let new = FollowedPolicy {
        schedule: schedule.to_owned(),
        kind: Some(kind),
        handled: at,
        first_at: at,
        stale_told: false,
    };
    match known.filter(|known| known.kind.is_none_or(|before| before == kind)) {
        Some(known) if known.schedule == schedule => FollowedPolicy { kind: Some(kind), ..known.clone() },
        Some(known) => FollowedPolicy { first_at: known.first_at, stale_told: known.stale_told, ..new },
        None => new,
    }
}
