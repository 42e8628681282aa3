//! A reload: the policy file is read again and comes into force as a whole, or not at all. Token, URL, timeouts, rate
//! and slots reach the runs in progress too: there is one client, and its contents are exchanged.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::account;
use crate::config::Config;
use crate::journal::notice::{Fact, Notice, Recovery};
use crate::provider::Client;
use crate::run::{Settings, World};
use crate::store::{Store, StoreError};

/// A policy file that was read, with what is made from it.
#[derive(Clone, Debug)]
pub struct NewConfig {
    /// The file.
    pub config: Arc<Config>,
    /// A client of the provider that it names.
    pub client: Client,
    /// What runs need of it.
    pub settings: Settings,
}

/// Reads the policy file again, or says why it cannot come into force.
pub type ReloadConfig = Arc<dyn Fn() -> Result<NewConfig, String> + Send + Sync>;

/// Reads the policy file in the background: it may be in a folder that does not answer, so nothing waits for it.
pub(super) struct ConfigReader {
    reload_config: ReloadConfig,
    reading: Option<JoinHandle<Result<NewConfig, String>>>,
    /// Another reload was requested while the file was being read: it is read once more.
    reload_again: bool,
}

impl fmt::Debug for ConfigReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigReader").field("reading", &self.reading.is_some()).finish_non_exhaustive()
    }
}

impl ConfigReader {
    pub(super) fn new(reload_config: ReloadConfig) -> Self {
        Self { reload_config, reading: None, reload_again: false }
    }

    /// Starts to read the file, or remembers to read it once more.
    pub(super) fn start(&mut self, store: &Store) {
        if self.reading.is_some() {
            self.reload_again = true;
            return;
        }
        let (reload_config, store) = (Arc::clone(&self.reload_config), store.clone());
        self.reading = Some(tokio::spawn(async move {
            let read = store.blocking(move || reload_config()).await;
            read.unwrap_or_else(|error| Err(format!("the file could not be read: {error}")))
        }));
    }

    /// What was read. Never completes while nothing is being read; nothing is lost when it is dropped.
    pub(super) async fn done(&mut self) -> Result<NewConfig, String> {
        let Some(task) = &mut self.reading else { return std::future::pending().await };
        let read = task.await;
        self.reading = None;
        read.unwrap_or_else(|error| Err(format!("the file could not be read: {error}")))
    }

    /// Whether the file must be read once more; it is no longer remembered then.
    pub(super) fn take_reload_again(&mut self) -> bool {
        std::mem::take(&mut self.reload_again)
    }
}

/// Puts a file into force for all runs, those in progress included, and records that it is.
pub(super) async fn put_in_force(world: &World, before: &Config, new: &NewConfig) -> Result<(), StoreError> {
    let NewConfig { config, client, settings } = new;
    world.client.replace_with(client);
    world.settings.exchange(settings.clone());
    resize(&world.run_permits, before.provider.parallel_runs, config.provider.parallel_runs);
    let store = &world.store;
    if config.state_dir != store.dir() {
        tracing::warn!(
            "[state] dir is now {}: the daemon stays in {} until it is restarted",
            config.state_dir.display(),
            store.dir().display()
        );
    }
    let now = world.clock.now();
    account::put_in_force(store, config.source.clone(), now).await?;
    store.recover(Recovery::Reloaded, now).await?;
    Ok(())
}

/// Reports why a file was refused. The previous one stays in force.
pub(super) async fn refuse(world: &World, errors: String) -> Result<(), StoreError> {
    tracing::error!("the policy file was refused; the previous one stays in force:\n{errors}");
    account::refuse_file(&world.store, errors.clone()).await?;
    world.store.add_notices(vec![Notice::new(Fact::ReloadRefused { errors })], world.clock.now()).await?;
    Ok(())
}

/// Changes the number of run permits. Permits are removed as they become free, after the runs that already wait.
fn resize(permits: &Arc<Semaphore>, before: u32, after: u32) {
    if after >= before {
        permits.add_permits((after - before) as usize);
        return;
    }
    let permits = Arc::clone(permits);
    tokio::spawn(async move {
        if let Ok(removed) = permits.acquire_many_owned(before - after).await {
            removed.forget();
        }
    });
}
