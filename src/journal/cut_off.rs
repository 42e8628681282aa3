//! What an earlier command was doing on a server when it was killed, and what that means for a restore.

use std::fmt;

use jiff::Timestamp;

use crate::journal::errand::{Errand, ManualCommand};
use crate::policy::inventory::RestorePoint;

/// What an earlier command was doing on a server when it was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    errand: Errand,
    heard_of: Timestamp,
    /// Whether the daemon has settled it since: the server is at rest, and that was reported.
    settled: bool,
}

impl CutOff {
    /// The command with this errand, last heard of at a moment.
    #[must_use]
    pub fn new(errand: Errand, heard_of: Timestamp, settled: bool) -> Self {
        let heard_of = Timestamp::from_second(heard_of.as_second()).unwrap_or_default();
        Self { errand, heard_of, settled }
    }

    /// Whether a restore from the point might repeat what the earlier command did, or collide with one in progress: it
    /// begins only if a person who knows about it says so.
    #[must_use]
    pub fn needs_again(&self, point: &RestorePoint) -> bool {
        let same = self.errand.command == ManualCommand::restore(point);
        self.errand.command.is_restore() && if self.settled { same } else { !self.is_watched(point) }
    }

    /// Whether a restore from the point sends nothing and watches the one that the earlier command began.
    #[must_use]
    pub fn is_watched(&self, point: &RestorePoint) -> bool {
        self.errand.accepted && !self.settled && self.errand.command == ManualCommand::restore(point)
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { errand: Errand { command, accepted }, heard_of, .. } = self;
        write!(f, "`lastgood {command}` was cut off at about {heard_of}")?;
        let known = if *accepted {
            " after the provider had accepted it"
        } else {
            ": it is unknown whether it was carried out"
        };
        f.write_str(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::{at, list_point};

    #[test]
    fn a_restore_is_repeated_only_when_a_person_says_so_and_watched_where_it_was_accepted() {
        let (point, other) = (list_point(7, at(0), ""), list_point(8, at(0), ""));
        let (restore, delete) = (ManualCommand::restore(&point), ManualCommand::delete(&point));
        for (case, command, accepted, settled, point, needs_again, is_watched) in [
            ("the same, accepted", &restore, true, false, &point, false, true),
            ("the same, unknown", &restore, false, false, &point, true, false),
            ("another, accepted", &restore, true, false, &other, true, false),
            ("the same, settled", &restore, true, true, &point, true, false),
            ("another, settled", &restore, true, true, &other, false, false),
            ("a delete", &delete, true, false, &point, false, false),
        ] {
            let before = CutOff::new(Errand { command: command.clone(), accepted }, at(0), settled);
            assert_eq!((before.needs_again(point), before.is_watched(point)), (needs_again, is_watched), "{case}");
        }
    }
}
