//! Waits until the new restore point is completed, has failed, is gone or is stuck.

use std::time::Duration;

use tokio::time::Instant;

use crate::journal::answer::FailedCall;
use crate::journal::creating::{Unread, WhileCreating, stuck, unseen, while_creating};
use crate::journal::deletes::is_proven_gone;
use crate::journal::event::{Event, Sight};
use crate::policy::inventory::{Inventory, PointId};
use crate::policy::looks::UsualTime;
use crate::provider::WatchPace;
use crate::run::RunError;
use crate::run::active_run::ActiveRun;
use crate::run::inspect::{record, with_memory};

/// Since when no list could be read.
struct UnreadSince {
    last_list: Instant,
    refused: Option<Instant>,
}

impl UnreadSince {
    fn now() -> Self {
        Self { last_list: Instant::now(), refused: None }
    }

    /// Takes note of another look that failed.
    fn failed(&mut self, failed: &FailedCall) -> Unread {
        let refused = failed.is_refused().then(|| self.refused.unwrap_or_else(Instant::now));
        self.refused = refused;
        Unread { unread_for: self.last_list.elapsed(), refused_for: refused.map(|since| since.elapsed()) }
    }
}

impl ActiveRun<'_> {
    /// Looks at the lists, together with all other runs that wait, until the outcome of the point is known.
    pub(super) async fn await_point(&mut self, id: &PointId) -> Result<(), RunError> {
        let requested = self.requested_at();
        let usual = self.usual_time().await?;
        // A create that was sent again has had no time yet, however long ago the first one was sent.
        let creating_since = self.run.state.creating_since().unwrap_or(requested);
        let mut pace = WatchPace::new(self.since(creating_since), usual);
        let mut missing_since = None;
        // After a crash or an outage the point may have been completed long ago, so look once before deciding anything.
        let mut looks_at_once = self.since(requested) > self.world.settings().poll;
        let mut looked = false;
        let mut unread = UnreadSince::now();
        let kind = self.task.policy.kind;
        loop {
            if looked && let Some(failure) = stuck(kind, id, self.since(creating_since), self.stuck_after()) {
                return self.fail(failure).await;
            }
            let look = async {
                if std::mem::take(&mut looks_at_once) {
                    let now = Instant::now();
                    return self.world.watch.inventory_after(&self.task.server, kind, now, now).await;
                }
                self.world.watch.next(&self.task.server, kind, &mut pace).await
            };
            let inventory = match self.world.unless_stopped(look).await? {
                Ok(inventory) => inventory,
                Err(error) => {
                    let failed = FailedCall::from(&error);
                    let limits = (self.world.settings().settle, self.stuck_after());
                    if let Some(failure) = unseen(kind, id, unread.failed(&failed), &failed, limits) {
                        return self.fail(failure).await;
                    }
                    self.pause_between_looks().await?;
                    continue;
                }
            };
            looked = true;
            unread = UnreadSince::now();
            missing_since = match inventory.find(id) {
                Some(_) => None,
                None => missing_since.or_else(|| Some(Instant::now())),
            };
            let missing_for = missing_since.map_or(Duration::ZERO, |since| since.elapsed());
            let waits = (missing_for, self.world.settings().settle);
            match while_creating(&self.run.state, &inventory, id, waits) {
                WhileCreating::RecordDuplicate(duplicate) => return self.write(Event::Seen(duplicate)).await,
                WhileCreating::RecordEnd(sight) => {
                    return self.seen_at_end(sight.after(pace.in_progress_for()), inventory).await;
                }
                WhileCreating::InProgress(status) => self.say_still(format!("waiting for {kind} {id}: {status}")),
                WhileCreating::AskIfGone if self.is_gone(id).await? => {
                    return self.write(Event::Seen(Sight::Gone(id.clone()))).await;
                }
                WhileCreating::AskIfGone | WhileCreating::Missing => {}
            }
        }
    }

    /// Records that the point is completed or has failed. The list that shows it is used for what comes next.
    async fn seen_at_end(&mut self, sight: Sight, inventory: Inventory) -> Result<(), RunError> {
        self.say(match &sight {
            Sight::Completed { .. } => "completed".to_owned(),
            _ => "the provider could not create it".to_owned(),
        });
        self.write(Event::Seen(sight)).await?;
        let is_proven = inventory.doubt().is_none();
        let seen = with_memory(self.world, self.task, inventory).await?;
        let seen = record(self.world, self.task, seen).await?;
        self.fresh = Some(seen).filter(|_| is_proven);
        Ok(())
    }

    /// Whether a list of this server alone proves that the point is gone.
    async fn is_gone(&mut self, id: &PointId) -> Result<bool, RunError> {
        self.fresh = None;
        let is_gone = match self.inspection().await {
            Ok(seen) => is_proven_gone(&seen.inventory, id),
            Err(error) => error.by_provider().map(|_| false)?,
        };
        self.pause_between_looks().await?;
        Ok(is_gone)
    }

    /// How long the next point takes, as far as the last ones show.
    async fn usual_time(&self) -> Result<Option<UsualTime>, RunError> {
        let key = &self.run.state.key;
        let last = self.world.store.usual_durations(key.server.id.clone(), key.policy.clone(), key.kind).await?;
        Ok(UsualTime::of(&last))
    }
}
