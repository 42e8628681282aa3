//! The alarm clock: tokio-cron-scheduler wakes whoever waits, once a second, and does nothing else.
//!
//! The scheduler turns a zone into a fixed offset, loses jobs that are due together and does not catch up, so it gets
//! one job in UTC whose only effect is a wake-up. After the clock was set back it waits until the old time is reached
//! again, so an alarm that has been silent for some seconds is replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// An alarm that has not rung for this long is replaced.
const SILENT: Duration = Duration::from_secs(5);

/// The alarm clock of the daemon.
#[derive(Debug)]
pub(super) struct Ticker {
    wake: Arc<Notify>,
    stop: Arc<Notify>,
    keeper: JoinHandle<()>,
}

impl Ticker {
    /// Starts it.
    ///
    /// # Errors
    /// What the scheduler says.
    pub(super) async fn start() -> Result<Self, JobSchedulerError> {
        let bells = Bells::default();
        let (wake, stop) = (Arc::clone(&bells.wake), Arc::new(Notify::new()));
        let scheduler = bells.ring_every_second().await?;
        let keeper = tokio::spawn(keep_ringing(scheduler, bells, Arc::clone(&stop)));
        Ok(Self { wake, stop, keeper })
    }

    /// Notified at every tick.
    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Stops it. A tick may still come after this.
    pub(super) async fn stop(&mut self) {
        self.stop.notify_one();
        if let Err(error) = (&mut self.keeper).await {
            tracing::debug!("the alarm clock did not stop: {error}");
        }
    }
}

/// Who is notified at a tick: the daemon, and the task that checks that ticks arrive.
#[derive(Clone, Debug, Default)]
struct Bells {
    wake: Arc<Notify>,
    heard: Arc<Notify>,
}

impl Bells {
    async fn ring_every_second(&self) -> Result<JobScheduler, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let bells = self.clone();
        let job = Job::new_async("* * * * * *", move |_id, _scheduler| {
            let bells = bells.clone();
            Box::pin(async move {
                bells.wake.notify_one();
                bells.heard.notify_one();
            })
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(scheduler)
    }
}

async fn keep_ringing(mut scheduler: JobScheduler, bells: Bells, stop: Arc<Notify>) {
    loop {
        let heard = tokio::select! {
            biased;
            () = stop.notified() => break,
            heard = tokio::time::timeout(SILENT, bells.heard.notified()) => heard,
        };
        if heard.is_ok() {
            continue;
        }
        tracing::debug!("the alarm has been silent for {} s: it is replaced", SILENT.as_secs());
        shut_down(&mut scheduler).await;
        match bells.ring_every_second().await {
            Ok(new) => scheduler = new,
            Err(error) => tracing::warn!("the alarm clock cannot be replaced, due times are seen later: {error}"),
        }
    }
    shut_down(&mut scheduler).await;
}

async fn shut_down(scheduler: &mut JobScheduler) {
    if let Err(error) = scheduler.shutdown().await {
        tracing::debug!("the alarm clock did not stop: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_that_stops_ringing_is_replaced() {
        let bells = Bells::default();
        let mut scheduler = bells.ring_every_second().await.unwrap();
        shut_down(&mut scheduler).await;
        let (wake, stop) = (Arc::clone(&bells.wake), Arc::new(Notify::new()));
        let keeper = tokio::spawn(keep_ringing(scheduler, bells, Arc::clone(&stop)));
        // An earlier tick may be left over.
        for _ in 0..3 {
            tokio::time::timeout(Duration::from_secs(60), wake.notified()).await.expect("it rings again");
        }
        stop.notify_one();
        keeper.await.unwrap();
    }
}
