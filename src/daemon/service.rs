//! The daemon's life: start, due times, reload, the hourly list of servers, and the way out.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::evaluate::is_same;
use crate::daemon::{Evaluator, Ticker, fleet, mail, notify};
use crate::journal::notice::{Class, Notice, Topic};
use crate::policy::inventory::{Kind, Server};
use crate::policy::policy::Policy;
use crate::provider::{Client, ProviderError, Watch};
use crate::run::{Leases, Random, RunError, Settings, Task, World, drive};
use crate::store::runs::Run;
use crate::store::{Store, StoreError};

/// The account's servers are listed again after this long.
const LIST_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How long the way out may take.
const WAY_OUT: Duration = Duration::from_secs(9);

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
    /// The process is to end.
    End,
}

/// Reads the policy file again, for a reload.
pub type Files = Arc<dyn Fn() -> Result<(Arc<Config>, Client), String> + Send + Sync>;

/// The running service.
pub struct Service {
    world: World,
    config: Arc<Config>,
    files: Files,
    evaluator: Evaluator,
    servers: Vec<Server>,
    listed_at: Option<Timestamp>,
    runs: JoinSet<(Task, Result<(), RunError>)>,
    busy: Vec<Task>,
    mail: Arc<Notify>,
    mail_task: Option<mail::Mail>,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("busy", &self.busy.len()).finish_non_exhaustive()
    }
}

/// What every run shares, made from the file.
#[must_use]
pub fn open_world(config: &Config, client: Client, store: Store, clock: Clock) -> (World, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    let provider = &config.provider;
    let settings = Settings {
        instance: provider.instance.clone(),
        slots: [(Kind::Backup, provider.slots.backup), (Kind::Snapshot, provider.slots.snapshot)].into(),
        settle: provider.settle,
        poll: provider.poll,
        timeout: provider.timeout,
    };
    let world = World {
        watch: Watch::new(client.clone()),
        client,
        store,
        clock,
        settings,
        random: Random::new(rand::make_rng()),
        leases: Leases::default(),
        places: Arc::new(Semaphore::new(provider.parallel_runs as usize)),
        stop: stopped,
        progress: None,
    };
    (world, stop)
}

/// Lists the account's servers and stores them; tells of those that are gone. When they cannot be listed, the stored
/// list serves, if there is one.
///
/// # Errors
/// `Err` of the provider when there is no stored list either; what the state says.
pub async fn refresh_servers(world: &World, config: &Config) -> Result<Result<Vec<Server>, ProviderError>, StoreError> {
    let now = world.clock.now();
    match world.client.servers().await {
        Ok(listing) => {
            let servers = listing.items;
            let gone = world.store.save_servers(servers.clone(), now).await?;
            let notices = gone.iter().filter(|server| !fleet::tasks_of(config, server).is_empty()).map(is_gone);
            world.store.tell(notices.collect(), now).await?;
            for server in &servers {
                world.store.close(Some(server.reference.clone()), Topic::ServerGone, now).await?;
            }
            Ok(Ok(servers))
        }
        Err(error) => {
            let known = world.store.servers().await?;
            let stored: Vec<Server> =
                known.into_iter().filter(|known| known.gone_at.is_none()).map(|known| known.server).collect();
            if stored.is_empty() {
                return Ok(Err(error));
            }
            tracing::warn!("the servers could not be listed, so the stored list serves: {error}");
            Ok(Ok(stored))
        }
    }
}

fn is_gone(server: &Server) -> Notice {
    let text = format!(
        "server {} ({}) is no longer listed by the provider: nothing of it is pruned; take it out of the policy file if \
         it is meant to be gone",
        server.reference.name, server.reference.id
    );
    Notice { server: Some(server.reference.clone()), ..plain(Topic::ServerGone, text) }
}

fn plain(topic: Topic, text: String) -> Notice {
    Notice {
        class: Class::Failure,
        topic,
        server: None,
        policy: None,
        kind: None,
        text,
        last_good: None,
        next: None,
        since: None,
        lost: Vec::new(),
        reports: Vec::new(),
    }
}

impl Service {
    /// A service over an opened world. `files` reads the policy file again.
    #[must_use]
    pub fn new(world: World, stop: watch::Sender<bool>, config: Arc<Config>, files: Files) -> Self {
        let evaluator = Evaluator::new(world.store.clone(), world.clock.now());
        let (runs, mail) = (JoinSet::new(), Arc::new(Notify::new()));
        let (servers, busy) = (Vec::new(), Vec::new());
        Self { world, config, files, evaluator, servers, listed_at: None, runs, busy, mail, mail_task: None, stop }
    }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run(self) -> Result<(), ServiceError> {
        self.run_until(std::future::pending()).await
    }

