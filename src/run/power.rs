//! Stops the server for the making and starts it again. A server found stopped is left stopped; a server that we
//! stopped is started, however often that must be tried, and before the process ends.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::event::{Act, Answer, Event, Found, Sight};
use crate::journal::notice::Topic;
use crate::journal::state::{Step, StepState};
use crate::policy::inventory::{ServerRef, ServerStatus};
use crate::provider::Power;
use crate::run::drive::Drive;
use crate::run::make::answer_of;
use crate::run::{CUT_OFF, RunError, World, words};

/// How long a server may take to start before it is asked for again and people are told.
const START_TAKES: Duration = Duration::from_mins(5);
/// The longest pause between two tries to start it.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long the way out of the process may take for it.
const BEFORE_THE_END: Duration = Duration::from_secs(7);

/// How a server that we stopped for the point is found.
pub(super) enum Standing {
    /// It stands still, or was not stopped by us.
    Still,
    /// It runs; that is written.
    Runs,
    /// It cannot be told, or is neither.
    Unknown {
        /// In words.
        error: String,
        /// Whether it makes no sense to try again.
        last: bool,
    },
}

/// The state cannot be written, so no run can go on; but no server may stand still for it: those that open runs have
/// stopped are asked to start. The next start of the process that can write makes sure of it.
pub async fn start_owed(world: &World) {
    let open = world.store.unfinished().await.unwrap_or_default();
    let owed = open.into_iter().filter(|run| run.state.owes_start).map(|run| run.state.key.server);
    let start = async |server: ServerRef| {
        let asked = tokio::time::timeout(BEFORE_THE_END, world.client.power(&server.id, Power::Start)).await;
        tracing::warn!(%server, accepted = matches!(asked, Ok(Ok(()))), "the state cannot be written: asked to start");
    };
    futures_util::future::join_all(owed.map(start)).await;
}

