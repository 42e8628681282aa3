//! A reload: the file is read again and takes over as a whole, or not at all. Token, URL, timeouts, rate and slots reach
//! the runs in progress too; the one client is kept, and what it holds is exchanged.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::daemon::service::settings;
use crate::daemon::{Files, Service, ServiceError, notify};
use crate::journal::notice::{Fact, Notice, Recovery};
use crate::provider::Client;
use crate::store::Store;

/// The fact that holds the text of the file in force, for `status` while the file that is there is not valid.
pub const IN_FORCE: &str = "policy_file";

/// The file as it is read now, or why it cannot be taken over.
type Read = Result<(Arc<Config>, Client), String>;

/// The reading of the file that is under way. It may lie on a folder that does not answer, so nothing waits for it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    under_way: Option<JoinHandle<Read>>,
    /// A reload was asked for while the file was being read: it is read once more.
    again: bool,
}

impl Reading {
    /// What the reading under way brings. Never done while there is none; nothing is lost when it is dropped.
    pub(super) async fn done(&mut self) -> Read {
        let Some(task) = &mut self.under_way else { return std::future::pending().await };
        let read = task.await;
        self.under_way = None;
        read.unwrap_or_else(|error| Err(format!("the file could not be read: {error}")))
    }

    fn start(&mut self, files: &Files, store: &Store) {
        if self.under_way.is_some() {
            self.again = true;
            return;
        }
        let (files, store) = (Arc::clone(files), store.clone());
        self.under_way = Some(tokio::spawn(async move {
            let read = store.blocking(move || files()).await;
            read.unwrap_or_else(|error| Err(format!("the file could not be read: {error}")))
        }));
    }
}

impl Service {
    /// A reload was asked for: the file is read again.
    pub(super) fn reload(&mut self) {
        notify::reloading();
        self.reading.start(&self.files, &self.world.store);
    }

    /// The file was read. A bad one never takes over.
    pub(super) async fn reloaded(&mut self, read: Read) -> Result<(), ServiceError> {
        match read {
            Ok((config, client)) => self.take_over(config, client).await?,
            Err(errors) => self.refuse(errors).await?,
        }
        if std::mem::take(&mut self.reading.again) {
            self.reading.start(&self.files, &self.world.store);
        } else {
            notify::tell(&[NotifyState::Ready]);
        }
        Ok(())
    }

    async fn take_over(&mut self, config: Arc<Config>, client: Client) -> Result<(), ServiceError> {
        self.world.client.exchange(&client);
        self.world.settings.exchange(settings(&config));
        resize(&self.world.places, self.config.provider.parallel_runs, config.provider.parallel_runs);
        let store = self.world.store.clone();
        if config.state_dir != store.dir() {
            tracing::warn!(
                "[state] dir is {} now: the daemon goes on in {} until it is restarted",
                config.state_dir.display(),
                store.dir().display()
            );
        }
        self.config = config;
        store.set_fact("refused_reload", None).await?;
        store.set_fact(IN_FORCE, Some(self.config.source.clone())).await?;
        store.recover(Recovery::Reloaded, self.world.clock.now()).await?;
        self.follow().await?;
        self.listing.again();
        self.send_mail();
        tracing::info!("the policy file was reloaded and is in force");
        Ok(())
    }

    async fn refuse(&mut self, errors: String) -> Result<(), ServiceError> {
        tracing::error!("the policy file was refused; the previous one stays in force:\n{errors}");
        let store = &self.world.store;
        store.set_fact("refused_reload", Some(errors.clone())).await?;
        let refused = Fact::ReloadRefused { errors };
        store.tell(vec![Notice::new(refused)], self.world.clock.now()).await?;
        self.mail.notify_one();
        Ok(())
    }
}

/// Changes the number of places. Places that are taken away are those that come free next; runs that wait already go
/// before.
fn resize(places: &Arc<Semaphore>, before: u32, after: u32) {
    if after >= before {
        places.add_permits((after - before) as usize);
        return;
    }
    let places = Arc::clone(places);
    tokio::spawn(async move {
        if let Ok(taken) = places.acquire_many_owned(before - after).await {
            taken.forget();
        }
    });
}
