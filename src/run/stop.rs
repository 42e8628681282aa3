//! Stops the server for its point, and makes sure that it is still stopped when the point is requested. A server found
//! stopped is left stopped, unless it is owed a start.

use tokio::time::Instant;

use crate::journal::answer::{FailedCall, answer_of};
use crate::journal::event::{Act, Answer, Event, Sight};
use crate::journal::power::{
    self, BeforeStop, ServerPower, StopWait, WhileStopping, before_stop, last_request_at, stop_depends_on_debt,
    while_stopping,
};
use crate::provider::Power;
use crate::run::RunError;
use crate::run::active_run::ActiveRun;
use crate::run::answer::reply_of;

impl ActiveRun<'_> {
    /// Whether the server that was seen stopped still is. If it runs now, it was started since, by an earlier process
    /// of ours that could not record that, or by a person: that is recorded, and the server is stopped again before the
    /// point is created. If it is starting, the run waits. If it was not yet seen stopped, it may still be stopping:
    /// its start remains owed.
    pub(super) async fn power_before_create(&mut self) -> Result<ServerPower, RunError> {
        if !self.run.state.seen_stopped {
            return Ok(ServerPower::Off);
        }
        let began = Instant::now();
        loop {
            let look = self.world.client.server(&self.task.server.reference.id);
            let status = match self.world.unless_stopped(look).await? {
                Ok(server) => server.status,
                Err(error) => return Ok(ServerPower::Unknown(FailedCall::from(&error).into_failure())),
            };
            if let Some(power) = power::before_create(&status, began.elapsed()) {
                if power == ServerPower::On {
                    self.say("the server was started in the meantime".to_owned());
                    self.write(Event::Seen(Sight::ServerRunning)).await?;
                }
                return Ok(power);
            }
            // A list from before the wait is not fresh after it.
            self.fresh = None;
            self.pause_between_looks().await?;
        }
    }

    /// Looks at the server and, if it runs, asks it to stop.
    pub(super) async fn stop_server(&mut self) -> Result<(), RunError> {
        self.fresh = None;
        let id = self.task.server.reference.id.clone();
        let status = match self.world.unless_stopped(self.world.client.server(&id)).await? {
            Ok(server) => server.status,
            Err(error) => return self.fail_by(&error).await,
        };
        let (in_attempt, since) = (self.attempt_began.elapsed(), |at| self.since(at));
        let debt = match stop_depends_on_debt(&self.run.state, &status, in_attempt, &since) {
            true => self.world.store.debt(id.clone()).await?,
            false => None,
        };
        match before_stop(&self.run.state, &status, debt.as_ref(), in_attempt, &since) {
            BeforeStop::Stop => {
                // What a look proves about an earlier stop is recorded before the next stop starts the proof over.
                self.looks.look(self.world, &id).await?;
                self.say("stopping the server".to_owned());
                self.send_power(Act::StopServer, Power::Stop).await
            }
            BeforeStop::Wait => self.pause_between_looks().await,
            BeforeStop::StoppedByThisRun => self.write(Event::Seen(Sight::ServerStopped)).await,
            BeforeStop::StoppedByAnotherRun => {
                self.say("the server is already stopped, by us; starting it once the point is made".to_owned());
                self.write(Event::FoundOwed).await
            }
            BeforeStop::StoppedByPerson => {
                self.say("the server is already stopped; leaving it stopped".to_owned());
                self.write(Event::FoundStopped).await
            }
            BeforeStop::Fail(failure) => self.fail(failure).await,
        }
    }

    /// Waits until the server is stopped.
    pub(super) async fn await_stopped(&mut self) -> Result<(), RunError> {
        let requested = last_request_at(&self.run.state);
        let began = Instant::now();
        loop {
            let look = self.world.client.server(&self.task.server.reference.id);
            let read = self.world.unless_stopped(look).await?.ok();
            let waited = StopWait {
                by_earlier_process: requested < self.began_at,
                here: began.elapsed(),
                since_request: self.since(requested),
            };
            let limits = (self.world.settings().settle, self.stuck_after());
            match while_stopping(read.as_ref().map(|server| &server.status), waited, limits) {
                WhileStopping::Stopped => return self.write(Event::Seen(Sight::ServerStopped)).await,
                WhileStopping::StopAgain => {
                    self.say("the server still runs, or runs again; stopping it once more".to_owned());
                    return self.send_power(Act::StopServer, Power::Stop).await;
                }
                WhileStopping::Fail(failure) => return self.fail(failure).await,
                WhileStopping::Wait => self.pause_between_looks().await?,
            }
        }
    }

    /// Asks the server to stop or to start.
    pub(super) async fn send_power(&mut self, act: Act, power: Power) -> Result<(), RunError> {
        let step = self.next_step();
        self.write(Event::Intended { step, act }).await?;
        let call = self.world.client.power(&self.task.server.reference.id, power);
        // A call that begins when the process is already shutting down is its last one, and has its own time limit.
        let answer = if self.world.stopping() { Some(call.await) } else { self.world.answer(call).await };
        let answer = answer_of(reply_of(answer), |()| Answer::Accepted { id: None });
        self.write(Event::Answered { step, answer }).await
    }
}
