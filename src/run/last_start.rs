//! Asks servers that are owed a start to start, whatever becomes of the runs: for the debt watch, at a shutdown of the
//! process, and when the state cannot be written.

use std::time::Duration;

use crate::journal::debt::{Debt, Start};
use crate::journal::notice::{NotStarted, StartProblem, StoppedFor};
use crate::journal::power::LONGEST_CHANGE;
use crate::policy::inventory::{ServerId, ServerRef, ServerStatus};
use crate::provider::Power;
use crate::run::World;
use crate::run::answer::CUT_OFF;
use crate::store::StoreError;

/// How long the starts may take during a shutdown.
pub(super) const BEFORE_SHUTDOWN: Duration = Duration::from_secs(7);
/// How long one look may take then, and the longest pause between two.
const LAST_LOOK: Duration = Duration::from_secs(2);
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(500);

/// The notice about a server that is owed a start.
pub(super) fn not_started(debt: &Debt, problem: StartProblem) -> NotStarted {
    let stopped_for = debt.policy.clone().zip(debt.kind).map(|(policy, kind)| StoppedFor { policy, kind });
    NotStarted { problem, stopped_for, since: Some(debt.since) }
}

/// Asks a server that reads `stopped` to start. If `recorded`, the answer is recorded, too.
///
/// # Errors
/// Why it is not known to be starting, in words.
pub(super) async fn ask_to_start(world: &World, server: &ServerRef, recorded: bool) -> Result<(), String> {
    tracing::warn!(%server, "lastgood stopped it and it reads stopped: asking it to start");
    let (start, result) = match world.answer(world.client.power(&server.id, Power::Start)).await {
        Some(Ok(())) => (Start::Accepted, Ok(())),
        Some(Err(error)) if error.outcome_unknown() => (Start::Sent, Err(error.to_string())),
        Some(Err(error)) => (Start::refused(&error.to_string()), Err(error.to_string())),
        None => (Start::Sent, Err(CUT_OFF.to_owned())),
    };
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
                Some(ServerStatus::Active) if recorded && !may_be_stopping(world, server).await => return,
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
    // A run that is in charge continues after the next start of the process: there is nothing to report yet.
    let report = debt.start().in_charge.is_none().then(|| not_started(&debt, StartProblem::AskedBeforeExit));
    world.store.start_intended(debt, report, world.clock.now()).await
}

/// Whether a server that reads `active` may be one that was just asked to stop.
async fn may_be_stopping(world: &World, server: &ServerRef) -> bool {
    let Ok(Some(debt)) = world.store.debt(server.id.clone()).await else { return false };
    let asked = Duration::try_from(debt.since.duration_until(world.clock.now())).unwrap_or_default();
    !debt.start().evidence.seen_down && asked < LONGEST_CHANGE
}

/// One look, limited to the time that is left.
pub(super) async fn look_briefly(world: &World, server: &ServerId) -> Option<ServerStatus> {
    let look = tokio::time::timeout(LAST_LOOK, world.client.server(server)).await;
    look.ok()?.ok().map(|server| server.status)
}

/// The state cannot be written, so no run can continue, but no server may stay stopped because of that: asks those that
/// are owed a start and read `stopped` to start. The next start of the process that can write makes sure of it.
pub async fn start_owed(world: &World) {
    let owed = world.store.debts().await.unwrap_or_default();
    let start = async |debt: Debt| start_when_stopped(world, &debt.server, false).await;
    futures_util::future::join_all(owed.into_iter().map(start)).await;
}
