//! Finds out whether a call whose answer was lost was carried out: from the provider's list, for as long as it may lag.

use std::time::Duration;

use tokio::time::Instant;

use crate::journal::adopt::find_created;
use crate::journal::deletes::find_deleted;
use crate::journal::event::{Act, Event, Found};
use crate::journal::power::find_power;
use crate::journal::state::StepState;
use crate::policy::inventory::Inventory;
use crate::run::RunError;
use crate::run::active_run::ActiveRun;

impl ActiveRun<'_> {
    /// Records whether the step was carried out, once that is known or cannot be known.
    pub(super) async fn settle(&mut self, number: u32) -> Result<(), RunError> {
        let step = self.run.state.steps[number as usize - 1].clone();
        self.say(format!("finding out what became of the {} whose answer was lost", step.act.word()));
        // A call without an answer may have been on its way for as long as one request may take. It may have been sent
        // before a reload shortened that time.
        let sent_with = self.world.settings().timeout;
        // Setting the clock back must not make this last longer than the time itself.
        let began = Instant::now();
        loop {
            let settings = self.world.settings();
            let is_unanswered = step.state == StepState::Intended;
            let unanswered = if is_unanswered { sent_with.max(settings.timeout) } else { Duration::ZERO };
            let until = step.at + settings.settle + unanswered;
            let waited = began.elapsed() >= settings.settle + unanswered;
            let settled = self.world.clock.now() >= until || waited;
            if let Some(found) = self.find(&step.act, settled).await? {
                self.fresh = None;
                return self.write(Event::Settled { step: number, found }).await;
            }
            let overdue = self.since(step.at).saturating_sub(self.world.settings().settle + unanswered);
            if overdue.max(began.elapsed()) > self.stuck_after() {
                let why = "the provider could not be asked what became of it".to_owned();
                return self.write(Event::Settled { step: number, found: Found::Undecided { why } }).await;
            }
            self.pause_between_looks().await?;
        }
    }

    /// What the provider shows about the call now; `None` if that proves nothing yet. `settled` means that the provider
    /// has had time to show it.
    async fn find(&mut self, act: &Act, settled: bool) -> Result<Option<Found>, RunError> {
        match act {
            Act::Create { .. } => {
                let inventory = self.proven_list().await?;
                Ok(inventory.and_then(|inventory| find_created(&self.run.state, &inventory, settled)))
            }
            Act::Delete { id, created_at, .. } => {
                let inventory = self.proven_list().await?;
                Ok(inventory.and_then(|inventory| find_deleted(&inventory, id, *created_at, settled)))
            }
            Act::StopServer | Act::StartServer => {
                let look = self.world.client.server(&self.task.server.reference.id);
                let Ok(server) = self.world.unless_stopped(look).await? else { return Ok(None) };
                Ok(find_power(act, &server.status, settled))
            }
        }
    }

    /// A fresh list without doubts; `None` if there is none now.
    async fn proven_list(&mut self) -> Result<Option<Inventory>, RunError> {
        self.fresh = None;
        match self.inspection().await {
            Ok(seen) => Ok(Some(seen.inventory).filter(|inventory| inventory.doubt().is_none())),
            Err(error) => {
                self.say(error.by_provider()?.to_string());
                Ok(None)
            }
        }
    }
}
