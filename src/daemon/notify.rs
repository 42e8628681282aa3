//! Tells systemd how the service is. A socket that is missing or refuses never fails the service.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

use crate::policy::text;

/// Sends states to systemd, if it listens.
pub fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd could not be told: {error}");
    }
}

/// `RELOADING=1` with the monotonic time in one message, as systemd demands.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("the monotonic time could not be read: {error}"),
    }
}

/// A status line. Line breaks would inject other states.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(&text::one_line(text))]);
}

/// systemd's watchdog, where `WATCHDOG_USEC` (and `WATCHDOG_PID`, when it is set) asks this process for signs of life.
#[derive(Debug)]
pub struct Watchdog {
    /// The pause between two signs: a quarter of what systemd allows.
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Watchdog {
    /// What systemd asks of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self { every: sd_notify::watchdog_enabled().map(|allowed| allowed / 4), last: None }
    }

    /// The evaluator has looked at what is due: a sign, unless the last one was just given.
    pub fn alive(&mut self) {
        let Some(every) = self.every else { return };
        if self.last.is_none_or(|last| last.elapsed() >= every) {
            self.last = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }
}
