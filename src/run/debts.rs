//! Pays what is owed to servers. A server that we stopped is watched until the evidence of `journal::debt` says that it
//! runs again, beside the runs and across them; it is asked to start only while it reads `stopped`. While an open run
//! keeps it stopped, that run is in charge.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::journal::debt::{Debt, Look, Start, Streak};
use crate::journal::notice::{NotStarted, StartProblem, StoppedFor};
use crate::policy::inventory::{Id, ServerRef, ServerStatus};
use crate::provider::{Power, ProviderError};
use crate::run::{Lease, RunError, World, words};
use crate::store::debts::{Observation, Observed};
use crate::store::{Store, StoreError};

/// How long a server may take to start before it is asked again and people are told.
pub(super) const START_TAKES: Duration = Duration::from_mins(5);
/// The longest pause between two tries to start it, and between two looks at it.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long the shutdown of the process may take for it.
pub(super) const BEFORE_THE_END: Duration = Duration::from_secs(7);
/// How long one look may take then, and the pause between two.
const LAST_LOOK: Duration = Duration::from_secs(2);
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// So many looks follow each other at the shortest pause.
const QUICK_LOOKS: u32 = 8;
/// After a fault of ours or of the state.
const AFTER_FAULT: Duration = Duration::from_mins(1);

/// How a server that is owed a start is found.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing is owed to it: a person has released the debt, or it was paid before.
    Nothing,
    /// It runs again, as was just proved.
    Paid,
    /// The account has lacked it for a day, as was just proved.
    Gone,
    /// It is still owed its start; it reads this.
    Owed(Box<Debt>, ServerStatus),
    /// It is not there, and a complete list of the account lacks it.
    Missing,
    /// It cannot be looked at.
    Unreadable(ProviderError),
}

/// The looks of this process at one server.
#[derive(Debug, Default)]
pub(super) struct Looks {
    streak: Streak,
    last: Option<Instant>,
}

impl Looks {
    /// Looks at the server and writes what that proves.
    ///
    /// # Errors
    /// What the state says, or that the process is to end.
    pub(super) async fn look(&mut self, world: &World, server: &Id) -> Result<Found, RunError> {
        let Some(debt) = world.store.debt(server.clone()).await? else { return Ok(Found::Nothing) };
        let began = Instant::now();
        let (look, status) = match world.unless_stopped(world.client.server(server)).await? {
            Ok(found) if found.status == ServerStatus::Active => (Look::Running, Some(found.status)),
            Ok(found) => (Look::NotRunning, Some(found.status)),
            Err(error) if error.status() == Some(404) => {
                match world.unless_stopped(is_unlisted(world, server)).await? {
                    true => (Look::Missing, None),
                    false => return Ok(Found::Unreadable(error)),
                }
            }
            Err(error) => return Ok(Found::Unreadable(error)),
        };
        let since_last = self.last.map(|last| began.saturating_duration_since(last));
        let seen =
            Observation { server: server.clone(), round: debt.start().round, look, streak: self.streak, since_last };
        Ok(match world.store.observe_debt(seen, world.clock.now()).await? {
            Observed::Paid => Found::Paid,
            Observed::Gone => Found::Gone,
            Observed::Nothing => Found::Nothing,
            Observed::Owed(debt, streak) => {
                (self.streak, self.last) = (streak, Some(began));
                match status {
                    Some(status) => Found::Owed(Box::new(debt), status),
                    None => Found::Missing,
                }
            }
        })
    }
}

/// Whether a complete list of the account lacks the server.
async fn is_unlisted(world: &World, server: &Id) -> bool {
    let listed = world.client.servers().await;
    listed.is_ok_and(|list| list.doubts.is_empty() && !list.items.iter().any(|it| it.reference.id == *server))
}

/// What is reported of a server that is owed a start.
fn not_started(debt: &Debt, problem: StartProblem) -> NotStarted {
    let stopped_for = debt.policy.clone().zip(debt.kind).map(|(policy, kind)| StoppedFor { policy, kind });
    NotStarted { problem, stopped_for, since: Some(debt.since) }
}

