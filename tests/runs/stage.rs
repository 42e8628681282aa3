//! The stage for runs: the simulator in-process under paused time, the real client, the real store on a real file.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lastgood::clock::{Clock, VirtualClock};
use lastgood::journal::event::RunKey;
use lastgood::journal::summary::RunSummary;
use lastgood::policy::inventory::{Id, Kind, Server};
use lastgood::policy::keep::{Count, Keep, Rule};
use lastgood::policy::mark::{Mark, Token};
use lastgood::policy::plan::Plan;
use lastgood::policy::policy::{Policy, PolicyName, Prune};
use lastgood::policy::schedule::Schedule;
use lastgood::policy::selector::Selector;
use lastgood::provider::{Client, Settings as ClientSettings, Watch};
use lastgood::run::{InForce, Leases, Random, Settings, Task, World, drive, inspect};
use lastgood::simulator::{self, Options, PointSpec, Simulator};
use lastgood::store::runs::{Recorded, Run};
use lastgood::store::{Store, StoreError};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, watch};

/// Everything that a run needs.
pub struct Stage {
    pub simulator: Simulator,
    pub world: World,
    pub clock: VirtualClock,
    pub stop: watch::Sender<bool>,
    pub dir: tempfile::TempDir,
}

impl Stage {
    /// A stage whose provider behaves as the options say. It is the 21st of November 2026, 02:30 UTC.
    pub fn new(options: Options) -> Self {
        let clock = VirtualClock::new("2026-11-21T02:30:00Z".parse().unwrap());
        Self::between(options, clock.clone(), clock)
    }

    /// The same with a clock of ours and one of the provider's.
    pub fn between(options: Options, clock: VirtualClock, theirs: VirtualClock) -> Self {
        let simulator = Simulator::new(options, Arc::new(move || theirs.now()));
        let dir = folder();
        let store = Store::own(dir.path()).unwrap();
        let (world, stop) = world(&simulator, &clock, store);
        Self { simulator, world, clock, stop, dir }
    }

    /// The process dies and starts again: a new store, client and world over the same folder and provider.
    pub async fn restart(self) -> Self {
        let Self { simulator, world: before, clock, dir, .. } = self;
        let settings = before.settings.clone();
        drop(before);
        // What was left behind lets go of the lock when the runtime next looks at it, as a dead process does at once.
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
        inspect(&self.world, task).await.unwrap().unwrap().plan(&self.world, task, 0)
    }

    pub async fn open(&self, task: &Task, due: Option<Timestamp>) -> Run {
        let key = RunKey {
            server: task.server.reference.clone(),
            policy: task.policy.name.clone(),
            kind: task.policy.kind,
            due,
        };
        match self.world.store.open_run(key, self.clock.now()).await.unwrap() {
            Recorded::New(run) => *run,
            Recorded::Before => panic!("the due time has a run already"),
        }
    }

    /// One run by hand, a minute after what was before.
    pub async fn run(&self, task: &Task) -> RunSummary {
        tokio::time::advance(Duration::from_secs(60)).await;
        let run = self.open(task, None).await;
        drive(&self.world, task, run).await.unwrap()
    }

    /// The ids that the provider has of a kind on the first server.
    pub fn ids(&self, kind: simulator::Kind) -> Vec<Id> {
        let account = self.simulator.account();
        let points = account.points_of(kind, "web-server-01");
        points.iter().map(|point| Id::Number(point.id)).collect()
    }
}

/// The client of the stage, by a router and with a token.
pub fn client(clock: &Clock, router: axum::Router, token: &str) -> Client {
    let settings = ClientSettings {
        url: "http://127.0.0.1:9/api/v1".to_owned(),
        token: token.to_owned().into(),
        timeout: Duration::from_secs(30),
        requests_per_second: 1000,
        poll: Duration::from_secs(1),
        ca_file: None,
    };
    Client::in_process(settings, clock.clone(), router).unwrap()
}

fn world(simulator: &Simulator, clock: &VirtualClock, store: Store) -> (World, watch::Sender<bool>) {
    let clock = Clock::Virtual(clock.clone());
    let client = client(&clock, simulator.router(), "vps_test");
    let (stop, stopped) = watch::channel(false);
    let settings = Settings {
        instance: "main".to_owned(),
        slots: [(Kind::Backup, 10), (Kind::Snapshot, 5)].into(),
        settle: Duration::from_secs(60),
        poll: Duration::from_secs(1),
        timeout: Duration::from_secs(30),
    };
    let world = World {
        watch: Watch::new(client.clone()),
        client,
        store,
        clock,
        settings: settings.into(),
        in_force: InForce::default(),
        random: Random::new(StdRng::seed_from_u64(7)),
        leases: Leases::default(),
        places: Arc::new(Semaphore::new(8)),
        stop: stopped,
        progress: None,
    };
    (world, stop)
}

/// In memory where there is such a place: these tests end no machine, and write to the disk many thousand times.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A completed point of the policy `nightly`, made so many days ago by an earlier life of the journal.
pub fn ours(kind: simulator::Kind, days: u32) -> PointSpec {
    let mark = Mark {
        token: Token::from_random(u64::from(days) * 1_000_003),
        instance: "main".to_owned(),
        policy: "nightly".to_owned(),
        due: "2026-11-21T02:30:00Z".parse::<Timestamp>().unwrap() - SignedDuration::from_hours(24 * i64::from(days)),
    };
    PointSpec {
        name: (kind == simulator::Kind::Snapshot).then(|| mark.name()),
        description: mark.description(),
        ..PointSpec::aged(kind, "web-server-01", i64::from(days) * 86_400)
    }
}

/// A policy `nightly` that keeps the last `last`.
pub fn policy(kind: Kind, last: u32) -> Policy {
    Policy {
        servers: vec![Selector::new("*")],
        schedule: Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap(),
        keep: Keep { counts: vec![(Rule::Last, Count::Number(last))], ..Keep::default() },
        prune: Prune::Own,
        retries: 2,
        retry_after: Duration::from_secs(900),
        catch_up: Duration::from_secs(43_200),
        max_age: Duration::from_secs(93_600),
        enabled: true,
        ..Policy::departed(PolicyName::new("nightly").unwrap(), kind)
    }
}
