//! The service in this process: the text of a policy file, the simulator, the real client and store, and a clock that the
//! test moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lastgood::seams::account;
use lastgood::seams::cli::world::{open_world, run_settings};
use lastgood::seams::clock::{Clock, VirtualClock};
use lastgood::seams::config::{Config, Environment, parse};
use lastgood::seams::daemon::{NewConfig, ReloadConfig, Service, Wake};
use lastgood::seams::policy::inventory::{Server, ServerId, ServerRef, ServerStatus};
use lastgood::seams::policy::task::Task;
use lastgood::seams::provider::{Client, ClientSettings};
use lastgood::seams::store::Store;
use lastgood::simulator::{Options, Simulator};
use tokio::sync::Notify;

use crate::support::in_process::{client, folder};
use crate::support::policy_text::{MAIL_TO_FILES, oncall, provider};

/// A time on 21 November 2026, or on the day that the text names.
pub fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("2026-11-21T{text}") };
    format!("{text}Z").parse().unwrap()
}

/// A policy file with these policies.
pub fn config(folder: &Path, policies: &str) -> Config {
    let text =
        provider("http://127.0.0.1:9", "poll = \"1s\"\nparallel_runs = 3") + MAIL_TO_FILES + &oncall("") + policies;
    let (config, findings) = parse(&text, folder, &Environment::default(), at("00:00:00"));
    config.unwrap_or_else(|| panic!("{findings:?}"))
}

/// A server as the provider lists it.
pub fn server(id: i64) -> Server {
    let name = format!("web-server-{id:02}");
    let reference = ServerRef { id: ServerId::Number(id), name: name.clone() };
    Server { reference, keys: vec![id.to_string(), name], status: ServerStatus::Active }
}

/// Every policy on this many servers.
pub fn tasks(config: &Config, servers: i64) -> Vec<Task> {
    account::tasks(config, &(1..=servers).map(server).collect::<Vec<_>>())
}

/// The service in this process.
pub struct SimulatedDaemon {
    pub simulator: Simulator,
    pub clock: VirtualClock,
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub config: Arc<Config>,
    client: Client,
}

impl SimulatedDaemon {
    /// It is 21 November 2026, 02:00 UTC.
    pub fn new(options: Options, policies: &str) -> Self {
        Self::with_provider_time(options, policies, |now| now)
    }

    /// The same with a provider whose clock shows `shown(now)`.
    pub fn with_provider_time(
        options: Options,
        policies: &str,
        shown: impl Fn(Timestamp) -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let clock = VirtualClock::new(at("02:00:00"));
        let theirs = clock.clone();
        let simulator = Simulator::new(options, Arc::new(move || shown(theirs.now())));
        let folder = folder();
        let config = Arc::new(config(folder.path(), policies));
        let store = Store::own(&config.state_dir).unwrap();
        let client = client(&Clock::Virtual(clock.clone()), simulator.router(), "vps_test");
        Self { simulator, clock, folder, store, config, client }
    }

    /// The same with this many requests a second at most.
    pub fn at_rate(self, per_second: u32) -> Self {
        let settings = ClientSettings {
            url: "http://127.0.0.1:9/api/v1".to_owned(),
            token: "vps_test".to_owned().into(),
            timeout: Duration::from_secs(30),
            requests_per_second: per_second,
            poll: Duration::from_secs(1),
            ca_file: None,
        };
        let clock = Clock::Virtual(self.clock.clone());
        self.client.replace_with(&Client::in_process(settings, clock, self.simulator.router()).unwrap());
        self
    }

    /// A service. A reload gets what `again` returns.
    pub fn service(
        &self,
        again: impl Fn() -> Result<(Arc<Config>, Client), String> + Send + Sync + 'static,
    ) -> Service {
        let clock = Clock::Virtual(self.clock.clone());
        let (world, stop) = open_world(&self.config, self.client.clone(), self.store.clone(), clock);
        let reload_config: ReloadConfig = Arc::new(move || {
            again().map(|(config, client)| NewConfig { settings: run_settings(&config), config, client })
        });
        Service::new(world, stop, Arc::clone(&self.config), reload_config)
    }

    /// Runs the service for this long, with a tick every second.
    pub async fn run_for(&self, time: Duration) {
        let wake = Arc::new(Notify::new());
        let ring = Arc::clone(&wake);
        let bell = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                ring.notify_one();
            }
        });
        self.run_woken_by(wake, time).await;
        bell.abort();
    }

    /// The same, ticking only when `wake` is notified.
    pub async fn run_woken_by(&self, wake: Arc<Notify>, time: Duration) {
        let service = self.service(|| Err("there is no other file".to_owned()));
        service.run(async || tick(&wake).await, tokio::time::sleep(time)).await.unwrap();
    }

    /// The mails in the folder, by file name.
    pub fn mails(&self) -> Vec<String> {
        read_mails(&self.folder.path().join("mail"))
    }
}

/// Waits for `wake`, then ticks.
async fn tick(wake: &Notify) -> Wake {
    wake.notified().await;
    Wake::Tick
}

/// The mails of a folder, oldest first.
pub fn read_mails(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}
