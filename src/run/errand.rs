//! Settles what commands (`delete`, `restore`) left behind that were killed alongside the daemon: their leases remain
//! and say what they did. The server is watched until it is idle; then that is reported, and the server is free for
//! runs.
//!
//! Nothing is sent again: it is unknown whether a restore that was cut off was carried out, and another one would
//! overwrite what was written since.

use tokio::time::Instant;

use crate::journal::answer::FailedCall;
use crate::journal::errand::Errand;
use crate::journal::notice::{Fact, FoundServer, Notice};
use crate::journal::restore::at_rest;
use crate::policy::inventory::{ServerId, ServerRef};
use crate::run::locks::{Leases, is_gone};
use crate::run::{RunError, World};
use crate::store::leases::Leased;
use crate::store::{Store, StoreError};

/// Settles every errand that was cut off and is not being settled yet, in the background.
///
/// # Errors
/// When the state fails.
pub async fn look_after(world: &World) -> Result<(), StoreError> {
    for lease in world.store.leases().await? {
        let Some(errand) = lease.holder.errand().cloned().filter(|_| is_gone(&world.store, &lease)) else { continue };
        let mut locks = world.leases.locks();
        if !locks.errands.names.insert(lease.holder.name().to_owned()) {
            continue;
        }
        // Separate leases, so that the watch does not keep itself alive.
        let world = World { leases: Leases::default(), ..world.clone() };
        locks.errands.watched.spawn(async move {
            if let Err(error) = settle(&world, lease, errand).await {
                tracing::warn!("a command that was cut off is looked at again by the next start: {error}");
            }
        });
    }
    Ok(())
}

async fn settle(world: &World, lease: Leased, errand: Errand) -> Result<(), RunError> {
    let Errand { command, accepted } = errand;
    let server = name_of(&world.store, &lease.server).await?;
    tracing::warn!(%server, "`lastgood {command}` was cut off: the server is watched");
    let restores = command.is_restore();
    let found = until_at_rest(world, &lease.server, restores).await?;
    let fact = Fact::CommandCutOff { command: command.to_string(), accepted, server: found };
    let notice = Notice::of_server(server, fact);
    tracing::warn!(server = notice.server.as_ref().map(tracing::field::display), "{notice}");
    let name = lease.holder.name().to_owned();
    world.store.end_of_the_gone(lease, notice, restores, world.clock.now()).await?;
    world.store.forget_presence(&name);
    Ok(())
}

/// Waits until the server is at rest. Says how it is found then.
async fn until_at_rest(world: &World, server: &ServerId, restores: bool) -> Result<FoundServer, RunError> {
    let began = Instant::now();
    let sent_with = world.settings().timeout;
    loop {
        let settings = world.settings();
        let on_its_way = settings.settle + settings.timeout.max(sent_with);
        let waited = began.elapsed();
        let look = world.unless_stopped(world.client.server(server)).await?;
        let look = look.as_ref().map(|server| &server.status).map_err(FailedCall::from);
        if let Some(found) = at_rest(look.as_ref().copied(), restores, (waited, on_its_way)) {
            return Ok(found);
        }
        world.pause(world.settings().poll).await?;
    }
}

async fn name_of(store: &Store, server: &ServerId) -> Result<ServerRef, StoreError> {
    let known = store.servers().await?.into_iter().map(|known| known.server.reference);
    let unknown = || ServerRef { id: server.clone(), name: server.to_string() };
    Ok(known.into_iter().find(|reference| reference.id == *server).unwrap_or_else(unknown))
}
