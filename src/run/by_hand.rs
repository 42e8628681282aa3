//! What people ask for by hand: `delete` and `restore`. Each is one call, sent under a lease that says what it is, so that
//! a command that is killed at it leaves word. A restore that was accepted is never sent again: it is watched.

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::inventory::{RestorePoint, ServerStatus};
use crate::provider::{Deleted, ProviderError};
use crate::run::{Lease, RunError, World};
use crate::store::StoreError;

/// How long a restore may take before the watch ends: the provider says 5 to 15 minutes.
const TAKES: Duration = Duration::from_hours(2);
/// What a lease says more of a command whose call the provider has accepted.
const ACCEPTED: &str = " (accepted)";

/// Why a command by hand could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider refused, or could not be asked.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The state, or the process is to end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run or another command is at work on the server.
    #[error("a run is at work on {0}: try again when it is over (`lastgood history`)")]
    Busy(String),
    /// What became of it nobody can tell; in words, with what to do.
    #[error("{0}")]
    Unsure(String),
}

/// Who hears what is going on.
pub type Say<'a> = &'a (dyn Fn(String) + Sync);

/// The errand of a lease without what has become of it, and whether the provider has accepted it.
pub(super) fn accepted(errand: &str) -> (&str, bool) {
    errand.strip_suffix(ACCEPTED).map_or((errand, false), |command| (command, true))
}

/// Deletes the point: one call. The journal knows that it was meant before it is sent.
///
/// # Errors
/// When somebody is at work on the server, or what the state or the provider says.
pub async fn delete(world: &World, point: &RestorePoint, say: Say<'_>) -> Result<Deleted, ByHandError> {
    let (server, kind, id) = (&point.server.id, point.kind, &point.id);
    let lease = take(world, point, &format!("delete {kind} {id}"), say).await?;
    let (store, now) = (&world.store, world.clock.now());
    store.mean_to_delete(server.clone(), kind, id.clone(), Some(now)).await?;
    let deleted = world.client.delete(kind, id).await;
    if deleted.as_ref().is_err_and(|error| !error.outcome_unknown()) {
        store.mean_to_delete(server.clone(), kind, id.clone(), None).await?;
    }
    lease.end().await?;
    Ok(deleted?)
}

/// Restores the server from the point and watches until it is back.
///
/// # Errors
/// As `delete`; `Unsure` when it does not come back, or nobody can tell whether the restore was begun.
pub async fn restore(world: &World, point: &RestorePoint, say: Say<'_>) -> Result<(), ByHandError> {
    let errand = format!("restore {} {}", point.kind, point.id);
    let mut lease = take(world, point, &errand, say).await?;
    let watched = restore_with(world, point, &mut lease, say).await;
    lease.end().await?;
    watched
}

/// The lease on the point's server. Says what an earlier command, now gone, was doing there.
async fn take(world: &World, point: &RestorePoint, errand: &str, say: Say<'_>) -> Result<Lease, ByHandError> {
    let Some(lease) = Lease::try_beside(world, &point.server.id, errand).await? else {
        return Err(ByHandError::Busy(point.server.name.clone()));
    };
    match lease.cut_off().map(accepted) {
        Some((before, true)) => say(format!("`lastgood {before}` was cut off after the provider had accepted it")),
        Some((before, false)) => {
            say(format!("`lastgood {before}` was cut off: it is unknown whether it was carried out"));
        }
        None => {}
    }
    Ok(lease)
}

async fn restore_with(world: &World, point: &RestorePoint, lease: &mut Lease, say: Say<'_>) -> Result<(), ByHandError> {
    let before = lease.cut_off().map(accepted).filter(|(before, _)| *before == lease.errand());
    let (again, was_accepted) = before.map_or((false, false), |(_, accepted)| (true, accepted));
    let begun = again && !was_accepted && is_being_restored(world, point).await?;
    let lost = if was_accepted || begun {
        say("the restore is under way: it is watched".to_owned());
        None
    } else {
        ask_for(world, point, say).await?
    };
    watch(world, point, (lease, begun, lost), say).await
}

/// From now on a command that is typed again, should this one be killed, only watches.
async fn write_that_it_was_accepted(world: &World, lease: &mut Lease) -> Result<(), ByHandError> {
    let errand = format!("{}{ACCEPTED}", lease.errand());
    Ok(lease.now_says(world, &errand).await?)
}

/// Whether the server shows the restore that an earlier command has asked for: it is watched then, and not asked for
/// a second time. Looks for as long as that request may be on its way.
async fn is_being_restored(world: &World, point: &RestorePoint) -> Result<bool, ByHandError> {
    let began = Instant::now();
    while began.elapsed() < world.settings.settle + world.settings.timeout {
        let server = world.client.server(&point.server.id).await?;
        if matches!(server.status, ServerStatus::Other(_)) {
            return Ok(true);
        }
        world.pause(world.settings.poll).await?;
    }
    Ok(false)
}

/// Sends it, once. What is returned is why nobody can tell whether it was begun.
async fn ask_for(world: &World, point: &RestorePoint, say: Say<'_>) -> Result<Option<ProviderError>, ByHandError> {
    match world.client.restore(point.kind, &point.server.id, &point.id).await {
        Ok(started) => {
            say(started.message.unwrap_or_else(|| "accepted".to_owned()));
            Ok(None)
        }
        Err(error) if error.outcome_unknown() => {
            say(format!("lastgood: the answer was lost, so the server is watched: {error}"));
            Ok(Some(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Looks at the server until it is back. After a lost answer only what the server shows proves that it was begun.
async fn watch(
    world: &World,
    point: &RestorePoint,
    (lease, mut began, mut lost): (&mut Lease, bool, Option<ProviderError>),
    say: Say<'_>,
) -> Result<(), ByHandError> {
    let name = &point.server.name;
    let asked = Instant::now();
    let mut last = String::new();
    if lost.is_none() {
        write_that_it_was_accepted(world, lease).await?;
    }
    loop {
        let look = world.client.server(&point.server.id).await;
        let waited = asked.elapsed();
        // A server that shows no sign of the restore within `settle` was quicker than our looks.
        let settled = waited > world.settings.settle;
        // A lease that is kept holds up every run of the server, so no watch may last for ever.
        if let Err(error) = &look
            && ((settled && error.is_refusal()) || waited > TAKES)
        {
            return Err(ByHandError::Unsure(format!(
                "how the restore of {name} goes on cannot be seen: look at the server in the provider's panel ({error})"
            )));
        }
        if let Ok(server) = look {
            let status = server.status.to_string();
            if status != last {
                say(format!("{name}: {status}"));
            }
            last = status;
            let active = server.status == ServerStatus::Active;
            // A stopped server may have been so before.
            let at_it = matches!(server.status, ServerStatus::Other(_));
            began |= if lost.is_some() { at_it } else { settled || !active };
            if began && lost.take().is_some() {
                write_that_it_was_accepted(world, lease).await?;
            }
            if let Some(error) = lost.as_ref().filter(|_| settled) {
                return Err(ByHandError::Unsure(format!(
                    "whether the restore of {name} was begun cannot be told; nothing was sent again: look at the server in \
                     the provider's panel, and ask again if it was not ({error})"
                )));
            }
            if began && active {
                return Ok(());
            }
            if waited > TAKES {
                break;
            }
        }
        world.pause(world.settings.poll).await?;
    }
    let minutes = TAKES.as_secs() / 60;
    Err(ByHandError::Unsure(format!("{name} is still {last} after {minutes} min: look at it in the provider's panel")))
}
