//! The daemon's life: start, due times, reload, the hourly list of servers, and shutdown.
//!
//! Nothing here waits for the provider or for a mail server: both are called in the background. Shutdown works at any
//! point, because every await may be dropped: the next start resumes what is recorded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};

use crate::account::{self, AccountServers, stored_servers};
use crate::config::{Config, Overfill};
use crate::daemon::evaluate::Evaluator;
use crate::daemon::evaluation::EvaluationRecord;
use crate::daemon::listing::{ListingEnd, ServerListing, report_listing};
use crate::daemon::mail::MailTask;
use crate::daemon::notify::{self, Watchdog};
use crate::daemon::reload::{self, ConfigReader, NewConfig, ReloadConfig};
use crate::daemon::review::brake_changed_retention;
use crate::daemon::runs::{EndedTask, RunsInProgress};
use crate::daemon::status_listener::StatusListener;
use crate::journal::event::RunKey;
use crate::journal::notice::{Fact, Notice, Topic};
use crate::policy::inventory::{Server, ServerId};
use crate::run::{World, look_after, start_owed, watch_debts};
use crate::status::ProcessCounters;
use crate::store::presence::{DAEMON, Presence};
use crate::store::{Store, StoreError};

/// How long a shutdown may take: the runs are given 8 seconds to start the servers that they stopped.
const SHUTDOWN: Duration = Duration::from_millis(8_500);
/// Without any tick everything is checked after this long, well before a due time would count as missed.
const WITHOUT_TICK: Duration = Duration::from_secs(20);

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The alarm clock.
    #[error("the daemon cannot start: {0}")]
    Start(String),
    /// The status listener: the policy file names an address that cannot be had.
    #[error("the daemon cannot start: {0}")]
    Listen(String),
}

/// Why the service wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Time has passed: something may be due.
    Tick,
    /// The policy file is to be read again.
    Reload,
}

/// The running service.
pub struct Service {
    world: World,
    stop: watch::Sender<bool>,
    config: Arc<Config>,
    config_reader: ConfigReader,
    /// Looks at what a file that comes into force would drop. The next file replaces it.
    review: JoinSet<()>,
    servers: Vec<Server>,
    listing: ServerListing,
    evaluator: Evaluator,
    runs: RunsInProgress,
    /// The watch over the servers that must be started again.
    debts: JoinSet<Result<(), StoreError>>,
    /// Notified when there may be something to report.
    mail: Arc<Notify>,
    mail_task: Option<MailTask>,
    watchdog: Watchdog,
    evaluation: EvaluationRecord,
    status: StatusListener,
    /// Shows other processes that the daemon works on this state.
    presence: Option<Presence>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// A service over an opened world; `stop` ends its runs.
    #[must_use]
    pub fn new(world: World, stop: watch::Sender<bool>, config: Arc<Config>, reload_config: ReloadConfig) -> Self {
        let evaluator = Evaluator::new(world.store.clone(), world.clock.now());
        let counters = Arc::new(ProcessCounters::default());
        let requests = Arc::clone(&counters);
        world.client.on_request(move |ended| requests.request_ended(ended.endpoint.word(), ended.status, ended.took));
        let evaluation = EvaluationRecord::default();
        Self {
            status: StatusListener::new(&world, Arc::clone(&counters), evaluation.clone()),
            evaluation,
            presence: None,
            world,
            stop,
            config,
            config_reader: ConfigReader::new(reload_config),
            review: JoinSet::new(),
            servers: Vec::new(),
            listing: ServerListing::default(),
            evaluator,
            runs: RunsInProgress::new(counters),
            debts: JoinSet::new(),
            mail: Arc::new(Notify::new()),
            mail_task: None,
            watchdog: Watchdog::of_process(),
        }
    }

