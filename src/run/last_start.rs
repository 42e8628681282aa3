//! Asks servers that are owed a start to start, whatever becomes of the runs: for the debt watch, at a shutdown of the
//! process, and when the state cannot be written.

use std::time::Duration;

use crate::journal::answer::answer_to_start;
use crate::journal::debt::Debt;
use crate::journal::debt_watch::{may_be_stopping, report_before_exit};
use crate::policy::inventory::{ServerId, ServerRef, ServerStatus};
use crate::provider::Power;
use crate::run::World;
use crate::run::answer::reply_of;
use crate::store::StoreError;

/// How long the starts may take during a shutdown.
pub(super) const BEFORE_SHUTDOWN: Duration = Duration::from_secs(7);
/// How long one look may take then, and the longest pause between two.
const LAST_LOOK: Duration = Duration::from_secs(2);
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(500);

/// Asks a server that reads `stopped` to start. If `recorded`, the answer is recorded, too.
///
/// # Errors
/// Why it is not known to be starting, in words.
pub(super) async fn ask_to_start(world: &World, server: &ServerRef, recorded: bool) -> Result<(), String> {
    tracing::warn!(%server, "lastgood stopped it and it reads stopped: asking it to start");
    let reply = reply_of(world.answer(world.client.power(&server.id, Power::Start)).await);
    let (start, result) = answer_to_start(reply);
    if recorded {
        // Later looks find out what cannot be recorded.
        let _ = world.store.start_answered(server.id.clone(), start).await;
    }
    result
}

/// The process is shutting down, or the state fails: looks at the server while there is time, and asks it to start when
/// it reads `stopped`. The next start of the process does the rest.
pub(super) async fn start_when_stopped(world: &World, server: &ServerRef, recorded: bool) {
    let start = async {
        loop {
            match look_briefly(world, &server.id).await {
                Some(ServerStatus::Stopped) => {
                    if recorded {
                        match record_start(world, server).await {
                            Ok(true) | Err(_) => {}
                            Ok(false) => return,
                        }
                    }
                    if ask_to_start(world, server, recorded).await.is_ok() {
                        return;
                    }
                }
                // If a server runs and was asked to stop long ago, it is not waited for.
                Some(ServerStatus::Active) if recorded && !is_still_stopping(world, server).await => return,
                _ => {}
            }
            tokio::time::sleep(world.settings().poll.min(LAST_PAUSE)).await;
        }
    };
    // If there is no answer by then, the next start of the process finds out.
    let _ = tokio::time::timeout(BEFORE_SHUTDOWN, start).await;
}

/// Records the start before it is sent. False if nothing is owed any more.
async fn record_start(world: &World, server: &ServerRef) -> Result<bool, StoreError> {
    let Some(debt) = world.store.debt(server.id.clone()).await? else { return Ok(false) };
    let report = report_before_exit(&debt);
    world.store.start_intended(debt, report, world.clock.now()).await
}

/// Whether a server that reads `active` may be one that was just asked to stop.
async fn is_still_stopping(world: &World, server: &ServerRef) -> bool {
    let Ok(Some(debt)) = world.store.debt(server.id.clone()).await else { return false };
    let asked = Duration::try_from(debt.since.duration_until(world.clock.now())).unwrap_or_default();
    may_be_stopping(&debt, asked)
}

/// One look, limited to the time that is left.
pub(super) async fn look_briefly(world: &World, server: &ServerId) -> Option<ServerStatus> {
    let look = tokio::time::timeout(LAST_LOOK, world.client.server(server)).await;
    look.ok()?.ok().map(|server| server.status)
}

/// The state cannot be written, so no run can continue, but no server may stay stopped because of that: asks those that
/// are owed a start and read `stopped` to start. The next start of the process that can write makes sure of it.
pub(crate) async fn start_owed(world: &World) {
    let owed = world.store.debts().await.unwrap_or_default();
    let start = async |debt: Debt| start_when_stopped(world, &debt.server, false).await;
    futures_util::future::join_all(owed.into_iter().map(start)).await;
}
