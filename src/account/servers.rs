//! The account's servers, as listed by the provider and stored. If a list is doubtful, stored servers that it lacks
//! still count as present.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::account::fleet;
use crate::clock::Clock;
use crate::config::Config;
use crate::journal::notice::{Fact, Notice};
use crate::policy::inventory::{Server, ServerId};
use crate::policy::name::PolicyName;
use crate::provider::{self, Client, ProviderError};
use crate::store::{Store, StoreError};

/// Why there is no list of the account's servers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerListError {
    /// The provider could not be asked, or refused.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The account's servers.
#[derive(Clone, Debug)]
pub(crate) struct AccountServers {
    /// The servers of the list. When it is doubtful, the stored servers that it lacks are among them.
    pub servers: Vec<Server>,
    /// What could not be read or proved about the list.
    pub doubt: Option<String>,
    /// Whether it lacks servers that count as present until several lists lack them.
    pub missing: bool,
}

/// Lists the account's servers and stores the list. Servers that are gone are reported.
///
/// # Errors
/// `Provider` when they cannot be listed; what the state says.
pub(crate) async fn list_and_store(
    client: &Client,
    store: &Store,
    clock: &Clock,
    config: &Arc<Config>,
) -> Result<AccountServers, ServerListError> {
    let listing = client.servers().await?;
    let file = Arc::clone(config);
    let tell = move |server: &Server| {
        let policies: Vec<PolicyName> =
            fleet::tasks_of_server(&file, server).iter().map(|task| task.policy.name.clone()).collect();
        let fact = (!policies.is_empty()).then_some(Fact::ServerGone { policies });
        fact.map(|fact| Notice::of_server(server.reference.clone(), fact))
    };
    let now = clock.now();
    let provider_time = listing.provider_time;
    let account = with_stored(store, listing).await?;
    let missing = store.save_servers(account.servers.clone(), (now, config.provider.settle), tell).await?;
    if config.smtp.is_none() {
        // Nobody will be told of these notices.
        store.close_notices_before(now.checked_sub(config.state_keep).unwrap_or(Timestamp::MIN)).await?;
    }
    // By the earlier of both clocks, so that a clock that was set forward does not prune what is still needed.
    store.prune_daily(config.state_keep, provider_time.map_or(now, |time| time.min(now))).await?;
    Ok(AccountServers { missing: !missing.is_empty(), servers: [account.servers, missing].concat(), ..account })
}

/// The servers of a list; when it is doubtful, those that it lacks may be the ones that could not be read.
async fn with_stored(store: &Store, listing: provider::Listing<Server>) -> Result<AccountServers, StoreError> {
    let provider::Listing { items: mut servers, doubts, .. } = listing;
    if doubts.is_empty() {
        return Ok(AccountServers { servers, doubt: None, missing: false });
    }
    let doubt = doubts.join("; ");
    tracing::warn!("the server list is doubtful, so servers that it lacks count as present: {doubt}");
    let shown: HashSet<ServerId> = servers.iter().map(|server| server.reference.id.clone()).collect();
    servers.extend(stored_servers(store).await?.into_iter().filter(|server| !shown.contains(&server.reference.id)));
    Ok(AccountServers { servers, doubt: Some(doubt), missing: false })
}

/// Lists the account's servers and stores nothing.
///
/// # Errors
/// `Provider` when they cannot be listed; what the state says.
pub(crate) async fn list_servers(client: &Client, store: &Store) -> Result<AccountServers, ServerListError> {
    Ok(with_stored(store, client.servers().await?).await?)
}

/// As `list_and_store`, but falls back to the stored list when the servers cannot be listed.
///
/// # Errors
/// `Provider` when there is no stored list either; what the state says.
pub(crate) async fn refresh_servers(
    client: &Client,
    store: &Store,
    clock: &Clock,
    config: &Arc<Config>,
) -> Result<AccountServers, ServerListError> {
    let error = match list_and_store(client, store, clock, config).await {
        Err(ServerListError::Provider(error)) => error,
        other => return other,
    };
    let stored = stored_servers(store).await?;
    if stored.is_empty() {
        return Err(error.into());
    }
    tracing::warn!("the servers could not be listed, so the stored list is used: {error}");
    Ok(AccountServers { servers: stored, doubt: None, missing: false })
}

/// The servers that the last list showed.
///
/// # Errors
/// What the state says.
pub(crate) async fn stored_servers(store: &Store) -> Result<Vec<Server>, StoreError> {
    let known = store.servers().await?.into_iter();
    Ok(known.filter(|known| known.gone_at.is_none()).map(|known| known.server).collect())
}