    /// Runs until `shutdown` completes. `wake` says when to look for what is due and when to read the policy file
    /// again; it may be dropped while it waits, and must lose nothing then.
    ///
    /// # Errors
    /// When the state fails.
    pub async fn run(
        mut self,
        wake: impl AsyncFnMut() -> Wake,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServiceError> {
        let ended = tokio::select! {
            biased;
            () = shutdown => Ok(()),
            ended = self.serve(wake) => ended,
        };
        notify::send(&[NotifyState::Stopping]);
        self.shut_down().await;
        ended
    }

    /// Returns only with an error. May be dropped at any await.
    async fn serve(&mut self, mut wake: impl AsyncFnMut() -> Wake) -> Result<(), ServiceError> {
        if let Err(error) = self.start().await {
            start_owed(&self.world).await;
            return Err(error);
        }
        loop {
            tokio::select! {
                // In a fixed order, so that a simulation can be replayed. No run ends often enough to starve the
                // others.
                biased;
                wake = wake() => if wake == Wake::Reload { self.reload() },
                Some(ended) = self.runs.next_ended() => self.run_ended(ended).await?,
                Some(ended) = self.debts.join_next() => match ended {
                    Ok(ended) => ended?,
                    Err(error) => self.watch_broke_off(&error),
                },
                end = self.listing.done() => self.listed(end?).await?,
                read = self.config_reader.done() => self.reloaded(read).await?,
                () = tokio::time::sleep(WITHOUT_TICK) => {}
            }
            // After each of these, not after ticks alone: many runs that end must not delay what is due.
            self.tick().await?;
            // Only here: the watchdog is fed as long as due times are handled.
            self.watchdog.alive();
        }
    }

    /// Resumes what a crash has left, before the first due time. Does not wait for the provider: the stored list of
    /// servers is used until the first new one.
    async fn start(&mut self) -> Result<(), ServiceError> {
        self.status.follow(&self.config).await.map_err(ServiceError::Listen)?;
        let (store, now) = (self.world.store.clone(), self.world.clock.now());
        self.presence = show_presence(&store).await?;
        store.drop_leases_of_owner().await?;
        store.retry_now(now).await?;
        account::put_in_force(&store, self.config.source.clone(), now).await?;
        self.servers = stored_servers(&store).await?;
        for notice in store.set_unreadable_aside(self.world.clock.now()).await? {
            tracing::error!(
                server = notice.server.as_ref().map(display),
                policy = notice.policy.as_ref().map(display),
                "{notice}"
            );
        }
        self.resume_runs().await?;
        self.watch_debts();
        self.send_mail();
        self.follow().await?;
        self.tick().await?;
        notify::send(&[NotifyState::Ready]);
        tracing::info!(
            servers = self.servers.len(),
            policies = self.config.policies.len() + self.config.overrides.len(),
            "following the schedules; {}",
            self.evaluator.next().map_or_else(
                || "next due time not known yet (the server list is being read)".to_owned(),
                |next| format!("the next due time is {next}")
            )
        );
        Ok(())
    }

    async fn resume_runs(&mut self) -> Result<(), ServiceError> {
        let by_id: HashMap<&ServerId, &Server> =
            self.servers.iter().map(|server| (&server.reference.id, server)).collect();
        let mut unfinished = self.world.store.unfinished().await?;
        // Runs whose server is stopped come first, so that they do not wait behind others.
        unfinished.sort_by_key(|run| !run.state.owes_start);
        for run in unfinished {
            let server = by_id.get(&run.state.key.server.id);
            let server = server.map(|server| std::slice::from_ref(*server)).unwrap_or_default();
            let task = account::task_of_run(&self.config, server, &run);
            let RunKey { server, policy, due, .. } = &run.state.key;
            tracing::info!(run = run.id, %server, %policy, due = due.map(display), "resuming an interrupted run");
            self.runs.start(&self.world, task, run);
        }
        Ok(())
    }

    /// Looks for what is due, and keeps the background tasks alive.
    async fn tick(&mut self) -> Result<(), ServiceError> {
        self.look_for_due().await?;
        self.evaluation.worked(&self.world.store, self.world.clock.now()).await;
        Ok(())
    }

    async fn look_for_due(&mut self) -> Result<(), ServiceError> {
        self.listing.start_if_due(&self.world, &self.config);
        let now = self.world.clock.now();
        if !self.evaluator.is_time(now) {
            return Ok(());
        }
        let runs = &self.runs;
        let due = self.evaluator.open_due_runs(now, |task| runs.is_busy(task)).await?;
        for (task, run) in due {
            self.runs.start(&self.world, task, run);
        }
        self.evaluator.report_stale(now).await?;
        if self.mail_task.as_ref().is_some_and(MailTask::is_over) {
            tracing::error!("a bug ended the mail task; it is restarted");
            self.send_mail();
        }
        look_after(&self.world).await?;
        self.mail.notify_one();
        Ok(())
    }

    async fn run_ended(&mut self, ended: EndedTask) -> Result<(), ServiceError> {
        self.mail.notify_one();
        if let Some(task) = self.runs.ended(&self.world, ended).await? {
            self.evaluator.ended(&task).await?;
        }
        Ok(())
    }

    async fn listed(&mut self, end: ListingEnd) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let listed = match end {
            ListingEnd::Listed(listed) => listed,
            ListingEnd::Interrupted(error) => {
                self.listing.interrupted(&self.world.store, &error, now).await?;
                self.mail.notify_one();
                return Ok(());
            }
        };
        let stored = !self.servers.is_empty();
        let report = self.listing.is_worth_reporting(&listed, stored, now);
        report_listing(&self.world.store, &listed, (stored, report), now).await?;
        if let Ok(AccountServers { servers, .. }) = listed {
            let same = account::same_servers(&self.servers, &servers);
            self.servers = servers;
            // As a rule nothing has changed within the hour.
            if !same {
                self.follow().await?;
            }
        }
        self.mail.notify_one();
        Ok(())
    }

