//! The runs in progress: started, ended, and resumed after a pause where a bug has cut one off.

use std::fmt;
use std::time::Duration;

use tokio::task::{Id as TaskId, JoinError};

use crate::daemon::evaluate::{names, place_of};
use crate::daemon::{Service, ServiceError, notify};
use crate::journal::notice::{Fact, FailedRun, RunProblem};
use crate::run::{RunError, Task, drive};
use crate::store::StoreError;
use crate::store::runs::Run;

/// A run that a bug has cut off is resumed after this long; twice as long after each further time.
const AFTER_FAULT: Duration = Duration::from_mins(1);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// A run in progress.
#[derive(Debug)]
pub(super) struct UnderWay {
    task: Task,
    run: i64,
    /// How often a bug has cut it off.
    faults: u32,
}

impl Service {
    /// Drives a run in the background.
    pub(super) fn spawn(&mut self, task: Task, run: Run) {
        *self.busy.entry(place_of(&task)).or_default() += 1;
        let (id, world, of) = (run.id, self.world.clone(), task.clone());
        // Boxed in steps: thousands of runs that wait for their place should weigh little.
        let handle = self.runs.spawn(async move { Box::pin(drive(&world, &of, run)).await.map(drop) });
        self.under_way.insert(handle.id(), UnderWay { task, run: id, faults: 0 });
    }

    /// Resumes a run that a bug has cut off, after a pause. Its policy counts as busy meanwhile.
    fn resume(&mut self, cut_off: UnderWay) {
        let UnderWay { task, run, faults } = cut_off;
        let pause = AFTER_FAULT.saturating_mul(2_u32.saturating_pow(faults.min(10))).min(LONGEST_PAUSE);
        let (world, of) = (self.world.clone(), task.clone());
        let handle = self.runs.spawn(async move {
            world.pause(pause).await?;
            let run = world.store.run(run).await?;
            Box::pin(drive(&world, &of, run)).await.map(drop)
        });
        self.under_way.insert(handle.id(), UnderWay { task, run, faults: faults + 1 });
    }

    /// A run has ended, or was cut off.
    pub(super) async fn ended(
        &mut self,
        ended: Result<(TaskId, Result<(), RunError>), JoinError>,
    ) -> Result<(), ServiceError> {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(under_way) = self.under_way.remove(&id) else { return Ok(()) };
        self.mail.notify_one();
        let done = match done {
            // An event of ours that cannot follow is a bug of that run, too.
            Ok(Err(RunError::Store(error @ StoreError::Illegal(_)))) => return self.cut_off(under_way, &error).await,
            Ok(done) => done,
            Err(error) => return self.cut_off(under_way, &error).await,
        };
        let place = place_of(&under_way.task);
        if let Some(count) = self.busy.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&place);
            }
        }
        notify::status(&format!("runs in progress: {}", self.under_way.len()));
        match done {
            Ok(()) | Err(RunError::Stopped) => Ok(self.evaluator.ended(&under_way.task).await?),
            Err(RunError::Store(error)) => Err(error.into()),
        }
    }

    /// A fault of ours in one run must not end all the others, and is reported once.
    async fn cut_off(&mut self, under_way: UnderWay, error: &dyn fmt::Display) -> Result<(), ServiceError> {
        let (task, store) = (&under_way.task, &self.world.store);
        let (policy, server) = (&task.policy.name, &task.server.reference);
        tracing::error!(%policy, %server, "a run was cut off by a bug and is resumed after a pause: {error}");
        // Its server is started meanwhile.
        store.leave_charge(under_way.run).await?;
        self.world.leases.debts_changed().notify_one();
        if under_way.faults == 0 {
            let fact = Fact::Failed(FailedRun {
                run: Some(under_way.run),
                due: None,
                tries: None,
                problem: RunProblem::CutOff { error: error.to_string() },
                last_good: store.last_good(server.id.clone(), task.policy.kind, names(task)).await?,
                next: None,
                made: None,
                deleted: Vec::new(),
            });
            store.tell(vec![task.notice(fact)], self.world.clock.now()).await?;
        }
        self.resume(under_way);
        Ok(())
    }
}
