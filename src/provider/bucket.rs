//! The token bucket over everything that is sent: never more than `requests_per_second` in any second.
//!
//! It counts in tokio's time, so that it holds under paused time too, and keeps the order of those who wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// A token that is taken comes back one second later, so bursts are as large as the rate and no larger.
#[derive(Debug)]
pub(crate) struct Bucket(Mutex<Arc<Mutex<State>>>);

#[derive(Debug)]
struct State {
    tokens: usize,
    /// When each of the last tokens was, or will be, used; the oldest first.
    used: VecDeque<Instant>,
    /// Nothing is sent before this: the provider asked for a pause.
    not_before: Option<Instant>,
}

impl Bucket {
    /// A full bucket; a rate of 0 is taken as 1.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        let tokens = usize::try_from(requests_per_second.max(1)).unwrap_or(usize::MAX);
        Self(Mutex::new(Arc::new(Mutex::new(State { tokens, used: VecDeque::new(), not_before: None }))))
    }

    /// From now on both are one bucket: what the other has sent counts here, and the rate of this one holds for both.
    pub(crate) fn join(&self, other: &Self) {
        let (own, shared) = (self.shared(), other.shared());
        if Arc::ptr_eq(&own, &shared) {
            return;
        }
        let tokens = lock(&own).tokens;
        lock(&shared).tokens = tokens;
        *self.0.lock().expect("no code panics while it holds the bucket") = shared;
    }

    /// Waits for a token. One that is given up while it waits is lost, which only slows the next request down.
    pub(crate) async fn take(&self) {
        let (now, at) = {
            let shared = self.shared();
            let mut state = lock(&shared);
            let now = Instant::now();
            let mut at = now.max(state.used.back().copied().unwrap_or(now));
            if let Some(not_before) = state.not_before {
                at = at.max(not_before);
            }
            // Tokens that have come back need no memory of their use.
            while state.used.front().is_some_and(|used| *used + Duration::from_secs(1) <= now) {
                state.used.pop_front();
            }
            // More than one only when the bucket has become smaller.
            while state.used.len() >= state.tokens {
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
        let shared = self.shared();
        let mut state = lock(&shared);
        state.not_before = Some(state.not_before.map_or(until, |before| before.max(until)));
    }

    fn shared(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.0.lock().expect("no code panics while it holds the bucket"))
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().expect("no code panics while it holds the bucket")
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
    async fn two_that_are_joined_share_the_rate_of_the_newer_one() {
        let (old, new) = (Bucket::new(10), Bucket::new(4));
        let begun = Instant::now();
        for _ in 0..10 {
            old.take().await;
        }
        new.join(&old);
        let mut times = Vec::new();
        for turn in 0..8 {
            if turn % 2 == 0 {
                old.take().await
            } else {
                new.take().await
            }
            times.push(begun.elapsed());
        }
        assert!(times[0] >= Duration::from_secs(1), "what the old one sent counts: {times:?}");
        for window in times.windows(5) {
            assert!(window[4] - window[0] >= Duration::from_secs(1), "four in any second: {times:?}");
        }
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
