//! What a run still does for its server when the process shuts down or the journal cannot be written: it asks the
//! server to start. The journal knows that the start is owed, so the next start of the process makes sure of it.

use std::time::Duration;

use crate::journal::event::Act;
use crate::journal::exit::{AfterLastStart, BeforeExit, OpenStep, after_last_start, before_exit, open_step};
use crate::provider::Power;
use crate::run::RunError;
use crate::run::active_run::ActiveRun;
use crate::run::last_start::{BEFORE_SHUTDOWN, LAST_PAUSE, look_briefly, start_when_stopped};

impl ActiveRun<'_> {
    /// The process is shutting down and the server may be stopped: while there is time, looks at it and asks it to start
    /// when it reads `stopped`.
    pub(super) async fn start_before_shutdown(&mut self) -> Result<(), RunError> {
        match open_step(&self.run.state) {
            OpenStep::None => {}
            OpenStep::Power(settled) => self.write(settled).await?,
            OpenStep::Point => {
                start_when_stopped(self.world, &self.task.server.reference, true).await;
                return Ok(());
            }
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
            let status = look_briefly(self.world, &self.task.server.reference.id).await;
            match before_exit(&self.run.state, status.as_ref()) {
                BeforeExit::Start => {
                    self.send_power(Act::StartServer, Power::Start).await?;
                    match after_last_start(&self.run.state) {
                        AfterLastStart::LookAgain(Some(settled)) => self.write(settled).await?,
                        AfterLastStart::LookAgain(None) => {}
                        AfterLastStart::Leave => return Ok(()),
                    }
                }
                BeforeExit::Leave => return Ok(()),
                BeforeExit::LookAgain => {}
            }
            tokio::time::sleep(poll.min(LAST_PAUSE)).await;
        }
    }

    /// The journal cannot be written, so nothing more is created or deleted; but the server must not stay stopped
    /// because of that.
    pub(super) async fn start_unrecorded(&self) {
        start_when_stopped(self.world, &self.task.server.reference, false).await;
    }
}
