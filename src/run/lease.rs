//! One run a server at a time: a lock among this process's runs, and a lease in the state that `delete` and `restore`
//! respect and take.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, OwnedMutexGuard, OwnedSemaphorePermit};

use crate::clock::Clock;
use crate::policy::inventory::Id;
use crate::run::errand::{Errands, is_gone};
use crate::run::{RunError, World};
use crate::store::presence::Presence;
use crate::store::servers::{Leased, OWNER};
use crate::store::{Store, StoreError};

/// How far beyond the moment when its holder was last heard of a lease's time reaches. The holder's lock says whether it
/// lives; this only tells people when it was cut off.
const LASTS: Duration = Duration::from_mins(5);
/// How often it is prolonged, and how often a busy one is asked for.
const PROLONG: Duration = Duration::from_mins(2);
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The servers that runs of this process are at work on.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Mutex<Locks>>);

#[derive(Debug, Default)]
pub(super) struct Locks {
    of: HashMap<Id, Arc<tokio::sync::Mutex<()>>>,
    /// Held while a server is started or stopped, so that the one does not undo the other.
    power: HashMap<Id, Arc<tokio::sync::Mutex<()>>>,
    /// Told when a run leaves a debt to others.
    debts: Arc<Notify>,
    /// So many locks give cause to sweep.
    sweep_at: usize,
    /// Shows others that the owner of the state lives.
    owner: Option<Presence>,
    pub(super) errands: Errands,
}

impl Leases {
    pub(super) fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().expect("no code panics while it holds the leases")
    }

    /// Shows that the owner of the state lives. False while another process looks at the sign: a lease that is taken
    /// without it would be that of a process which is gone.
    fn show_owner(&self, store: &Store) -> Result<bool, StoreError> {
        let mut locks = self.locks();
        if locks.owner.is_none() {
            locks.owner = store.show_presence(OWNER)?;
        }
        Ok(locks.owner.is_some())
    }

    fn try_lock(&self, server: &Id) -> Option<OwnedMutexGuard<()>> {
        let lock = Arc::clone(self.locks().of.entry(server.clone()).or_default());
        lock.try_lock_owned().ok()
    }

    /// The right to start or stop a server, for as long as one look and one call take.
    pub(super) async fn power(&self, server: &Id) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks();
            locks.power.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.power.entry(server.clone()).or_default())
        };
        lock.lock_owned().await
    }

    /// What is notified when a run leaves what is owed to its server to others.
    #[must_use]
    pub fn debts_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.locks().debts)
    }

    async fn lock(&self, server: &Id) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks();
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
    cut_off: Option<Leased>,
    /// Held for its drop, which follows the lease's end.
    presence: Option<Presence>,
    /// A run of this process had the server when this lease was taken: the last of both ends it.
    ends_if_free: Option<Leases>,
}

