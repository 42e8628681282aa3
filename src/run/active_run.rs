//! A run that is being performed: what this process knows about it besides the journal, how it reads lists and how it
//! writes events.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Level;
use tracing::field::display;

use crate::journal::answer::FailedCall;
use crate::journal::event::{Event, Failure};
use crate::journal::notice::Notice;
use crate::journal::power::{keeps_stopped, leaves_debt};
use crate::policy::inventory::PointId;
use crate::policy::text;
use crate::provider::{Announcement, ProviderError};
use crate::run::ages::Ages;
use crate::run::inspect::{inspect, record};
use crate::run::look::DebtLooks;
use crate::run::{InspectError, Inspection, Progress, RunError, Task, World};
use crate::store::runs::Run;

/// The target of log lines about a run: a command that shows its progress to a person turns them off.
const PROGRESS: &str = "lastgood::run::progress";

/// A run that is being performed.
pub(super) struct ActiveRun<'a> {
    pub world: &'a World,
    pub task: &'a Task,
    pub run: Run,
    /// The last list, unless something has happened since that may have changed it.
    pub fresh: Option<Inspection>,
    /// Whether an earlier process began the run. During its shutdown it may have started the server without recording
    /// that.
    pub resumed: bool,
    /// When this process began or resumed the run.
    pub began_at: Timestamp,
    /// When this process began or resumed the attempt.
    pub attempt_began: Instant,
    /// When this process began to wait for the server to start.
    pub starting_since: Option<Instant>,
    /// The looks at the server while it is owed a start.
    pub looks: DebtLooks,
    /// How long ago the events in the journal were.
    pub ages: Ages,
    /// Held while a point is being created.
    pub permit: Option<OwnedSemaphorePermit>,
    /// The server's own list that the last eviction was decided by.
    pub before_eviction: Option<Inspection>,
    /// Others wait for this run's look after its evictions.
    pub announced: Option<Announcement>,
    /// The end of the bucket that this process waits for, and since when.
    pub waits_since: Option<(Timestamp, Instant)>,
}

impl<'a> ActiveRun<'a> {
    pub(super) fn new(world: &'a World, task: &'a Task, run: Run) -> Self {
        Self {
            world,
            task,
            resumed: run.state.attempt > 0,
            run,
            fresh: None,
            began_at: world.clock.now(),
            attempt_began: Instant::now(),
            starting_since: None,
            looks: DebtLooks::default(),
            ages: Ages::default(),
            permit: None,
            before_eviction: None,
            announced: None,
            waits_since: None,
        }
    }

    /// A recorded list that is as new as possible: the last one, unless it is stale.
    pub(super) async fn inspection(&mut self) -> Result<Inspection, InspectError> {
        if let Some(seen) = self.fresh.take().filter(|seen| !self.is_stale(seen)) {
            return Ok(seen);
        }
        let seen = inspect(self.world, self.task).await?;
        Ok(record(self.world, self.task, seen).await?)
    }

    /// Whether the list was read so long ago that it may be wrong now.
    pub(super) fn is_stale(&self, seen: &Inspection) -> bool {
        seen.read.elapsed() > self.world.settings().settle
    }

    /// Writes an event.
    pub(super) async fn write(&mut self, event: Event) -> Result<(), RunError> {
        self.write_with(event, Vec::new()).await
    }

    /// Writes an event together with its notices.
    pub(super) async fn write_with(&mut self, event: Event, notices: Vec<Notice>) -> Result<(), RunError> {
        let at = self.world.clock.now();
        // From now on its age does not depend on the clock.
        self.ages.since(at, at);
        let server = &self.task.server.reference.id;
        let _power = match keeps_stopped(&event) {
            true => Some(self.world.unless_stopped(self.world.leases.power(server)).await?),
            false => None,
        };
        let owed_start = self.run.state.owes_start;
        self.world.store.append(&mut self.run, event, at, notices).await?;
        if leaves_debt(owed_start, &self.run.state) {
            self.world.leases.debts_changed().notify_one();
        }
        Ok(())
    }

    /// The number of the next step.
    pub(super) fn next_step(&self) -> u32 {
        u32::try_from(self.run.state.steps.len() + 1).expect("a run has few steps")
    }

    /// Records that the attempt failed.
    pub(super) async fn fail(&mut self, failure: Failure) -> Result<(), RunError> {
        // The log says it once: with the next attempt, or with the end of the run.
        self.show(format!("failed: {}", failure.error), false);
        self.write(Event::Failed(failure)).await
    }

    /// Records that the attempt failed because it could not look.
    pub(super) async fn fail_by(&mut self, error: &ProviderError) -> Result<(), RunError> {
        self.fail(FailedCall::from(error).into_failure()).await
    }

    /// The time after which a point in progress is stuck.
    pub(super) fn stuck_after(&self) -> Duration {
        self.run.state.stuck_after()
    }

    /// How long ago an event in the journal was. Setting the clock back does not make it shorter.
    pub(super) fn since(&self, at: Timestamp) -> Duration {
        self.ages.since(at, self.world.clock.now())
    }

    /// When the point was first requested.
    pub(super) fn requested_at(&self) -> Timestamp {
        self.run.state.requested_at(self.world.clock.now())
    }

    /// How many points the run has deleted.
    pub(super) fn deletes_spent(&self) -> u32 {
        self.run.state.deletes_spent()
    }

    /// Waits for the time between two looks at the same thing.
    pub(super) async fn pause_between_looks(&self) -> Result<(), RunError> {
        self.world.pause(self.world.settings().poll).await
    }

    /// Reports progress to the person who watches, and to the log.
    pub(super) fn say(&self, text: String) {
        self.log(Level::INFO, self.run.state.created.as_ref().map(|created| &created.id), &text);
        self.show(text, false);
    }

    /// As `say`, about another point than the one that the run has created.
    pub(super) fn say_of(&self, point: &PointId, text: String) {
        self.log(Level::INFO, Some(point), &text);
        self.show(text, false);
    }

    /// Writes a line of the log, with the fields that every line about a run has.
    pub(super) fn log(&self, level: Level, point: Option<&PointId>, text: &str) {
        let (server, policy) = (&self.task.server.reference, &self.task.policy.name);
        let (due, restore_point) = (self.run.state.key.due.map(display), point.map(display));
        let (run, text) = (self.run.id, text::one_line(text));
        match level {
            Level::ERROR => tracing::error!(target: PROGRESS, run, %server, %policy, due, restore_point, "{text}"),
            Level::WARN => tracing::warn!(target: PROGRESS, run, %server, %policy, due, restore_point, "{text}"),
            _ => tracing::info!(target: PROGRESS, run, %server, %policy, due, restore_point, "{text}"),
        }
    }

    /// Reports to the person who watches that nothing has changed, which the log does not need.
    pub(super) fn say_still(&self, text: String) {
        self.show(text, false);
    }

    pub(super) fn show(&self, text: String, over: bool) {
        let (server, policy) = (self.task.server.reference.clone(), self.task.policy.name.clone());
        if let Some(progress) = &self.world.progress {
            // Nobody may be listening any more; the run continues anyway.
            let _ = progress.send(Progress { run: self.run.id, server, policy, text, over });
        }
    }
}
