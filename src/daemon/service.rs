//! The daemon's life: start, due times, reload, the hourly list of servers, and the way out.
//!
//! Nothing here waits for the provider or for a mail server: both are asked in the background. A stop is obeyed at
//! whatever point the service is, since each await of it may be given up: what is recorded is taken up by the next start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{Id as TaskId, JoinError, JoinSet};

use crate::clock::Clock;
use crate::config::{Config, Overfill};
use crate::daemon::evaluate::{PolicyOnServer, place_of};
use crate::daemon::listing::{AccountServers, Listed, Listing, stored, tell_listed};
use crate::daemon::notify::Watchdog;
use crate::daemon::reload::Reading;
use crate::daemon::under_way::UnderWay;
use crate::daemon::{Evaluator, IN_FORCE, Signals, Ticker, fleet, mail, notify, review};
use crate::journal::notice::{Fact, Notice, Topic};
use crate::policy::inventory::{Id, Kind, Server};
use crate::provider::{Client, ProviderError, Watch};
use crate::run::{Leases, Random, RunError, Settings, World, look_after, start_owed, watch_debts};
use crate::store::{Store, StoreError};

/// How long the way out may take for the runs: they are given 8 seconds to start the servers that they stopped.
const WAY_OUT: Duration = Duration::from_millis(8_500);
/// Without any alarm everything is looked at after this long: well before a due time would count as missed.
const WITHOUT_ALARM: Duration = Duration::from_secs(20);

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider's settings.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The alarm clock or the signals.
    #[error("the daemon cannot start: {0}")]
    Start(String),
}

/// What the service is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rouse {
    /// Some time has passed: is something due?
    Tick,
    /// The policy file is to be read again.
    Reload,
}

/// Reads the policy file again, for a reload.
pub type Files = Arc<dyn Fn() -> Result<(Arc<Config>, Client), String> + Send + Sync>;

/// The running service.
pub struct Service {
    pub(super) world: World,
    pub(super) config: Arc<Config>,
    pub(super) files: Files,
    pub(super) evaluator: Evaluator,
    pub(super) servers: Vec<Server>,
    pub(super) listing: Listing,
    pub(super) reading: Reading,
    /// The look at what a new file would drop; another one ends it.
    review: JoinSet<()>,
    pub(super) runs: JoinSet<Result<(), RunError>>,
    /// The runs in progress, by their tasks.
    pub(super) under_way: HashMap<TaskId, UnderWay>,
    /// How many runs of each policy on each server are in progress.
    pub(super) busy: HashMap<PolicyOnServer, usize>,
    /// The watch over the servers that are owed a start.
    debts: JoinSet<Result<(), StoreError>>,
    pub(super) mail: Arc<Notify>,
    mail_task: Option<mail::Mail>,
    watchdog: Watchdog,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("under_way", &self.under_way.len()).finish_non_exhaustive()
    }
}

/// What every run shares, made from the file.
#[must_use]
pub fn open_world(config: &Config, client: Client, store: Store, clock: Clock) -> (World, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    let provider = &config.provider;
    let world = World {
        watch: Watch::new(client.clone()),
        client,
        store,
        clock,
        settings: settings(config).into(),
        in_force: crate::run::InForce::default(),
        random: Random::new(rand::make_rng()),
        leases: Leases::default(),
        places: Arc::new(Semaphore::new(provider.parallel_runs as usize)),
        stop: stopped,
        progress: None,
    };
    (world, stop)
}

fn install() -> Result<Signals, ServiceError> {
    Signals::install().map_err(|error| ServiceError::Start(error.to_string()))
}

/// What runs need of the file.
pub(super) fn settings(config: &Config) -> Settings {
    let provider = &config.provider;
    Settings {
        instance: provider.instance.clone(),
        slots: [(Kind::Backup, provider.slots.backup), (Kind::Snapshot, provider.slots.snapshot)].into(),
        settle: provider.settle,
        poll: provider.poll,
        timeout: provider.timeout,
    }
}

impl Service {
    /// A service over an opened world. `files` reads the policy file again.
    #[must_use]
    pub fn new(world: World, stop: watch::Sender<bool>, config: Arc<Config>, files: Files) -> Self {
        let evaluator = Evaluator::new(world.store.clone(), world.clock.now());
        Self {
            world,
            config,
            files,
            evaluator,
            servers: Vec::new(),
            listing: Listing::default(),
            reading: Reading::default(),
            review: JoinSet::new(),
            runs: JoinSet::new(),
            under_way: HashMap::new(),
            busy: HashMap::new(),
            debts: JoinSet::new(),
            mail: Arc::new(Notify::new()),
            mail_task: None,
            watchdog: Watchdog::of_process(),
            stop,
        }
    }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run(self, signals: Signals) -> Result<(), ServiceError> {
        self.run_ticking(signals, std::future::pending()).await
    }

