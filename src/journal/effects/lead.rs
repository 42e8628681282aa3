//! How long it took from a plan to its accepted create: in one run, and in the latest runs on a server.

use std::time::Duration;

/// From how many of the latest runs on a server that measured it the duration is estimated.
pub(crate) const LEADS_THAT_COUNT: u32 = 20;

/// What a run has measured after another of its creates was accepted: the longest time counts.
#[must_use]
pub(crate) fn lead_of_run(known: Option<Duration>, lead: Duration) -> Duration {
    known.unwrap_or_default().max(lead)
}

/// How long it may take, judging by the latest runs.
#[must_use]
pub(crate) fn longest_lead(latest: impl IntoIterator<Item = Duration>) -> Duration {
    latest.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_counts() {
        let seconds = Duration::from_secs;
        assert_eq!(lead_of_run(None, seconds(3)), seconds(3));
        assert_eq!(lead_of_run(Some(seconds(5)), seconds(3)), seconds(5));
        assert_eq!(lead_of_run(Some(seconds(1)), seconds(3)), seconds(3));
        assert_eq!(longest_lead([]), Duration::ZERO);
        assert_eq!(longest_lead([seconds(3), seconds(9), seconds(5)]), seconds(9));
    }
}
