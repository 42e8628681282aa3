//! The listener that serves the status: where the policy file in force says, or nowhere.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::account::{page_facts, survey};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::evaluation::EvaluationRecord;
use crate::run::World;
use crate::status::{CheckEvaluator, Listener, ProcessCounters, Site, StatusSource, TakePage, TakeStatus};
use crate::store::Store;

/// The listener of the daemon.
#[derive(Debug)]
pub(super) struct StatusListener {
    owner: Store,
    clock: Clock,
    counters: Arc<ProcessCounters>,
    evaluation: EvaluationRecord,
    started: Timestamp,
    /// Opened with the first listener.
    reading: Option<Store>,
    open: Option<OpenListener>,
}

/// A listener, and the file that asked for it.
#[derive(Debug)]
struct OpenListener {
    listener: Listener,
    config: Arc<Config>,
    asked: SocketAddr,
}

impl StatusListener {
    /// No listener yet. The process has just started.
    pub(super) fn new(world: &World, counters: Arc<ProcessCounters>, evaluation: EvaluationRecord) -> Self {
        let (owner, clock) = (world.store.clone(), world.clock.clone());
        let started = clock.now();
        Self { owner, clock, counters, evaluation, started, reading: None, open: None }
    }

    /// Listens as this file says from now on.
    ///
    /// # Errors
    /// Why that is not possible, with the key's name; everything is then as it was.
    pub(super) async fn follow(&mut self, config: &Arc<Config>) -> Result<(), String> {
        let Some(asked) = config.status.listen else {
            self.close().await;
            return Ok(());
        };
        let site = self.site(config).await?;
        if let Some(open) = self.open.as_mut().filter(|open| open.asked == asked) {
            open.listener.replace_site(site);
            open.config = Arc::clone(config);
            return Ok(());
        }
        let started = match Listener::start(asked, site).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && self.has_port(asked.port()) => {
                self.move_to(asked, config).await
            }
            started => started,
        };
        let listener = started.map_err(|error| {
            format!(
                "status.listen: {asked} cannot be listened on: {error}; name another address, or end what listens there"
            )
        })?;
        tracing::info!("the status is served at http://{}/", listener.address());
        if let Some(before) = self.open.replace(OpenListener { listener, config: Arc::clone(config), asked }) {
            before.listener.close().await;
        }
        Ok(())
    }

    /// Listens no more.
    pub(super) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.listener.close().await;
        }
    }

    fn has_port(&self, port: u16) -> bool {
        self.open.as_ref().is_some_and(|open| open.listener.address().port() == port)
    }

    /// Listens on another address with the same port, which may be free only once the listener of before is closed. If it
    /// is not, that one is opened again.
    async fn move_to(&mut self, asked: SocketAddr, config: &Arc<Config>) -> Result<Listener, Error> {
        let site = self.site(config).await.map_err(Error::other)?;
        let Some(before) = self.open.take() else { return Listener::start(asked, site).await };
        let address = before.listener.address();
        before.listener.close().await;
        let error = match Listener::start(asked, site).await {
            Ok(listener) => return Ok(listener),
            Err(error) => error,
        };
        let site = self.site(&before.config).await.map_err(Error::other)?;
        match Listener::start(address, site).await {
            Ok(listener) => self.open = Some(OpenListener { listener, ..before }),
            Err(again) => tracing::error!("the status is no longer served: {address} cannot be listened on: {again}"),
        }
        Err(error)
    }

    /// What this file serves.
    async fn site(&mut self, config: &Arc<Config>) -> Result<Site, String> {
        let store = match &self.reading {
            Some(store) => store.clone(),
            None => {
                let dir = self.owner.dir();
                let opened = self.owner.blocking(move || Store::reading(&dir)).await;
                let opened = opened.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
                self.reading.insert(opened).clone()
            }
        };
        let (in_force, clock) = (Arc::clone(config), self.clock.clone());
        let take_status: TakeStatus = Arc::new(move |store| {
            let (config, now) = (Arc::clone(&in_force), clock.now());
            Box::pin(async move { Ok(survey(&config, &store, now).await?.status) })
        });
        let (in_force, clock) = (Arc::clone(config), self.clock.clone());
        let take_page: TakePage = Arc::new(move |store, request| {
            let (config, now) = (Arc::clone(&in_force), clock.now());
            Box::pin(async move { page_facts(&config, &store, request, now).await })
        });
        let evaluation = self.evaluation.clone();
        let check_evaluator: CheckEvaluator = Arc::new(move || evaluation.check());
        let counters = Arc::clone(&self.counters);
        let started = self.started;
        let source = StatusSource { store, take_status, take_page, check_evaluator, counters, started };
        Ok(Site::new(config.status.hosts.clone(), source))
    }
}
