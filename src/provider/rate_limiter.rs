//! A token bucket for everything that is sent: never more than `requests_per_second` in any second.
//!
//! It uses tokio's time, so that it also works under paused time, and serves waiters in order.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A token becomes available again one second after it was taken, so a burst is never larger than the rate. First come,
/// first served.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// Held by the next in line.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<LimiterState>,
    /// Notified when the rate changes.
    changed: Notify,
}

#[derive(Debug)]
struct LimiterState {
    tokens: usize,
    /// When the latest tokens were used; the oldest first.
    used: VecDeque<Instant>,
    /// Nothing is sent before this, because the provider asked for a pause.
    not_before: Option<Instant>,
}

impl RateLimiter {
    /// A limiter with all tokens available; a rate of 0 counts as 1.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        let state = LimiterState { tokens: tokens(requests_per_second), used: VecDeque::new(), not_before: None };
        Self { turn: tokio::sync::Mutex::default(), state: Mutex::new(state), changed: Notify::new() }
    }

    /// Sets the rate from now on, including for requests that already wait. What was sent before still counts.
    pub(crate) fn set_rate(&self, requests_per_second: u32) {
        self.lock().tokens = tokens(requests_per_second);
        self.changed.notify_one();
    }

    /// Waits for a token and takes it.
    pub(crate) async fn take(&self) {
        let _turn = self.turn.lock().await;
        loop {
            let now = Instant::now();
            let at = self.lock().free_at(now);
            if at <= now {
                self.lock().used.push_back(now);
                return;
            }
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(at) => {}
            }
        }
    }

    /// Lets nothing through for this long, because the provider got too many requests.
    pub(crate) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        state.not_before = Some(state.not_before.map_or(until, |before| before.max(until)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LimiterState> {
        self.state.lock().expect("no code panics while it holds the limiter")
    }
}

impl LimiterState {
    /// When the next token is available.
    fn free_at(&mut self, now: Instant) -> Instant {
        // Forget tokens that are available again.
        while self.used.front().is_some_and(|used| *used + Duration::from_secs(1) <= now) {
            self.used.pop_front();
        }
        // The token that must become available first. Not the oldest one if the rate was lowered.
        let over = (self.used.len() + 1).checked_sub(self.tokens).and_then(|over| over.checked_sub(1));
        let back = over.map_or(now, |at| self.used[at] + Duration::from_secs(1));
        self.not_before.map_or(back, |not_before| back.max(not_before))
    }
}

fn tokens(requests_per_second: u32) -> usize {
    usize::try_from(requests_per_second.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_requests_than_the_rate() {
        let limiter = RateLimiter::new(5);
        let begun = Instant::now();
        let mut times = Vec::new();
        for _ in 0..23 {
            limiter.take().await;
            times.push(begun.elapsed());
        }
        assert_eq!(times[4], Duration::ZERO, "the first five go at once");
        for window in times.windows(6) {
            assert!(window[5] - window[0] >= Duration::from_secs(1), "{window:?}");
        }
        assert!(times[22] < Duration::from_millis(4_100), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_is_changed_holds_for_those_who_wait_already() {
        let limiter = RateLimiter::new(10);
        let begun = Instant::now();
        for _ in 0..10 {
            limiter.take().await;
        }
        limiter.set_rate(4);
        let mut times = Vec::new();
        for _ in 0..8 {
            limiter.take().await;
            times.push(begun.elapsed());
        }
        assert!(times[0] >= Duration::from_secs(1), "what was sent counts: {times:?}");
        for window in times.windows(5) {
            assert!(window[4] - window[0] >= Duration::from_secs(1), "four in any second: {times:?}");
        }
        limiter.set_rate(1);
        let waiting = async {
            for _ in 0..100 {
                limiter.take().await;
            }
            begun.elapsed()
        };
        let changing = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            limiter.set_rate(1000);
        };
        let (ended, ()) = tokio::join!(waiting, changing);
        assert!(ended < Duration::from_secs(6), "at one a second they would take 100 s: {ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_while_it_waits_costs_no_token() {
        let limiter = RateLimiter::new(1);
        limiter.take().await;
        let begun = Instant::now();
        for _ in 0..10 {
            let _ = tokio::time::timeout(Duration::from_millis(10), limiter.take()).await;
        }
        limiter.take().await;
        assert!(begun.elapsed() <= Duration::from_millis(1_001), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_time_saves_up_no_more_than_one_burst() {
        let limiter = RateLimiter::new(2);
        limiter.take().await;
        tokio::time::advance(Duration::from_secs(100)).await;
        let begun = Instant::now();
        for _ in 0..3 {
            limiter.take().await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(999));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_provider_asks_for_holds_for_everything() {
        let limiter = RateLimiter::new(100);
        limiter.pause(Duration::from_secs(7));
        limiter.pause(Duration::from_secs(2));
        let begun = Instant::now();
        limiter.take().await;
        assert!(begun.elapsed() >= Duration::from_secs(7));
    }
}