    /// Runs until `end` is done, or SIGTERM or SIGINT comes.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run_until(self, end: impl Future<Output = ()>) -> Result<(), ServiceError> {
        tokio::pin!(end);
        let start = |error: std::io::Error| ServiceError::Start(error.to_string());
        let mut terminate = signal(SignalKind::terminate()).map_err(start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(start)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(start)?;
        let mut ticker = Ticker::start().await.map_err(|error| ServiceError::Start(error.to_string()))?;
        let wake = ticker.wake();
        let ended = self
            .run_on(async || {
                tokio::select! {
                    () = wake.notified() => Rouse::Tick,
                    _ = hang_up.recv() => Rouse::Reload,
                    () = &mut end => Rouse::End,
                    _ = terminate.recv() => Rouse::End,
                    _ = interrupt.recv() => Rouse::End,
                }
            })
            .await;
        ticker.stop().await;
        ended
    }

    /// Runs as `rouse` says, without an alarm clock and signals of its own: a simulation has its own time. A `rouse`
    /// that is dropped while it waits must lose nothing.
    ///
    /// # Errors
    /// When it cannot start, or the state fails.
    pub async fn run_on(mut self, mut rouse: impl AsyncFnMut() -> Rouse) -> Result<(), ServiceError> {
        self.begin().await?;
        notify::tell(&[NotifyState::Ready]);
        let ended = loop {
            tokio::select! {
                // In this order, so that a simulation can be replayed; runs end seldom enough to starve nobody.
                biased;
                Some(ended) = self.runs.join_next() => {
                    if let Err(error) = self.ended(ended).await { break Err(error) }
                    continue;
                }
                rouse = rouse() => match rouse {
                    Rouse::Tick => {}
                    Rouse::Reload => if let Err(error) = self.reload().await { break Err(error) },
                    Rouse::End => break Ok(()),
                },
            }
            if let Err(error) = self.tick().await {
                break Err(error);
            }
            notify::tell(&[NotifyState::Watchdog]);
        };
        notify::tell(&[NotifyState::Stopping]);
        self.leave().await;
        ended
    }

    /// Before the first due time: what a crash has left is taken up, mail that waits is tried.
    async fn begin(&mut self) -> Result<(), ServiceError> {
        self.world.store.drop_leases_of("owner").await?;
        self.world.store.try_mails_now(self.world.clock.now()).await?;
        self.list_servers().await?;
        for run in self.world.store.unfinished().await? {
            let task = self.task_of(&run);
            tracing::info!(run = run.id, server = %run.state.key.server, "taking up a run that was cut off");
            self.spawn(task, run);
        }
        self.tick().await?;
        self.send_mail();
        Ok(())
    }

    /// The task of a run that was cut off. A policy that is no longer in the file deletes nothing any more.
    fn task_of(&self, run: &Run) -> Task {
        task_of(&self.config, &self.servers, run)
    }

    async fn list_servers(&mut self) -> Result<(), ServiceError> {
        match refresh_servers(&self.world, &self.config).await? {
            Ok(servers) => self.servers = servers,
            Err(error) => {
                tracing::error!("the servers cannot be listed, and no list is stored: {error}");
                let text = format!("the account's servers cannot be listed: {error}");
                self.world.store.tell(vec![plain(Topic::Attention, text)], self.world.clock.now()).await?;
                // Asked for again in a minute, not in an hour.
                self.listed_at = Some(self.world.clock.now() - LIST_AGAIN + SignedDuration::from_mins(1));
                return Ok(());
            }
        }
        let now = self.world.clock.now();
        self.listed_at = Some(now);
        self.world.store.close(None, Topic::Attention, now).await?;
        self.evaluator.follow(fleet::tasks(&self.config, &self.servers), now).await?;
        self.tell_overfilled().await
    }

