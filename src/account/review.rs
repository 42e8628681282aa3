//! Which points a policy file that comes into force would drop although they were kept before, worked out from the last
//! inventories, without asking the provider.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes};
use crate::policy::conditions::{RetentionRecord, RetentionRecords};
use crate::policy::detect::detect_brakes;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::inventory::{Kind, ServerId};
use crate::policy::retention_change::{RetentionUpdate, retention_update};
use crate::policy::task::Task;
use crate::store::points::MemoryKey;
use crate::store::{Store, StoreError};

/// What each policy of each server kept before the file came into force.
pub(super) type KeptBefore = HashMap<(ServerId, Kind), RetentionRecords>;

/// A review of the policies of a file, one after the other.
#[derive(Debug)]
pub(crate) struct RetentionReview<'a> {
    /// The state.
    pub store: &'a Store,
    /// What was kept before, read once for the whole review.
    pub before: &'a KeptBefore,
    /// `provider.instance`.
    pub instance: &'a str,
    /// How long lists may lag behind accepted calls.
    pub settle: Duration,
    /// The slots that the provider gives a server.
    pub slots: &'a BTreeMap<Kind, u32>,
    /// When the file came into force.
    pub now: Timestamp,
}

impl RetentionReview<'_> {
    /// The brakes that the policy's retention sets or releases on this server, and what it keeps from now on. `None`
    /// when it keeps what it kept, or when nothing is known of the server yet.
    ///
    /// # Errors
    /// What the state says.
    pub(crate) async fn of(&self, task: &Task) -> Result<Option<(DetectedBrakes, RetentionUpdate)>, StoreError> {
        let (server, policy) = (&task.server.reference.id, &task.policy);
        let limit = self.slots.get(&policy.kind).copied().unwrap_or_default();
        let record = RetentionRecord::of(policy, &task.others, (limit, task.reserve));
        let before = self.before.get(&(server.clone(), policy.kind));
        if before.is_some_and(|before| before.get(policy.name.as_str()) == Some(&record)) {
            return Ok(None);
        }
        // Without an inventory, nothing was kept before.
        let Some(inventory) = self.store.last_inventory(task.server.clone(), policy.kind).await? else {
            return Ok(None);
        };
        let place =
            MemoryKey { server: server.clone(), kind: policy.kind, policy: policy.name.clone(), settle: self.settle };
        let memory = self.store.memory_for(place, &inventory.points, self.now).await?;
        let (at, instance) = (self.now, self.instance);
        let evidence = Evidence { at, instance, policy, inventory: &inventory, memory: &memory };
        let (reserve, others) = (task.reserve, &task.others);
        let request = PlanRequest { evidence, limit, reserve, others, spent: 0, now: self.now, waited_for: None };
        let mut brakes = detect_brakes(&request);
        // An old list shows what the file would drop, but nothing else about the present.
        let is_retention = |brake: &Brake| brake.cause == BrakeCause::Retention;
        brakes.new.retain(is_retention);
        let of_retention =
            |number: &i64| memory.brakes.iter().any(|stored| stored.number == *number && is_retention(&stored.brake));
        brakes.over.retain(of_retention);
        Ok(Some((brakes, retention_update(&request))))
    }
}
