//! How far the due times of a policy on a server have been handled, when the policy is new or was changed.

use jiff::{SignedDuration, Timestamp};

use crate::policy::inventory::Kind;

/// A policy on a server, as the state remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FollowedPolicy {
    /// The schedule, zone and splay in words.
    pub schedule: String,
    /// The kind of point it creates. `None` if an earlier version did not store it: then the kind it is next seen with.
    pub kind: Option<Kind>,
    /// The last due time that was handled; at first the moment the policy was first seen.
    pub handled: Timestamp,
    /// When the policy was first seen on the server.
    pub first_at: Timestamp,
    /// Whether it was reported as stale.
    pub stale_reported: bool,
}

/// A name that the policy had before, and what the state remembers under it.
#[derive(Clone, Debug)]
pub(crate) struct FormerName {
    /// What the state remembers.
    pub known: FollowedPolicy,
    /// The schedule, zone and splay in words that the policy as it is now would have under that name.
    pub schedule: String,
    /// How much later the policy is due under its present name: the splay depends on the name.
    pub later: SignedDuration,
}

impl FollowedPolicy {
    /// Whether it is a policy of this kind: of another kind it is another policy.
    fn is_of(&self, kind: Kind) -> bool {
        self.kind.is_none_or(|known| known == kind)
    }
}

/// The last handled due time of a policy of this kind once this due time has a run; `None` where that changes nothing:
/// a run never moves it back.
#[must_use]
pub(crate) fn handled_by(known: Option<&FollowedPolicy>, kind: Kind, due: Timestamp) -> Option<Timestamp> {
    known.filter(|known| known.is_of(kind) && known.handled < due).map(|_| due)
}

/// What the state remembers about the policy from now on. A new policy, or one with a changed schedule, starts from
/// `at`. A new name alone changes nothing: the policy continues where it was under its last name, so that a rename
/// neither loses nor repeats a due time. If its kind changes, it counts as another policy.
#[must_use]
pub(crate) fn follow(
    known: Option<&FollowedPolicy>,
    former: &[FormerName],
    (schedule, kind): (&str, Kind),
    at: Timestamp,
) -> FollowedPolicy {
    let own = known.filter(|known| known.is_of(kind)).cloned();
    let renamed = former.iter().filter(|name| name.known.is_of(kind)).map(|name| FollowedPolicy {
        schedule: if name.known.schedule == name.schedule { schedule.to_owned() } else { name.known.schedule.clone() },
        handled: name.known.handled.saturating_add(name.later).unwrap_or(name.known.handled),
        ..name.known.clone()
    });
    match own.into_iter().chain(renamed).max_by_key(|known| known.handled) {
        Some(known) if known.schedule == schedule => FollowedPolicy { kind: Some(kind), ..known },
        Some(known) => FollowedPolicy { schedule: schedule.to_owned(), kind: Some(kind), handled: at, ..known },
        None => FollowedPolicy {
            schedule: schedule.to_owned(),
            kind: Some(kind),
            handled: at,
            first_at: at,
            stale_reported: false,
        },
    }
}
