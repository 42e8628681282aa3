//! The token bucket over everything that is sent: never more than `requests_per_second` in any second.
//!
//! It counts in tokio's time, so that it holds under paused time too, and keeps the order of those who wait.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// A token that is taken comes back one second later, so bursts are as large as the rate and no larger.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When each of the last tokens was, or will be, used; the oldest first.
    used: VecDeque<Instant>,
    /// Nothing is sent before this: the provider asked for a pause.
    not_before: Option<Instant>,
}

impl Bucket {
    /// A full bucket; a rate of 0 is taken as 1.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        let tokens = usize::try_from(requests_per_second.max(1)).unwrap_or(usize::MAX);
        Self { tokens, state: Mutex::default() }
    }

    /// Waits for a token. One that is given up while it waits is lost, which only slows the next request down.
    pub(crate) async fn take(&self) {
        let (now, at) = {
            let mut state = self.lock();
            let now = Instant::now();
            let mut at = now.max(state.used.back().copied().unwrap_or(now));
            if let Some(not_before) = state.not_before {
                at = at.max(not_before);
            }
            // Tokens that have come back need no memory of their use.
            while state.used.front().is_some_and(|used| *used + Duration::from_secs(1) <= now) {
                state.used.pop_front();
            }
            if state.used.len() >= self.tokens {
                let oldest = state.used.pop_front().expect("a bucket has at least one token");
                at = at.max(oldest + Duration::from_secs(1));
            }
            state.used.push_back(at);
            (now, at)
        };
        if at > now {
            tokio::time::sleep_until(at).await;
        }
    }

    /// Lets nothing through for this long: the provider has had too many requests.
    pub(crate) fn hold(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        state.not_before = Some(state.not_before.map_or(until, |before| before.max(until)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the bucket")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_requests_than_the_rate() {
        let bucket = Bucket::new(5);
        let begun = Instant::now();
        let mut times = Vec::new();
        for _ in 0..23 {
            bucket.take().await;
            times.push(begun.elapsed());
        }
        assert_eq!(times[4], Duration::ZERO, "the first five go at once");
        for window in times.windows(6) {
            assert!(window[5] - window[0] >= Duration::from_secs(1), "{window:?}");
        }
        assert!(times[22] < Duration::from_millis(4_100), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_time_saves_up_no_more_than_one_burst() {
        let bucket = Bucket::new(2);
        bucket.take().await;
        tokio::time::advance(Duration::from_secs(100)).await;
        let begun = Instant::now();
        for _ in 0..3 {
            bucket.take().await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(999));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_provider_asks_for_holds_for_everything() {
        let bucket = Bucket::new(100);
        bucket.hold(Duration::from_secs(7));
        bucket.hold(Duration::from_secs(2));
        let begun = Instant::now();
        bucket.take().await;
        assert!(begun.elapsed() >= Duration::from_secs(7));
    }
}
