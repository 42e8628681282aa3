//! One run a server at a time: a lock among this process's runs, and a lease in the state that `delete` and `restore`
//! respect and take.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};

use crate::clock::Clock;
use crate::policy::inventory::Id;
use crate::run::{RunError, World};
use crate::store::{Store, StoreError};

/// How long a lease holds without being prolonged.
const LASTS: Duration = Duration::from_mins(5);
/// How often it is prolonged, and how often a busy one is asked for.
const PROLONG: Duration = Duration::from_mins(2);
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What the leases of the daemon and of `run` begin with.
pub const OWNER: &str = "owner";

/// The servers that runs of this process are at work on.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Mutex<Locks>>);

#[derive(Debug, Default)]
struct Locks {
    of: HashMap<Id, Arc<tokio::sync::Mutex<()>>>,
    /// So many locks give cause to sweep.
    sweep_at: usize,
}

impl Leases {
    async fn lock(&self, server: &Id) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().expect("no code panics while it holds the leases");
            // Locks that nobody holds or waits for are let go of, so that the map does not grow for ever; not at every
            // turn, since thousands of servers may be due at once.
            if locks.of.len() >= locks.sweep_at {
                locks.of.retain(|_, lock| Arc::strong_count(lock) > 1);
                locks.sweep_at = (locks.of.len() * 2).max(64);
            }
            Arc::clone(locks.of.entry(server.clone()).or_default())
        };
        lock.lock_owned().await
    }
}

/// The right to work on a server, prolonged until it is dropped.
#[derive(Debug)]
pub struct Lease {
    /// Held for its drop.
    lock: Option<OwnedMutexGuard<()>>,
    prolong: tokio::task::JoinHandle<()>,
    end: Option<(Store, Id, String)>,
}

impl Lease {
    /// Waits for the server.
    ///
    /// # Errors
    /// What the state says, or that the process is to end.
    pub async fn wait(world: &World, server: &Id) -> Result<Self, RunError> {
        let lock = world.unless_stopped(world.leases.lock(server)).await?;
        loop {
            if let Some(mut lease) = take(&world.store, &world.clock, server, OWNER).await? {
                lease.lock = Some(lock);
                return Ok(lease);
            }
            world.pause(ASK_AGAIN).await?;
        }
    }

    /// Waits for the server and for one of the `parallel_runs` places. A server that is waited for keeps no place from
    /// others, and a run that waits for its place keeps no server from `delete` and `restore`.
    ///
    /// # Errors
    /// What the state says, or that the process is to end.
    pub(super) async fn wait_with_place(
        world: &World,
        server: &Id,
    ) -> Result<(Self, OwnedSemaphorePermit), RunError> {
        let lock = world.unless_stopped(world.leases.lock(server)).await?;
        loop {
            let place = world.unless_stopped(Arc::clone(&world.places).acquire_owned()).await?;
            let place = place.expect("the places are never closed");
            if let Some(mut lease) = take(&world.store, &world.clock, server, OWNER).await? {
                lease.lock = Some(lock);
                return Ok((lease, place));
            }
            drop(place);
            world.pause(ASK_AGAIN).await?;
        }
    }

    /// Takes the server for a command beside the daemon. `None` when a run or another command is at work on it.
    ///
    /// # Errors
    /// What the state says.
    pub async fn try_beside(
        store: &Store,
        clock: &Clock,
        server: &Id,
        holder: &str,
    ) -> Result<Option<Self>, StoreError> {
        take(store, clock, server, holder).await
    }

    /// Gives the server back. A lease that is dropped instead runs out by itself.
    ///
    /// # Errors
    /// What the state says.
    pub async fn end(mut self) -> Result<(), StoreError> {
        let Some((store, server, holder)) = self.end.take() else { return Ok(()) };
        self.prolong.abort();
        let done = store.end_lease(server, holder).await;
        drop(self.lock.take());
        done
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.prolong.abort();
    }
}

async fn take(store: &Store, clock: &Clock, server: &Id, holder: &str) -> Result<Option<Lease>, StoreError> {
    let now = clock.now();
    if !store.lease(server.clone(), holder.to_owned(), now, now + LASTS).await? {
        return Ok(None);
    }
    let (store, clock, server, holder) = (store.clone(), clock.clone(), server.clone(), holder.to_owned());
    let end = Some((store.clone(), server.clone(), holder.clone()));
    let prolong = tokio::spawn(async move {
        loop {
            tokio::time::sleep(PROLONG).await;
            let now = clock.now();
            // A failure to prolong shows at the run's next write.
            let _ = store.lease(server.clone(), holder.clone(), now, now + LASTS).await;
        }
    });
    Ok(Some(Lease { lock: None, prolong, end }))
}
