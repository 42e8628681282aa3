//! What all runs share: the provider, the store, the clock, the settings, and waits that a shutdown ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::provider::{Client, Watch};
use crate::run::{InForce, Leases, LiveSettings, Progress, Random, RunError, Settings};
use crate::store::Store;

/// How long to wait for an answer once the process is shutting down.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What all runs share.
#[derive(Clone, Debug)]
pub struct World {
    /// The provider.
    pub client: Client,
    /// The polling of lists that all waiting runs share.
    pub watch: Watch,
    /// The state.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The settings in force; a reload replaces them.
    pub settings: LiveSettings,
    /// The policies in force; a reload replaces them.
    pub in_force: InForce,
    /// Where tokens come from.
    pub random: Random,
    /// Allow one run per server at a time.
    pub leases: Leases,
    /// Allow `parallel_runs` points to be created at once.
    pub run_permits: Arc<Semaphore>,
    /// True once the process is shutting down.
    pub stop: watch::Receiver<bool>,
    /// Receives the progress messages of runs.
    pub progress: Option<UnboundedSender<Progress>>,
}

impl World {
    /// The settings in force now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.now()
    }

    /// Whether the process is shutting down.
    #[must_use]
    pub fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits, unless the process shuts down.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn pause(&self, time: Duration) -> Result<(), RunError> {
        self.unless_stopped(tokio::time::sleep(time)).await
    }

    /// Waits until this time by our clock, unless the process shuts down. The clock is read again once a minute, since
    /// someone may set it.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn pause_until(&self, at: Timestamp) -> Result<(), RunError> {
        let left = || Duration::try_from(self.clock.now().duration_until(at)).unwrap_or_default();
        let end = Instant::now() + left();
        loop {
            let left = left().min(end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            self.pause(left.min(Duration::from_mins(1))).await?;
        }
    }

    /// The answer to a call that changes something. At a shutdown the wait continues for a moment; after that the
    /// result is `None`, as if the answer had been lost.
    pub(super) async fn answer<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.clone();
        let last_moment = async {
            let asked = stop.wait_for(|stop| *stop).await.is_ok();
            // If the sender is gone, nobody can ask for a stop.
            if !asked {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(LAST_WORD).await;
        };
        tokio::select! {
            biased;
            // An answer that arrives at the last moment counts.
            answer = call => Some(answer),
            () = last_moment => None,
        }
    }

    /// The result of the work, unless the process shuts down first.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, RunError> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            // If the sender is gone, nobody can ask for a stop: then only the work counts.
            Ok(_) = stop.wait_for(|stop| *stop) => Err(RunError::Stopped),
            value = work => Ok(value),
        }
    }
}
