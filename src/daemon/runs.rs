//! The runs in progress: started, ended, and resumed after a pause when a bug has interrupted one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id as TaskId, JoinError, JoinSet};

use crate::daemon::evaluate::{PolicyOnServer, policy_on_server};
use crate::daemon::notify;
use crate::journal::notice::{Fact, FailedRun, RunProblem};
use crate::policy::task::Task;
use crate::run::{RunError, World, drive};
use crate::status::ProcessCounters;
use crate::store::StoreError;
use crate::store::runs::Run;

/// The pause before a run that a bug has interrupted is resumed; twice as long after each further interruption.
const AFTER_FAULT: Duration = Duration::from_mins(1);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How the task of a run ended.
pub(super) type EndedTask = Result<(TaskId, Result<(), RunError>), JoinError>;

/// All runs in progress.
#[derive(Debug)]
pub(super) struct RunsInProgress {
    counters: Arc<ProcessCounters>,
    tasks: JoinSet<Result<(), RunError>>,
    runs: HashMap<TaskId, RunInProgress>,
    /// How many runs of each policy on each server are in progress.
    busy: HashMap<PolicyOnServer, usize>,
}

/// A run in progress.
#[derive(Debug)]
struct RunInProgress {
    task: Task,
    run: i64,
    /// When it was recorded.
    opened_at: Timestamp,
    /// How often a bug has interrupted it.
    faults: u32,
}

impl RunsInProgress {
    /// None yet.
    pub(super) fn new(counters: Arc<ProcessCounters>) -> Self {
        Self { counters, tasks: JoinSet::new(), runs: HashMap::new(), busy: HashMap::new() }
    }

    /// Drives a run in the background.
    pub(super) fn start(&mut self, world: &World, task: Task, run: Run) {
        *self.busy.entry(policy_on_server(&task)).or_default() += 1;
        let (id, opened_at, world, of) = (run.id, run.state.opened_at, world.clone(), task.clone());
        // Boxed in steps: thousands of waiting runs should take little memory.
        let handle = self.tasks.spawn(async move { Box::pin(drive(&world, &of, run)).await.map(drop) });
        self.runs.insert(handle.id(), RunInProgress { task, run: id, opened_at, faults: 0 });
    }

    /// Resumes an interrupted run after a pause. Its policy counts as busy meanwhile.
    fn resume(&mut self, world: &World, interrupted: RunInProgress) {
        let RunInProgress { task, run, opened_at, faults } = interrupted;
        let pause = AFTER_FAULT.saturating_mul(2_u32.saturating_pow(faults.min(10))).min(LONGEST_PAUSE);
        let (world, of) = (world.clone(), task.clone());
        let handle = self.tasks.spawn(async move {
            world.pause(pause).await?;
            let run = world.store.run(run).await?;
            Box::pin(drive(&world, &of, run)).await.map(drop)
        });
        self.runs.insert(handle.id(), RunInProgress { task, run, opened_at, faults: faults + 1 });
    }

    /// Whether a run of the same policy on the same server is in progress.
    pub(super) fn is_busy(&self, task: &Task) -> bool {
        self.busy.contains_key(&policy_on_server(task))
    }

    /// The next task that ends; `None` without any. Nothing is lost when it is dropped.
    pub(super) async fn next_ended(&mut self) -> Option<EndedTask> {
        self.tasks.join_next_with_id().await
    }

    /// Waits until all tasks have ended.
    pub(super) async fn all_ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Records that a task has ended. Returns what the run was about; `None` when a bug interrupted it and it goes on.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn ended(&mut self, world: &World, ended: EndedTask) -> Result<Option<Task>, StoreError> {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(run) = self.runs.remove(&id) else { return Ok(None) };
        let done = match done {
            // An event that is not allowed in this state is a bug in that run, too.
            Ok(Err(RunError::Store(error @ StoreError::Illegal(_)))) => {
                return self.interrupted(world, run, &error).await;
            }
            Ok(done) => done,
            Err(error) => return self.interrupted(world, run, &error).await,
        };
        let key = policy_on_server(&run.task);
        if let Some(count) = self.busy.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&key);
            }
        }
        notify::status(&format!("runs in progress: {}", self.runs.len()));
        match done {
            Ok(()) => {
                // A clock that was set back meanwhile makes it look shorter, and never negative.
                let took = Duration::try_from(run.opened_at.duration_until(world.clock.now())).unwrap_or_default();
                self.counters.run_ended(run.task.policy.name.as_str(), took);
                Ok(Some(run.task))
            }
            Err(RunError::Stopped) => Ok(Some(run.task)),
            Err(RunError::Store(error)) => Err(error),
        }
    }

    /// A bug in one run must not end all the others, and is reported once.
    async fn interrupted(
        &mut self,
        world: &World,
        run: RunInProgress,
        error: &dyn fmt::Display,
    ) -> Result<Option<Task>, StoreError> {
        let (task, store) = (&run.task, &world.store);
        let (policy, server) = (&task.policy.name, &task.server.reference);
        tracing::error!(run = run.run, %server, %policy, "a bug interrupted a run; it is resumed after a pause: {error}");
        // Its server, if stopped, is started in the meantime.
        store.leave_charge(run.run).await?;
        world.leases.debts_changed().notify_one();
        if run.faults == 0 {
            let fact = Fact::Failed(FailedRun {
                run: Some(run.run),
                due: None,
                tries: None,
                problem: RunProblem::CutOff { error: error.to_string() },
                last_good: store.last_good(server.id.clone(), task.policy.kind, task.policy.names()).await?,
                next: None,
                made: None,
                deleted: Vec::new(),
            });
            store.add_notices(vec![task.notice(fact)], world.clock.now()).await?;
        }
        self.resume(world, run);
        Ok(None)
    }
}