impl Drive<'_> {
    /// Whether the server that was seen to stand still does so yet. One that runs now was started since, by an earlier
    /// process of ours that could not write it down, or by a person: that is written, and it is stopped again before a
    /// point is made. One that is on its way up is waited for. One that was not yet seen to stand still may be on its way
    /// down: the start stays owed.
    pub(super) async fn standing(&mut self) -> Result<Standing, RunError> {
        if !self.run.state.seen_stopped {
            return Ok(Standing::Still);
        }
        let began = tokio::time::Instant::now();
        loop {
            let look = self.world.client.server(&self.task.server.reference.id);
            let status = match self.world.unless_stopped(look).await? {
                Ok(server) => server.status,
                Err(error) => return Ok(Standing::Unknown { error: words(&error), last: error.is_refusal() }),
            };
            match status {
                ServerStatus::Stopped => return Ok(Standing::Still),
                ServerStatus::Active => {
                    self.say("the server was started meanwhile".to_owned());
                    self.write(Event::Seen(Sight::ServerRunning)).await?;
                    return Ok(Standing::Runs);
                }
                ServerStatus::Other(_) if began.elapsed() < START_TAKES => {
                    // A list that was read before the wait is not fresh after it.
                    self.fresh = None;
                    self.world.pause(self.world.settings().poll).await?;
                }
                status => {
                    let error = format!("the server was stopped and is {status} now, so nothing is made");
                    return Ok(Standing::Unknown { error, last: false });
                }
            }
        }
    }

    /// Whether the server is on its way up, because we asked it to start.
    fn is_starting(&self) -> bool {
        let power = |step: &&crate::journal::state::Step| matches!(step.act, Act::StartServer | Act::StopServer);
        let last = self.run.state.steps.iter().rev().find(power);
        last.is_some_and(|step| {
            step.act == Act::StartServer && step.state == StepState::Done && self.since(step.at) < START_TAKES
        })
    }

    pub(super) async fn stop_server(&mut self) -> Result<(), RunError> {
        self.fresh = None;
        let id = self.task.server.reference.id.clone();
        match self.world.unless_stopped(self.world.client.server(&id)).await? {
            Ok(server) if server.status == ServerStatus::Active => {}
            Ok(_) if self.is_starting() => return self.world.pause(self.world.settings().poll).await,
            // By a stop of ours that nobody could tell the outcome of.
            Ok(server) if server.status == ServerStatus::Stopped && self.run.state.owes_start => {
                return self.write(Event::Seen(Sight::ServerStopped)).await;
            }
            Ok(server) if server.status == ServerStatus::Stopped => {
                self.say("the server stands still already: it is left so".to_owned());
                return self.write(Event::FoundStopped).await;
            }
            // Asked to start by the way out of the process before, most likely: it is stopped when it runs.
            Ok(server)
                if matches!(server.status, ServerStatus::Other(_))
                    && self.run.state.owes_start
                    && self.since(self.last_step_at()) < START_TAKES =>
            {
                return self.world.pause(self.world.settings().poll).await;
            }
            Ok(server) => {
                let error = format!("the server is {}, so it is not stopped and nothing is made", server.status);
                return self.fail(error, false).await;
            }
            Err(error) => return self.fail_by(&error).await,
        }
        self.say("stopping the server".to_owned());
        self.power(Act::StopServer, Power::Stop).await
    }

    /// When something was last asked for.
    fn last_step_at(&self) -> Timestamp {
        self.run.state.steps.last().map_or(self.run.state.opened_at, |step| step.intended_at)
    }

    async fn power(&mut self, act: Act, power: Power) -> Result<(), RunError> {
        let step = self.next_step();
        self.write(Event::Intended { step, act }).await?;
        let call = self.world.client.power(&self.task.server.reference.id, power);
        // What is begun when the process is to end already is its last act, and has its own limit.
        let answer = if self.world.stopping() { Some(call.await) } else { self.world.answer(call).await };
        let answer = match answer {
            Some(Ok(())) => Answer::Accepted { id: None },
            Some(Err(error)) => answer_of(&error),
            None => Answer::Unknown { error: CUT_OFF.to_owned() },
        };
        self.write(Event::Answered { step, answer }).await
    }

    pub(super) async fn await_stopped(&mut self) -> Result<(), RunError> {
        let asked = self.last_step_at();
        let began = tokio::time::Instant::now();
        loop {
            let look = self.world.client.server(&self.task.server.reference.id);
            match self.world.unless_stopped(look).await? {
                Ok(server) if server.status == ServerStatus::Stopped => {
                    return self.write(Event::Seen(Sight::ServerStopped)).await;
                }
                // An earlier process has stopped it, and may have started it again when it could not write that down.
                Ok(server)
                    if server.status == ServerStatus::Active
                        && asked < self.began_at
                        && began.elapsed() >= self.world.settings().settle =>
                {
                    self.say("the server runs still, or again: stopping it once more".to_owned());
                    return self.power(Act::StopServer, Power::Stop).await;
                }
                _ => {}
            }
            if self.since(asked) >= START_TAKES.min(self.stuck_after()) {
                return self.fail("the server was asked to stop and has not".to_owned(), false).await;
            }
            self.world.pause(self.world.settings().poll).await?;
        }
    }

    /// One try to see the server running: looks, asks for the start when none is under way, waits a little.
    pub(super) async fn start_server(&mut self) -> Result<(), RunError> {
        self.fresh = None;
        let look = self.world.client.server(&self.task.server.reference.id);
        match self.world.unless_stopped(look).await? {
            Ok(server) if server.status == ServerStatus::Active => {
                self.say("the server runs again".to_owned());
                return self.write(Event::Seen(Sight::ServerRunning)).await;
            }
            Ok(_) => {}
            Err(error) if error.status() == Some(404) && self.server_is_gone().await => {
                self.say("the server is no longer in the account: there is nothing to start".to_owned());
                return self.write(Event::Seen(Sight::ServerGone)).await;
            }
            Err(error) => {
                self.tell_not_started(&words(&error)).await?;
                return self.world.pause(self.pause_between_starts()).await;
            }
        }
        let last = self.starts().last();
        match last.map(|step| (step.state, step.at, step.error.clone())) {
            Some((StepState::Done, at, _)) if self.since(at) < START_TAKES => {
                self.world.pause(self.world.settings().poll).await
            }
            Some((StepState::NotDone, at, error)) if self.since(at) < self.pause_between_starts() => {
                self.tell_not_started(error.as_deref().unwrap_or("the provider did not start it")).await?;
                self.world.pause(self.pause_between_starts()).await
            }
            before => {
                if matches!(before, Some((StepState::Done, ..))) {
                    self.tell_not_started("it was asked to start and does not run").await?;
                }
                self.say("starting the server".to_owned());
                self.power(Act::StartServer, Power::Start).await
            }
        }
    }

    /// Whether the account's whole list lacks the server, too.
    async fn server_is_gone(&self) -> bool {
        let id = &self.task.server.reference.id;
        let listed = self.world.client.servers().await;
        listed.is_ok_and(|list| list.doubts.is_empty() && !list.items.iter().any(|it| it.reference.id == *id))
    }

    /// The starts that were asked for since the server was last stopped: an earlier attempt has its own.
    fn starts(&self) -> impl Iterator<Item = &Step> {
        let steps = &self.run.state.steps;
        let stopped = steps.iter().rposition(|step| step.act == Act::StopServer).unwrap_or_default();
        steps[stopped..].iter().filter(|step| step.act == Act::StartServer)
    }

    /// Longer and longer, since a try that fails is followed by another for as long as it takes.
    fn pause_between_starts(&self) -> Duration {
        let tries = self.starts().count();
        let tries = u32::try_from(tries.min(10)).expect("ten at the most");
        (self.world.settings().poll * 2_u32.pow(tries)).min(LONGEST_PAUSE)
    }

    async fn tell_not_started(&self, why: &str) -> Result<(), RunError> {
        let kind = self.task.policy.kind;
        let text = format!("the server was stopped for its {kind} and could not be started again yet: {why}");
        let notice = self.task.failure(Topic::ServerStopped, text);
        self.say(notice.text.clone());
        self.world.store.keep_telling(notice, self.world.clock.now()).await?;
        Ok(())
    }

    /// The process is to end and the server stands still: it is asked to start, and looked at while there is time.
    pub(super) async fn start_before_the_process_ends(&mut self) -> Result<(), RunError> {
        let started = async {
            self.settle_quietly().await?;
            self.say("starting the server before the process ends".to_owned());
            loop {
                // Sent unseen: a server that still shows as active may be on its way down, and time is short.
                self.power(Act::StartServer, Power::Start).await?;
                let step = self.next_step() - 1;
                match self.run.state.steps[step as usize - 1].state {
                    StepState::Intended | StepState::Unknown => {
                        self.write(Event::Settled { step, found: Found::NotDone }).await?;
                    }
                    StepState::NotDone => {}
                    StepState::Done | StepState::Undecided => return Ok(()),
                }
                tokio::time::sleep(self.world.settings().poll).await;
            }
        };
        match tokio::time::timeout(BEFORE_THE_END, started).await {
            Ok(done) => done,
            // The journal knows that the start is owed: the next start of the process pays it.
            Err(_) => Ok(()),
        }
    }

    /// The journal cannot be written, so nothing more is made or deleted; but the server must not stand still for it.
    /// The journal, as far as it goes, says that a start is owed: the next start of the process makes sure of it.
    pub(super) async fn start_unrecorded(&self) {
        // What is not heard by then is for the next start.
        let _ = tokio::time::timeout(BEFORE_THE_END, self.start_until_heard()).await;
    }

    async fn start_until_heard(&self) {
        let id = &self.task.server.reference.id;
        while self.world.client.power(id, Power::Start).await.is_err() {
            tokio::time::sleep(self.world.settings().poll).await;
        }
    }

    /// An open step would stand in the way of the start: its answer counts as lost.
    async fn settle_quietly(&mut self) -> Result<(), RunError> {
        let open = self
            .run
            .state
            .steps
            .last()
            .is_some_and(|step| matches!(step.state, StepState::Intended | StepState::Unknown));
        if !open {
            return Ok(());
        }
        let step = self.next_step() - 1;
        match &self.run.state.steps[step as usize - 1].act {
            Act::StopServer | Act::StartServer => {
                let found = Found::Done { id: None };
                self.write(Event::Settled { step, found }).await
            }
            // What became of a create or a delete is found out by the next start; the power call is sent unrecorded.
            Act::Create { .. } | Act::Delete { .. } => {
                self.start_until_heard().await;
                Err(RunError::Stopped)
            }
        }
    }
}
