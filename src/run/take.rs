//! Takes stock of a server: a fresh inventory with what the journal remembers, and the plan that follows. `plan`,
//! `run --dry-run` and `run` all get their plan here.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::notice::{Fact, Notice};
use crate::policy::brake::{BrakeCause, DetectedBrakes};
use crate::policy::conditions::RetentionRules;
use crate::policy::detect::detect_brakes;
use crate::policy::evidence::{Evidence, Request};
use crate::policy::inventory::{Id, Inventory};
use crate::policy::memory::Memory;
use crate::policy::plan::{Note, Plan};
use crate::policy::planner::plan;
use crate::policy::predecessor::{Remember, remember as remember_kept};
use crate::provider::ProviderError;
use crate::run::{RunError, Settings, Task, World};
use crate::store::brakes::Signs;
use crate::store::points::MemoryKey;

/// A server and kind as they are now.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What the provider lists.
    pub inventory: Inventory,
    /// What the journal remembers.
    pub memory: Memory,
    /// When the list had been read, by the time that nobody sets.
    pub read: Instant,
    /// The settings that were in force.
    pub settings: Arc<Settings>,
}

impl Inspection {
    /// What the guards decide by.
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

    /// The plan of a run that starts now; `spent` deletes were sent by its earlier attempts.
    #[must_use]
    pub fn plan(&self, world: &World, task: &Task, spent: u32) -> Plan {
        plan(&self.request(world, task, spent))
    }

    /// What the planner is asked; `spent` deletes were sent by the run.
    #[must_use]
    pub fn request<'a>(&'a self, world: &'a World, task: &'a Task, spent: u32) -> Request<'a> {
        let (evidence, limit) = (self.evidence(world, task), world.settings().limit(task.policy.kind));
        let (reserve, others) = (world.in_force.reserve(task), &task.others);
        Request { evidence, limit, reserve, others, spent, now: self.now(world), waited_for: None }
    }

    /// The provider's time now: what it said when it gave the list, and the time passed since. Whoever sets our clock does
    /// not move it. Our own time where the provider says none.
    #[must_use]
    pub fn now(&self, world: &World) -> Timestamp {
        self.inventory.provider_time.map_or_else(|| world.clock.now(), |said| said + self.read.elapsed())
    }
}

/// Reads a server's list and what the journal remembers. Changes nothing.
///
/// # Errors
/// What the state says; inside, what the provider says.
pub async fn inspect(world: &World, task: &Task) -> Result<Result<Inspection, ProviderError>, RunError> {
    // A read in progress is given up at once when the process shuts down.
    let reading = world.client.inventory(&task.server, task.policy.kind);
    let inventory = match world.unless_stopped(reading).await? {
        Ok(inventory) => inventory,
        Err(error) => return Ok(Err(error)),
    };
    with_memory(world, task, inventory).await.map(Ok)
}

/// The same, and writes down what the list shows: for `accept`, which must know the brakes by their numbers.
///
/// # Errors
/// As `inspect`.
pub async fn take_stock(world: &World, task: &Task) -> Result<Result<Inspection, ProviderError>, RunError> {
    let seen = match inspect(world, task).await? {
        Ok(seen) => seen,
        Err(error) => return Ok(Err(error)),
    };
    set_brakes(world, task, &seen).await?;
    world.store.see(seen.inventory.clone(), world.settings().instance.clone(), place(world, task)).await?;
    with_memory(world, task, seen.inventory).await.map(Ok)
}

/// Adds what the journal remembers to a list that was just read.
pub(super) async fn with_memory(world: &World, task: &Task, inventory: Inventory) -> Result<Inspection, RunError> {
    let read = Instant::now();
    let memory = memory_of(world, task, &inventory).await?;
    Ok(Inspection { inventory, memory, read, settings: world.settings() })
}

/// What the journal remembers now, beside a list.
pub(super) async fn memory_of(world: &World, task: &Task, inventory: &Inventory) -> Result<Memory, RunError> {
    let memory = world.store.memory_for(place(world, task), &inventory.points, world.clock.now()).await?;
    Ok(memory.beside(inventory))
}

