//! One run per server at a time: a lock among this process's runs, and a lease in the state that `delete` and `restore`
//! respect and take.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};

use crate::clock::Clock;
use crate::journal::errand::{Errand, ManualCommand};
use crate::policy::inventory::ServerId;
use crate::run::errand::look_after;
use crate::run::locks::{Leases, is_gone};
use crate::run::{RunError, World};
use crate::store::leases::{Holder, Leased};
use crate::store::presence::Presence;
use crate::store::{Store, StoreError};

/// How long a lease lasts after its holder last extended it. The holder's lock shows whether it is alive; this only
/// tells people when it was cut off.
const LASTS: Duration = Duration::from_mins(5);
/// How often it is extended, and how often a busy one is requested again.
const PROLONG: Duration = Duration::from_mins(2);
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The right to work on a server, extended until it is dropped.
#[derive(Debug)]
pub struct Lease {
    /// Held for its drop.
    lock: Option<OwnedMutexGuard<()>>,
    prolong: tokio::task::JoinHandle<()>,
    end: Option<(Store, ServerId, Holder)>,
    cut_off: Option<Leased>,
    /// Held for its drop, which follows the lease's end.
    presence: Option<Presence>,
    /// A run of this process had the server when this lease was taken; whichever ends last ends it.
    ends_if_free: Option<Leases>,
}

impl Lease {
    /// Waits for the server.
    ///
    /// # Errors
    /// When the state fails, or the process shuts down.
    pub async fn wait(world: &World, server: &ServerId) -> Result<Self, RunError> {
        let lock = world.unless_stopped(world.leases.lock(server)).await?;
        loop {
            if let Some(mut lease) = own(world, server).await? {
                lease.lock = Some(lock);
                return Ok(lease);
            }
            world.pause(ASK_AGAIN).await?;
        }
    }

