//! The signals of the service. Once they are installed none of them kills the process: one that arrives before anybody
//! listens is handled later.

use std::io;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::daemon::notify;

/// SIGTERM and SIGINT (shutdown), SIGHUP (reload).
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs the handlers: the first thing that the service does, before anything is read.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The result of the work, or `None` when a shutdown is requested first. The work is dropped then, and systemd
    /// notified.
    pub(crate) async fn unless_ended<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            value = work => return Some(value),
        }
        notify::send(&[NotifyState::Stopping]);
        None
    }

    /// A future that completes when a shutdown is requested, and the signal for a reload.
    pub(super) fn split(self) -> (impl Future<Output = ()>, Signal) {
        let Self { mut terminate, mut interrupt, hang_up } = self;
        let terminated = async move {
            tokio::select! {
                biased;
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        (terminated, hang_up)
    }
}
