//! The errands of commands beside the daemon (`delete`, `restore`) that were killed at them: their leases are left and
//! say what it was. The server is watched until it is at rest; then people are told, and the server is free for runs.
//!
//! Nothing is sent again: nobody can tell whether a restore that was cut off was carried out, and another would
//! overwrite what was written since.

use std::time::Duration;

use tokio::time::Instant;

use crate::journal::errand::Errand;
use crate::journal::notice::{Fact, FoundServer, Notice};
use crate::policy::inventory::{Id, ServerRef, ServerStatus};
use crate::run::locks::{Leases, is_gone};
use crate::run::{RunError, World};
use crate::store::leases::Leased;
use crate::store::{Store, StoreError};

/// After so long a server that is not at rest is told of as it is.
const TAKES: Duration = Duration::from_hours(2);

/// Looks after every errand that was cut off and is not looked after yet, in the background.
///
/// # Errors
/// What the state says.
pub async fn look_after(world: &World) -> Result<(), StoreError> {
    for lease in world.store.leases().await? {
        let Some(errand) = lease.holder.errand().cloned().filter(|_| is_gone(&world.store, &lease)) else { continue };
        let mut locks = world.leases.locks();
        if !locks.errands.names.insert(lease.holder.name().to_owned()) {
            continue;
        }
        // Leases of its own, so that the watch does not keep itself alive.
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
    let found = at_rest(world, &lease.server, restores).await?;
    let fact = Fact::CommandCutOff { command: command.to_string(), accepted, server: found };
    let notice = Notice::of_server(server, fact);
    tracing::warn!(server = notice.server.as_ref().map(tracing::field::display), "{notice}");
    let name = lease.holder.name().to_owned();
    world.store.end_of_the_gone(lease, notice, restores, world.clock.now()).await?;
    world.store.forget_presence(&name);
    Ok(())
}

/// Waits until the request can no longer be on its way and, if it `restores`, the server is neither being restored nor
/// started. Says how the server is then.
async fn at_rest(world: &World, server: &Id, restores: bool) -> Result<FoundServer, RunError> {
    let began = Instant::now();
    let sent_with = world.settings().timeout;
    loop {
        let settings = world.settings();
        let on_its_way = settings.settle + settings.timeout.max(sent_with);
        let waited = began.elapsed();
        match world.unless_stopped(world.client.server(server)).await? {
            Ok(server) if waited >= on_its_way => match server.status {
                ServerStatus::Other(word) if restores && waited < TAKES => {
                    tracing::debug!(server = %server.reference, "it is {word}");
                }
                status => return Ok(FoundServer::Reads(status)),
            },
            Err(error) if waited >= on_its_way && (error.status() == Some(404) || waited >= TAKES) => {
                return Ok(FoundServer::Unreadable { error: error.to_string() });
            }
            _ => {}
        }
        world.pause(world.settings().poll).await?;
    }
}

async fn name_of(store: &Store, server: &Id) -> Result<ServerRef, StoreError> {
    let known = store.servers().await?.into_iter().map(|known| known.server.reference);
    let unknown = || ServerRef { id: server.clone(), name: server.to_string() };
    Ok(known.into_iter().find(|reference| reference.id == *server).unwrap_or_else(unknown))
}