    fn reload(&mut self) {
        notify::reloading();
        self.config_reader.start(&self.world.store);
    }

    /// A bad file never comes into force.
    async fn reloaded(&mut self, read: Result<NewConfig, String>) -> Result<(), ServiceError> {
        // A file whose address cannot be had is a bad file.
        let read = match read {
            Ok(new) => self.status.follow(&new.config).await.map(|()| new),
            Err(errors) => Err(errors),
        };
        match read {
            Ok(new) => {
                reload::put_in_force(&self.world, &self.config, &new).await?;
                self.config = new.config;
                self.follow().await?;
                self.listing.list_again();
                self.send_mail();
                tracing::info!("the policy file was reloaded and is in force");
            }
            Err(errors) => {
                reload::refuse(&self.world, errors).await?;
                self.mail.notify_one();
            }
        }
        if self.config_reader.take_reload_again() {
            self.config_reader.start(&self.world.store);
        } else {
            notify::send(&[NotifyState::Ready]);
        }
        Ok(())
    }

    /// Follows the policies in force on the known servers. Without any server there is nothing to follow yet.
    async fn follow(&mut self) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let tasks = account::tasks(&self.config, &self.servers);
        if !self.servers.is_empty() {
            self.world.in_force.set(&tasks);
        }
        // In the background: thousands of policies take a while, and a run that starts first detects the same by
        // itself.
        let (world, reviewed) = (self.world.clone(), tasks.clone());
        self.review = JoinSet::new();
        self.review.spawn(async move {
            if let Err(error) = brake_changed_retention(&world, &reviewed, now).await {
                tracing::error!("what the policy file would drop could not be determined: {error}");
            }
        });
        self.evaluator.follow(tasks, now).await?;
        if self.servers.is_empty() {
            return Ok(());
        }
        self.report_overfilled().await
    }

    /// Reports servers that match more policies than their slots hold.
    async fn report_overfilled(&mut self) -> Result<(), ServiceError> {
        let now = self.world.clock.now();
        let overfilled = self.config.overfilled(&self.servers, now).into_iter();
        let fact = |one: Overfill| Fact::Overfilled { over: one.server, sum: one.proof.to_string() };
        let notices: Vec<Notice> = overfilled.map(|one| Notice::new(fact(one))).collect();
        if notices.is_empty() {
            self.world.store.close(None, Topic::Overfilled, now).await?;
        } else {
            self.world.store.add_notices(notices, now).await?;
        }
        Ok(())
    }

    /// (Re)starts the watch over the servers that must be started again.
    fn watch_debts(&mut self) {
        self.debts = JoinSet::new();
        self.debts.spawn(watch_debts(self.world.clone()));
    }

    fn watch_broke_off(&mut self, error: &JoinError) {
        tracing::error!("a bug ended the watch over stopped servers; it is restarted: {error}");
        self.watch_debts();
    }

    /// (Re)starts the mail of the policy file in force.
    fn send_mail(&mut self) {
        let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
        // The old task ends before the new one begins, so that no mail is sent by both.
        self.mail_task = None;
        self.mail_task = Some(MailTask::start(store, clock, Arc::clone(&self.config), Arc::clone(&self.mail)));
    }

    /// Starts no new step, starts stopped servers again and closes the journal. The next start resumes what was
    /// awaited.
    async fn shut_down(mut self) {
        self.stop.send_replace(true);
        self.status.close().await;
        let all = async {
            self.runs.all_ended().await;
            while self.debts.join_next().await.is_some() {}
        };
        if tokio::time::timeout(SHUTDOWN, all).await.is_err() {
            tracing::warn!("some runs did not end in time: the next start resumes them");
        }
    }
}

/// Shows that the daemon works on this state. Somebody who is just looking whether it does is in the way for a moment.
async fn show_presence(store: &Store) -> Result<Option<Presence>, StoreError> {
    for _ in 0..50 {
        if let Some(presence) = store.show_presence(DAEMON)? {
            return Ok(Some(presence));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tracing::warn!("`lastgood health` will say that no daemon works here: its file is locked");
    Ok(None)
}
