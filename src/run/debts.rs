//! Watches the servers that are owed a start, independently of runs. A server that we stopped is watched until the
//! evidence of `journal::debt` says that it runs again, and is asked to start only while it reads `stopped`. While an
//! open run keeps it stopped, that run is in charge.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::journal::debt::Debt;
use crate::journal::debt_watch::{
    LastStart, WhileOwed, not_started, pause_between_looks, wait_before_start, while_owed,
};
use crate::journal::notice::{NotStarted, StartProblem};
use crate::journal::power::OwedServer;
use crate::policy::inventory::{ServerId, ServerRef};
use crate::run::last_start::{ask_to_start, start_when_stopped};
use crate::run::look::{DebtLook, DebtLooks};
use crate::run::{Lease, RunError, World};
use crate::store::StoreError;

/// The pause after a bug or an error of the state.
const AFTER_FAULT: Duration = Duration::from_mins(1);

/// Watches every server that is owed a start and that no run is in charge of, until the process shuts down. Then those that
/// read `stopped` are started.
///
/// # Errors
/// When the state fails.
pub async fn watch_debts(world: World) -> Result<(), StoreError> {
    let mut watched: JoinSet<ServerId> = JoinSet::new();
    let mut servers: HashSet<ServerId> = HashSet::new();
    let changed = world.leases.debts_changed();
    loop {
        if !world.stopping() {
            for debt in world.store.debts().await?.into_iter().filter(|debt| debt.start().is_free()) {
                if servers.insert(debt.server.id.clone()) {
                    watched.spawn(watch(world.clone(), debt.server));
                }
            }
        }
        tokio::select! {
            biased;
            Some(done) = watched.join_next_with_id() => match done {
                Ok((_, server)) => { servers.remove(&server); }
                Err(error) => {
                    tracing::error!("a bug ended the watch over a stopped server; watching again: {error}");
                    // Which one it was is unknown, so all of them are watched again.
                    servers.clear();
                    watched.shutdown().await;
                    // The next iteration sees a shutdown.
                    let _ = world.pause(AFTER_FAULT).await;
                }
            },
            _ = world.unless_stopped(std::future::pending::<()>()), if watched.is_empty() => return Ok(()),
            () = changed.notified() => {}
        }
    }
}

/// Watches one server until nothing is owed to it or a run takes charge. Returns the server.
async fn watch(world: World, server: ServerRef) -> ServerId {
    let mut watch =
        Watching { world: &world, server: &server, looks: DebtLooks::default(), looked: 0, starts: 0, asked: None };
    loop {
        let pause = match watch.round().await {
            Ok(Some(pause)) => pause,
            Ok(None) => return server.id,
            Err(RunError::Stopped) => break,
            Err(RunError::Store(error)) => {
                tracing::error!(%server, "what is owed to the server cannot be read or written: {error}");
                AFTER_FAULT
            }
        };
        if world.pause(pause).await.is_err() {
            break;
        }
    }
    // It may be stopping right now.
    start_when_stopped(&world, &server, true).await;
    server.id
}

struct Watching<'a> {
    world: &'a World,
    server: &'a ServerRef,
    looks: DebtLooks,
    looked: u32,
    starts: u32,
    /// When it was last asked to start, and whether that was accepted.
    asked: Option<(Instant, bool)>,
}

impl Watching<'_> {
    /// One look, and a start if the server reads `stopped`. Returns the pause until the next look; `None` if the watch
    /// is over.
    async fn round(&mut self) -> Result<Option<Duration>, RunError> {
        // No run can take charge between the look and the start.
        let world = self.world;
        let _power = world.unless_stopped(world.leases.power(&self.server.id)).await?;
        let in_charge = world.store.debt(self.server.id.clone()).await?.is_none_or(|debt| !debt.start().is_free());
        if in_charge {
            return Ok(None);
        }
        self.looked = self.looked.saturating_add(1);
        match self.looks.look(world, &self.server.id).await? {
            DebtLook::NotOwed => Ok(None),
            DebtLook::Paid => {
                tracing::info!(server = %self.server, "the server runs again");
                Ok(None)
            }
            DebtLook::Gone => {
                tracing::warn!(server = %self.server, "the server is gone, so it is no longer owed a start");
                Ok(None)
            }
            DebtLook::Owed(debt, status) => {
                let seen_down = debt.start().evidence.seen_down;
                self.act_on(OwedServer::Reads { status: &status, seen_down }, Some(*debt)).await.map(Some)
            }
            DebtLook::Missing => self.act_on(OwedServer::Missing, None).await.map(Some),
            DebtLook::Unreadable(error) => self.act_on(OwedServer::Unreadable(error.to_string()), None).await.map(Some),
        }
    }

    /// Does what is to be done about a server that was found so. Returns the pause until the next look.
    async fn act_on(&mut self, found: OwedServer<'_>, debt: Option<Debt>) -> Result<Duration, RunError> {
        let (problem, once) = match while_owed(found, self.looked) {
            WhileOwed::Wait => return Ok(self.pause()),
            WhileOwed::Start => (None, false),
            WhileOwed::Report(problem) => (Some(problem), false),
            WhileOwed::ReportOnce(problem) => (Some(problem), true),
        };
        let debt = match debt {
            Some(debt) => Some(debt),
            None => self.world.store.debt(self.server.id.clone()).await?,
        };
        let Some(debt) = debt else { return Ok(self.pause()) };
        let Some(problem) = problem else { return self.start(debt).await };
        let store = &self.world.store;
        if !once || !store.is_debt_reported(self.server.clone()).await? {
            let report = not_started(&debt, problem);
            store.report_debt(self.server.clone(), report, self.world.clock.now()).await?;
        }
        Ok(self.pause())
    }

    fn pause(&self) -> Duration {
        pause_between_looks(self.world.settings().poll, self.looked)
    }

    async fn start(&mut self, debt: Debt) -> Result<Duration, RunError> {
        let poll = self.world.settings().poll;
        let last = self.asked.map(|(at, accepted)| LastStart { ago: at.elapsed(), accepted });
        if let Some(wait) = wait_before_start(last, poll, (self.looked, self.starts)) {
            return Ok(wait);
        }
        // A command may be working on it alongside the daemon.
        let Some(lease) = Lease::share(self.world, &self.server.id).await? else { return Ok(self.pause()) };
        let sent = self.send(debt).await;
        lease.end().await?;
        sent?;
        Ok(poll)
    }

    async fn send(&mut self, debt: Debt) -> Result<(), RunError> {
        let world = self.world;
        let asked = not_started(&debt, StartProblem::Asked { again: self.asked.is_some() });
        let report = asked.clone();
        if !world.store.start_intended(debt, Some(report), world.clock.now()).await? {
            return Ok(());
        }
        self.starts += 1;
        let accepted = ask_to_start(world, self.server, true).await;
        self.asked = Some((Instant::now(), accepted.is_ok()));
        if let Err(error) = accepted {
            let failed = NotStarted { problem: StartProblem::Failed { error }, ..asked };
            world.store.report_debt(self.server.clone(), failed, world.clock.now()).await?;
        }
        Ok(())
    }
}

/// Waits until no server is owed a start, for at most `longest`. Returns the debts that remain open.
///
/// # Errors
/// When the state fails.
pub(crate) async fn until_paid(world: &World, longest: Duration) -> Result<Vec<Debt>, StoreError> {
    let began = Instant::now();
    loop {
        let open = world.store.debts().await?;
        if open.is_empty() || began.elapsed() >= longest || world.pause(world.settings().poll).await.is_err() {
            return Ok(open);
        }
    }
}
