//! Drives a run to its end: asks the journal what comes next, does it, records it, and asks again.

use std::time::Duration;

use jiff::Timestamp;
use tracing::Level;

use crate::journal::bucket_wait::BucketWait;
use crate::journal::event::{Event, Failure};
use crate::journal::next::{Next, may_evict_soon, next};
use crate::journal::room::comes_before_stop;
use crate::journal::summary::{RunSummary, summary};
use crate::run::active_run::ActiveRun;
use crate::run::{Lease, RunError, Task, World};
use crate::store::runs::Run;

/// Why a run releases its permit and its server.
enum GiveBack {
    /// It is over.
    Over,
    /// It is retried at this time.
    Retry(Timestamp),
    /// It plans once the bucket has ended, which takes this long.
    Bucket(Duration),
}

/// Drives a run to its end, or one that a crash interrupted.
///
/// # Errors
/// `Store` when the journal cannot be written (nothing more is sent then) and `Stopped` when the process shuts down. The
/// run is then open in the journal, and the next start resumes it. A server that we stopped is started first.
pub async fn drive(world: &World, task: &Task, run: Run) -> Result<RunSummary, RunError> {
    let mut active = ActiveRun::new(world, task, run);
    let done = active.finish().await;
    match &done {
        Err(RunError::Stopped) if active.run.state.owes_start => match active.start_before_shutdown().await {
            Err(RunError::Store(error)) => {
                active.start_unrecorded().await;
                return Err(error.into());
            }
            other => other?,
        },
        Err(RunError::Store(_)) if active.run.state.owes_start => active.start_unrecorded().await,
        _ => {}
    }
    done?;
    Ok(summary(active.run.id, &active.run.state))
}

impl ActiveRun<'_> {
    async fn finish(&mut self) -> Result<(), RunError> {
        loop {
            let server = &self.task.server.reference.id;
            let lease = if next(&self.run.state) == Next::StartServer {
                // Nothing more is created, so the server must not wait for a permit behind others.
                Lease::wait(self.world, server).await?
            } else {
                let (lease, permit) = Lease::wait_with_place(self.world, server).await?;
                self.permit = Some(permit);
                lease
            };
            // Boxed, as are its phases: they take no memory in a waiting run and no stack in a working one.
            let given_back = Box::pin(self.attempt()).await;
            (self.permit, self.announced) = (None, None);
            lease.end().await?;
            // Until it continues, others may have the server and the permit.
            match given_back? {
                GiveBack::Over => return Ok(()),
                GiveBack::Bucket(left) => {
                    self.say(format!("waiting {} s for the end of a bucket", left.as_secs_f64().ceil()));
                    self.wait_until(self.world.clock.now() + left, left).await?;
                    self.fresh = None;
                }
                GiveBack::Retry(at) => {
                    let failure = self.run.state.failure.as_ref().map_or("", |failure| failure.error.as_str());
                    self.log(Level::WARN, None, &format!("the attempt failed, trying again at {at}: {failure}"));
                    self.show(format!("trying again at {at}"), false);
                    let pause = self.run.state.terms.map_or(0, |terms| terms.retry_after_seconds);
                    self.wait_until(at, Duration::from_secs(pause)).await?;
                    let lease = Lease::wait(self.world, &self.task.server.reference.id).await?;
                    self.begin().await?;
                    lease.end().await?;
                }
            }
        }
    }

    /// Waits until this time, but no longer than `longest`: setting the clock back must not make the wait longer.
    async fn wait_until(&self, at: Timestamp, longest: Duration) -> Result<(), RunError> {
        tokio::time::timeout(longest, self.world.pause_until(at)).await.unwrap_or(Ok(()))
    }

    /// Everything up to the run's end, or up to a wait that needs neither permit nor server.
    async fn attempt(&mut self) -> Result<GiveBack, RunError> {
        if std::mem::take(&mut self.resumed) {
            self.resume().await?;
        }
        loop {
            let next = next(&self.run.state);
            if self.world.stopping() && next != Next::Over {
                return Err(RunError::Stopped);
            }
            self.announce_look(&next);
            match next {
                Next::Over => return Ok(GiveBack::Over),
                Next::Wait(at) => return Ok(GiveBack::Retry(at)),
                Next::Begin => Box::pin(self.begin()).await?,
                Next::Plan => Box::pin(self.plan(None)).await?,
                Next::WaitForBucket(until) => match Box::pin(self.left_of_bucket(until)).await? {
                    BucketWait::Left(left) => return Ok(GiveBack::Bucket(left)),
                    BucketWait::Over => Box::pin(self.plan(Some(until))).await?,
                    BucketWait::Fail(failure) => self.fail(failure).await?,
                },
                // Without room, the attempt has failed.
                Next::StopServer if comes_before_stop(&self.run.state) && !Box::pin(self.finds_room()).await? => {}
                Next::StopServer => Box::pin(self.stop_server()).await?,
                Next::AwaitStopped => Box::pin(self.await_stopped()).await?,
                Next::Delete { id, created_at, cause } => Box::pin(self.delete(&id, created_at, cause)).await?,
                Next::AwaitGone(id) => Box::pin(self.await_gone(&id)).await?,
                Next::Create => Box::pin(self.create()).await?,
                Next::Settle(step) => Box::pin(self.settle(step)).await?,
                Next::Await(id) => Box::pin(self.await_point(&id)).await?,
                Next::StartServer => {
                    // Nothing more is created, and this may take long: others may have the permit.
                    self.permit = None;
                    Box::pin(self.start_server()).await?;
                }
                Next::Fail { error, last } => self.fail(Failure { error, last }).await?,
                Next::Retry { after_seconds } => {
                    let at = self.world.clock.now() + Duration::from_secs(after_seconds);
                    self.write(Event::Retrying { at }).await?;
                }
                Next::End { outcome, error } => Box::pin(self.end(outcome, error)).await?,
            }
        }
    }

    /// Lets others that look after their evictions wait for this run, as long as it may soon look, too.
    fn announce_look(&mut self, next: &Next) {
        if !may_evict_soon(next) {
            self.announced = None;
        } else if self.announced.is_none() {
            self.announced = Some(self.world.watch.announce(self.task.policy.kind));
        }
    }

    /// What comes first in a run that an earlier process began.
    async fn resume(&mut self) -> Result<(), RunError> {
        if self.run.state.owes_start {
            let server = &self.task.server.reference.id;
            let _power = self.world.leases.power(server).await;
            self.world.store.take_charge(server.clone(), self.run.id).await?;
        }
        // If this cannot be read now, it is read again before the point is requested.
        self.power_before_create().await?;
        Ok(())
    }
}
