//! Whether a person has asked for the end of the demo.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether a person has asked for the end.
#[derive(Clone, Debug)]
pub(super) struct Curtain(watch::Receiver<bool>);

impl Curtain {
    /// Falls at SIGINT and SIGTERM.
    pub(super) fn hang() -> std::io::Result<Self> {
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

    pub(super) fn has_fallen(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when the curtain falls, or never.
    pub(super) async fn fallen(&self) {
        if self.0.clone().wait_for(|fallen| *fallen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Time to read; ends early when the curtain falls.
    pub(super) async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.fallen() => {}
        }
    }
}
