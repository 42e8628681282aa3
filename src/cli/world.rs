//! Builds what all runs share from the policy file.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::policy::inventory::Kind;
use crate::provider::{Client, Watch};
use crate::run::{InForce, Leases, Random, Settings, World};
use crate::store::Store;

/// What runs share, and the sender that stops them.
#[must_use]
pub fn open_world(config: &Config, client: Client, store: Store, clock: Clock) -> (World, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    let world = World {
        watch: Watch::new(client.clone()),
        client,
        store,
        clock,
        settings: run_settings(config).into(),
        in_force: InForce::default(),
        random: Random::new(rand::make_rng()),
        leases: Leases::default(),
        run_permits: Arc::new(Semaphore::new(config.provider.parallel_runs as usize)),
        stop: stopped,
        progress: None,
    };
    (world, stop)
}

/// The settings that runs take from the file.
#[must_use]
pub fn run_settings(config: &Config) -> Settings {
    let provider = &config.provider;
    Settings {
        instance: provider.instance.clone(),
        slots: Kind::ALL.into_iter().map(|kind| (kind, provider.slots.of(kind))).collect(),
        settle: provider.settle,
        poll: provider.poll,
        timeout: provider.timeout,
    }
}
