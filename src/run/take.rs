//! Takes stock of a server: a fresh inventory with what the journal remembers, and the plan that follows. `plan`,
//! `run --dry-run` and `run` all get their plan here.

use crate::journal::notice::{Class, Notice, Topic};
use crate::policy::guard::Ground;
use crate::policy::inventory::Inventory;
use crate::policy::memory::Memory;
use crate::policy::plan::{Note, Plan, Request, plan};
use crate::provider::ProviderError;
use crate::run::{RunError, Task, World};
use crate::store::points::Place;

/// A server and kind as they are now.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What the provider lists.
    pub inventory: Inventory,
    /// What the journal remembers.
    pub memory: Memory,
}

impl Inspection {
    /// What the guards judge by.
    #[must_use]
    pub fn ground<'a>(&'a self, world: &'a World, task: &'a Task) -> Ground<'a> {
        Ground {
            at: world.clock.now(),
            instance: &world.settings.instance,
            policy: &task.policy,
            inventory: &self.inventory,
            memory: &self.memory,
        }
    }

    /// The plan of a run that starts now; `spent` deletes were sent by its earlier attempts.
    #[must_use]
    pub fn plan(&self, world: &World, task: &Task, spent: u32) -> Plan {
        let limit = world.settings.limit(task.policy.kind);
        plan(&Request { ground: self.ground(world, task), limit, reserve: task.reserve, spent })
    }
}

/// Reads a server's list and what the journal remembers. Changes nothing.
///
/// # Errors
/// What the state says; inside, what the provider says.
pub async fn inspect(world: &World, task: &Task) -> Result<Result<Inspection, ProviderError>, RunError> {
    // A read that is under way when the process is to end is given up at once.
    let reading = world.client.inventory(&task.server, task.policy.kind);
    let inventory = match world.unless_stopped(reading).await? {
        Ok(inventory) => inventory,
        Err(error) => return Ok(Err(error)),
    };
    with_memory(world, task, inventory).await.map(Ok)
}

/// Adds what the journal remembers to a list that was just read.
pub(super) async fn with_memory(world: &World, task: &Task, inventory: Inventory) -> Result<Inspection, RunError> {
    let memory = world.store.memory(place(world, task), world.clock.now()).await?;
    Ok(Inspection { inventory, memory })
}

/// Where the journal keeps what it remembers.
pub(super) fn place(world: &World, task: &Task) -> Place {
    Place {
        server: task.server.reference.id.clone(),
        kind: task.policy.kind,
        policy: task.policy.name.clone(),
        settle: world.settings.settle,
    }
}

/// Writes what the inventory shows, with what it gives cause to tell.
pub(super) async fn remember(world: &World, task: &Task, seen: &Inspection, notes: &[Note]) -> Result<(), RunError> {
    let notices = notes.iter().map(|note| notice(task, note)).collect();
    let instance = world.settings.instance.clone();
    world.store.remember(seen.inventory.clone(), instance, place(world, task), notices).await?;
    Ok(())
}

fn notice(task: &Task, note: &Note) -> Notice {
    let topic = match note {
        Note::Stray(_) => Topic::SecondLastgood,
        Note::NewJournal(_) => Topic::NewJournal,
        Note::Future(_) | Note::Braked { .. } | Note::Stuck(_) => Topic::Attention,
    };
    Notice {
        class: Class::Failure,
        topic,
        server: Some(task.server.reference.clone()),
        policy: Some(task.policy.name.to_string()),
        kind: Some(task.policy.kind),
        text: note.to_string(),
        last_good: None,
        next: None,
        since: None,
        lost: Vec::new(),
        reports: task.policy.report.clone(),
    }
}