/// Watches every server that is owed a start and that no run is in charge of, until the process is to end. Then those
/// that read `stopped` are started.
///
/// # Errors
/// What the state says.
pub async fn watch_debts(world: World) -> Result<(), StoreError> {
    let mut watched: JoinSet<Id> = JoinSet::new();
    let mut servers: HashSet<Id> = HashSet::new();
    let changed = world.leases.debts_changed();
    loop {
        if !world.stopping() {
            for debt in world.store.debts().await?.into_iter().filter(|debt| debt.start().in_charge.is_none()) {
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
                    tracing::error!("the watch over a stopped server was cut off by a bug and is begun again: {error}");
                    // Which one it was is not known: all are looked for again when nobody watches any more.
                    servers.clear();
                    watched.shutdown().await;
                    // A stop is seen at the next turn.
                    let _ = world.pause(AFTER_FAULT).await;
                }
            },
            _ = world.unless_stopped(std::future::pending::<()>()), if watched.is_empty() => return Ok(()),
            () = changed.notified() => {}
        }
    }
}

/// Watches one server until nothing is owed to it, or a run takes charge. Returns it.
async fn watch(world: World, server: ServerRef) -> Id {
    let mut watch =
        Watching { world: &world, server: &server, looks: Looks::default(), looked: 0, tries: 0, asked: None };
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
    // It may be going down just now.
    start_when_stopped(&world, &server, true).await;
    server.id
}

struct Watching<'a> {
    world: &'a World,
    server: &'a ServerRef,
    looks: Looks,
    looked: u32,
    tries: u32,
    /// When a start was last asked for, and whether it was accepted.
    asked: Option<(Instant, bool)>,
}

impl Watching<'_> {
    /// One look, and a start where the server reads `stopped`. Returns the pause until the next; `None` when it is over.
    async fn round(&mut self) -> Result<Option<Duration>, RunError> {
        // No run takes charge between the look and the start.
        let world = self.world;
        let _power = world.unless_stopped(world.leases.power(&self.server.id)).await?;
        let in_charge =
            world.store.debt(self.server.id.clone()).await?.is_none_or(|debt| debt.start().in_charge.is_some());
        if in_charge {
            return Ok(None);
        }
        self.looked = self.looked.saturating_add(1);
        match self.looks.look(world, &self.server.id).await? {
            Found::Nothing => return Ok(None),
            Found::Paid => {
                tracing::info!(server = %self.server, "the server runs again");
                return Ok(None);
            }
            Found::Gone => {
                tracing::warn!(server = %self.server, "the server is gone: no start is owed to it any more");
                return Ok(None);
            }
            Found::Owed(debt, ServerStatus::Stopped) => return self.start(*debt).await.map(Some),
            Found::Owed(debt, status) => self.tell_once(&debt, format!("it is {status} now")).await?,
            Found::Missing => self.tell_missing().await?,
            Found::Unreadable(error) => self.tell_unreadable(&error).await?,
        }
        Ok(Some(self.pause()))
    }

    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow((self.looked / QUICK_LOOKS).min(10));
        self.world.settings().poll.saturating_mul(doubled).min(LONGEST_PAUSE)
    }

    async fn start(&mut self, debt: Debt) -> Result<Duration, RunError> {
        let poll = self.world.settings().poll;
        let tried = poll.saturating_mul(2_u32.saturating_pow(self.tries.min(10))).min(LONGEST_PAUSE);
        match self.asked {
            Some((at, true)) if at.elapsed() < START_TAKES => return Ok(self.pause()),
            Some((at, false)) if at.elapsed() < tried => return Ok(tried),
            _ => {}
        }
        // A command beside the daemon may be at work on it.
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
        self.tries += 1;
        let accepted = ask_to_start(world, self.server, true).await;
        self.asked = Some((Instant::now(), accepted.is_ok()));
        if let Err(error) = accepted {
            let failed = NotStarted { problem: StartProblem::Failed { error }, ..asked };
            world.store.tell_debt(self.server.clone(), failed, world.clock.now()).await?;
        }
        Ok(())
    }

    /// Opens the incident, where there is none.
    async fn tell_once(&self, debt: &Debt, seen: String) -> Result<(), RunError> {
        let store = &self.world.store;
        if !store.is_debt_told(self.server.clone()).await? {
            let report = not_started(debt, StartProblem::NotSeenRunning { seen });
            store.tell_debt(self.server.clone(), report, self.world.clock.now()).await?;
        }
        Ok(())
    }

    async fn tell_missing(&self) -> Result<(), RunError> {
        let Some(debt) = self.world.store.debt(self.server.id.clone()).await? else { return Ok(()) };
        let report = not_started(&debt, StartProblem::Missing);
        Ok(self.world.store.tell_debt(self.server.clone(), report, self.world.clock.now()).await?)
    }

    async fn tell_unreadable(&self, error: &ProviderError) -> Result<(), RunError> {
        if self.looked < 3 {
            return Ok(());
        }
        let Some(debt) = self.world.store.debt(self.server.id.clone()).await? else { return Ok(()) };
        self.tell_once(&debt, format!("it cannot be read ({error})")).await
    }
}

