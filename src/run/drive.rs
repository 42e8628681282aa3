//! Drives a run to its end: asks the journal what comes next, does it, writes it down, asks again.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::journal::event::{Act, Event, Failure, Terms};
use crate::journal::notice::Notice;
use crate::journal::recovery::{Next, next};
use crate::journal::summary::{RunSummary, summary};
use crate::policy::evidence::PlanRequest;
use crate::policy::planner::plan;
use crate::provider::ProviderError;
use crate::run::ages::Ages;
use crate::run::debts::Looks;
use crate::run::take::{Inspection, place, remember, set_brakes, with_memory};
use crate::run::{Lease, RunError, Task, World, inspect, words};
use crate::store::runs::Run;

/// No bucket ends later after the plan that waits for it: a clock that says so is wrong.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// A run under way.
pub(super) struct Drive<'a> {
    pub world: &'a World,
    pub task: &'a Task,
    pub run: Run,
    /// The list as it was last read, when nothing has happened since that could have changed it.
    pub fresh: Option<Inspection>,
    /// Whether an earlier process has begun the run. On its way out it may have started the server, unrecorded.
    pub resumed: bool,
    /// When this process took the run up.
    pub began_at: Timestamp,
    /// When this process began the attempt, or took it up.
    pub attempt_began: Instant,
    /// When this process began to wait for the start of the server.
    pub starting_since: Option<Instant>,
    /// The looks at a server that is owed a start.
    pub looks: Looks,
    /// How long ago the moments of the journal were.
    pub ages: Ages,
    /// One of the `parallel_runs` places, while a point is being made.
    pub place: Option<OwnedSemaphorePermit>,
    /// The end of a bucket that this process waits for, and since when.
    pub waits_since: Option<(Timestamp, Instant)>,
}

/// What a run does without its place and its server.
enum Rest {
    /// It is over.
    Over,
    /// It is tried again at this moment.
    Retry(Timestamp),
    /// It plans when the bucket has ended.
    Bucket(Duration),
}

/// Drives a run, or what a crash has left of one, to its end.
///
/// # Errors
/// `Store` when the journal cannot be written (nothing more is sent then) and `Stopped` when the process is to end. The
/// run is then open in the journal, and the next start drives it on. A server that we stopped is started before.
pub async fn drive(world: &World, task: &Task, run: Run) -> Result<RunSummary, RunError> {
    let resumed = run.state.attempt > 0;
    let mut drive = Drive {
        world,
        task,
        run,
        fresh: None,
        resumed,
        began_at: world.clock.now(),
        attempt_began: Instant::now(),
        starting_since: None,
        looks: Looks::default(),
        ages: Ages::default(),
        place: None,
        waits_since: None,
    };
    let done = drive.finish().await;
    match &done {
        Err(RunError::Stopped) if drive.run.state.owes_start => match drive.start_before_the_process_ends().await {
            Err(RunError::Store(error)) => {
                drive.start_unrecorded().await;
                return Err(error.into());
            }
            other => other?,
        },
        Err(RunError::Store(_)) if drive.run.state.owes_start => drive.start_unrecorded().await,
        _ => {}
    }
    done?;
    Ok(summary(drive.run.id, &drive.run.state))
}

