//! Tells systemd how the service is. A socket that is missing or refuses never fails the service.

use sd_notify::NotifyState;

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
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tell(&[NotifyState::Status(&line)]);
}
