//! How many points of a policy on a server were evicted since its last completed one.

use crate::policy::inventory::Kind;

/// The count that the state holds for each policy on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EvictionCount {
    /// What the policy made then; `None` where an earlier version did not write it: the kind that it is next seen with.
    pub kind: Option<Kind>,
    /// How many.
    pub count: u32,
}

impl EvictionCount {
    /// Whether it counts for a policy of this kind: of another kind it is another policy.
    #[must_use]
    pub(crate) fn is_of(&self, kind: Kind) -> bool {
        self.kind.is_none_or(|counted| counted == kind)
    }

    /// The count after another eviction; of another kind it begins anew.
    #[must_use]
    pub(crate) fn one_more(known: Option<Self>, kind: Kind) -> Self {
        Self { kind: Some(kind), count: Self::evicted(known, kind) + 1 }
    }

    /// How many points of a policy of this kind were evicted.
    #[must_use]
    pub(crate) fn evicted(known: Option<Self>, kind: Kind) -> u32 {
        known.filter(|known| known.is_of(kind)).map_or(0, |known| known.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_are_counted_for_one_kind_and_begin_anew_for_another() {
        let count = |kind, count| Some(EvictionCount { kind, count });
        let (backup, snapshot) = (Some(Kind::Backup), Some(Kind::Snapshot));
        for (case, known, evicted) in [
            ("none yet", None, 0),
            ("some of this kind", count(backup, 2), 2),
            ("of a kind that was not written", count(None, 2), 2),
            ("of the other kind", count(snapshot, 2), 0),
        ] {
            assert_eq!(EvictionCount::evicted(known, Kind::Backup), evicted, "{case}");
            let one_more = EvictionCount::one_more(known, Kind::Backup);
            assert_eq!(one_more, EvictionCount { kind: backup, count: evicted + 1 }, "{case}");
        }
    }
}
