//! Where the answers come from: the state, read through a connection of its own, and what this process has counted.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::status::metrics::{self, Metrics};
use crate::status::page::{self, PageFacts, PageRequest};
use crate::status::process_counters::ProcessCounters;
use crate::status::process_usage::ProcessUsage;
use crate::status::value::Status;
use crate::store::{Store, StoreError};

/// Takes the status from the state.
pub(crate) type TakeStatus = Arc<dyn Fn(Store) -> BoxFuture<'static, Result<Status, StoreError>> + Send + Sync>;
/// Takes what a page shows from the state; `None` where there is no such page.
pub(crate) type TakePage =
    Arc<dyn Fn(Store, PageRequest) -> BoxFuture<'static, Result<Option<PageFacts>, StoreError>> + Send + Sync>;
/// Says why the evaluator does not work, if that is so.
pub(crate) type CheckEvaluator = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Where the answers come from.
#[derive(Clone)]
pub(crate) struct StatusSource {
    /// The state, opened for reading.
    pub(crate) store: Store,
    /// Takes the status from it.
    pub(crate) take_status: TakeStatus,
    /// Takes what a page shows.
    pub(crate) take_page: TakePage,
    /// Whether the evaluator works.
    pub(crate) check_evaluator: CheckEvaluator,
    /// What this process has counted.
    pub(crate) counters: Arc<ProcessCounters>,
    /// When this process started.
    pub(crate) started: Timestamp,
}

impl fmt::Debug for StatusSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusSource").field("store", &self.store).finish_non_exhaustive()
    }
}

impl StatusSource {
    /// The status as JSON, as `status --json` prints it.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub(super) async fn json(&self) -> Result<Vec<u8>, String> {
        let source = self.clone();
        on_a_thread(move |runtime| {
            let status = runtime.block_on((source.take_status)(source.store)).map_err(|error| error.to_string())?;
            serde_json::to_vec_pretty(&status).map_err(|error| error.to_string())
        })
        .await
    }

    /// The metrics in Prometheus' text format.
    ///
    /// # Errors
    /// Why they cannot be taken.
    pub(super) async fn metrics(&self) -> Result<Vec<u8>, String> {
        let source = self.clone();
        on_a_thread(move |runtime| {
            let taken = async {
                let status = (source.take_status)(source.store.clone()).await?;
                Ok::<_, StoreError>((status, source.store.counters().await?))
            };
            let (status, counters) = runtime.block_on(taken).map_err(|error| error.to_string())?;
            let (process, usage) = (source.counters.counts(), ProcessUsage::read(source.started));
            let metrics = Metrics { status: &status, counters: &counters, process: &process, usage: &usage };
            Ok(metrics::text(&metrics).into_bytes())
        })
        .await
    }

    /// A page as HTML; `None` where there is no such page.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) async fn page(&self, request: PageRequest) -> Result<Option<Vec<u8>>, String> {
        let source = self.clone();
        on_a_thread(move |runtime| {
            let facts = runtime.block_on((source.take_page)(source.store, request));
            let facts = facts.map_err(|error| error.to_string())?;
            Ok(facts.map(|facts| page::html(&facts).into_bytes()))
        })
        .await
    }

    /// Whether the evaluator works.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn health(&self) -> Result<(), String> {
        (self.check_evaluator)()
    }
}

/// Does work that takes long with many servers on a thread of its own, so that it delays no run. The thread ends with it:
/// what a thread has allocated goes back to the system only as a whole.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce(Handle) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (runtime, (tell, told)) = (Handle::current(), oneshot::channel());
    let thread = std::thread::Builder::new().name("status".to_owned());
    // Somebody who no longer waits need not be told.
    let started = thread.spawn(move || drop(tell.send(work(runtime))));
    started.map_err(|error| format!("no thread can be started: {error}"))?;
    told.await.unwrap_or_else(|_| Err("a fault of lastgood interrupted it".to_owned()))
}
