//! How long ago something was, by our clock and by a monotonic one. Setting the clock back does not make a wait longer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The times that this process has asked about, with the age of each at that time.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<BTreeMap<Timestamp, (Instant, Duration)>>);

impl Ages {
    /// How long ago `at` was. Never less than the time since it was first asked about.
    pub(super) fn since(&self, at: Timestamp, now: Timestamp) -> Duration {
        let by_clock = Duration::try_from(at.duration_until(now)).unwrap_or_default();
        let mut known = self.0.lock().expect("no code panics while it holds the ages");
        let (first, age) = *known.entry(at).or_insert_with(|| (Instant::now(), by_clock));
        by_clock.max(age + first.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_makes_nothing_younger() {
        let ages = Ages::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let asked = at("2026-11-21T02:30:00Z");
        assert_eq!(ages.since(asked, at("2026-11-21T02:30:10Z")), Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(ages.since(asked, at("2026-11-20T20:31:10Z")), Duration::from_secs(70));
        assert_eq!(ages.since(asked, at("2026-11-21T02:40:00Z")), Duration::from_secs(600), "it may be older");
    }
}
