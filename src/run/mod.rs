//! Makes what should happen happen: performs a run step by step, each written to the journal before and after.
//!
//! `journal::recovery::next` says what comes next; `drive` does it and never decides anew. A run that was cut off by
//! a crash or a stop is driven on from its journal by the same code.

mod ages;
pub mod by_hand;
mod debts;
mod delete;
mod drive;
mod end;
mod errand;
mod in_force;
mod lease;
mod locks;
mod make;
mod power;
mod progress;
mod settings;
mod settle;
mod take;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::journal::notice::{Fact, Notice};
use crate::policy::inventory::ServerRef;
use crate::provider::{Client, ProviderError, Watch};
use crate::store::{Store, StoreError};

pub use crate::policy::task::Task;
pub use debts::{start_owed, until_paid, watch_debts};
pub use drive::drive;
pub use errand::look_after;
pub use in_force::InForce;
pub use lease::Lease;
pub use locks::Leases;
pub use settings::{LiveSettings, Settings};
pub use take::{Inspection, inspect, place, signs, take_stock};

/// How long an answer is still waited for when the process is to end.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What is the same for every run: the provider, the store, the clock and the file's settings.
#[derive(Clone, Debug)]
pub struct World {
    /// The provider.
    pub client: Client,
    /// The looks that all waiting runs share.
    pub watch: Watch,
    /// The state.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The settings in force: a reload exchanges them.
    pub settings: LiveSettings,
    /// The policies in force now.
    pub in_force: InForce,
    /// Where tokens come from.
    pub random: Random,
    /// One run a server at a time.
    pub leases: Leases,
    /// The `parallel_runs` places.
    pub places: Arc<Semaphore>,
    /// True from the moment that the process is to end.
    pub stop: watch::Receiver<bool>,
    /// Who hears of the steps.
    pub progress: Option<UnboundedSender<Progress>>,
}

/// A source of random bits that comes from outside, so that a test can replay it.
#[derive(Clone, Debug)]
pub struct Random(Arc<Mutex<StdRng>>);

impl Random {
    /// From a seeded generator.
    #[must_use]
    pub fn new(generator: StdRng) -> Self {
        Self(Arc::new(Mutex::new(generator)))
    }

    /// 64 random bits.
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.0.lock().expect("no code panics while it holds the generator").next_u64()
    }
}

impl Task {
    /// What happened to this policy on this server, for the policy's reports.
    #[must_use]
    pub fn notice(&self, fact: Fact) -> Notice {
        Notice {
            policy: Some(self.policy.name.to_string()),
            kind: Some(self.policy.kind),
            reports: self.policy.report.clone(),
            ..Notice::of_server(self.server.reference.clone(), fact)
        }
    }
}

/// Something that a person who watches wants to know.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The run.
    pub run: i64,
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: String,
    /// What is going on, in a few words.
    pub text: String,
    /// Whether the run is over.
    pub over: bool,
}

/// Why a run cannot go on now. It stays open in the journal and is taken up by the next start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state cannot be written: nothing more is sent.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is to end.
    #[error("stopped: the run is taken up by the next start")]
    Stopped,
}

impl World {
    /// The settings in force now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.now()
    }

    /// Whether the process is to end.
    #[must_use]
    pub fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits, unless the process is to end.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn pause(&self, time: Duration) -> Result<(), RunError> {
        self.unless_stopped(tokio::time::sleep(time)).await
    }

    /// Waits until a moment by our clock, unless the process is to end, and no longer than it takes by the clock of now.
    /// Looks at the clock at least once a minute, since it may be set.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn pause_until(&self, at: Timestamp) -> Result<(), RunError> {
        let left = || Duration::try_from(self.clock.now().duration_until(at)).unwrap_or_default();
        let end = tokio::time::Instant::now() + left();
        loop {
            let left = left().min(end.saturating_duration_since(tokio::time::Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            self.pause(left.min(Duration::from_mins(1))).await?;
        }
    }

    /// The answer to a call that changes something. When the process is to end, it is waited for a moment longer; then
    /// `None`, as if the answer had been lost.
    pub(crate) async fn answer<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.clone();
        let last_moment = async {
            let asked = stop.wait_for(|stop| *stop).await.is_ok();
            // A sender that is gone cannot ask for a stop.
            if !asked {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(LAST_WORD).await;
        };
        tokio::select! {
            biased;
            // One that is there in the last moment counts.
            answer = call => Some(answer),
            () = last_moment => None,
        }
    }

    /// The work's result, unless the process is to end first.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, RunError> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            // A sender that is gone cannot ask for a stop: then the work alone counts.
            Ok(_) = stop.wait_for(|stop| *stop) => Err(RunError::Stopped),
            value = work => Ok(value),
        }
    }
}

/// What the journal says of a call that was cut off by the end of the process.
const CUT_OFF: &str = "the process was to end before an answer came";

/// What a failed call says in the journal: the provider's own words.
fn words(error: &ProviderError) -> String {
    error.to_string()
}
