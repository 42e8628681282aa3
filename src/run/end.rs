//! The end of a run: its outcome and what is reported of it, written together.

use jiff::Timestamp;

use crate::journal::event::{Event, Outcome};
use crate::journal::notice::{DeletedPoint, Fact, FailedRun, GivenUp, Notice, RunProblem, SucceededRun, Tries};
use crate::policy::text;
use crate::run::RunError;
use crate::run::drive::Drive;

impl Drive<'_> {
    /// Writes the outcome, with what is reported of it.
    pub(super) async fn end(&mut self, outcome: Outcome, error: Option<String>) -> Result<(), RunError> {
        let mut notices = Vec::new();
        // Nothing is wrong with a run that was skipped.
        if outcome != Outcome::Skipped {
            notices.push(self.end_notice(outcome, error.as_deref()).await?);
        }
        if outcome == Outcome::Succeeded {
            notices.extend(self.late_notice().await?);
        }
        let text = error.clone().map_or_else(|| outcome.to_string(), |error| format!("{outcome}: {error}"));
        self.write_with(Event::Ended { outcome, error }, notices).await?;
        tracing::info!(run = self.run.id, server = %self.task.server.reference, policy = %self.task.policy.name, "{}", text::one_line(&text));
        self.show(text, true);
        Ok(())
    }

    /// A create was given up and sent again: what of the first one turned up later than `settle`, and carries nothing of
    /// ours, takes a slot that no retention frees. The new point is no worse for it, but a person must look.
    async fn late_notice(&mut self) -> Result<Option<Notice>, RunError> {
        if !self.was_sent_again() {
            return Ok(None);
        }
        let Ok(seen) = self.inspection().await? else { return Ok(None) };
        let notice = self.left_over(&seen).map(|point| {
            let (id, created_at) = (point.id.clone(), point.created_at);
            self.task.notice(Fact::LeftOver { id, created_at })
        });
        self.fresh = Some(seen);
        Ok(notice)
    }

    async fn end_notice(&self, outcome: Outcome, error: Option<&str>) -> Result<Notice, RunError> {
        let policy = &self.task.policy;
        let mut names = vec![policy.name.to_string()];
        names.extend(policy.formerly.iter().map(ToString::to_string));
        let server = &self.task.server.reference;
        let last_good = self.world.store.last_good(server.id.clone(), policy.kind, names).await?;
        let made = self.run.state.made.as_ref().map(|made| made.id.clone());
        let deleted = DeletedPoint::all_of(&self.run.state);
        let (run, due, next) = (Some(self.run.id), self.run.state.key.due, self.next_due());
        if outcome != Outcome::Succeeded {
            let error = error.map_or_else(|| outcome.to_string(), str::to_owned);
            let unknown = outcome == Outcome::Unknown;
            let problem = if unknown { RunProblem::Unknown { error } } else { RunProblem::Failed { error } };
            let tries = self
                .run
                .state
                .terms
                .map(|terms| Tries { made: self.run.state.attempt, allowed: terms.retries.saturating_add(1) });
            let failed = FailedRun { run, due, tries, problem, last_good, next, made, deleted };
            return Ok(self.task.notice(Fact::Failed(failed)));
        }
        let size_mb = self
            .fresh
            .as_ref()
            .zip(self.run.state.made.as_ref())
            .and_then(|(seen, made)| seen.inventory.find(&made.id).and_then(|point| point.size_mb));
        Ok(self.task.notice(Fact::Succeeded(SucceededRun {
            run,
            due,
            made,
            size_mb,
            last_good,
            next,
            deleted,
            started_early: self.run.state.started_early,
            given_up: self.given_up(),
        })))
    }

    /// What was deleted though the rules keep it, since a hold or `protect` left no other room.
    fn given_up(&self) -> Vec<GivenUp> {
        let plan = self.run.state.plan.iter();
        let given_up =
            plan.flat_map(|plan| plan.given_up()).filter(|(id, _)| self.run.state.deleted().any(|it| it == *id));
        given_up.map(|(id, why)| GivenUp { id: id.clone(), why: why.clone() }).collect()
    }

    /// The policy's next due time on this server.
    fn next_due(&self) -> Option<Timestamp> {
        let next = self.task.due_times().next_after(self.world.clock.now());
        next.filter(|_| self.task.policy.enabled)
    }
}