/// Where the journal keeps what it remembers.
#[must_use]
pub fn place(world: &World, task: &Task) -> MemoryKey {
    MemoryKey {
        server: task.server.reference.id.clone(),
        kind: task.policy.kind,
        policy: task.policy.name.clone(),
        settle: world.settings().settle,
    }
}

/// Writes what the inventory shows, with the notices that it triggers. The brakes come first: what is gone is known only
/// until the list without it is written.
pub(super) async fn remember(world: &World, task: &Task, seen: &Inspection, notes: &[Note]) -> Result<(), RunError> {
    set_brakes(world, task, seen).await?;
    let notices = notes.iter().map(|note| notice(task, note, &seen.inventory)).collect();
    let instance = world.settings().instance.clone();
    world.store.remember(seen.inventory.clone(), instance, place(world, task), notices).await?;
    Ok(())
}

/// Writes the brakes that an inventory sets or releases.
pub(super) async fn set_brakes(world: &World, task: &Task, seen: &Inspection) -> Result<(), RunError> {
    // A policy that was changed, or has left the file, finishes its run, and says nothing of what is kept. Nor does a list
    // in doubt, which cannot tell whether a changed policy would drop anything.
    let rules = RetentionRules::of(&task.policy);
    let current = world.in_force.of(task).filter(|current| RetentionRules::of(&current.policy) == rules);
    // What it shares with others may have changed since the run began.
    let request = seen.request(world, current.as_deref().unwrap_or(task), 0);
    let mut brakes = detect_brakes(&request);
    if current.is_none() {
        let retention = |number: &i64| {
            seen.memory
                .brakes
                .iter()
                .any(|stored| stored.number == *number && stored.brake.cause == BrakeCause::Retention)
        };
        brakes.new.retain(|brake| brake.cause != BrakeCause::Retention);
        brakes.over.retain(|number| !retention(number));
    }
    let says = task.policy.enabled && current.is_some() && seen.inventory.doubt().is_none();
    let retention = if says { remember_kept(&request) } else { Remember::default() };
    if brakes.new.is_empty() && brakes.over.is_empty() && retention.is_empty() {
        return Ok(());
    }
    world.store.brake(signs(task, brakes, retention), world.clock.now()).await?;
    Ok(())
}

/// What the state is told of the brakes of a policy on a server, with what tells people.
#[must_use]
pub fn signs(task: &Task, detected: DetectedBrakes, retention: Remember) -> Signs {
    let (server, kind) = (task.server.reference.clone(), task.policy.kind);
    // The second lastgood has a word of its own.
    let new = detected.new.iter().filter(|brake| brake.cause != BrakeCause::SecondLastgood);
    let brakes: Vec<_> = new.cloned().collect();
    for brake in &brakes {
        tracing::warn!(%server, policy = %task.policy.name, "deletes wait: {brake}");
    }
    let notice = (!brakes.is_empty()).then(|| task.notice(Fact::Braked { brakes }));
    Signs {
        server,
        kind,
        policy: task.policy.name.clone(),
        brakes: detected,
        retention,
        notices: notice.into_iter().collect(),
    }
}

fn notice(task: &Task, note: &Note, inventory: &Inventory) -> Notice {
    let created_at = |id: &Id| inventory.find(id).map(|point| point.created_at);
    task.notice(match note {
        Note::Stray(id) => Fact::SecondLastgood { id: id.clone() },
        Note::NewJournal(points) => Fact::NewJournal { points: *points },
        Note::Future(id) => Fact::DatedInFuture { id: id.clone(), created_at: created_at(id) },
        Note::Braked { left, max_deletes } => Fact::MoreToDelete { left: *left, max_deletes: *max_deletes },
        Note::Stuck(id) => Fact::Stuck {
            id: id.clone(),
            created_at: created_at(id),
            stuck_after_seconds: task.policy.stuck_after.as_secs(),
        },
    })
}