impl Drive<'_> {
    async fn finish(&mut self) -> Result<(), RunError> {
        loop {
            let server = &self.task.server.reference.id;
            let lease = if next(&self.run.state) == Next::StartServer {
                // Nothing is made any more: the server waits for no place behind others.
                Lease::wait(self.world, server).await?
            } else {
                let (lease, place) = Lease::wait_with_place(self.world, server).await?;
                self.place = Some(place);
                lease
            };
            // Boxed, and so are its phases: in a run that waits they take no memory, and no stack in one that does not.
            let rest = Box::pin(self.attempt()).await;
            self.place = None;
            lease.end().await?;
            // Meanwhile the server and the place are free for others.
            match rest? {
                Rest::Bucket(left) => {
                    self.say(format!("waiting {} s for the end of a bucket", left.as_secs_f64().ceil()));
                    let until = self.world.pause_until(self.world.clock.now() + left);
                    tokio::time::timeout(left, until).await.unwrap_or(Ok(()))?;
                    self.fresh = None;
                }
                Rest::Retry(at) => {
                    self.say(format!("tried again at {at}"));
                    // A clock that is set back must not make this last longer than the pause itself.
                    let longest = self.run.state.terms.map_or(0, |terms| terms.retry_after_seconds);
                    let until = self.world.pause_until(at);
                    tokio::time::timeout(Duration::from_secs(longest), until).await.unwrap_or(Ok(()))?;
                    let lease = Lease::wait(self.world, &self.task.server.reference.id).await?;
                    self.begin().await?;
                    lease.end().await?;
                }
                Rest::Over => return Ok(()),
            }
        }
    }

    /// Everything up to the run's end, or up to a wait for which it needs neither place nor server.
    async fn attempt(&mut self) -> Result<Rest, RunError> {
        if std::mem::take(&mut self.resumed) {
            if self.run.state.owes_start {
                let server = &self.task.server.reference.id;
                let _power = self.world.leases.power(server).await;
                self.world.store.take_charge(server.clone(), self.run.id).await?;
            }
            // What cannot be told now is looked at again before the point is asked for.
            self.standing().await?;
        }
        loop {
            let next = next(&self.run.state);
            if self.world.stopping() && next != Next::Over {
                return Err(RunError::Stopped);
            }
            match next {
                Next::Over => return Ok(Rest::Over),
                Next::Wait(at) => return Ok(Rest::Retry(at)),
                Next::Begin => Box::pin(self.begin()).await?,
                Next::Plan => Box::pin(self.plan(None)).await?,
                Next::WaitForBucket(until) => match Box::pin(self.left_of_bucket(until)).await? {
                    Ok(Some(left)) => return Ok(Rest::Bucket(left)),
                    Ok(None) => Box::pin(self.plan(Some(until))).await?,
                    Err(error) => self.fail_by(&error).await?,
                },
                // The server is not stopped for a point that cannot be made.
                Next::StopServer if self.run.state.owes_start || Box::pin(self.finds_room()).await? => {
                    Box::pin(self.stop_server()).await?;
                }
                Next::StopServer => {}
                Next::AwaitStopped => Box::pin(self.await_stopped()).await?,
                Next::Delete { id, created_at, cause } => Box::pin(self.delete(&id, created_at, cause)).await?,
                Next::AwaitGone(id) => Box::pin(self.await_gone(&id)).await?,
                Next::Create => Box::pin(self.create()).await?,
                Next::Settle(step) => Box::pin(self.settle(step)).await?,
                Next::Await(id) => Box::pin(self.await_point(&id)).await?,
                Next::StartServer => {
                    // Nothing is made any more, and this may take for ever: others may have the place.
                    self.place = None;
                    Box::pin(self.start_server()).await?;
                }
                Next::Fail { error, last } => self.fail(error, last).await?,
                Next::Retry { after_seconds } => {
                    let at = self.world.clock.now() + Duration::from_secs(after_seconds);
                    self.write(Event::Retrying { at }).await?;
                }
                Next::End { outcome, error } => Box::pin(self.end(outcome, error)).await?,
            }
        }
    }

    async fn begin(&mut self) -> Result<(), RunError> {
        let policy = &self.task.policy;
        let terms = Terms {
            stop_server: policy.stop_server,
            stuck_after_seconds: policy.stuck_after.as_secs().max(1),
            retries: policy.retries,
            retry_after_seconds: policy.retry_after.as_secs(),
        };
        self.fresh = None;
        self.attempt_began = Instant::now();
        self.write(Event::Began { attempt: self.run.state.attempt + 1, terms }).await
    }

    /// How long the bucket lasts that the run waits for, by the provider's time; `None` when it has ended. A time that
    /// does not come to it is not believed for ever. As long as no list says what time it is, the run waits on.
    async fn left_of_bucket(&mut self, until: Timestamp) -> Result<Result<Option<Duration>, ProviderError>, RunError> {
        let began = self.waits_since.filter(|(waits_for, _)| *waits_for == until);
        let (_, since) = *self.waits_since.insert(began.unwrap_or_else(|| (until, Instant::now())));
        let left = |now: Timestamp| Duration::try_from(now.duration_until(until)).unwrap_or_default();
        let left = match self.inspection().await? {
            Ok(seen) => {
                let left = left(seen.now(self.world));
                self.fresh = Some(seen);
                left
            }
            Err(error) if error.is_refusal() => return Ok(Err(error)),
            Err(_) => left(self.world.clock.now()).max(self.world.settings().poll),
        };
        // After the longest wait, what cannot be read is met again by the plan, which says so.
        let longest = LONGEST_WAIT.saturating_sub(since.elapsed());
        Ok(Ok(Some(left.min(longest)).filter(|left| !left.is_zero())))
    }

    /// Plans, and writes the plan. With `waited_for`, after the wait for the end of that bucket.
    async fn plan(&mut self, waited_for: Option<Timestamp>) -> Result<(), RunError> {
        self.say("reading what is there".to_owned());
        // The list that the wait ended with is a moment old.
        let seen = match self.fresh.take().filter(|_| waited_for.is_some()) {
            Some(seen) => seen,
            None => match inspect(self.world, self.task).await? {
                Ok(seen) => seen,
                Err(error) => return self.fail_by(&error).await,
            },
        };
        let turned_up = self.turned_up(&seen.inventory);
        if turned_up.is_none()
            && let Some(undecided) = self.undecided(&seen)
        {
            self.remembered(seen).await?;
            return self.write(undecided).await;
        }
        let spent = u32::try_from(self.run.state.deleted().count()).expect("a handful");
        // It is the new point, which every plan counts in already: counted twice, it would displace one too many.
        // Nor does a twin count: it goes by itself.
        let without = turned_up.map(|(step, _)| self.without_made_by(step, &seen));
        let request = without.as_ref().unwrap_or(&seen).request(self.world, self.task, spent);
        let plan = plan(&PlanRequest { waited_for: self.run.state.postponed, ..request });
        remember(self.world, self.task, &seen, &plan.notes).await?;
        let event = match plan.wait_until {
            Some(until) => Event::Postponed { until },
            None => Event::Planned { plan: Box::new(plan) },
        };
        self.write(event).await?;
        self.fresh = Some(seen);
        Ok(())
    }

    /// Whether so much time has passed since the list was read that it may have come to show something else.
    pub(super) fn is_stale(&self, seen: &Inspection) -> bool {
        seen.read.elapsed() > self.world.settings().settle
    }

    /// A list that is as new as can be, remembered.
    pub(super) async fn inspection(&mut self) -> Result<Result<Inspection, ProviderError>, RunError> {
        if let Some(seen) = self.fresh.take().filter(|seen| !self.is_stale(seen)) {
            return Ok(Ok(seen));
        }
        let seen = match inspect(self.world, self.task).await? {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(self.remembered(seen).await?))
    }

    /// Writes what a list shows; returns it with what the journal remembers then.
    pub(super) async fn remembered(&self, seen: Inspection) -> Result<Inspection, RunError> {
        set_brakes(self.world, self.task, &seen).await?;
        let (instance, place) = (self.world.settings().instance.clone(), place(self.world, self.task));
        self.world.store.see(seen.inventory.clone(), instance, place).await?;
        with_memory(self.world, self.task, seen.inventory).await
    }

    /// Writes an event.
    pub(super) async fn write(&mut self, event: Event) -> Result<(), RunError> {
        self.write_with(event, Vec::new()).await
    }

    pub(super) async fn write_with(&mut self, event: Event, notices: Vec<Notice>) -> Result<(), RunError> {
        let at = self.world.clock.now();
        // From here on its age does not depend on the clock.
        self.ages.since(at, at);
        // The watch over debts does not start a server that this run is about to stop, or keeps stopped.
        let stops = matches!(event, Event::FoundOwed | Event::Intended { act: Act::StopServer, .. });
        let server = &self.task.server.reference.id;
        let _power = if stops { Some(self.world.unless_stopped(self.world.leases.power(server)).await?) } else { None };
        let owed = self.run.state.owes_start;
        let ends = matches!(event, Event::Ended { .. });
        self.world.store.append(&mut self.run, event, at, notices).await?;
        if ends || (owed && !self.run.state.owes_start) {
            self.world.leases.debts_changed().notify_one();
        }
        Ok(())
    }

    /// The number of the next step.
    pub(super) fn next_step(&self) -> u32 {
        u32::try_from(self.run.state.steps.len() + 1).expect("a run has few steps")
    }

    /// The attempt failed.
    pub(super) async fn fail(&mut self, error: String, last: bool) -> Result<(), RunError> {
        self.say(format!("failed: {error}"));
        self.write(Event::Failed(Failure { error, last })).await
    }

    /// The attempt failed because of a call.
    pub(super) async fn fail_by(&mut self, error: &ProviderError) -> Result<(), RunError> {
        self.fail(words(error), error.is_refusal()).await
    }

    /// Seconds after which what is awaited counts as stuck.
    pub(super) fn stuck_after(&self) -> Duration {
        let terms = self.run.state.terms;
        Duration::from_secs(terms.map_or(7200, |terms| terms.stuck_after_seconds))
    }
}
