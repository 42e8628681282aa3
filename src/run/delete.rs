//! Sends a planned delete, unless a guard refuses it now; and waits until an evicted point is gone.

use std::sync::Mutex;

use futures_util::FutureExt;
use jiff::Timestamp;

use crate::journal::answer::{FailedCall, answer_of};
use crate::journal::deletes::{
    STALE, WhileGoing, WithoutList, answer_to_unknown_point, is_proven_gone, last_deleted_at, list_serves_next,
    makes_room, never_gone, still_listed, while_going, withheld_as_stale, without_list,
};
use crate::journal::event::{Act, Answer, DeleteReason, Event, Sight};
use crate::policy::guard::Guard;
use crate::policy::inventory::PointId;
use crate::policy::permit::{DeleteCheck, before_sending, by_hold, has_to_wait};
use crate::provider::{Deleted, ProviderError, WatchPace};
use crate::run::active_run::ActiveRun;
use crate::run::answer::reply_of;
use crate::run::inspect::{memory_of, record, with_memory};
use crate::run::{Inspection, RunError};

/// A delete to be sent.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    id: &'a PointId,
    created_at: Timestamp,
    cause: DeleteReason,
}

/// Why a delete was withheld when its turn to be sent came.
enum Withheld {
    /// A guard refuses it.
    Guarded(Guard),
    /// The list that it was decided by is stale.
    Stale,
}

impl ActiveRun<'_> {
    /// One delete. The guards decide last, by a list that is as new as possible.
    pub(super) async fn delete(
        &mut self,
        id: &PointId,
        created_at: Timestamp,
        cause: DeleteReason,
    ) -> Result<(), RunError> {
        let wanted = Wanted { id, created_at, cause };
        let mut seen = match self.inspection().await {
            Ok(seen) => seen,
            Err(error) => {
                let failed = FailedCall::from(&error.by_provider()?);
                return match without_list(&self.run.state, failed) {
                    WithoutList::Spare(guard) => self.spare(id, guard).await,
                    WithoutList::Fail(failure) => self.fail(failure).await,
                };
            }
        };
        let is_stuck = || self.since(self.requested_at()) >= self.stuck_after();
        if has_to_wait(&seen.inventory, id, cause, is_stuck) {
            return self.pause_between_looks().await;
        }
        // The list may be a moment old; what the journal knows is up to date.
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
        self.say_of(id, format!("deleting {} {id}", self.task.policy.kind));
        let (answer, withheld) = self.send(&seen, wanted).await;
        if matches!(withheld, Some(Withheld::Stale)) {
            return self.decide_again(step).await;
        }
        let answer = answer_of(reply_of(answer), |deleted| match deleted {
            Deleted::Accepted => Answer::Accepted { id: None },
            Deleted::AlreadyGone => answer_to_unknown_point(&self.run.state, id, created_at),
        });
        // This comes first, so that after a crash between the two the refusal does not count as one by the provider.
        if let Some(Withheld::Guarded(guard)) = withheld {
            self.spare(id, guard).await?;
        }
        self.write(Event::Answered { step, answer }).await?;
        (self.fresh, self.before_eviction) =
            if list_serves_next(cause) { (Some(seen), None) } else { (None, Some(seen)) };
        Ok(())
    }

    /// Sends the call. It may wait for its turn, and for as long as the provider asks, so the holds and the policy in
    /// force are checked again each time before it is sent. Returns why it was withheld, if it was.
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
                    return Err(STALE.to_owned());
                }
                let held = self.world.store.hold_on(server.clone(), kind, wanted.id.clone(), self.world.clock.now());
                let Err(guard) = by_hold(held.await).and_then(|()| self.permits(seen, wanted)) else {
                    return Ok(());
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

    /// The call's turn came so late that the list behind the decision is stale: it is decided again.
    async fn decide_again(&mut self, step: u32) -> Result<(), RunError> {
        self.fresh = None;
        for event in withheld_as_stale(step) {
            self.write(event).await?;
        }
        Ok(())
    }

    /// The point is kept. If it was an eviction, another point may be evicted: the run plans again.
    async fn spare(&mut self, id: &PointId, guard: Guard) -> Result<(), RunError> {
        self.say_of(id, format!("point {id} stays: {guard}"));
        let spared = self.run.state.spared(id, guard);
        self.write(spared).await
    }

    fn permits(&self, seen: &Inspection, wanted: Wanted<'_>) -> Result<(), Guard> {
        let state = &self.run.state;
        let spent = self.deletes_spent();
        let in_force = self.world.in_force.of(self.task);
        let created = state.created.as_ref();
        let request = seen.request(self.world, self.task, spent);
        let late = DeleteCheck {
            request,
            in_force: in_force.as_deref().map(|current| seen.request(self.world, current, spent)),
            made: created.map(|created| &created.id),
            makes_room: makes_room(state),
            room: request.room(),
            gone: &still_listed(state, &seen.inventory),
            max_deletes: state.max_deletes,
        };
        before_sending(&late, wanted.id, wanted.created_at, wanted.cause)
    }

    /// Waits while a point whose delete was accepted is still listed; no other one is deleted in its place.
    pub(super) async fn await_gone(&mut self, id: &PointId) -> Result<(), RunError> {
        let (server, kind) = (&self.task.server, self.task.policy.kind);
        let deleted = last_deleted_at(&self.run.state);
        let mut pace = WatchPace::new(self.since(deleted), None);
        self.fresh = None;
        let own = self.before_eviction.take().filter(|seen| !self.is_stale(seen));
        let own = own.as_ref().map(|seen| &seen.inventory);
        let first = self.world.watch.together(server, kind, self.announced.take());
        let mut looked = match self.world.unless_stopped(first).await? {
            Some(Ok(inventory)) => Some(inventory),
            Some(Err(error)) => return self.fail_by(&error).await,
            None => None,
        };
        // What the server's own list shows beside the point, such as a clock that was set, is recorded at once.
        if let Some(inventory) = looked.clone().filter(|list| list.doubt().is_none() && list.find(id).is_some()) {
            let seen = with_memory(self.world, self.task, inventory).await?;
            record(self.world, self.task, seen).await?;
        }
        loop {
            match looked.take().map_or(WhileGoing::AskServer, |inventory| while_going(inventory, own, id)) {
                WhileGoing::StillListed => self.say_still(format!("waiting until point {id} is gone")),
                WhileGoing::Gone(inventory) => {
                    let seen = with_memory(self.world, self.task, inventory).await?;
                    return self.gone(id, record(self.world, self.task, seen).await?).await;
                }
                WhileGoing::AskServer => {
                    self.fresh = None;
                    match self.inspection().await {
                        Ok(seen) if is_proven_gone(&seen.inventory, id) => return self.gone(id, seen).await,
                        Ok(_) => {}
                        Err(error) => return self.fail_by(&error.by_provider()?).await,
                    }
                }
            }
            if let Some(failure) = never_gone(id, self.since(deleted), self.stuck_after()) {
                return self.fail(failure).await;
            }
            let look = self.world.watch.next(server, kind, &mut pace);
            looked = self.world.unless_stopped(look).await?.ok();
        }
    }

    /// Records that the evicted point is gone, as this list shows.
    async fn gone(&mut self, id: &PointId, seen: Inspection) -> Result<(), RunError> {
        self.write(Event::Seen(Sight::Gone(id.clone()))).await?;
        self.fresh = Some(seen);
        Ok(())
    }
}
