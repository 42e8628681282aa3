//! What the runs of this process share: a lock for each server, and the errands that are being settled.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::task::JoinSet;

use crate::policy::inventory::ServerId;
use crate::store::leases::{Leased, OWNER};
use crate::store::presence::Presence;
use crate::store::{Store, StoreError};

/// Whether the holder of a lease is gone. Only its lock proves that: the clock may have jumped past the lease's end
/// while the holder is working.
pub(super) fn is_gone(store: &Store, lease: &Leased) -> bool {
    !store.is_present(lease.holder.name())
}

/// The errands that are being settled in the background.
#[derive(Debug, Default)]
pub(super) struct Errands {
    pub(super) watched: JoinSet<()>,
    /// The names of the processes that left them.
    pub(super) names: HashSet<String>,
}

/// The servers that runs of this process are working on.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Mutex<Locks>>);

#[derive(Debug, Default)]
pub(super) struct Locks {
    of: HashMap<ServerId, Arc<tokio::sync::Mutex<()>>>,
    /// Held while a server is started or stopped, so that one does not undo the other.
    power: HashMap<ServerId, Arc<tokio::sync::Mutex<()>>>,
    /// Notified when a run leaves a debt to others.
    debts: Arc<Notify>,
    /// Sweep unused locks at this count.
    sweep_at: usize,
    /// Shows others that the owner of the state is alive.
    owner: Option<Presence>,
    /// The errands that were cut off and are being settled. Dropping them abandons that: the leases remain for the next
    /// start.
    pub(super) errands: Errands,
}

impl Leases {
    pub(super) fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().expect("no code panics while it holds the leases")
    }

    /// Shows that the owner of the state is alive. False while another process is checking the lock file: a lease taken
    /// without it would look like that of a process which is gone.
    pub(super) fn show_owner(&self, store: &Store) -> Result<bool, StoreError> {
        let mut locks = self.locks();
        if locks.owner.is_none() {
            locks.owner = store.show_presence(OWNER)?;
        }
        Ok(locks.owner.is_some())
    }

    pub(super) fn try_lock(&self, server: &ServerId) -> Option<OwnedMutexGuard<()>> {
        let lock = Arc::clone(self.locks().of.entry(server.clone()).or_default());
        lock.try_lock_owned().ok()
    }

    /// The right to start or stop a server, for the duration of one look and one call.
    pub(super) async fn power(&self, server: &ServerId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks();
            locks.power.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.power.entry(server.clone()).or_default())
        };
        lock.lock_owned().await
    }

    /// Notified when a run leaves its server's debt to others.
    #[must_use]
    pub fn debts_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.locks().debts)
    }

    pub(super) async fn lock(&self, server: &ServerId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks();
            // Locks that nobody holds or waits for are removed, so that the map does not grow for ever; but not each
            // time, since thousands of servers may be due at once.
            if locks.of.len() >= locks.sweep_at {
                locks.of.retain(|_, lock| Arc::strong_count(lock) > 1);
                locks.sweep_at = (locks.of.len() * 2).max(64);
            }
            Arc::clone(locks.of.entry(server.clone()).or_default())
        };
        lock.lock_owned().await
    }
}
