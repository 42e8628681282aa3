//! Sends a planned delete, unless a guard refuses it now; and waits for an evicted point to be gone.

use std::sync::Mutex;

use futures_util::FutureExt;
use jiff::Timestamp;

use crate::journal::event::{Act, Answer, DeleteReason, Event, Found, Sight};
use crate::journal::state::StepState;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Inventory};
use crate::policy::permit::{DeleteCheck, before_sending, has_to_wait};
use crate::provider::{Deleted, ProviderError, WatchPace};
use crate::run::drive::Drive;
use crate::run::make::answer_of;
use crate::run::take::{Inspection, memory_of};
use crate::run::{CUT_OFF, RunError};

/// A delete that is to be sent.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    id: &'a Id,
    created_at: Timestamp,
    cause: DeleteReason,
}

/// Why a delete was kept back when its turn came.
enum Withheld {
    /// A guard refuses it.
    Guarded(Guard),
    /// The list that it was decided by is an old one by now.
    Stale,
}

/// What the journal says of a delete that was kept back so that it is decided by a new list.
const WAITED: &str = "its turn came late and it was not sent: the list is read again first";

impl Drive<'_> {
    /// One delete: the guards have the last word, of a list that is as new as can be.
    pub(super) async fn delete(&mut self, id: &Id, created_at: Timestamp, cause: DeleteReason) -> Result<(), RunError> {
        let wanted = Wanted { id, created_at, cause };
        let mut seen = match self.inspection().await? {
            Ok(seen) => seen,
            // The attempt has failed already: its failed point is cleared away by the next run.
            Err(error) if self.run.state.failure.is_some() => {
                return self.spare(id, Guard::Doubt(crate::run::words(&error))).await;
            }
            Err(error) => return self.fail_by(&error).await,
        };
        let is_stuck = || self.since(self.asked_at()) >= self.stuck_after();
        if has_to_wait(&seen.inventory, id, cause, is_stuck) {
            return self.world.pause(self.world.settings().poll).await;
        }
        // The list may be of a moment ago; what the journal knows is of now.
        seen.memory = memory_of(self.world, self.task, &seen.inventory).await?;
        if let Err(guard) = self.permits(&seen, wanted) {
            self.fresh = Some(seen);
            return self.spare(id, guard).await;
        }
        let step = self.next_step();
        let intent = Event::Intended { step, act: Act::Delete { id: id.clone(), created_at, cause } };
        let now = self.world.clock.now();
        if let Some(guard) = self.world.store.intend_delete(&mut self.run, intent, now).await? {
            self.fresh = Some(seen);
            return self.spare(id, guard).await;
        }
        self.say(format!("deleting {} {id}", self.task.policy.kind));
        let (answered, withheld) = self.send(&seen, wanted).await;
        if matches!(withheld, Some(Withheld::Stale)) {
            return self.look_again(step).await;
        }
        let answer = match answered {
            Some(Ok(Deleted::Accepted)) => Answer::Accepted { id: None },
            Some(Ok(Deleted::AlreadyGone)) => self.unknown_to_the_provider(id, created_at),
            Some(Err(error)) => answer_of(&error),
            None => Answer::Unknown { error: CUT_OFF.to_owned() },
        };
        // First, so that a crash between the two does not take the refusal for the provider's.
        if let Some(Withheld::Guarded(guard)) = withheld {
            self.spare(id, guard).await?;
        }
        self.write(Event::Answered { step, answer }).await?;
        if matches!(cause, DeleteReason::Retention | DeleteReason::Duplicate) {
            // Several prunes of one run are judged by one list, each with the ones before it taken as gone.
            self.fresh = Some(seen);
        }
        Ok(())
    }

    /// The call itself. It may wait for its turn, and for as long as the provider asks: the holds and the policy in force
    /// are looked at again each time before it leaves. Says which guard has kept it, if one has.
    async fn send(
        &self,
        seen: &Inspection,
        wanted: Wanted<'_>,
    ) -> (Option<Result<Deleted, ProviderError>>, Option<Withheld>) {
        let (server, kind) = (&self.task.server.reference.id, self.task.policy.kind);
        let withheld = Mutex::new(None);
        let before_send = || {
            async {
                if self.is_stale(seen) {
                    *withheld.lock().expect("no code panics while it holds the guard") = Some(Withheld::Stale);
                    return Err(WAITED.to_owned());
                }
                let held = self.world.store.hold_on(server.clone(), kind, wanted.id.clone(), self.world.clock.now());
                let guard = match held.await {
                    Ok(Some(guard)) => guard,
                    Ok(None) => match self.permits(seen, wanted) {
                        Ok(()) => return Ok(()),
                        Err(guard) => guard,
                    },
                    Err(error) => Guard::Doubt(format!("the holds cannot be read: {error}")),
                };
                let words = guard.to_string();
                *withheld.lock().expect("no code panics while it holds the guard") = Some(Withheld::Guarded(guard));
                Err(words)
            }
            .boxed()
        };
        let answer = self.world.answer(self.world.client.delete_if(kind, wanted.id, &before_send)).await;
        (answer, withheld.into_inner().expect("no code panics while it holds the guard"))
    }

    /// The call's turn came so late that the list it was decided by is an old one: it is decided again.
    async fn look_again(&mut self, step: u32) -> Result<(), RunError> {
        self.fresh = None;
        self.write(Event::Answered { step, answer: Answer::Unknown { error: WAITED.to_owned() } }).await?;
        self.write(Event::Settled { step, found: Found::NotDone }).await
    }

    /// The point stays. Where it was to make room, another one may: the run plans again.
    async fn spare(&mut self, id: &Id, guard: Guard) -> Result<(), RunError> {
        self.say(format!("point {id} stays: {guard}"));
        let replan = self.run.state.plans_again(&guard);
        self.write(Event::Spared { id: id.clone(), guard, replan }).await
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

    fn permits(&self, seen: &Inspection, wanted: Wanted<'_>) -> Result<(), Guard> {
        let state = &self.run.state;
        let spent = u32::try_from(state.deleted().count()).expect("a handful");
        let in_force = self.world.in_force.of(self.task);
        let made = state.made.as_ref();
        let request = seen.request(self.world, self.task, spent);
        let late = DeleteCheck {
            request,
            in_force: in_force.as_deref().map(|current| seen.request(self.world, current, spent)),
            made: made.map(|made| &made.id),
            makes_room: made.is_none() && state.failure.is_none(),
            room: self.slots(seen).room(seen.memory.reserve_now(request.reserve)),
            gone: &self.going(&seen.inventory),
            max_deletes: state.max_deletes,
        };
        before_sending(&late, wanted.id, wanted.created_at, wanted.cause)
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
        let mut pace = WatchPace::new(self.since(deleted), None);
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
