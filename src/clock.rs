//! The only code that reads the time. Everything else takes `now` as an argument.
//!
//! `Clock::System` reads the machine's clock; `ManualClock` shows the time that a test sets. `VirtualClock` follows
//! tokio's (pausable) time from a base, so that a simulated year takes seconds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

/// Where the time comes from. Cheap to clone; clones of a manual or virtual clock show the same time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that a test sets.
    Manual(ManualClock),
    /// A base plus tokio's elapsed time, which tests can pause.
    Virtual(VirtualClock),
}

impl Clock {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(manual) => manual.now(),
            Self::Virtual(clock) => clock.now(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

/// A clock that moves only when it is set or advanced.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// The time that it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        *self.lock()
    }

    /// Sets the clock to `to`, forward or back.
    pub fn set(&self, to: Timestamp) {
        *self.lock() = to;
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        *now += by;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timestamp> {
        self.0.lock().expect("no code panics while it holds the clock")
    }
}

/// A clock that follows tokio's time from a base and can be set forward or back.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    base: ManualClock,
    started: tokio::time::Instant,
}

impl VirtualClock {
    /// A clock that shows `base` now and follows tokio's time.
    #[must_use]
    pub fn new(base: Timestamp) -> Self {
        Self { base: ManualClock::new(base), started: tokio::time::Instant::now() }
    }

    /// The base plus the time elapsed since.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base.now() + self.started.elapsed()
    }

    /// Moves the clock by `seconds`, which may be negative, as if a person had set it.
    pub fn jump(&self, seconds: i64) {
        let to = self.base.now() + jiff::SignedDuration::from_secs(seconds);
        self.base.set(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_advanced() {
        let start: Timestamp = "2026-11-21T02:30:00Z".parse().unwrap();
        let manual = ManualClock::new(start);
        let clock = Clock::Manual(manual.clone());
        assert_eq!(clock.now(), start);
        manual.advance(Duration::from_secs(90));
        assert_eq!(clock.now().to_string(), "2026-11-21T02:31:30Z");
    }

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_follows_paused_time_and_jumps() {
        let start: Timestamp = "2026-11-21T02:30:00Z".parse().unwrap();
        let clock = VirtualClock::new(start);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now().to_string(), "2026-11-21T02:31:00Z");
        clock.jump(-3600);
        assert_eq!(clock.now().to_string(), "2026-11-21T01:31:00Z");
    }
}
