//! What the tests of single runs do with a simulated world: restarts, commands beside it, tasks and runs.

use std::sync::Arc;
use std::time::Duration;

use lastgood::seams::journal::summary::RunSummary;
use lastgood::seams::policy::inventory::{PointId, Server};
use lastgood::seams::policy::plan::Plan;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::{Random, Task, World, drive, inspect};
use lastgood::seams::store::{Store, StoreError};
use lastgood::simulator;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::in_process::folder;
use crate::support::simulated_world::{SimulatedWorld, world};

impl SimulatedWorld {
    /// The process dies and starts again: a new store, client and world over the same folder and provider.
    pub async fn restart(self) -> Self {
        let Self { simulator, world: before, clock, dir, .. } = self;
        let settings = before.settings.clone();
        drop(before);
        // Tasks left behind release the lock when the runtime next polls them; a dead process does at once.
        let store = loop {
            match Store::own(dir.path()) {
                Ok(store) => break store,
                Err(StoreError::Locked(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        store.drop_leases_of_owner().await.unwrap();
        let (mut world, stop) = world(&simulator, &clock, store);
        world.settings = settings;
        Self { simulator, world, clock, stop, dir }
    }

    /// The same with the state folder lost.
    pub fn lose_the_state(mut self) -> Self {
        drop(self.world);
        self.dir = folder();
        let store = Store::own(self.dir.path()).unwrap();
        (self.world, self.stop) = world(&self.simulator, &self.clock, store);
        self
    }

    /// What a command beside the owner of the state has. Each has a seed of its own.
    pub fn beside(&self, seed: u64) -> World {
        let store = Store::beside(self.dir.path()).unwrap();
        let (mut world, _) = world(&self.simulator, &self.clock, store);
        world.settings = self.world.settings.clone();
        world.random = Random::new(StdRng::seed_from_u64(seed));
        world
    }

    pub async fn server(&self) -> Server {
        self.world.client.servers().await.unwrap().items.remove(0)
    }

    pub async fn task(&self, policy: Policy) -> Task {
        let reserve = policy.reserve;
        Task { server: self.server().await, policy: Arc::new(policy), reserve, others: Vec::new() }
    }

    /// The policies of one server and kind.
    pub async fn tasks<const N: usize>(&self, policies: [Policy; N]) -> [Task; N] {
        let server = self.server().await;
        let policies = policies.map(Arc::new);
        let reserve = policies.iter().map(|policy| policy.reserve).max().unwrap_or_default();
        policies.clone().map(|policy| {
            let others = policies.iter().filter(|other| other.name != policy.name).cloned().collect();
            Task { server: server.clone(), policy, reserve, others }
        })
    }

    pub async fn plan(&self, task: &Task) -> Plan {
        inspect(&self.world, task).await.unwrap().plan(&self.world, task, 0)
    }

    /// One run by hand, a minute after what was before.
    pub async fn run(&self, task: &Task) -> RunSummary {
        tokio::time::advance(Duration::from_secs(60)).await;
        let run = self.open(task, None).await;
        drive(&self.world, task, run).await.unwrap()
    }

    /// The ids that the provider has of a kind on the first server.
    pub fn ids(&self, kind: simulator::PointKind) -> Vec<PointId> {
        let account = self.simulator.account();
        let points = account.points_of(kind, "web-server-01");
        points.iter().map(|point| PointId::Number(point.id)).collect()
    }

    /// How many requests of this method the provider has seen for paths that begin so.
    pub fn sent(&self, method: &str, path: &str) -> usize {
        let account = self.simulator.account();
        account.record().requests().filter(|it| it.method == method && it.path.starts_with(path)).count()
    }

    /// Whether the provider has refused a create for want of a slot.
    pub fn limit_met(&self) -> bool {
        self.simulator.account().record().requests().any(|request| request.account_status == Some(400))
    }
}