impl Lease {
    /// Waits for the server.
    ///
    /// # Errors
    /// What the state says, or that the process is to end.
    pub async fn wait(world: &World, server: &Id) -> Result<Self, RunError> {
        let lock = world.unless_stopped(world.leases.lock(server)).await?;
        loop {
            if let Some(mut lease) = own(world, server).await? {
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
    pub(super) async fn wait_with_place(world: &World, server: &Id) -> Result<(Self, OwnedSemaphorePermit), RunError> {
        let lock = world.unless_stopped(world.leases.lock(server)).await?;
        loop {
            let place = world.unless_stopped(Arc::clone(&world.run_permits).acquire_owned()).await?;
            let place = place.expect("the places are never closed");
            if let Some(mut lease) = own(world, server).await? {
                lease.lock = Some(lock);
                return Ok((lease, place));
            }
            drop(place);
            world.pause(ASK_AGAIN).await?;
        }
    }

    /// Takes the server for one call beside the run of this process that may have it. `None` when a command beside the
    /// daemon is at work on it.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn share(world: &World, server: &Id) -> Result<Option<Self>, StoreError> {
        let free = world.leases.try_lock(server);
        let Some(mut lease) = own(world, server).await? else { return Ok(None) };
        // A run that has the server gives it back, unless it did so just before.
        lease.ends_if_free = free.is_none().then(|| world.leases.clone());
        lease.lock = free;
        Ok(Some(lease))
    }

    /// Takes the server for an errand of a command beside the daemon, such as `restore snapshot 801`. `None` when a run
    /// or another command is at work on it; one that was killed is not.
    ///
    /// # Errors
    /// What the state says.
    pub async fn try_beside(world: &World, server: &Id, errand: &str) -> Result<Option<Self>, StoreError> {
        let (store, clock) = (&world.store, &world.clock);
        let name = format!("beside-{:016x}", world.random.bits());
        let holder = format!("{errand} #{name}");
        let presence = store.show_presence(&name)?;
        let mut lease = take(store, clock, server, &holder).await?;
        if lease.is_none() {
            let before = store.leases().await?.into_iter().find(|lease| lease.server == *server);
            if let Some(before) = before.filter(|before| is_gone(store, before)) {
                let until = clock.now() + LASTS;
                if store.take_over(before.clone(), holder.clone(), until).await? {
                    let mut taken = held(store, clock, server, &holder);
                    taken.cut_off = Some(before).filter(|before| before.errand().is_some());
                    lease = Some(taken);
                }
            }
        }
        match &mut lease {
            Some(lease) => lease.presence = presence,
            None => store.forget_presence(&name),
        }
        Ok(lease)
    }

    /// The lease of an earlier command that was killed at its errand, as long as nobody has been told.
    #[must_use]
    pub fn cut_off(&self) -> Option<&Leased> {
        self.cut_off.as_ref()
    }

    /// What it is for, as the journal has it.
    pub(super) fn errand(&self) -> &str {
        self.end.as_ref().map_or("", |(_, _, holder)| errand_of(holder))
    }

    /// From now on the journal says this of the errand.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn now_says(&mut self, world: &World, errand: &str) -> Result<(), StoreError> {
        let Some((store, server, holder)) = self.end.clone() else { return Ok(()) };
        let until = world.clock.now() + LASTS;
        let before = Leased { server: server.clone(), holder, until };
        let holder = format!("{errand} #{}", presence_of(&before.holder));
        // Nobody takes the lease of a process that lives.
        if store.take_over(before, holder.clone(), until).await? {
            let mut renewed = held(&store, &world.clock, &server, &holder);
            renewed.presence = self.presence.take();
            renewed.cut_off = self.cut_off.take();
            *self = renewed;
        }
        Ok(())
    }

    /// Leaves the server as it was found: to the command that was killed, if there is one.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn leave(mut self) -> Result<(), StoreError> {
        let (Some(before), Some((store, server, holder))) = (self.cut_off.take(), self.end.clone()) else {
            return self.end().await;
        };
        self.prolong.abort();
        let ours = Leased { server, holder, until: before.until };
        store.take_over(ours, before.holder, before.until).await?;
        self.end().await
    }

    /// Gives the server back. A lease that is dropped instead is left, as that of a killed process is.
    ///
    /// # Errors
    /// What the state says.
    pub async fn end(mut self) -> Result<(), StoreError> {
        let Some((store, server, holder)) = self.end.take() else { return Ok(()) };
        self.prolong.abort();
        if let Some(leases) = self.ends_if_free.take() {
            let Some(lock) = leases.try_lock(&server) else { return Ok(()) };
            self.lock = Some(lock);
        }
        let name = presence_of(&holder).to_owned();
        let done = store.end_lease(server, holder).await;
        drop(self.lock.take());
        if self.presence.is_some() {
            store.forget_presence(&name);
        }
        done
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.prolong.abort();
    }
}

/// The name by which a holder shows that it lives.
pub(super) fn presence_of(holder: &str) -> &str {
    holder.rsplit_once(" #").map_or(holder, |(_, name)| name)
}

/// What a holder does.
fn errand_of(holder: &str) -> &str {
    holder.rsplit_once(" #").map_or(holder, |(errand, _)| errand)
}

impl Leased {
    /// What a command was doing; `None` for the owner.
    pub(super) fn errand(&self) -> Option<&str> {
        (self.holder != OWNER).then(|| errand_of(&self.holder))
    }

    /// When the holder was last heard of, to a few minutes.
    pub(super) fn heard_of(&self) -> Timestamp {
        self.until - LASTS
    }
}

/// Takes the server for a run of this process. While somebody else has it, those who were killed are looked after.
async fn own(world: &World, server: &Id) -> Result<Option<Lease>, StoreError> {
    if !world.leases.show_owner(&world.store)? {
        return Ok(None);
    }
    let lease = take(&world.store, &world.clock, server, OWNER).await?;
    if lease.is_none() {
        crate::run::errand::look_after(world).await?;
    }
    Ok(lease)
}

async fn take(store: &Store, clock: &Clock, server: &Id, holder: &str) -> Result<Option<Lease>, StoreError> {
    let taken = store.lease(server.clone(), holder.to_owned(), clock.now() + LASTS).await?;
    Ok(taken.then(|| held(store, clock, server, holder)))
}

fn held(store: &Store, clock: &Clock, server: &Id, holder: &str) -> Lease {
    let (store, clock, server, holder) = (store.clone(), clock.clone(), server.clone(), holder.to_owned());
    let end = Some((store.clone(), server.clone(), holder.clone()));
    let prolong = tokio::spawn(async move {
        loop {
            tokio::time::sleep(PROLONG).await;
            // A failure to prolong shows at the run's next write.
            let _ = store.lease(server.clone(), holder.clone(), clock.now() + LASTS).await;
        }
    });
    Lease { lock: None, prolong, end, cut_off: None, presence: None, ends_if_free: None }
}
