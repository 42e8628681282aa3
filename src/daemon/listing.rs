//! When the account's servers are listed: in the background and one listing at a time, so that a slow or silent provider
//! delays nothing. Until a list arrives, the stored one is used.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::account::{AccountServers, ServerList, list_and_store};
use crate::config::Config;
use crate::journal::notice::{Class, Notice, Topic};
use crate::provider::ProviderError;
use crate::run::World;
use crate::store::{Store, StoreError};

/// The account's servers are listed again after this long.
const LIST_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// The pause after a failure; twice as long after each further one.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// This many failures in a row are reported, even with a stored list; before that the provider may just be busy.
const REPORTED_FAILURES: u32 = 4;

/// The listing in progress, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct ServerListing {
    in_progress: Option<JoinHandle<ServerList>>,
    /// When the last one began or failed; `None` asks for one now.
    last: Option<Timestamp>,
    /// The same by elapsed time.
    last_by_elapsed: Option<Instant>,
    failures: u32,
    /// The last list lacked servers, so it is read again soon.
    missing: bool,
}

impl Drop for ServerListing {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl ServerListing {
    /// Starts a listing if one is due and none is in progress.
    pub(super) fn start_if_due(&mut self, world: &World, config: &Arc<Config>) {
        let now = world.clock.now();
        let pause = match self.failures {
            0 if self.missing => SignedDuration::try_from(world.settings().settle / 2).unwrap_or(LIST_AGAIN),
            0 => LIST_AGAIN,
            failures => (AFTER_FAILURE * (1_i32 << (failures - 1).min(5))).min(LONGEST_PAUSE),
        };
        // A clock that was set back must not delay it.
        let elapsed = self.last_by_elapsed.map(|last| SignedDuration::try_from(last.elapsed()).unwrap_or(pause));
        let due = self.last.is_none_or(|last| now < last || last.duration_until(now) >= pause)
            || elapsed.is_none_or(|elapsed| elapsed >= pause);
        if self.in_progress.is_none() && due {
            (self.last, self.last_by_elapsed) = (Some(now), Some(Instant::now()));
            let World { client, store, clock, .. } = world.clone();
            let config = Arc::clone(config);
            self.in_progress =
                Some(tokio::spawn(async move { list_and_store(&client, &store, &clock, &config).await }));
        }
    }

    /// The policy file has changed: a listing in progress is abandoned, and the next one is due at once.
    pub(super) fn list_again(&mut self) {
        self.abandon();
        self.last = None;
        self.failures = 0;
    }

    fn abandon(&mut self) {
        if let Some(task) = self.in_progress.take() {
            task.abort();
        }
    }

    /// What the listing in progress brings. Never completes without one; nothing is lost when it is dropped.
    pub(super) async fn done(&mut self) -> ServerList {
        let Some(task) = &mut self.in_progress else { return std::future::pending().await };
        let done = task.await;
        self.in_progress = None;
        done.unwrap_or_else(|error| Err(StoreError::Value(format!("a listing was interrupted: {error}"))))
    }

    /// Counts what a listing brought. True when a failure is to be reported: at once when the provider refuses us or no
    /// list is stored, else when it persists. A doubtful list is a failure that may pass, too.
    pub(super) fn is_worth_reporting(
        &mut self,
        listed: &Result<AccountServers, ProviderError>,
        stored: bool,
        now: Timestamp,
    ) -> bool {
        self.missing = listed.as_ref().is_ok_and(|listed| listed.missing);
        let at_once = match listed {
            Ok(AccountServers { doubt: None, .. }) => {
                self.failures = 0;
                return false;
            }
            Ok(_) => !stored,
            Err(error) => error.is_refusal() || !stored,
        };
        (self.last, self.last_by_elapsed) = (Some(now), Some(Instant::now()));
        self.failures = self.failures.saturating_add(1);
        at_once || self.failures >= REPORTED_FAILURES
    }
}

/// A notice that belongs to no server and no policy.
pub(super) fn plain(topic: Topic, text: String) -> Notice {
    Notice::new(Class::Failure, topic, text)
}

/// Reports what a listing brought: that it failed or is doubtful, if that is to be reported, or that it works again.
pub(super) async fn report_listing(
    store: &Store,
    listed: &Result<AccountServers, ProviderError>,
    (stored, report): (bool, bool),
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = match listed {
        Ok(AccountServers { doubt: None, .. }) => {
            let recovery = recovery(Topic::Attention, "the account's servers can be listed again");
            return store.recover(recovery, now).await;
        }
        Ok(AccountServers { doubt: Some(doubt), .. }) => format!(
            "the list of the account's servers is in doubt: {doubt}; a server that it lacks counts as there still, and a \
             new one that cannot be read is not taken up"
        ),
        Err(error) => {
            let serves = if stored { "the stored list serves" } else { "no list is stored" };
            format!("the account's servers cannot be listed, {serves}: {error}")
        }
    };
    if listed.is_err() {
        tracing::error!("{text}");
    }
    if report { store.keep_telling(plain(Topic::Attention, text), now).await } else { Ok(()) }
}

/// That something works again; it belongs to no server and no policy.
pub(super) fn recovery(topic: Topic, text: &str) -> Notice {
    Notice { class: Class::Recovery, ..plain(topic, text.to_owned()) }
}
