//! Stops the server for the making and starts it again. A server found stopped is left stopped, unless a start is owed to
//! it. One that we stopped is started by the run or, where that takes too long or is not proved yet, by the watch over
//! debts; and before the process ends.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::debt::Start;
use crate::journal::event::{Act, Answer, Event, Found, Sight};
use crate::journal::notice::{Fact, NotStarted, Notice, StartProblem, StoppedFor};
use crate::journal::state::{Step, StepState};
use crate::policy::inventory::ServerStatus;
use crate::provider::Power;
use crate::run::debts::{self, BEFORE_THE_END, LONGEST_PAUSE, START_TAKES, glance, start_when_stopped};
use crate::run::drive::Drive;
use crate::run::make::answer_of;
use crate::run::{CUT_OFF, RunError, words};

/// After so long the run leaves a server that does not start to the watch over debts, and ends.
const LEFT_AFTER: Duration = Duration::from_mins(10);

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
            // What a look proves of an earlier stop is written before the next stop begins the proof anew.
            Ok(server) if server.status == ServerStatus::Active => {
                self.looks.look(self.world, &id).await?;
            }
            Ok(_) if self.is_starting() => return self.world.pause(self.world.settings().poll).await,
            // By a stop of ours that nobody could tell the outcome of.
            Ok(server) if server.status == ServerStatus::Stopped && self.run.state.owes_start => {
                return self.write(Event::Seen(Sight::ServerStopped)).await;
            }
            Ok(server) if server.status == ServerStatus::Stopped => {
                // A stop of ours, by whatever run, is no person's.
                if let Some(debt) = self.world.store.debt(id.clone()).await? {
                    // The watch over debts has asked for its start: it is on its way up, and is stopped when it runs.
                    if debt.start().evidence.start != Start::NotSent && self.attempt_began.elapsed() < START_TAKES {
                        return self.world.pause(self.world.settings().poll).await;
                    }
                    self.say("the server is stopped, by us: it is started when its point is made".to_owned());
                    return self.write(Event::FoundOwed).await;
                }
                self.say("the server is already stopped: it is left so".to_owned());
                return self.write(Event::FoundStopped).await;
            }
            // The watch over debts, or a stop that is still being carried out, is at work on it.
            Ok(server)
                if matches!(server.status, ServerStatus::Other(_))
                    && self.attempt_began.elapsed() < START_TAKES
                    && self.world.store.debt(id.clone()).await?.is_some() =>
            {
                return self.world.pause(self.world.settings().poll).await;
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

    /// One try to see the server running: looks, asks for the start where it reads `stopped` and none is under way, waits
    /// a little. What takes too long is left to the watch over debts.
    pub(super) async fn start_server(&mut self) -> Result<(), RunError> {
        self.fresh = None;
        let began = *self.starting_since.get_or_insert_with(tokio::time::Instant::now);
        let server = self.task.server.reference.clone();
        let found = self.looks.look(self.world, &server.id).await?;
        if matches!(found, debts::Found::Paid | debts::Found::Nothing | debts::Found::Gone) {
            self.starting_since = None;
        }
        let status = match found {
            debts::Found::Paid => {
                self.say("the server runs again".to_owned());
                return self.write(Event::Seen(Sight::ServerRunning)).await;
            }
            debts::Found::Nothing | debts::Found::Gone => return self.write(Event::StartLeft).await,
            debts::Found::Owed(debt, ServerStatus::Active) => {
                // It was never seen down: it may be on its way, and nothing can be done about it now.
                if !debt.start().evidence.seen_down || began.elapsed() >= LEFT_AFTER {
                    return self.leave_start(StartProblem::MayStillStop).await;
                }
                return self.world.pause(self.world.settings().poll).await;
            }
            debts::Found::Missing if began.elapsed() >= self.world.settings().settle => {
                return self.leave_start(StartProblem::Missing).await;
            }
            debts::Found::Missing => return self.world.pause(self.world.settings().poll).await,
            debts::Found::Owed(_, status) => status,
            debts::Found::Unreadable(error) => {
                let why = words(&error);
                if began.elapsed() >= LEFT_AFTER {
                    return self.leave_start(StartProblem::Failed { error: why }).await;
                }
                self.tell_not_started(&why).await?;
                return self.world.pause(self.pause_between_starts()).await;
            }
        };
        if began.elapsed() >= LEFT_AFTER {
            return self.leave_start(StartProblem::Failed { error: format!("it is {status}") }).await;
        }
        self.start_stopped(&status).await
    }

    /// The server is not running: it is asked to start if it reads `stopped`, unless that was just done.
    async fn start_stopped(&mut self, status: &ServerStatus) -> Result<(), RunError> {
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
                if *status != ServerStatus::Stopped {
                    return self.world.pause(self.world.settings().poll).await;
                }
                self.say("starting the server".to_owned());
                self.power(Act::StartServer, Power::Start).await
            }
        }
    }

    /// The run waits for its server no longer. What is owed to it stays owed, and is reported.
    async fn leave_start(&mut self, problem: StartProblem) -> Result<(), RunError> {
        self.starting_since = None;
        let notice = self.not_started(problem).await?;
        self.say(notice.to_string());
        self.write_with(Event::StartLeft, vec![notice]).await
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

    async fn not_started(&self, problem: StartProblem) -> Result<Notice, RunError> {
        let debt = self.world.store.debt(self.task.server.reference.id.clone()).await?;
        let stopped_for = StoppedFor { policy: self.task.policy.name.to_string(), kind: self.task.policy.kind };
        let since = debt.map(|debt| debt.since);
        let fact = Fact::ServerNotStarted(NotStarted { problem, stopped_for: Some(stopped_for), since });
        // One incident a server, whichever policies have stopped it.
        Ok(Notice { policy: None, kind: None, ..self.task.notice(fact) })
    }

    async fn tell_not_started(&self, why: &str) -> Result<(), RunError> {
        let notice = self.not_started(StartProblem::Failed { error: why.to_owned() }).await?;
        self.say(notice.to_string());
        self.world.store.keep_telling(notice, self.world.clock.now()).await?;
        Ok(())
    }

    /// The process is to end and the server may be stopped: while there is time it is looked at, and asked to start when
    /// it reads `stopped`. The journal knows that the start is owed: the next start of the process pays it.
    pub(super) async fn start_before_the_process_ends(&mut self) -> Result<(), RunError> {
        if self.settle_quietly().await? {
            // What became of a create or a delete is found out by the next start.
            start_when_stopped(self.world, &self.task.server.reference, true).await;
            return Ok(());
        }
        let started = async {
            self.say("starting the server before the process ends".to_owned());
            loop {
                match glance(self.world, &self.task.server.reference.id).await {
                    Some(ServerStatus::Stopped) => {
                        self.power(Act::StartServer, Power::Start).await?;
                        let step = self.next_step() - 1;
                        match self.run.state.steps[step as usize - 1].state {
                            StepState::Intended | StepState::Unknown => {
                                self.write(Event::Settled { step, found: Found::NotDone }).await?;
                            }
                            StepState::NotDone => {}
                            StepState::Done | StepState::Undecided => return Ok(()),
                        }
                    }
                    // It was asked before, or somebody else has started it.
                    Some(_) if self.starts().any(|step| step.state == StepState::Done) => return Ok(()),
                    Some(ServerStatus::Active) if self.run.state.seen_stopped => return Ok(()),
                    // It may be on its way down.
                    _ => {}
                }
                tokio::time::sleep(self.world.settings().poll.min(Duration::from_millis(500))).await;
            }
        };
        match tokio::time::timeout(BEFORE_THE_END, started).await {
            Ok(done) => done,
            Err(_) => Ok(()),
        }
    }

    /// The journal cannot be written, so nothing more is made or deleted; but the server must not stay stopped for it.
    /// The journal, as far as it goes, says that a start is owed: the next start of the process makes sure of it.
    pub(super) async fn start_unrecorded(&self) {
        start_when_stopped(self.world, &self.task.server.reference, false).await;
    }

    /// An open step would stand in the way of the start: its answer counts as lost. True when it is a create or a delete,
    /// which stays open.
    async fn settle_quietly(&mut self) -> Result<bool, RunError> {
        let open = self
            .run
            .state
            .steps
            .last()
            .is_some_and(|step| matches!(step.state, StepState::Intended | StepState::Unknown));
        if !open {
            return Ok(false);
        }
        let step = self.next_step() - 1;
        match &self.run.state.steps[step as usize - 1].act {
            Act::StopServer | Act::StartServer => {
                let found = Found::Done { id: None };
                self.write(Event::Settled { step, found }).await?;
                Ok(false)
            }
            Act::Create { .. } | Act::Delete { .. } => Ok(true),
        }
    }
}
