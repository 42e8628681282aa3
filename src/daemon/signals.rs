//! The signals of the service. From the moment that they are installed none of them kills the process: one that comes
//! before anybody listens is heard later.

use std::io;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::daemon::notify;

/// SIGTERM and SIGINT (the end), SIGHUP (a reload).
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs the handlers: the first thing that the service does, before anything is read.
    ///
    /// # Errors
    /// What the system says.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// What the work gives, or `None` when the process is told to end before. The work is dropped then, and systemd told.
    pub async fn unless_ended<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            value = work => return Some(value),
        }
        notify::tell(&[NotifyState::Stopping]);
        None
    }

    /// What is done when the process is told to end, and when the file is to be read again.
    pub(super) fn apart(self) -> (impl Future<Output = ()>, Signal) {
        let Self { mut terminate, mut interrupt, hang_up } = self;
        let end = async move {
            tokio::select! {
                biased;
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        (end, hang_up)
    }
}
