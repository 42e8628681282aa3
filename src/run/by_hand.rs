//! What people request by hand: `delete` and `restore`. Each is one call, sent under a lease that says what it is, so
//! that a killed command leaves a record. A restore that was accepted is never sent again: it is watched.

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::journal::answer::FailedCall;
use crate::journal::errand::ManualCommand;
use crate::journal::restore::{RestoreBegin, RestoreStep, RestoreWatch, how_to_begin, may_be_restoring, unseen};
use crate::policy::inventory::RestorePoint;
use crate::provider::{Deleted, ErrorKind, ProviderError};
use crate::run::lease::heard_of;
use crate::run::locks::is_gone;
use crate::run::{Lease, RunError, World};
use crate::store::StoreError;
use crate::store::leases::Leased;

pub(crate) use crate::journal::cut_off::CutOff;

/// Why a command by hand could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider refused, or could not be reached.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The state failed, or the process is shutting down.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A run or another command is working on the server.
    #[error("a run is working on {0}: try again when it is over (`lastgood history`)")]
    Busy(String),
    /// A hold was placed after the command checked; nothing was deleted.
    #[error("{0}")]
    Held(String),
    /// Its outcome is unknown; in words, with what to do.
    #[error("{0}")]
    Unsure(String),
    /// An earlier restore was cut off, and nobody has asked for it to be repeated.
    #[error("{0}")]
    CutOff(String),
}

/// What the command with this lease was doing, as long as nobody has looked after it.
fn cut_off_at(lease: &Leased) -> Option<CutOff> {
    Some(CutOff::new(lease.holder.errand()?.clone(), heard_of(lease.until), false))
}

/// The command that was killed while working on the point's server, unless a later one has settled it.
///
/// # Errors
/// When the state fails.
pub async fn cut_off(world: &World, point: &RestorePoint) -> Result<Option<CutOff>, ByHandError> {
    let (store, server) = (&world.store, &point.server.id);
    let left = store.leases().await?.into_iter().filter(|lease| lease.server == *server && is_gone(store, lease));
    match left.filter_map(|lease| cut_off_at(&lease)).next() {
        Some(left) => Ok(Some(left)),
        None => settled(world, point).await,
    }
}

/// The restore that was cut off on the point's server and that the daemon has settled.
async fn settled(world: &World, point: &RestorePoint) -> Result<Option<CutOff>, ByHandError> {
    let left = world.store.cut_off(point.server.id.clone()).await?;
    Ok(left.map(|left| CutOff::new(left.errand, heard_of(left.until), true)))
}

/// Receives messages about the progress.
pub(crate) type Say<'a> = &'a (dyn Fn(String) + Sync);

/// Deletes the point: one call. The intent is recorded before it is sent.
///
/// # Errors
/// When somebody else is working on the server, or the state or the provider fails.
pub async fn delete(world: &World, point: &RestorePoint, say: Say<'_>) -> Result<Deleted, ByHandError> {
    let (server, kind, id) = (&point.server.id, point.kind, &point.id);
    let lease = lease_for(world, point, ManualCommand::delete(point)).await?;
    if let Some(before) = lease.cut_off().and_then(cut_off_at) {
        say(before.to_string());
    }
    let (store, now) = (&world.store, world.clock.now());
    if let Some(guard) = store.intend_delete_by_hand(server.clone(), kind, id.clone(), now).await? {
        lease.end().await?;
        return Err(ByHandError::Held(format!("{kind} {id} is not deleted: {guard}")));
    }
    // A hold may be placed while the call waits for its turn.
    let before_send = || {
        let held = store.hold_on(server.clone(), kind, id.clone(), world.clock.now());
        async { held.await.map_err(|error| error.to_string())?.map_or(Ok(()), |guard| Err(guard.to_string())) }.boxed()
    };
    let deleted = world.client.delete_if(kind, id, &before_send).await;
    if deleted.as_ref().is_err_and(|error| !FailedCall::from(error).may_be_carried_out()) {
        store.recall_delete_intent(server.clone(), kind, id.clone()).await?;
    }
    lease.end().await?;
    deleted.map_err(|error| match error.kind {
        ErrorKind::Withheld(why) => ByHandError::Held(format!("{kind} {id} is not deleted: {why}")),
        _ => error.into(),
    })
}