    /// Servers that came to match more policies than their slots hold.
    async fn tell_overfilled(&mut self) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let notices: Vec<Notice> = self
            .config
            .overfilled(&self.servers, now)
            .into_iter()
            .map(|text| plain(Topic::Overfilled, text.to_string()))
            .collect();
        if notices.is_empty() {
            self.world.store.close(None, Topic::Overfilled, now).await?;
        }
        self.world.store.tell(notices, now).await?;
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let list = self.listed_at.is_none_or(|at| at.duration_until(now) >= LIST_AGAIN || now < at);
        if list {
            self.list_servers().await?;
        }
        if !self.evaluator.is_time(now) {
            return Ok(());
        }
        let busy = &self.busy;
        let due = self.evaluator.take(now, |task| busy.iter().any(|other| is_same(task, other))).await?;
        for (task, run) in due {
            self.spawn(task, run);
        }
        self.evaluator.tell_stale(now).await?;
        self.mail.notify_one();
        Ok(())
    }

    fn spawn(&mut self, task: Task, run: Run) {
        self.busy.push(task.clone());
        let world = self.world.clone();
        self.runs.spawn(async move {
            let done = drive(&world, &task, run).await.map(drop);
            (task, done)
        });
    }

    async fn ended(
        &mut self,
        ended: Result<(Task, Result<(), RunError>), tokio::task::JoinError>,
    ) -> Result<(), ServiceError> {
        let (task, done) = ended.map_err(|error| ServiceError::Start(format!("a run was cut off: {error}")))?;
        if let Some(place) = self.busy.iter().position(|other| is_same(other, &task)) {
            self.busy.swap_remove(place);
        }
        self.mail.notify_one();
        notify::status(&format!("{} runs under way", self.busy.len()));
        match done {
            Ok(()) | Err(RunError::Stopped) => Ok(self.evaluator.ended(&task).await?),
            Err(RunError::Store(error)) => Err(error.into()),
        }
    }

    /// Reads the file again. A bad one never takes over.
    async fn reload(&mut self) -> Result<(), ServiceError> {
        notify::reloading();
        let now = self.world.clock.now();
        match (self.files)() {
            Ok((config, client)) => {
                let (fresh, _stop) = open_world(&config, client, self.world.store.clone(), self.world.clock.clone());
                self.world.client = fresh.client;
                self.world.watch = fresh.watch;
                self.world.settings = fresh.settings;
                if config.provider.parallel_runs != self.config.provider.parallel_runs {
                    self.world.places = fresh.places;
                }
                self.config = config;
                self.world.store.set_fact("refused_reload", None).await?;
                self.world.store.close(None, Topic::Reload, now).await?;
                self.list_servers().await?;
                self.send_mail();
                tracing::info!("the policy file was read again and holds from now on");
            }
            Err(errors) => {
                tracing::error!("the policy file was not taken over, the old one holds on:\n{errors}");
                self.world.store.set_fact("refused_reload", Some(errors.clone())).await?;
                let text =
                    format!("the policy file was read again and is not taken over; the old one holds on: {errors}");
                self.world.store.tell(vec![plain(Topic::Reload, text)], now).await?;
                self.mail.notify_one();
            }
        }
        notify::tell(&[NotifyState::Ready]);
        Ok(())
    }

    /// (Re)starts the mail of the file in force.
    fn send_mail(&mut self) {
        let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
        // The old one ends before the new one begins, so that no mail is sent by both.
        self.mail_task = None;
        self.mail_task = Some(mail::start(store, clock, Arc::clone(&self.config), Arc::clone(&self.mail)));
    }

    /// No new step; stopped servers are started; the journal is closed. What is awaited is taken up by the next start.
    async fn leave(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.runs.join_next().await.is_some() {} };
        if tokio::time::timeout(WAY_OUT, all).await.is_err() {
            tracing::warn!("some runs did not come to rest in time: the next start takes them up");
        }
    }
}

/// The task of a run that was cut off. A policy that is no longer in the file deletes nothing any more.
#[must_use]
pub fn task_of(config: &Config, servers: &[Server], run: &Run) -> Task {
    let key = &run.state.key;
    let server = servers.iter().find(|server| server.reference.id == key.server.id).cloned();
    let server = server.unwrap_or_else(|| Server {
        reference: key.server.clone(),
        keys: vec![key.server.id.to_string(), key.server.name.clone()],
        status: crate::policy::inventory::ServerStatus::Other("unlisted".to_owned()),
    });
    let task = fleet::tasks_of(config, &server).into_iter().find(|task| task.policy.name == key.policy);
    task.unwrap_or_else(|| Task {
        policy: Arc::new(Policy::departed(key.policy.clone(), key.kind)),
        server,
        reserve: 0,
    })
}