/// Asks a server that reads `stopped` to start, and writes what was answered.
async fn ask_to_start(world: &World, server: &ServerRef, recorded: bool) -> Result<(), String> {
    tracing::warn!(%server, "it was stopped by lastgood and reads stopped: asked to start");
    let (start, said) = match world.answer(world.client.power(&server.id, Power::Start)).await {
        Some(Ok(())) => (Start::Accepted, Ok(())),
        Some(Err(error)) if error.outcome_unknown() => (Start::Sent, Err(words(&error))),
        Some(Err(error)) => (Start::refused(&error.to_string()), Err(words(&error))),
        None => (Start::Sent, Err(crate::run::CUT_OFF.to_owned())),
    };
    if recorded {
        // What cannot be written is found out by looks.
        let _ = world.store.start_answered(server.id.clone(), start).await;
    }
    said
}

/// The process is to end, or the state fails: looks at the server while there is time, and asks it to start when it reads
/// `stopped`. What is not paid by then is for the next start of the process.
pub(super) async fn start_when_stopped(world: &World, server: &ServerRef, recorded: bool) {
    let start = async {
        loop {
            match glance(world, &server.id).await {
                Some(ServerStatus::Stopped) => {
                    if recorded {
                        match note_start(&world.store, world, server).await {
                            Ok(true) | Err(_) => {}
                            Ok(false) => return,
                        }
                    }
                    if ask_to_start(world, server, recorded).await.is_ok() {
                        return;
                    }
                }
                // A server that runs, and whose stop is long ago, is not waited for.
                Some(ServerStatus::Active) if recorded && !is_on_its_way_down(world, server).await => return,
                _ => {}
            }
            tokio::time::sleep(world.settings().poll.min(LAST_PAUSE)).await;
        }
    };
    // What is not heard by then is for the next start.
    let _ = tokio::time::timeout(BEFORE_THE_END, start).await;
}

/// Writes the start before it is sent. False when nothing is owed any more, or a run is in charge.
async fn note_start(store: &Store, world: &World, server: &ServerRef) -> Result<bool, StoreError> {
    let Some(debt) = store.debt(server.id.clone()).await? else { return Ok(false) };
    // A run that is in charge goes on with the next start of the process: there is nothing to report yet.
    let report = debt.start().in_charge.is_none().then(|| not_started(&debt, StartProblem::AskedBeforeExit));
    store.start_intended(debt, report, world.clock.now()).await
}

/// Whether a server that reads `active` may be one that we have just asked to stop.
async fn is_on_its_way_down(world: &World, server: &ServerRef) -> bool {
    let Ok(Some(debt)) = world.store.debt(server.id.clone()).await else { return false };
    let asked = Duration::try_from(debt.since.duration_until(world.clock.now())).unwrap_or_default();
    !debt.start().evidence.seen_down && asked < START_TAKES
}

/// One look that takes no longer than there is time for.
pub(super) async fn glance(world: &World, server: &Id) -> Option<ServerStatus> {
    let look = tokio::time::timeout(LAST_LOOK, world.client.server(server)).await;
    look.ok()?.ok().map(|server| server.status)
}

/// The state cannot be written, so no run can go on; but no server may stay stopped for it: those that are owed a start
/// are asked to, when they read `stopped`. The next start of the process that can write makes sure of it.
pub async fn start_owed(world: &World) {
    let owed = world.store.debts().await.unwrap_or_default();
    let start = async |debt: Debt| start_when_stopped(world, &debt.server, false).await;
    futures_util::future::join_all(owed.into_iter().map(start)).await;
}

/// Waits until no server is owed a start that this process watches, at most for `longest`. Returns what stays open.
///
/// # Errors
/// What the state says.
pub async fn until_paid(world: &World, longest: Duration) -> Result<Vec<Debt>, StoreError> {
    let began = Instant::now();
    loop {
        let open = world.store.debts().await?;
        if open.is_empty() || began.elapsed() >= longest || world.pause(world.settings().poll).await.is_err() {
            return Ok(open);
        }
    }
}