    /// Runs until `end` is done, or SIGTERM or SIGINT comes.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run_until(self, end: impl Future<Output = ()>) -> Result<(), ServiceError> {
        self.run_ticking(install()?, end).await
    }

    async fn run_ticking(self, signals: Signals, end: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let mut ticker = Ticker::start().await.map_err(|error| ServiceError::Start(error.to_string()))?;
        let ended = self.run_hearing(signals, ticker.wake(), end).await;
        // It is not needed any more, so it may not hold up the end either.
        let _ = tokio::time::timeout(Duration::from_millis(200), ticker.stop()).await;
        ended
    }

    /// The same with another alarm clock than the scheduler's: `wake` is notified at each tick.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run_woken_by(self, wake: Arc<Notify>, end: impl Future<Output = ()>) -> Result<(), ServiceError> {
        self.run_hearing(install()?, wake, end).await
    }

    async fn run_hearing(self, signals: Signals, wake: Arc<Notify>, end: impl Future) -> Result<(), ServiceError> {
        let (told_to_end, mut hang_up) = signals.apart();
        let rouse = async || {
            tokio::select! {
                biased;
                () = wake.notified() => Rouse::Tick,
                _ = hang_up.recv() => Rouse::Reload,
            }
        };
        let end = async {
            tokio::select! {
                biased;
                _ = end => {}
                () = told_to_end => {}
            }
        };
        self.run_on(rouse, end).await
    }

    /// The same without signals: `rouse` says when to look and when to read the file again. Nothing of it may be lost
    /// when it is dropped while it waits.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run_on(
        mut self,
        rouse: impl AsyncFnMut() -> Rouse,
        end: impl Future<Output = ()>,
    ) -> Result<(), ServiceError> {
        let ended = tokio::select! {
            biased;
            () = end => Ok(()),
            ended = self.serve(rouse) => ended,
        };
        notify::tell(&[NotifyState::Stopping]);
        self.leave().await;
        ended
    }

    /// Never returns but with an error. May be dropped at any await.
    async fn serve(&mut self, mut rouse: impl AsyncFnMut() -> Rouse) -> Result<(), ServiceError> {
        if let Err(error) = self.begin().await {
            start_owed(&self.world).await;
            return Err(error);
        }
        notify::tell(&[NotifyState::Ready]);
        tracing::info!(
            servers = self.servers.len(),
            policies = self.config.policies.len() + self.config.overrides.len(),
            "following the schedules; the next is due at {}",
            self.evaluator.next().map_or_else(|| "no known time yet".to_owned(), |next| next.to_string())
        );
        loop {
            tokio::select! {
                // In a fixed order, so that a simulation can be replayed. No run ends often enough to starve the others.
                biased;
                rouse = rouse() => if rouse == Rouse::Reload { self.reload() },
                Some(ended) = self.runs.join_next_with_id() => self.ended(ended).await?,
                Some(ended) = self.debts.join_next() => self.watch_ended(ended)?,
                listed = self.listing.done() => self.listed(listed).await?,
                read = self.reading.done() => self.reloaded(read).await?,
                () = tokio::time::sleep(WITHOUT_ALARM) => {}
            }
            // After each of these, not after alarms alone: many runs that end must not put off a look.
            self.tick().await?;
            // Only here: systemd hears of us as long as what is due is looked at.
            self.watchdog.alive();
        }
    }

    /// Before the first due time: what a crash has left is taken up, mail that waits is tried. The provider is not waited
    /// for: the stored list of servers serves until the first new one.
    async fn begin(&mut self) -> Result<(), ServiceError> {
        let store = self.world.store.clone();
        store.drop_leases_of("owner").await?;
        store.try_mails_now(self.world.clock.now()).await?;
        store.set_fact(IN_FORCE, Some(self.config.source.clone())).await?;
        store.set_fact("refused_reload", None).await?;
        self.servers = stored(&store).await?;
        let by_id: HashMap<Id, Server> =
            self.servers.iter().map(|server| (server.reference.id.clone(), server.clone())).collect();
        for notice in store.set_unreadable_aside(self.world.clock.now()).await? {
            tracing::error!("{notice}");
        }
        let mut unfinished = store.unfinished().await?;
        // A server that stands still must not wait for a place behind those that do not.
        unfinished.sort_by_key(|run| !run.state.owes_start);
        for run in unfinished {
            let server = by_id.get(&run.state.key.server.id);
            let task = fleet::task_of(&self.config, server.map(std::slice::from_ref).unwrap_or_default(), &run);
            tracing::info!(run = run.id, server = %run.state.key.server, "taking up a run that was cut off");
            self.spawn(task, run);
        }
        self.watch_debts();
        self.send_mail();
        self.follow().await?;
        self.tick().await
    }

    /// Follows the policies in force on the servers that are known. Without any server there is nothing to follow yet.
    pub(super) async fn follow(&mut self) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let tasks = fleet::tasks(&self.config, &self.servers);
        if !self.servers.is_empty() {
            self.world.in_force.set(&tasks);
        }
        // Beside the loop: thousands of policies take a while, and a run that comes first sees the same by itself.
        let (world, reviewed) = (self.world.clone(), tasks.clone());
        self.review = JoinSet::new();
        self.review.spawn(async move {
            if let Err(error) = review::review(&world, &reviewed, now).await {
                tracing::error!("what the policy file would drop could not be looked at: {error}");
            }
        });
        self.evaluator.follow(tasks, now).await?;
        if self.servers.is_empty() {
            return Ok(());
        }
        self.tell_overfilled().await
    }

    async fn listed(&mut self, listed: Listed) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let listed = listed?;
        let stored = !self.servers.is_empty();
        let tell = self.listing.told(&listed, stored, now);
        tell_listed(&self.world.store, &listed, (stored, tell), now).await?;
        if let Ok(AccountServers { servers, .. }) = listed {
            let same = fleet::are_the_same(&self.servers, &servers);
            self.servers = servers;
            // As a rule nothing has changed since the hour before.
            if !same {
                self.follow().await?;
            }
        }
        self.mail.notify_one();
        Ok(())
    }

    /// Servers that came to match more policies than their slots hold.
    async fn tell_overfilled(&mut self) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let overfilled = self.config.overfilled(&self.servers, now).into_iter();
        let fact = |one: Overfill| Fact::Overfilled { over: one.server, sum: one.proof.to_string() };
        let notices: Vec<Notice> = overfilled.map(|one| Notice::new(fact(one))).collect();
        if notices.is_empty() {
            self.world.store.close(None, Topic::Overfilled, now).await?;
        } else {
            self.world.store.tell(notices, now).await?;
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ServiceError> {
        self.listing.start_if_due(&self.world, &self.config);
        let now = self.world.clock.now();
        if !self.evaluator.is_time(now) {
            return Ok(());
        }
        let busy = &self.busy;
        let due = self.evaluator.take(now, |task| busy.contains_key(&place_of(task))).await?;
        for (task, run) in due {
            self.spawn(task, run);
        }
        self.evaluator.tell_stale(now).await?;
        if self.mail_task.as_ref().is_some_and(mail::Mail::is_over) {
            tracing::error!("the mail was cut off by a bug and is begun again");
            self.send_mail();
        }
        look_after(&self.world).await?;
        self.mail.notify_one();
        Ok(())
    }

    /// (Re)starts the watch over the servers that are owed a start.
    pub(super) fn watch_debts(&mut self) {
        self.debts = JoinSet::new();
        self.debts.spawn(watch_debts(self.world.clone()));
    }

    fn watch_ended(&mut self, ended: Result<Result<(), StoreError>, JoinError>) -> Result<(), ServiceError> {
        match ended {
            Ok(ended) => ended?,
            Err(error) => {
                tracing::error!("the watch over stopped servers was cut off by a bug and is begun again: {error}");
                self.watch_debts();
            }
        }
        Ok(())
    }

    /// (Re)starts the mail of the file in force.
    pub(super) fn send_mail(&mut self) {
        let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
        // The old one ends before the new one begins, so that no mail is sent by both.
        self.mail_task = None;
        self.mail_task = Some(mail::start(store, clock, Arc::clone(&self.config), Arc::clone(&self.mail)));
    }

    /// No new step; stopped servers are started; the journal is closed. What is awaited is taken up by the next start.
    async fn leave(mut self) {
        self.stop.send_replace(true);
        let all = async {
            while self.runs.join_next().await.is_some() {}
            while self.debts.join_next().await.is_some() {}
        };
        if tokio::time::timeout(WAY_OUT, all).await.is_err() {
            tracing::warn!("some runs did not come to rest in time: the next start takes them up");
        }
    }
}
