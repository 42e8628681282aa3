//! What a run still does for its server when the process shuts down or the journal cannot be written: it asks the
//! server to start. The journal knows that the start is owed, so the next start of the process makes sure of it.

use std::time::Duration;

use crate::journal::event::{Act, Event, Found};
use crate::journal::power::starts;
use crate::journal::state::StepState;
use crate::policy::inventory::ServerStatus;
use crate::provider::Power;
use crate::run::RunError;
use crate::run::active_run::ActiveRun;
use crate::run::last_start::{BEFORE_SHUTDOWN, LAST_PAUSE, look_briefly, start_when_stopped};

impl ActiveRun<'_> {
    /// The process is shutting down and the server may be stopped: while there is time, looks at it and asks it to start
    /// when it reads `stopped`.
    pub(super) async fn start_before_shutdown(&mut self) -> Result<(), RunError> {
        if self.settle_power_step().await? {
            // The next start of the process finds out whether a create or a delete was carried out.
            start_when_stopped(self.world, &self.task.server.reference, true).await;
            return Ok(());
        }
        self.say("starting the server before the process ends".to_owned());
        let poll = self.world.settings().poll;
        match tokio::time::timeout(BEFORE_SHUTDOWN, self.start_until_accepted(poll)).await {
            Ok(done) => done,
            Err(_) => Ok(()),
        }
    }

    async fn start_until_accepted(&mut self, poll: Duration) -> Result<(), RunError> {
        loop {
            match look_briefly(self.world, &self.task.server.reference.id).await {
                Some(ServerStatus::Stopped) => {
                    self.send_power(Act::StartServer, Power::Start).await?;
                    let step = self.next_step() - 1;
                    match self.run.state.steps[step as usize - 1].state {
                        StepState::Intended | StepState::Unknown => {
                            self.write(Event::Settled { step, found: Found::NotDone }).await?;
                        }
                        StepState::NotDone => {}
                        StepState::Done | StepState::Undecided => return Ok(()),
                    }
                }
                // It was asked before, or somebody else started it.
                Some(_) if starts(&self.run.state).any(|step| step.state == StepState::Done) => return Ok(()),
                Some(ServerStatus::Active) if self.run.state.seen_stopped => return Ok(()),
                // It may still be stopping.
                _ => {}
            }
            tokio::time::sleep(poll.min(LAST_PAUSE)).await;
        }
    }

    /// The journal cannot be written, so nothing more is created or deleted; but the server must not stay stopped
    /// because of that.
    pub(super) async fn start_unrecorded(&self) {
        start_when_stopped(self.world, &self.task.server.reference, false).await;
    }

    /// An open step would block the start, so the answer to a stop or start counts as lost and the call as carried out.
    /// True if the open step is a create or a delete, which remains open.
    async fn settle_power_step(&mut self) -> Result<bool, RunError> {
        let is_open = |state: StepState| matches!(state, StepState::Intended | StepState::Unknown);
        let Some(last) = self.run.state.steps.last().filter(|step| is_open(step.state)) else { return Ok(false) };
        match &last.act {
            Act::StopServer | Act::StartServer => {
                let step = self.next_step() - 1;
                self.write(Event::Settled { step, found: Found::Done { id: None } }).await?;
                Ok(false)
            }
            Act::Create { .. } | Act::Delete { .. } => Ok(true),
        }
    }
}
