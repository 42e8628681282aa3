//! Begins an attempt, waits for the end of a bucket if the plan depends on it, and plans.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::adopt::{LatePoint, find_late_point, without_points_of};
use crate::journal::answer::FailedCall;
use crate::journal::bucket_wait::{BucketLeft, BucketWait, bucket_wait};
use crate::journal::event::{Event, Terms};
use crate::policy::evidence::PlanRequest;
use crate::policy::planner::plan;
use crate::run::active_run::ActiveRun;
use crate::run::inspect::{inspect, record, record_with_notes};
use crate::run::{Inspection, READING, RunError};

impl ActiveRun<'_> {
    /// Records that the next attempt begins, with the policy settings it runs under.
    pub(super) async fn begin(&mut self) -> Result<(), RunError> {
        let terms = Terms::of(&self.task.policy);
        self.fresh = None;
        self.attempt_began = Instant::now();
        self.write(Event::Began { attempt: self.run.state.attempt + 1, terms }).await
    }

    /// How long the bucket lasts that the run waits for.
    pub(super) async fn left_of_bucket(&mut self, until: Timestamp) -> Result<BucketWait, RunError> {
        let began = self.waits_since.filter(|(waits_for, _)| *waits_for == until);
        let (_, since) = *self.waits_since.insert(began.unwrap_or_else(|| (until, Instant::now())));
        let left = |now: Timestamp| Duration::try_from(now.duration_until(until)).unwrap_or_default();
        let left = match self.inspection().await {
            Ok(seen) => {
                let left = left(seen.now(self.world));
                self.fresh = Some(seen);
                BucketLeft::ByProvider(left)
            }
            Err(error) => BucketLeft::ByOurClock {
                failed: FailedCall::from(&error.by_provider()?),
                left: left(self.world.clock.now()),
                poll: self.world.settings().poll,
            },
        };
        Ok(bucket_wait(left, since.elapsed()))
    }

    /// Plans, and records the plan; with `waited_for`, after the wait for the end of that bucket.
    pub(super) async fn plan(&mut self, waited_for: Option<Timestamp>) -> Result<(), RunError> {
        self.say(READING.to_owned());
        // The list that the wait ended with is a moment old.
        let seen = match self.fresh.take().filter(|_| waited_for.is_some()) {
            Some(seen) => Ok(seen),
            None => inspect(self.world, self.task).await,
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return self.fail_by(&error.by_provider()?).await,
        };
        let without = match find_late_point(&self.run.state, &seen.evidence(self.world, self.task)) {
            Some(undecidable @ LatePoint::Undecidable { .. }) => {
                record(self.world, self.task, seen).await?;
                return self.write(undecidable.into_event()).await;
            }
            Some(LatePoint::Ours { step, .. }) => {
                let inventory = without_points_of(&self.run.state, step, &seen.inventory);
                Some(Inspection { inventory, ..seen.clone() })
            }
            None => None,
        };
        let request = without.as_ref().unwrap_or(&seen).request(self.world, self.task, self.deletes_spent());
        let plan = plan(&PlanRequest { waited_for: self.run.state.postponed, ..request });
        record_with_notes(self.world, self.task, &seen, &plan.notes).await?;
        let event = match plan.wait_until {
            Some(until) => Event::Postponed { until },
            None => Event::Planned { plan: Box::new(plan) },
        };
        self.write(event).await?;
        self.fresh = Some(seen);
        Ok(())
    }
}
