//! What a list of the account's servers means for the servers that it shows and those that are missing.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::effects::change::Change;
use crate::journal::notice::Topic;

/// From how many lists in a row a server must be missing before it counts as gone.
const LISTS_TO_BE_GONE: u32 = 3;

/// How long a server has been missing that does not count as gone yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Absence {
    /// Since when.
    pub since: Option<Timestamp>,
    /// How many lists in a row.
    pub lists: u32,
}

impl Absence {
    /// The absence after another list without the server.
    #[must_use]
    pub(crate) fn one_more(self, at: Timestamp) -> Self {
        // A time in the future comes from a wrong clock.
        let since = self.since.map_or(at, |since| since.min(at));
        Self { since: Some(since), lists: self.lists.saturating_add(1) }
    }

    /// Whether the server counts as gone: it has been missing from several lists in a row, and for `settle`.
    #[must_use]
    pub(crate) fn is_gone(self, at: Timestamp, settle: Duration) -> bool {
        let absent = self.since.and_then(|since| Duration::try_from(since.duration_until(at)).ok());
        self.lists >= LISTS_TO_BE_GONE && absent.is_some_and(|absent| absent >= settle)
    }
}

/// What changes when a list shows a server that was gone or never listed.
#[must_use]
pub(crate) fn server_listed() -> Vec<Change> {
    vec![Change::IncidentsClosed { policy: None, topic: Topic::ServerGone }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::at;

    #[test]
    fn a_server_is_gone_after_three_lists_and_after_settle() {
        let settle = Duration::from_secs(60);
        let absence = |since, lists| Absence { since: Some(at(since)), lists };
        for (case, absence, second, is_gone) in [
            ("two lists", absence(0, 2), 600, false),
            ("three, too soon", absence(0, 3), 59, false),
            ("three, and long enough", absence(0, 3), 60, true),
            ("the clock was set back", absence(600, 3), 60, false),
            ("no list", Absence::default(), 600, false),
        ] {
            assert_eq!(absence.is_gone(at(second), settle), is_gone, "{case}");
        }
    }

    #[test]
    fn each_list_counts_and_the_earliest_moment_stays() {
        for (case, before, since) in [
            ("the first list", Absence::default(), 9),
            ("another one", Absence { since: Some(at(4)), lists: 0 }, 4),
            ("a time in the future", Absence { since: Some(at(99)), lists: 0 }, 9),
        ] {
            assert_eq!(before.one_more(at(9)), Absence { since: Some(at(since)), lists: 1 }, "{case}");
        }
    }
}
