//! Waits until the new restore point is completed, has failed, is gone or is stuck.

use std::time::Duration;

use tokio::time::Instant;

use crate::journal::adopt::{find_duplicate, sight_of};
use crate::journal::deletes::is_proven_gone;
use crate::journal::event::{Event, Sight};
use crate::policy::inventory::{Inventory, PointId};
use crate::provider::{ProviderError, WatchPace};
use crate::run::RunError;
use crate::run::active_run::ActiveRun;
use crate::run::inspect::{record, with_memory};

/// How long no list could be read. A server that was stopped for its point must not stay stopped during an outage, and
/// a refused request will be refused again.
struct Unread {
    began: Instant,
    refused_since: Option<Instant>,
}

impl Unread {
    fn new() -> Self {
        Self { began: Instant::now(), refused_since: None }
    }
}

impl ActiveRun<'_> {
    /// Looks at the lists, together with all other runs that wait, until the outcome of the point is known.
    pub(super) async fn await_point(&mut self, id: &PointId) -> Result<(), RunError> {
        let requested = self.requested_at();
        let usual = self.usual_duration().await?;
        let mut pace = WatchPace::new(self.since(requested), usual);
        let mut missing_since = None;
        // After a crash or an outage the point may have been completed long ago, so look once before deciding anything.
        let mut looks_at_once = self.since(requested) > self.world.settings().poll;
        let mut looked = false;
        let mut unread = Unread::new();
        loop {
            if looked && self.since(requested) >= self.stuck_after() {
                return self.fail_stuck(id).await;
            }
            let kind = self.task.policy.kind;
            let look = async {
                if std::mem::take(&mut looks_at_once) {
                    let now = Instant::now();
                    return self.world.watch.inventory_after(&self.task.server, kind, now, now).await;
                }
                self.world.watch.next(&self.task.server, kind, &mut pace).await
            };
            // A list that cannot be read now may be readable later; the point is not affected.
            let inventory = match self.world.unless_stopped(look).await? {
                Ok(inventory) => inventory,
                Err(error) if self.is_unread_for_too_long(&mut unread, &error) => {
                    return self.fail_unseen(id, &error).await;
                }
                Err(_) => {
                    self.pause_between_looks().await?;
                    continue;
                }
            };
            looked = true;
            unread = Unread::new();
            if let Some(duplicate) = find_duplicate(&self.run.state, &inventory, id) {
                return self.write(Event::Seen(duplicate)).await;
            }
            match inventory.find(id) {
                Some(point) => {
                    missing_since = None;
                    if let Some(sight) = sight_of(point) {
                        return self.seen_at_end(sight, inventory).await;
                    }
                    self.say_still(format!("waiting for {kind} {id}: {}", point.status));
                }
                // A list may lag, or be wrong once: a point is gone only if it is missing for `settle`.
                None => {
                    let since = *missing_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.world.settings().settle && self.is_gone(id).await? {
                        return self.write(Event::Seen(Sight::Gone(id.clone()))).await;
                    }
                }
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

    async fn fail_stuck(&mut self, id: &PointId) -> Result<(), RunError> {
        let (kind, after) = (self.task.policy.kind, self.stuck_after().as_secs());
        let error = format!(
            "{kind} {id} is stuck: still in progress {after} s after it was asked for; it is left alone and looked at \
             again at the next run"
        );
        self.fail(error, true).await
    }

    /// Whether a list was refused for `settle`, or could not be read for `stuck_after`.
    fn is_unread_for_too_long(&self, unread: &mut Unread, error: &ProviderError) -> bool {
        let refused = error.is_refusal().then(|| unread.refused_since.unwrap_or_else(Instant::now));
        unread.refused_since = refused;
        unread.began.elapsed() >= self.stuck_after()
            || refused.is_some_and(|since| since.elapsed() >= self.world.settings().settle)
    }

    async fn fail_unseen(&mut self, id: &PointId, error: &ProviderError) -> Result<(), RunError> {
        let kind = self.task.policy.kind;
        let error = format!(
            "{kind} {id} was asked for, and no list can be read to see what becomes of it: {error}; it is looked at \
             again at the next run"
        );
        self.fail(error, true).await
    }

    /// The median of the times that the last points took.
    async fn usual_duration(&self) -> Result<Option<Duration>, RunError> {
        let key = &self.run.state.key;
        let mut last = self.world.store.usual_durations(key.server.id.clone(), key.policy.clone(), key.kind).await?;
        last.sort_unstable();
        Ok(last.get(last.len() / 2).copied())
    }
}
