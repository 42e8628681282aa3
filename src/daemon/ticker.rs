//! The alarm clock: tokio-cron-scheduler wakes whoever waits, once a second, and nothing else.
//!
//! It turns a zone into a fixed offset, loses jobs that fall due together and knows no catch-up; so it gets one
//! job in UTC whose only effect is a wake-up.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// The alarm clock of the daemon.
pub(super) struct Ticker {
    scheduler: JobScheduler,
    wake: Arc<Notify>,
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}

impl Ticker {
    /// Starts it.
    ///
    /// # Errors
    /// What the scheduler says.
    pub(super) async fn start() -> Result<Self, JobSchedulerError> {
        let wake = Arc::new(Notify::new());
        let scheduler = JobScheduler::new().await?;
        let ring = Arc::clone(&wake);
        let job = Job::new_async("* * * * * *", move |_id, _scheduler| {
            let ring = Arc::clone(&ring);
            Box::pin(async move { ring.notify_one() })
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, wake })
    }

    /// Notified at every tick.
    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Stops it. A tick may still come after this.
    pub(super) async fn stop(&mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!("the alarm clock did not stop: {error}");
        }
    }
}