    /// Waits for the server and for one of the `parallel_runs` permits. A run that waits for its server blocks no
    /// permit, and a run that waits for its permit blocks no server for `delete` and `restore`.
    ///
    /// # Errors
    /// When the state fails, or the process shuts down.
    pub(super) async fn wait_with_place(
        world: &World,
        server: &ServerId,
    ) -> Result<(Self, OwnedSemaphorePermit), RunError> {
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

    /// Takes the server for one call, alongside the run of this process that may have it. `None` if a command is
    /// working on it.
    ///
    /// # Errors
    /// When the state fails.
    pub(super) async fn share(world: &World, server: &ServerId) -> Result<Option<Self>, StoreError> {
        let free = world.leases.try_lock(server);
        let Some(mut lease) = own(world, server).await? else { return Ok(None) };
        // If a run has the server, it releases it, unless it has just done so.
        lease.ends_if_free = free.is_none().then(|| world.leases.clone());
        lease.lock = free;
        Ok(Some(lease))
    }

    /// Takes the server for a command alongside the daemon. `None` if a run or another command is working on it; a
    /// killed one is not.
    ///
    /// # Errors
    /// When the state fails.
    pub async fn try_beside(
        world: &World,
        server: &ServerId,
        command: ManualCommand,
    ) -> Result<Option<Self>, StoreError> {
        let (store, clock) = (&world.store, &world.clock);
        let name = format!("beside-{:016x}", world.random.bits());
        let presence = store.show_presence(&name)?;
        let holder = Holder::Command { name, errand: Errand::new(command) };
        let mut lease = try_lease(store, clock, server, &holder).await?;
        if lease.is_none() {
            let before = store.leases().await?.into_iter().find(|lease| lease.server == *server);
            if let Some(before) = before.filter(|before| is_gone(store, before)) {
                let until = clock.now() + LASTS;
                if store.take_over(before.clone(), holder.clone(), until).await? {
                    let mut taken = held(store, clock, server, &holder);
                    taken.cut_off = Some(before).filter(|before| before.holder.errand().is_some());
                    lease = Some(taken);
                }
            }
        }
        match &mut lease {
            Some(lease) => lease.presence = presence,
            None => store.forget_presence(holder.name()),
        }
        Ok(lease)
    }

    /// The lease of an earlier command that was killed, as long as that was not reported.
    #[must_use]
    pub fn cut_off(&self) -> Option<&Leased> {
        self.cut_off.as_ref()
    }

    /// From now on the lease says that the provider has accepted the command's request.
    ///
    /// # Errors
    /// When the state fails.
    pub(super) async fn now_accepted(&mut self, world: &World) -> Result<(), StoreError> {
        let Some((store, server, before)) = self.end.clone() else { return Ok(()) };
        let Holder::Command { name, errand } = before.clone() else { return Ok(()) };
        let holder = Holder::Command { name, errand: Errand { accepted: true, ..errand } };
        let until = world.clock.now() + LASTS;
        let before = Leased { server: server.clone(), holder: before, until };
        // Nobody takes the lease of a process that is alive.
        if store.take_over(before, holder.clone(), until).await? {
            let mut renewed = held(&store, &world.clock, &server, &holder);
            renewed.presence = self.presence.take();
            renewed.cut_off = self.cut_off.take();
            *self = renewed;
        }
        Ok(())
    }

    /// Releases the server as it was found: to the killed command, if there is one.
    ///
    /// # Errors
    /// When the state fails.
    pub(super) async fn leave(mut self) -> Result<(), StoreError> {
        let (Some(before), Some((store, server, holder))) = (self.cut_off.take(), self.end.clone()) else {
            return self.end().await;
        };
        self.prolong.abort();
        let ours = Leased { server, holder, until: before.until };
        store.take_over(ours, before.holder, before.until).await?;
        self.end().await
    }

    /// Releases the server. A lease that is only dropped remains, like that of a killed process.
    ///
    /// # Errors
    /// When the state fails.
    pub async fn end(mut self) -> Result<(), StoreError> {
        let Some((store, server, holder)) = self.end.take() else { return Ok(()) };
        self.prolong.abort();
        if let Some(leases) = self.ends_if_free.take() {
            let Some(lock) = leases.try_lock(&server) else { return Ok(()) };
            self.lock = Some(lock);
        }
        let name = holder.name().to_owned();
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

/// When the holder of a lease was last heard from, to within a few minutes.
pub(super) fn heard_of(until: Timestamp) -> Timestamp {
    until - LASTS
}

/// Takes the server for a run of this process. While somebody else has it, errands of killed commands are settled.
async fn own(world: &World, server: &ServerId) -> Result<Option<Lease>, StoreError> {
    if !world.leases.show_owner(&world.store)? {
        return Ok(None);
    }
    let lease = try_lease(&world.store, &world.clock, server, &Holder::Owner).await?;
    if lease.is_none() {
        look_after(world).await?;
    }
    Ok(lease)
}

async fn try_lease(
    store: &Store,
    clock: &Clock,
    server: &ServerId,
    holder: &Holder,
) -> Result<Option<Lease>, StoreError> {
    let taken = store.lease(server.clone(), holder.clone(), clock.now() + LASTS).await?;
    Ok(taken.then(|| held(store, clock, server, holder)))
}

fn held(store: &Store, clock: &Clock, server: &ServerId, holder: &Holder) -> Lease {
    let (store, clock, server, holder) = (store.clone(), clock.clone(), server.clone(), holder.clone());
    let end = Some((store.clone(), server.clone(), holder.clone()));
    let prolong = tokio::spawn(async move {
        loop {
            tokio::time::sleep(PROLONG).await;
            // If extending it fails, the run's next write shows that.
            let _ = store.lease(server.clone(), holder.clone(), clock.now() + LASTS).await;
        }
    });
    Lease { lock: None, prolong, end, cut_off: None, presence: None, ends_if_free: None }
}
