//! Sends a planned delete, unless a guard refuses it now; and waits for an evicted point to be gone.

use jiff::Timestamp;

use crate::journal::event::{Act, Answer, Cause, Event, Sight};
use crate::journal::state::StepState;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Inventory, PointStatus};
use crate::provider::{Deleted, Pace};
use crate::run::drive::Drive;
use crate::run::make::answer_of;
use crate::run::take::Inspection;
use crate::run::{CUT_OFF, RunError};

impl Drive<'_> {
    /// One delete: the guards have the last word, of a list that is as new as can be.
    pub(super) async fn delete(&mut self, id: &Id, created_at: Timestamp, cause: Cause) -> Result<(), RunError> {
        let seen = match self.inspection().await? {
            Ok(seen) => seen,
            // The attempt has failed already: its failed point is cleared away by the next run.
            Err(error) if self.run.state.failure.is_some() => {
                let guard = Guard::Doubt(crate::run::words(&error));
                return self.write(Event::Spared { id: id.clone(), guard }).await;
            }
            Err(error) => return self.fail_by(&error).await,
        };
        if cause == Cause::Duplicate && is_running(&seen.inventory, id) {
            // A point in progress is never deleted: the second one goes when it is completed, too.
            if self.since(self.asked_at()) < self.stuck_after() {
                return self.world.pause(self.world.settings().poll).await;
            }
        }
        if let Err(guard) = self.permits(&seen, id, created_at, cause) {
            self.say(format!("point {id} stays: {guard}"));
            self.fresh = Some(seen);
            return self.write(Event::Spared { id: id.clone(), guard }).await;
        }
        let step = self.next_step();
        self.write(Event::Intended { step, act: Act::Delete { id: id.clone(), created_at, cause } }).await?;
        self.say(format!("deleting {} {id}", self.task.policy.kind));
        let answer = match self.world.answer(self.world.client.delete(self.task.policy.kind, id)).await {
            Some(Ok(Deleted::Accepted)) => Answer::Accepted { id: None },
            Some(Ok(Deleted::AlreadyGone)) => self.unknown_to_the_provider(id, created_at),
            Some(Err(error)) => answer_of(&error),
            None => Answer::Unknown { error: CUT_OFF.to_owned() },
        };
        self.write(Event::Answered { step, answer }).await?;
        if matches!(cause, Cause::Retention | Cause::Duplicate) {
            // Several prunes of one run are judged by one list, each with the ones before it taken as gone.
            self.fresh = Some(seen);
        }
        Ok(())
    }

    /// What a 404 says of a point that was listed a moment ago: the list has the last word. After a delete whose answer
    /// was lost it is gone, or on its way; said twice of a point that stays listed, it is a refusal.
    fn unknown_to_the_provider(&self, id: &Id, created_at: Timestamp) -> Answer {
        let is_it =
            |act: &Act| matches!(act, Act::Delete { id: of, created_at: at, .. } if of == id && *at == created_at);
        // The last step is the one that was just answered.
        let sent = self.run.state.current_steps().iter().rev().skip(1).find(|step| is_it(&step.act));
        let error = format!("the provider knows no point {id} (404 Not Found), and lists it");
        match sent {
            None => Answer::Unknown { error },
            Some(before) if before.error.as_ref() == Some(&error) => Answer::Refused { error, last: false },
            Some(_) => Answer::AlreadyGone,
        }
    }

    fn permits(&self, seen: &Inspection, id: &Id, created_at: Timestamp, cause: Cause) -> Result<(), Guard> {
        let ground = seen.ground(self.world, self.task);
        let made = self.run.state.made.as_ref();
        let own_failure = matches!(cause, Cause::OwnFailure);
        if made.is_some_and(|made| made.id == *id) && !own_failure {
            return Err(Guard::JustMade);
        }
        let point = seen.inventory.find(id).filter(|point| point.created_at == created_at).ok_or(Guard::NotTheSame)?;
        if self.run.state.deleted().count() >= self.run.state.max_deletes as usize {
            return Err(Guard::MaxDeletes(self.run.state.max_deletes));
        }
        let makes_room = made.is_none() && self.run.state.failure.is_none();
        if makes_room && self.slots(seen).room(seen.memory.reserve_now(self.task.reserve)) > 0 {
            return Err(Guard::NotNeeded);
        }
        match cause {
            // The older twin is completed; the younger one is the newest point for that very reason.
            Cause::Duplicate => {
                let adopted = made.and_then(|made| seen.inventory.find(&made.id));
                if adopted.is_none_or(|older| older.status != PointStatus::Completed) {
                    return Err(Guard::NewestOfPolicy);
                }
                ground.refuses(point).map_or(Ok(()), Err)
            }
            Cause::OwnFailure | Cause::FailedPoint if point.status != PointStatus::Failed => Err(Guard::NotTheSame),
            _ => ground.permits(id, created_at, &self.going(&seen.inventory)),
        }
    }

    /// The listed points whose delete this run has had accepted.
    fn going(&self, inventory: &Inventory) -> Vec<Id> {
        let deleted = self.run.state.steps.iter().filter(|step| step.state == StepState::Done);
        let points = deleted.filter_map(|step| match &step.act {
            Act::Delete { id, created_at, .. } => inventory.find(id).filter(|point| point.created_at == *created_at),
            _ => None,
        });
        points.map(|point| point.id.clone()).collect()
    }

    /// A delete that was accepted is waited for while the point is still listed; no second one goes in its place.
    pub(super) async fn await_gone(&mut self, id: &Id) -> Result<(), RunError> {
        let deleted = self.run.state.steps.last().map_or(self.run.state.opened_at, |step| step.at);
        let mut pace = Pace::new(self.since(deleted), None);
        let mut first = true;
        loop {
            if !first {
                if self.since(deleted) >= self.stuck_after() {
                    let error = format!("the delete of point {id} was accepted, and the provider still lists it");
                    return self.fail(error, false).await;
                }
                let look = self.world.watch.next(&self.task.server, self.task.policy.kind, &mut pace);
                if let Ok(inventory) = self.world.unless_stopped(look).await?
                    && inventory.find(id).is_some()
                {
                    self.wait_for(format!("waiting until point {id} is gone"));
                    continue;
                }
            }
            first = false;
            self.fresh = None;
            let seen = match self.inspection().await? {
                Ok(seen) => seen,
                Err(error) => return self.fail_by(&error).await,
            };
            if seen.inventory.doubt().is_none() && seen.inventory.find(id).is_none() {
                self.write(Event::Seen(Sight::Gone(id.clone()))).await?;
                self.fresh = Some(seen);
                return Ok(());
            }
        }
    }
}

fn is_running(inventory: &Inventory, id: &Id) -> bool {
    let running = |status: &PointStatus| matches!(status, PointStatus::InProgress | PointStatus::Other(_));
    inventory.find(id).is_some_and(|point| running(&point.status))
}
