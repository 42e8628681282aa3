//! Ends a run: records its outcome together with its notices.
use tracing::Level;

use crate::journal::adopt::{find_left_over, may_have_left_over};
use crate::journal::event::{Event, Outcome};
use crate::journal::notice::{AtEnd, Fact, Notice};
use crate::run::RunError;
use crate::run::active_run::ActiveRun;

impl ActiveRun<'_> {
    /// Records the outcome together with its notices.
    pub(super) async fn end(&mut self, outcome: Outcome, error: Option<String>) -> Result<(), RunError> {
        let mut notices = Vec::new();
        if outcome.is_reported() {
            notices.push(self.end_notice(outcome, error.as_deref()).await?);
        }
        if may_have_left_over(&self.run.state, outcome) {
            notices.extend(self.left_over_notice().await?);
        }
        let text = error.clone().map_or_else(|| outcome.to_string(), |error| format!("{outcome}: {error}"));
        self.write_with(Event::Ended { outcome, error }, notices).await?;
        let level = match outcome {
            Outcome::Failed | Outcome::Unknown => Level::ERROR,
            _ => Level::INFO,
        };
        self.log(level, self.run.state.created.as_ref().map(|created| &created.id), &text);
        self.show(text, true);
        Ok(())
    }

    async fn end_notice(&self, outcome: Outcome, error: Option<&str>) -> Result<Notice, RunError> {
        let policy = &self.task.policy;
        let names = policy.names();
        let last_good = self.world.store.last_good(self.task.server.reference.id.clone(), policy.kind, names).await?;
        let created = self.fresh.as_ref().zip(self.run.state.created.as_ref());
        let created = created.and_then(|(seen, created)| seen.inventory.find(&created.id));
        let size_mb = created.and_then(|point| point.size_mb);
        let at_end = AtEnd { run: self.run.id, last_good, next: self.task.next_due(self.world.clock.now()), size_mb };
        Ok(self.task.notice(Fact::of_ended(&self.run.state, outcome, error, at_end)))
    }

    /// A create was sent again, and the point of the first one appeared later than `settle` without any trace of us.
    /// The new point is not affected, but a person has to check.
    async fn left_over_notice(&mut self) -> Result<Option<Notice>, RunError> {
        let seen = match self.inspection().await {
            Ok(seen) => seen,
            Err(error) => return error.by_provider().map(|_| None),
        };
        let left_over = find_left_over(&self.run.state, &seen.evidence(self.world, self.task));
        let notice = left_over
            .map(|point| self.task.notice(Fact::LeftOver { id: point.id.clone(), created_at: point.created_at }));
        self.fresh = Some(seen);
        Ok(notice)
    }
}
