//! Looks, when a policy file comes into force, at whether it would drop points that stayed before: without asking the
//! provider, from the last inventories.

use jiff::Timestamp;

use crate::policy::brake::judge;
use crate::policy::guard::Ground;
use crate::policy::plan::Request;
use crate::policy::predecessor::{Looked, remember};
use crate::run::{Task, World, place, signs};
use crate::store::StoreError;

/// Sets a brake on every policy whose retention was changed so that it would drop points that are there. What it would
/// drop is named in the log and in a mail, and waits for `lastgood accept`.
///
/// # Errors
/// What the state says.
pub async fn review(world: &World, tasks: &[Task], now: Timestamp) -> Result<(), StoreError> {
    let before = world.store.retentions().await?;
    for task in tasks {
        let key = (task.server.reference.id.clone(), task.policy.kind);
        let limit = world.settings().limit(task.policy.kind);
        let looked = Looked::of(&task.policy, &task.others, (limit, task.reserve));
        if before.get(&key).is_some_and(|before| before.get(task.policy.name.as_str()) == Some(&looked)) {
            continue;
        }
        // What was never looked at has nothing that stayed before.
        let Some(inventory) = world.store.last_inventory(task.server.clone(), task.policy.kind).await? else {
            continue;
        };
        let memory = world.store.memory_for(place(world, task), &inventory.points, now).await?;
        let settings = world.settings();
        let ground = Ground {
            at: now,
            instance: &settings.instance,
            policy: &task.policy,
            inventory: &inventory,
            memory: &memory,
        };
        let (reserve, others) = (task.reserve, &task.others);
        let request = Request { ground, limit, reserve, others, spent: 0, now, waited_for: None };
        let mut judgement = judge(&request);
        // A list from the past says nothing of today but what a file would do to it.
        let retention = |cause| cause == crate::policy::brake::Cause::Retention;
        judgement.new.retain(|brake| retention(brake.cause));
        let held =
            |number: &i64| memory.brakes.iter().any(|held| held.number == *number && retention(held.brake.cause));
        judgement.over.retain(held);
        let kept = remember(&request);
        world.store.brake(signs(task, judgement, kept), now).await?;
    }
    Ok(())
}