/// Restores the server from the point and watches until it is back. With `again`, it does so even if an earlier restore
/// was cut off that may have been carried out (see `cut_off`).
///
/// # Errors
/// As `delete`; `CutOff` without `again`; `Unsure` when the server does not come back, or it is unknown whether the
/// restore began.
pub async fn restore(world: &World, point: &RestorePoint, again: bool, say: Say<'_>) -> Result<(), ByHandError> {
    let mut lease = lease_for(world, point, ManualCommand::restore(point)).await?;
    let before = match lease.cut_off().and_then(cut_off_at) {
        Some(before) => Some(before),
        None => settled(world, point).await?,
    };
    if let Some(before) = before.as_ref().filter(|before| !again && before.needs_again(point)) {
        lease.leave().await?;
        return Err(ByHandError::CutOff(format!(
            "{before}; nothing was restored now: look at {}, and add --again to restore it anyway",
            point.server.name
        )));
    }
    // From now on the lease says what was typed.
    world.store.forget_cut_off(point.server.id.clone()).await?;
    let watched = restore_with(world, point, &mut lease, say).await;
    lease.end().await?;
    watched
}

/// The lease on the point's server.
async fn lease_for(world: &World, point: &RestorePoint, command: ManualCommand) -> Result<Lease, ByHandError> {
    let lease = Lease::try_beside(world, &point.server.id, command).await?;
    lease.ok_or_else(|| ByHandError::Busy(point.server.name.clone()))
}

async fn restore_with(world: &World, point: &RestorePoint, lease: &mut Lease, say: Say<'_>) -> Result<(), ByHandError> {
    let before = lease.cut_off().and_then(|before| before.holder.errand());
    let (is_in_progress, begun) = match how_to_begin(&ManualCommand::restore(point), before) {
        RestoreBegin::Watch => (true, false),
        RestoreBegin::LookFirst => {
            let begun = is_being_restored(world, point, say).await?;
            (begun, begun)
        }
        RestoreBegin::Request => (false, false),
    };
    let lost = if is_in_progress {
        say("the restore is in progress: watching it".to_owned());
        None
    } else {
        ask_for(world, point, say).await?
    };
    watch(world, point, (lease, RestoreWatch { begun, lost }), say).await
}

/// Whether the server shows the restore that an earlier command requested; it is then watched, and not requested again.
/// Keeps looking for as long as that request may be on its way.
async fn is_being_restored(world: &World, point: &RestorePoint, say: Say<'_>) -> Result<bool, ByHandError> {
    let began = Instant::now();
    let settings = world.settings();
    let on_its_way = settings.settle + settings.timeout;
    say(format!("looking for {} s whether the earlier restore is in progress", on_its_way.as_secs()));
    while began.elapsed() < on_its_way {
        let server = world.client.server(&point.server.id).await?;
        if may_be_restoring(&server.status) {
            return Ok(true);
        }
        world.pause(world.settings().poll).await?;
    }
    Ok(false)
}

/// Sends it once. Returns why it is unknown whether it began, if it is.
async fn ask_for(world: &World, point: &RestorePoint, say: Say<'_>) -> Result<Option<String>, ByHandError> {
    match world.client.restore(point.kind, &point.server.id, &point.id).await {
        Ok(started) => {
            say(started.message.unwrap_or_else(|| "accepted".to_owned()));
            Ok(None)
        }
        Err(error) if FailedCall::from(&error).may_be_carried_out() => {
            say(format!("lastgood: the answer was lost, so the server is watched: {error}"));
            Ok(Some(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Looks at the server until it is back, or nobody can tell.
async fn watch(
    world: &World,
    point: &RestorePoint,
    (lease, mut restore): (&mut Lease, RestoreWatch),
    say: Say<'_>,
) -> Result<(), ByHandError> {
    let name = &point.server.name;
    let asked = Instant::now();
    let mut last = String::new();
    if restore.lost.is_none() {
        // If this command is killed from now on, the same command typed again only watches.
        lease.now_accepted(world).await?;
    }
    loop {
        let look = world.client.server(&point.server.id).await;
        let (waited, settle) = (asked.elapsed(), world.settings().settle);
        match look {
            Ok(server) => {
                let status = server.status.to_string();
                if status != last {
                    say(format!("{name}: {status}"));
                }
                last = status;
                match restore.look(name, &server.status, waited, settle) {
                    RestoreStep::Wait => {}
                    RestoreStep::BegunAfterAll => lease.now_accepted(world).await?,
                    RestoreStep::Back => return Ok(()),
                    RestoreStep::Unsure(words) => return Err(ByHandError::Unsure(words)),
                }
            }
            Err(error) => {
                if let Some(words) = unseen(name, &FailedCall::from(&error), waited, settle) {
                    return Err(ByHandError::Unsure(words));
                }
            }
        }
        world.pause(world.settings().poll).await?;
    }
}
