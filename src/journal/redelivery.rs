//! When a message that was not delivered is sent again: after 5 s, doubling to 15 min.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The wait after the first attempt.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// How much further in the future than `LONGEST_WAIT` a next attempt may lie because the clock was adjusted.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait after this many attempts (1 after the first).
#[must_use]
pub fn wait_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

/// The latest time that a next attempt can have. A later one was written while the clock was wrong, and the message is
/// due now.
#[must_use]
pub(crate) fn latest_attempt(now: Timestamp) -> Timestamp {
    now.saturating_add(LONGEST_WAIT).and_then(|latest| latest.saturating_add(TOLERANCE)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::at;

    #[test]
    fn waits_double_from_five_seconds_to_a_quarter_of_an_hour() {
        let waits: Vec<u64> = (1..=10).map(|attempts| wait_after(attempts).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
        assert_eq!(wait_after(0), FIRST_WAIT);
    }

    #[test]
    fn no_wait_goes_beyond_the_latest_attempt() {
        for attempts in 0..40 {
            assert!(at(0) + wait_after(attempts) < latest_attempt(at(0)), "{attempts}");
        }
        assert!(at(0) + LONGEST_WAIT + TOLERANCE * 2 > latest_attempt(at(0)), "a clock that was wrong is noticed");
        assert_eq!(latest_attempt(Timestamp::MAX), Timestamp::MAX);
    }
}
