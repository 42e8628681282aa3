//! When the account's servers are listed: in the background and one listing at a time, so that a slow or silent
//! provider delays nothing. Until a list arrives, the stored one is used.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::account::{AccountServers, ServerListError, list_and_store};
use crate::config::Config;
use crate::journal::notice::{Fact, Notice, Recovery};
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

type ListResult = Result<AccountServers, ServerListError>;

/// How a listing ended.
#[derive(Debug)]
pub(super) enum ListingEnd {
    /// With the servers, already stored, or with why the provider gave no list.
    Listed(Result<AccountServers, ProviderError>),
    /// A bug has interrupted it.
    Interrupted(JoinError),
}

/// The listing in progress, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct ServerListing {
    in_progress: Option<JoinHandle<ListResult>>,
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
        if self.in_progress.is_none() && self.is_due(now, world.settings().settle) {
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

    /// How the listing in progress ends. Never completes without one; nothing is lost when it is dropped.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn done(&mut self) -> Result<ListingEnd, StoreError> {
        let Some(task) = &mut self.in_progress else { return std::future::pending().await };
        let done = task.await;
        self.in_progress = None;
        match done {
            Ok(Ok(account)) => Ok(ListingEnd::Listed(Ok(account))),
            Ok(Err(ServerListError::Provider(error))) => Ok(ListingEnd::Listed(Err(error))),
            Ok(Err(ServerListError::Store(error))) => Err(error),
            Err(error) => Ok(ListingEnd::Interrupted(error)),
        }
    }

    /// A bug has interrupted a listing: that is reported, and it is started again after a pause.
    pub(super) async fn interrupted(
        &mut self,
        store: &Store,
        error: &JoinError,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.failed(now);
        let error = format!("a fault of lastgood interrupted it, and it is tried again after a pause: {error}");
        let notice = Notice::new(Fact::ServerListUnreadable { stored: true, error });
        tracing::error!("{notice}");
        store.add_lasting_notice(notice, now).await
    }

    fn failed(&mut self, now: Timestamp) {
        (self.last, self.last_by_elapsed) = (Some(now), Some(Instant::now()));
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether the next one is due.
    fn is_due(&self, now: Timestamp, settle: Duration) -> bool {
        let pause = match self.failures {
            0 if self.missing => SignedDuration::try_from(settle / 2).unwrap_or(LIST_AGAIN),
            0 => LIST_AGAIN,
            failures => (AFTER_FAILURE * (1_i32 << (failures - 1).min(5))).min(LONGEST_PAUSE),
        };
        // A clock that was set back must not delay it.
        let elapsed = self.last_by_elapsed.map(|last| SignedDuration::try_from(last.elapsed()).unwrap_or(pause));
        self.last.is_none_or(|last| now < last || last.duration_until(now) >= pause)
            || elapsed.is_none_or(|elapsed| elapsed >= pause)
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
        self.failed(now);
        at_once || self.failures >= REPORTED_FAILURES
    }
}

/// Reports what a listing brought: that it failed or is doubtful, if that is to be reported, or that it works again.
pub(super) async fn report_listing(
    store: &Store,
    listed: &Result<AccountServers, ProviderError>,
    (stored, report): (bool, bool),
    now: Timestamp,
) -> Result<(), StoreError> {
    let notice = Notice::new(match listed {
        Ok(AccountServers { doubt: None, .. }) => return store.recover(Recovery::ServersListed, now).await,
        Ok(AccountServers { doubt: Some(doubt), .. }) => Fact::ServerListDoubtful { doubt: doubt.clone() },
        Err(error) => Fact::ServerListUnreadable { stored, error: error.to_string() },
    });
    if listed.is_err() {
        tracing::error!("{notice}");
    }
    if report { store.add_lasting_notice(notice, now).await } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_listing_that_a_bug_interrupts_is_reported_once_and_tried_again_after_a_pause() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::own(dir.path()).unwrap();
        let mut listing = ServerListing::default();
        let mut now: Timestamp = "2026-11-21T02:30:00Z".parse().unwrap();
        for minutes in [1, 2] {
            listing.in_progress = Some(tokio::spawn(async { panic!("a bug") }));
            let ListingEnd::Interrupted(error) = listing.done().await.unwrap() else { panic!("it has a bug") };
            listing.interrupted(&store, &error, now).await.unwrap();
            let told = store.incidents().await.unwrap();
            assert!(told.len() == 1 && told[0].text.contains("fault of lastgood"), "{told:?}");
            let settle = Duration::from_mins(1);
            now += SignedDuration::from_mins(minutes) - SignedDuration::from_secs(1);
            assert!(listing.in_progress.is_none() && !listing.is_due(now, settle));
            now += SignedDuration::from_secs(1);
            assert!(listing.is_due(now, settle));
        }
        let complete = Ok(AccountServers { servers: Vec::new(), doubt: None, missing: false });
        assert!(!listing.is_worth_reporting(&complete, true, now));
        report_listing(&store, &complete, (true, false), now).await.unwrap();
        assert_eq!(store.incidents().await.unwrap().len(), 0, "it has recovered");
    }
}
