//! Looks at a server that is owed a start, and records what each look proves.

use tokio::time::Instant;

use crate::journal::answer::FailedCall;
use crate::journal::debt::{Debt, Look, Streak};
use crate::journal::debt_watch::{is_unlisted, look_of};
use crate::policy::inventory::{ServerId, ServerStatus};
use crate::provider::ProviderError;
use crate::run::{RunError, World};
use crate::store::debts::{Observation, Observed};

/// The result of a look at a server that is owed a start.
#[derive(Debug)]
pub(super) enum DebtLook {
    /// It is owed nothing: a person has released the debt, or it was settled before.
    NotOwed,
    /// It runs again, which was just proved.
    Paid,
    /// It has been missing from the account for a day, which was just proved.
    Gone,
    /// It is still owed its start, and this is its status.
    Owed(Box<Debt>, ServerStatus),
    /// It does not exist, and it is missing from a complete list of the account.
    Missing,
    /// It cannot be read.
    Unreadable(ProviderError),
}

/// The looks of this process at one server.
#[derive(Debug, Default)]
pub(super) struct DebtLooks {
    streak: Streak,
    last: Option<Instant>,
}

impl DebtLooks {
    /// Looks at the server and records what that proves.
    ///
    /// # Errors
    /// When the state fails, or the process shuts down.
    pub(super) async fn look(&mut self, world: &World, server: &ServerId) -> Result<DebtLook, RunError> {
        let Some(debt) = world.store.debt(server.clone()).await? else { return Ok(DebtLook::NotOwed) };
        let began = Instant::now();
        let (look, status) = match world.unless_stopped(world.client.server(server)).await? {
            Ok(found) => (look_of(&found.status), Some(found.status)),
            Err(error) if FailedCall::from(&error).is_no_such_object() => {
                match world.unless_stopped(lists_without(world, server)).await? {
                    true => (Look::Missing, None),
                    false => return Ok(DebtLook::Unreadable(error)),
                }
            }
            Err(error) => return Ok(DebtLook::Unreadable(error)),
        };
        let since_last = self.last.map(|last| began.saturating_duration_since(last));
        let seen =
            Observation { server: server.clone(), round: debt.start().round, look, streak: self.streak, since_last };
        Ok(match world.store.observe_debt(seen, world.clock.now()).await? {
            Observed::Paid => DebtLook::Paid,
            Observed::Gone => DebtLook::Gone,
            Observed::Nothing => DebtLook::NotOwed,
            Observed::Owed(debt, streak) => {
                (self.streak, self.last) = (streak, Some(began));
                match status {
                    Some(status) => DebtLook::Owed(Box::new(debt), status),
                    None => DebtLook::Missing,
                }
            }
        })
    }
}

/// Whether the server is missing from a complete list of the account.
async fn lists_without(world: &World, server: &ServerId) -> bool {
    let listed = world.client.servers().await;
    listed.is_ok_and(|list| {
        is_unlisted(!list.doubts.is_empty(), list.items.iter().map(|listed| &listed.reference.id), server)
    })
}
