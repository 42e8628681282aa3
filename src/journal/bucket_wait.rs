//! How long a run waits for the end of a bucket that its plan depends on.

use std::time::Duration;

use crate::journal::answer::FailedCall;
use crate::journal::event::Failure;

/// No plan waits longer than this for the end of a bucket: a clock that says otherwise is wrong.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// The state of a wait for the end of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketWait {
    /// The bucket ends after this time.
    Left(Duration),
    /// It has ended, or the wait has lasted long enough.
    Over,
    /// The attempt fails.
    Fail(Failure),
}

/// How long the bucket still lasts.
#[derive(Clone, Debug)]
pub(crate) enum BucketLeft {
    /// By the provider's time.
    ByProvider(Duration),
    /// By our clock: no list has the provider's time.
    ByOurClock {
        /// How long it lasts.
        left: Duration,
        /// Why no list could be read.
        failed: FailedCall,
        /// The pause until the next look.
        poll: Duration,
    },
}

/// How a wait that has lasted for `waited` continues. As long as no list gives the time, the run waits; after the
/// longest wait it plans, and the plan reports what cannot be read.
#[must_use]
pub(crate) fn bucket_wait(left: BucketLeft, waited: Duration) -> BucketWait {
    let left = match left {
        BucketLeft::ByProvider(left) => left,
        BucketLeft::ByOurClock { failed, .. } if failed.is_refused() => return BucketWait::Fail(failed.into_failure()),
        BucketLeft::ByOurClock { left, poll, .. } => left.max(poll),
    };
    let left = left.min(LONGEST_WAIT.saturating_sub(waited));
    if left.is_zero() { BucketWait::Over } else { BucketWait::Left(left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::answer::CallFailure;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_bucket_is_waited_for_by_the_providers_time_and_for_a_quarter_of_an_hour_at_most() {
        let poll = Duration::from_secs(5);
        let unread = |left, how| {
            let failed = FailedCall { error: "no".to_owned(), status: None, how };
            BucketLeft::ByOurClock { left, failed, poll }
        };
        let failure = Failure { error: "no".to_owned(), last: true };
        for (case, left, waited, expected) in [
            ("it lasts", BucketLeft::ByProvider(MINUTE * 2), MINUTE, BucketWait::Left(MINUTE * 2)),
            ("it has ended", BucketLeft::ByProvider(Duration::ZERO), MINUTE, BucketWait::Over),
            ("a time that cannot be right", BucketLeft::ByProvider(MINUTE * 99), MINUTE, BucketWait::Left(MINUTE * 14)),
            ("for ever", BucketLeft::ByProvider(MINUTE * 99), MINUTE * 15, BucketWait::Over),
            ("no list", unread(MINUTE, CallFailure::NotDone), MINUTE, BucketWait::Left(MINUTE)),
            (
                "no list, and it ended by our clock",
                unread(Duration::ZERO, CallFailure::NotDone),
                MINUTE,
                BucketWait::Left(poll),
            ),
            ("no list for ever", unread(Duration::ZERO, CallFailure::NotDone), MINUTE * 15, BucketWait::Over),
            ("lists are refused", unread(MINUTE, CallFailure::Refused), MINUTE, BucketWait::Fail(failure)),
        ] {
            assert_eq!(bucket_wait(left, waited), expected, "{case}");
        }
    }
}
