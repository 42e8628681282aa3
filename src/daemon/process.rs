//! The service as a process: woken by the alarm clock and by SIGHUP, shut down by SIGTERM and SIGINT.

use std::time::Duration;

use crate::daemon::service::{Service, ServiceError, Wake};
use crate::daemon::signals::Signals;
use crate::daemon::ticker::Ticker;

/// Runs the service until `end` completes, or SIGTERM or SIGINT arrives.
///
/// # Errors
/// When it cannot start, or the state fails.
pub(crate) async fn run_in_process(
    service: Service,
    signals: Signals,
    end: impl Future<Output = ()>,
) -> Result<(), ServiceError> {
    let mut ticker = Ticker::start().await.map_err(|error| ServiceError::Start(error.to_string()))?;
    let (tick, (terminated, mut hang_up)) = (ticker.wake(), signals.split());
    let wake = async || {
        tokio::select! {
            biased;
            () = tick.notified() => Wake::Tick,
            _ = hang_up.recv() => Wake::Reload,
        }
    };
    let shutdown = async {
        tokio::select! {
            biased;
            () = end => {}
            () = terminated => {}
        }
    };
    let ended = service.run(wake, shutdown).await;
    // Nobody needs the alarm clock any more, so it may not delay the end.
    let _ = tokio::time::timeout(Duration::from_millis(200), ticker.stop()).await;
    ended
}
