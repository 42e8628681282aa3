//! The account's servers: listed in the background, one listing at a time, so that a provider that is slow or silent
//! holds up nothing. Until a list comes, the stored one serves.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::Config;
use crate::daemon::fleet;
use crate::journal::notice::{Fact, Notice, Recovery};
use crate::policy::inventory::{Id, Server};
use crate::provider::{self, ProviderError};
use crate::run::World;
use crate::store::{Store, StoreError};

/// The account's servers are listed again after this long.
const LIST_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// After a failure; twice as long after each further one.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// So many failures in a row are told, though a stored list serves: the provider may be away for a moment.
const FAILURES_TOLD: u32 = 4;

/// What a listing brought: the servers, stored already, or why there is no list.
pub(super) type Listed = Result<Result<AccountServers, ProviderError>, StoreError>;

/// The account's servers.
#[derive(Clone, Debug)]
pub struct AccountServers {
    /// Those that were listed. From a list in doubt, the stored ones that it lacks are taken to be there still.
    pub servers: Vec<Server>,
    /// What could not be read or proved of the list.
    pub doubt: Option<String>,
    /// Whether it lacks servers that are taken to be there until several lists lack them.
    pub missing: bool,
}

/// The listing under way, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct Listing {
    under_way: Option<JoinHandle<Listed>>,
    /// When the last one began or failed; `None` asks for one now.
    last: Option<Timestamp>,
    /// The same by a clock that nobody sets.
    last_by_elapsed: Option<Instant>,
    failures: u32,
    /// The last list lacked servers: it is read again soon.
    missing: bool,
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Listing {
    /// Starts one if it is time for it and none is under way.
    pub(super) fn start_if_due(&mut self, world: &World, config: &Arc<Config>) {
        let now = world.clock.now();
        let pause = match self.failures {
            0 if self.missing => SignedDuration::try_from(world.settings().settle / 2).unwrap_or(LIST_AGAIN),
            0 => LIST_AGAIN,
            failures => (AFTER_FAILURE * (1_i32 << (failures - 1).min(5))).min(LONGEST_PAUSE),
        };
        // A clock that was set back must not put it off.
        let elapsed = self.last_by_elapsed.map(|last| SignedDuration::try_from(last.elapsed()).unwrap_or(pause));
        let due = self.last.is_none_or(|last| now < last || last.duration_until(now) >= pause)
            || elapsed.is_none_or(|elapsed| elapsed >= pause);
        if self.under_way.is_none() && due {
            (self.last, self.last_by_elapsed) = (Some(now), Some(Instant::now()));
            let (world, config) = (world.clone(), Arc::clone(config));
            self.under_way = Some(tokio::spawn(async move { list(&world, &config).await }));
        }
    }

    /// The file has changed: what is under way is given up, and the next one is due at once.
    pub(super) fn again(&mut self) {
        self.give_up();
        self.last = None;
        self.failures = 0;
    }

    fn give_up(&mut self) {
        if let Some(task) = self.under_way.take() {
            task.abort();
        }
    }

    /// What the listing under way brings. Never done while there is none; nothing is lost when it is dropped.
    pub(super) async fn done(&mut self) -> Listed {
        let Some(task) = &mut self.under_way else { return std::future::pending().await };
        let done = task.await;
        self.under_way = None;
        done.unwrap_or_else(|error| Err(StoreError::Value(format!("a listing was cut off: {error}"))))
    }

    /// Counts what a listing brought. True when a failure is to be told: at once when the provider refuses us or no list
    /// is stored, else when it lasts. A list in doubt is a failure that may pass, too.
    pub(super) fn told(
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
        at_once || self.failures >= FAILURES_TOLD
    }
}

/// Lists the account's servers and stores them; tells of those that are gone.
async fn list(world: &World, config: &Arc<Config>) -> Listed {
    let listing = match world.client.servers().await {
        Ok(listing) => listing,
        Err(error) => return Ok(Err(error)),
    };
    let file = Arc::clone(config);
    let tell = move |server: &Server| {
        let policies: Vec<String> =
            fleet::tasks_of(&file, server).iter().map(|task| task.policy.name.to_string()).collect();
        let fact = (!policies.is_empty()).then_some(Fact::ServerGone { policies });
        fact.map(|fact| Notice::of_server(server.reference.clone(), fact))
    };
    let now = world.clock.now();
    let provider_time = listing.provider_time;
    let account = known(&world.store, listing).await?;
    let missing = world.store.save_servers(account.servers.clone(), (now, world.settings().settle), tell).await?;
    if config.smtp.is_none() {
        // Nobody will ever be told of them.
        world.store.close_notices_before(now.checked_sub(config.state_keep).unwrap_or(Timestamp::MIN)).await?;
    }
    // By the earlier of both clocks: one that was set forward must not make us forget.
    world.store.prune_daily(config.state_keep, provider_time.map_or(now, |time| time.min(now))).await?;
    Ok(Ok(AccountServers { missing: !missing.is_empty(), servers: [account.servers, missing].concat(), ..account }))
}

/// What a list shows; where it is in doubt, a server that it lacks may be the one that could not be read.
async fn known(store: &Store, listing: provider::Listing<Server>) -> Result<AccountServers, StoreError> {
    let provider::Listing { items: mut servers, doubts, .. } = listing;
    if doubts.is_empty() {
        return Ok(AccountServers { servers, doubt: None, missing: false });
    }
    let doubt = doubts.join("; ");
    tracing::warn!("the list of the account's servers is in doubt, and what it lacks counts as there still: {doubt}");
    let shown: HashSet<Id> = servers.iter().map(|server| server.reference.id.clone()).collect();
    servers.extend(stored(store).await?.into_iter().filter(|server| !shown.contains(&server.reference.id)));
    Ok(AccountServers { servers, doubt: Some(doubt), missing: false })
}

/// Lists the account's servers and stores nothing.
///
/// # Errors
/// `Err` of the provider when they cannot be listed; what the state says.
pub async fn list_servers(world: &World) -> Result<Result<AccountServers, ProviderError>, StoreError> {
    match world.client.servers().await {
        Ok(listing) => known(&world.store, listing).await.map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// Lists the account's servers and stores them; tells of those that are gone. When they cannot be listed, the stored
/// list serves, if there is one.
///
/// # Errors
/// `Err` of the provider when there is no stored list either; what the state says.
pub async fn refresh_servers(
    world: &World,
    config: &Arc<Config>,
) -> Result<Result<AccountServers, ProviderError>, StoreError> {
    let error = match list(world, config).await? {
        Ok(account) => return Ok(Ok(account)),
        Err(error) => error,
    };
    let stored = stored(&world.store).await?;
    if stored.is_empty() {
        return Ok(Err(error));
    }
    tracing::warn!("the servers could not be listed, so the stored list serves: {error}");
    Ok(Ok(AccountServers { servers: stored, doubt: None, missing: false }))
}

/// The servers that the last list showed.
pub(super) async fn stored(store: &Store) -> Result<Vec<Server>, StoreError> {
    let known = store.servers().await?.into_iter();
    Ok(known.filter(|known| known.gone_at.is_none()).map(|known| known.server).collect())
}

/// Tells what a listing brought: that it failed or is in doubt, if that is to be told, or that it is well again.
pub(super) async fn tell_listed(
    store: &Store,
    listed: &Result<AccountServers, ProviderError>,
    (stored, tell): (bool, bool),
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
    if tell { store.keep_telling(notice, now).await } else { Ok(()) }
}
