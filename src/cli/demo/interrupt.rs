//! Whether a person has asked for the end of the demo.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether a person has asked for the end.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Falls at SIGINT and SIGTERM.
    pub(super) fn install() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (fall, fallen) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            fall.send_replace(true);
        });
        Ok(Self(fallen))
    }

    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when the interrupt falls, or never.
    pub(super) async fn requested(&self) {
        if self.0.clone().wait_for(|fallen| *fallen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Time to read; ends early when the interrupt falls.
    pub(super) async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.requested() => {}
        }
    }
}
