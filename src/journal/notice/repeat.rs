//! How often a lasting problem is reported again.

use jiff::{SignedDuration, Timestamp};

/// How often, while its sentence stays the same.
const SAME_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How soon at the earliest, when its sentence changes.
const CHANGED_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Whether a problem with this sentence was reported so recently that it is not reported again: `last` is the sentence of
/// its incident, and when that was last reported.
#[must_use]
pub(crate) fn is_reported_already(last: Option<(&str, Timestamp)>, sentence: &str, at: Timestamp) -> bool {
    last.is_some_and(|(text, reported)| {
        let apart = if text == sentence { SAME_AGAIN } else { CHANGED_AGAIN };
        // After the clock was set back, it is reported once more.
        (SignedDuration::ZERO..apart).contains(&reported.duration_until(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::at;

    #[test]
    fn a_lasting_problem_is_reported_once_an_hour_and_a_change_of_it_ten_minutes_apart() {
        let minutes = |minutes: i64| at(minutes * 60);
        for (case, last, at, expected) in [
            ("never reported", None, minutes(0), false),
            ("the same within the hour", Some(("it fails", minutes(0))), minutes(59), true),
            ("the same after it", Some(("it fails", minutes(0))), minutes(60), false),
            ("a change within ten minutes", Some(("it failed", minutes(0))), minutes(9), true),
            ("a change after them", Some(("it failed", minutes(0))), minutes(10), false),
            ("the clock was set back", Some(("it fails", minutes(9))), minutes(8), false),
        ] {
            assert_eq!(is_reported_already(last, "it fails", at), expected, "{case}");
        }
    }
}
