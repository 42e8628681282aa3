//! Notifies systemd of the service's state. A socket that is missing or refuses never fails the service.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

use crate::policy::text;

/// Sends states to systemd, if it listens.
pub(super) fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd could not be notified: {error}");
    }
}

/// `RELOADING=1` with the monotonic time in one message, as systemd requires.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("the monotonic time could not be read: {error}"),
    }
}

/// A status line. Line breaks are replaced: they would inject other states.
pub(super) fn status(text: &str) {
    send(&[NotifyState::Status(&text::one_line(text))]);
}

/// systemd's watchdog, when `WATCHDOG_USEC` (and `WATCHDOG_PID`, if it is set) asks this process for signs of life.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// The pause between two signs of life: a quarter of what systemd allows.
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Watchdog {
    /// What systemd requires of this process.
    pub(super) fn of_process() -> Self {
        Self { every: sd_notify::watchdog_enabled().map(|allowed| allowed / 4), last: None }
    }

    /// What is due was checked: a sign of life, unless one was just sent.
    pub(super) fn alive(&mut self) {
        let Some(every) = self.every else { return };
        if self.last.is_none_or(|last| last.elapsed() >= every) {
            self.last = Some(Instant::now());
            send(&[NotifyState::Watchdog]);
        }
    }
}
