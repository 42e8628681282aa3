//! Starts the server that was stopped for the point. If that takes too long or is not proved yet, the run leaves it to
//! the debt watch.

use std::time::Duration;

use tokio::time::Instant;

use crate::journal::debt_watch::pause_between_starts;
use crate::journal::event::{Act, Event, Sight};
use crate::journal::notice::{Notice, StartProblem};
use crate::journal::power::{AfterStart, OwedServer, WhileStarting, next_start, starts, while_starting};
use crate::policy::inventory::ServerStatus;
use crate::provider::Power;
use crate::run::RunError;
use crate::run::active_run::ActiveRun;
use crate::run::look::DebtLook;

impl ActiveRun<'_> {
    /// One attempt to see the server running: looks, asks it to start if it reads `stopped` and is not starting, and
    /// waits a little.
    pub(super) async fn start_server(&mut self) -> Result<(), RunError> {
        self.fresh = None;
        let began = *self.starting_since.get_or_insert_with(Instant::now);
        let server = self.task.server.reference.id.clone();
        let look = self.looks.look(self.world, &server).await?;
        let found = match &look {
            DebtLook::Paid => {
                self.starting_since = None;
                self.say("the server runs again".to_owned());
                return self.write(Event::Seen(Sight::ServerRunning)).await;
            }
            DebtLook::NotOwed | DebtLook::Gone => {
                self.starting_since = None;
                return self.write(Event::StartLeft).await;
            }
            DebtLook::Owed(debt, status) => OwedServer::Reads { status, seen_down: debt.start().evidence.seen_down },
            DebtLook::Missing => OwedServer::Missing,
            DebtLook::Unreadable(error) => OwedServer::Unreadable(error.to_string()),
        };
        match while_starting(found, began.elapsed(), self.world.settings().settle) {
            WhileStarting::Leave(problem) => self.leave_start(problem).await,
            WhileStarting::Wait => self.pause_between_looks().await,
            WhileStarting::ReportAndWait(error) => {
                self.report_not_started(&error).await?;
                self.world.pause(self.pause_between_starts()).await
            }
            WhileStarting::Start => {
                let is_stopped = matches!(&look, DebtLook::Owed(_, ServerStatus::Stopped));
                self.start_again(is_stopped).await
            }
        }
    }

    /// The server does not run: asks it to start if it reads `stopped`, unless that was just done.
    async fn start_again(&mut self, is_stopped: bool) -> Result<(), RunError> {
        let pause = self.pause_between_starts();
        let next = next_start(&self.run.state, is_stopped, pause, &|at| self.since(at));
        if let Some(problem) = &next.report {
            self.report_not_started(problem).await?;
        }
        match next.then {
            AfterStart::LookAgain => self.pause_between_looks().await,
            AfterStart::Pause => self.world.pause(pause).await,
            AfterStart::Send => {
                self.say("starting the server".to_owned());
                self.send_power(Act::StartServer, Power::Start).await
            }
        }
    }

    /// The run no longer waits for its server. The start remains owed, and that is reported.
    async fn leave_start(&mut self, problem: StartProblem) -> Result<(), RunError> {
        self.starting_since = None;
        let notice = self.not_started(problem).await?;
        self.say(notice.to_string());
        self.write_with(Event::StartLeft, vec![notice]).await
    }

    fn pause_between_starts(&self) -> Duration {
        let sent = u32::try_from(starts(&self.run.state).count()).unwrap_or(u32::MAX);
        pause_between_starts(self.world.settings().poll, sent)
    }

    async fn not_started(&self, problem: StartProblem) -> Result<Notice, RunError> {
        let debt = self.world.store.debt(self.task.server.reference.id.clone()).await?;
        Ok(Notice::of_not_started(self.task, problem, debt.map(|debt| debt.since)))
    }

    async fn report_not_started(&self, why: &str) -> Result<(), RunError> {
        let notice = self.not_started(StartProblem::Failed { error: why.to_owned() }).await?;
        self.say(notice.to_string());
        self.world.store.add_lasting_notice(notice, self.world.clock.now()).await?;
        Ok(())
    }
}
