//! In-process: a policy file's text, the simulator as a service, the real client and store, and a clock that the test
//! moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lastgood::account;
use lastgood::cli::world::{open_world, run_settings};
use lastgood::clock::{Clock, VirtualClock};
use lastgood::config::{Config, Environment, parse};
use lastgood::daemon::{NewConfig, ReloadConfig, Service, Wake};
use lastgood::policy::inventory::{Id, Server, ServerRef, ServerStatus};
use lastgood::policy::task::Task;
use lastgood::provider::{Client, ClientSettings};
use lastgood::simulator::{Options, Simulator};
use lastgood::store::Store;
use tokio::sync::Notify;

/// A moment of the 21st of November 2026, or of the day that is named.
pub fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("2026-11-21T{text}") };
    format!("{text}Z").parse().unwrap()
}

/// The policy file with these lines of policies.
pub fn config(folder: &Path, policies: &str) -> Config {
    let text = format!(
        r#"[provider]
url = "http://127.0.0.1:9/api/v1"
token_file = "token"
requests_per_second = 1000
poll = "1s"
parallel_runs = 3
[state]
dir = "state"
[smtp]
transport = "file"
dir = "mail"
from = "backup@example.com"
[report.oncall]
to = ["oncall@example.com"]
{policies}"#
    );
    let (config, findings) = parse(&text, folder, &Environment::default(), at("00:00:00"));
    config.unwrap_or_else(|| panic!("{findings:?}"))
}

/// A server as the provider lists it.
pub fn server(id: i64) -> Server {
    let name = format!("web-server-{id:02}");
    let reference = ServerRef { id: Id::Number(id), name: name.clone() };
    Server { reference, keys: vec![id.to_string(), name], status: ServerStatus::Active }
}

/// Every policy on so many servers.
pub fn tasks(config: &Config, servers: i64) -> Vec<Task> {
    account::tasks(config, &(1..=servers).map(server).collect::<Vec<_>>())
}

/// The service in this process.
pub struct Theatre {
    pub simulator: Simulator,
    pub clock: VirtualClock,
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub config: Arc<Config>,
    client: Client,
}

impl Theatre {
    /// It is the 21st of November 2026, 02:00 UTC.
    pub fn new(options: Options, policies: &str) -> Self {
        Self::with_provider_time(options, policies, |now| now)
    }

    /// The same with a provider that asks `told` what time it is, given the right one.
    pub fn with_provider_time(
        options: Options,
        policies: &str,
        told: impl Fn(Timestamp) -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let clock = VirtualClock::new(at("02:00:00"));
        let theirs = clock.clone();
        let simulator = Simulator::new(options, Arc::new(move || told(theirs.now())));
        let folder = tempfile::tempdir().unwrap();
        let config = Arc::new(config(folder.path(), policies));
        let store = Store::own(&config.state_dir).unwrap();
        let settings = ClientSettings {
            url: config.provider.url.clone(),
            token: "vps_test".to_owned().into(),
            timeout: config.provider.timeout,
            requests_per_second: config.provider.requests_per_second,
            poll: config.provider.poll,
            ca_file: None,
        };
        let client = Client::in_process(settings, Clock::Virtual(clock.clone()), simulator.router()).unwrap();
        Self { simulator, clock, folder, store, config, client }
    }

    /// A service; a reload reads what `again` gives.
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

    /// Runs the service with a tick every second for so long.
    pub async fn play(&self, time: Duration) {
        let wake = Arc::new(Notify::new());
        let ring = Arc::clone(&wake);
        let bell = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                ring.notify_one();
            }
        });
        self.play_woken_by(wake, time).await;
        bell.abort();
    }

    /// The same with other ticks.
    pub async fn play_woken_by(&self, wake: Arc<Notify>, time: Duration) {
        let service = self.service(|| Err("there is no other file".to_owned()));
        service.run(async || tick(&wake).await, tokio::time::sleep(time)).await.unwrap();
    }

    /// The mails in the folder, by file name.
    pub fn mails(&self) -> Vec<String> {
        read_mails(&self.folder.path().join("mail"))
    }
}

/// A tick, once `wake` is notified.
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
