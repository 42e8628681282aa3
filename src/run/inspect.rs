//! Inspects a server: reads its list, adds what the journal remembers, and records what the list shows. `plan`,
//! `run --dry-run` and `run` all get their plan here.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::notice::Notice;
use crate::policy::brake::{BrakeCause, DetectedBrakes};
use crate::policy::detect::detect_in_run;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::inventory::Inventory;
use crate::policy::memory::Memory;
use crate::policy::plan::{Note, Plan};
use crate::policy::planner::plan;
use crate::policy::retention_change::RetentionUpdate;
use crate::run::{InspectError, RunError, Settings, Task, World};
use crate::store::brakes::BrakeUpdate;
use crate::store::points::MemoryKey;

/// The points of a server and kind as they are now.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What the provider lists.
    pub inventory: Inventory,
    /// What the journal remembers.
    pub memory: Memory,
    /// When the list was read, by a monotonic clock.
    pub read: Instant,
    /// The settings in force then.
    pub settings: Arc<Settings>,
}

impl Inspection {
    /// The evidence for the guards.
    #[must_use]
    pub fn evidence<'a>(&'a self, world: &'a World, task: &'a Task) -> Evidence<'a> {
        Evidence {
            at: world.clock.now(),
            instance: &self.settings.instance,
            policy: &task.policy,
            inventory: &self.inventory,
            memory: &self.memory,
        }
    }

    /// The plan of a run that starts now. Its earlier attempts have sent `spent` deletes.
    #[must_use]
    pub fn plan(&self, world: &World, task: &Task, spent: u32) -> Plan {
        plan(&self.request(world, task, spent))
    }

    /// The planner's input. The run has sent `spent` deletes.
    #[must_use]
    pub fn request<'a>(&'a self, world: &'a World, task: &'a Task, spent: u32) -> PlanRequest<'a> {
        let (evidence, limit) = (self.evidence(world, task), world.settings().limit(task.policy.kind));
        let (reserve, others) = (world.in_force.reserve(task), &task.others);
        PlanRequest { evidence, limit, reserve, others, spent, now: self.now(world), waited_for: None }
    }

    /// The provider's time now: the time it gave with the list plus the time that has passed since, so that setting our
    /// clock does not change it. Our own time if the provider gave none.
    #[must_use]
    pub fn now(&self, world: &World) -> Timestamp {
        self.inventory.provider_time.map_or_else(|| world.clock.now(), |said| said + self.read.elapsed())
    }
}

/// Reads a server's list and what the journal remembers. Changes nothing.
///
/// # Errors
/// When the list or the state cannot be read.
pub async fn inspect(world: &World, task: &Task) -> Result<Inspection, InspectError> {
    // A shutdown abandons a list that is being read.
    let reading = world.client.inventory(&task.server, task.policy.kind);
    let inventory = world.unless_stopped(reading).await?;
    Ok(with_memory(world, task, inventory?).await?)
}

/// Inspects a server and records what its list shows: for `accept`, which must know the brakes by their numbers.
///
/// # Errors
/// As `inspect`.
pub async fn inspect_and_record(world: &World, task: &Task) -> Result<Inspection, InspectError> {
    Ok(record(world, task, inspect(world, task).await?).await?)
}

/// Adds what the journal remembers to a list that was just read.
pub(super) async fn with_memory(world: &World, task: &Task, inventory: Inventory) -> Result<Inspection, RunError> {
    let read = Instant::now();
    let memory = memory_of(world, task, &inventory).await?;
    Ok(Inspection { inventory, memory, read, settings: world.settings() })
}

/// What the journal remembers now, for a list.
pub(super) async fn memory_of(world: &World, task: &Task, inventory: &Inventory) -> Result<Memory, RunError> {
    let memory = world.store.memory_for(memory_key(world, task), &inventory.points, world.clock.now()).await?;
    Ok(memory.beside(inventory))
}

/// The key of the journal's memory.
fn memory_key(world: &World, task: &Task) -> MemoryKey {
    MemoryKey {
        server: task.server.reference.id.clone(),
        kind: task.policy.kind,
        policy: task.policy.name.clone(),
        settle: world.settings().settle,
    }
}

/// Records what a list shows. Returns it with what the journal remembers afterwards.
pub(super) async fn record(world: &World, task: &Task, seen: Inspection) -> Result<Inspection, RunError> {
    record_brakes(world, task, &seen).await?;
    let instance = world.settings().instance.clone();
    world.store.record_list(seen.inventory.clone(), instance, memory_key(world, task)).await?;
    with_memory(world, task, seen.inventory).await
}

/// Records what a list shows, together with its notices.
pub(super) async fn record_with_notes(
    world: &World,
    task: &Task,
    seen: &Inspection,
    notes: &[Note],
) -> Result<(), RunError> {
    record_brakes(world, task, seen).await?;
    let notices = notes.iter().map(|note| Notice::of_note(task, note, &seen.inventory)).collect();
    let instance = world.settings().instance.clone();
    world.store.record_list_with_notices(seen.inventory.clone(), instance, memory_key(world, task), notices).await?;
    Ok(())
}

/// Records the brakes that a list sets or releases. This comes before the list is recorded, because only until then is
/// it known what is gone.
async fn record_brakes(world: &World, task: &Task, seen: &Inspection) -> Result<(), RunError> {
    let current = world.in_force.with_same_retention(task);
    // What the policy shares with others may have changed since the run began.
    let request = seen.request(world, current.as_deref().unwrap_or(task), 0);
    let (brakes, retention) = detect_in_run(&request, current.is_some(), task.policy.enabled);
    if brakes.new.is_empty() && brakes.over.is_empty() && retention.is_empty() {
        return Ok(());
    }
    world.store.brake(brake_changes(task, brakes, retention), world.clock.now()).await?;
    Ok(())
}

/// What the store records about the brakes of a policy on a server, with their notices.
#[must_use]
pub(crate) fn brake_changes(task: &Task, detected: DetectedBrakes, retention: RetentionUpdate) -> BrakeUpdate {
    let (server, kind) = (task.server.reference.clone(), task.policy.kind);
    for brake in detected.new.iter().filter(|brake| brake.cause != BrakeCause::SecondLastgood) {
        tracing::warn!(%server, policy = %task.policy.name, "deletes wait: {brake}");
    }
    let notices = Notice::of_brakes(task, &detected.new).into_iter().collect();
    BrakeUpdate { server, kind, policy: task.policy.name.clone(), brakes: detected, retention, notices }
}
