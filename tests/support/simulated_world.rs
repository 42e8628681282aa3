//! What single runs need: the simulator in this process under paused time, the real client, the real store on a real file.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lastgood::seams::clock::{Clock, VirtualClock};
use lastgood::seams::journal::event::RunKey;
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::mark::{Mark, Token};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::{Policy, Prune};
use lastgood::seams::policy::schedule::Schedule;
use lastgood::seams::policy::selector::Selector;
use lastgood::seams::provider::Watch;
use lastgood::seams::run::{InForce, Leases, Random, Settings, Task, World};
use lastgood::seams::store::Store;
use lastgood::seams::store::runs::{Recorded, Run};
use lastgood::simulator::{self, Options, PointSpec, Simulator};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, watch};

use super::in_process::{client, folder};

/// A provider, a state folder, and the world of the runs between them.
pub struct SimulatedWorld {
    pub simulator: Simulator,
    pub world: World,
    pub clock: VirtualClock,
    pub stop: watch::Sender<bool>,
    pub dir: tempfile::TempDir,
}

impl SimulatedWorld {
    /// A provider that behaves as the options say. It is the 21st of November 2026, 02:30 UTC.
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
}

/// A world over this state.
pub fn world(simulator: &Simulator, clock: &VirtualClock, store: Store) -> (World, watch::Sender<bool>) {
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
        run_permits: Arc::new(Semaphore::new(8)),
        stop: stopped,
        progress: None,
    };
    (world, stop)
}

/// A completed point of the policy `nightly`, made this many days ago under an earlier journal.
pub fn ours(kind: simulator::PointKind, days: u32) -> PointSpec {
    let mark = Mark {
        token: Token::from_random(u64::from(days) * 1_000_003),
        instance: "main".to_owned(),
        policy: "nightly".parse().unwrap(),
        due: "2026-11-21T02:30:00Z".parse::<Timestamp>().unwrap() - SignedDuration::from_hours(24 * i64::from(days)),
    };
    PointSpec {
        name: (kind == simulator::PointKind::Snapshot).then(|| mark.name()),
        description: mark.description(),
        ..PointSpec::aged(kind, "web-server-01", i64::from(days) * 86_400)
    }
}

/// A policy `nightly` that keeps the last `last`.
pub fn policy(kind: Kind, last: u32) -> Policy {
    Policy {
        servers: vec![Selector::new("*")],
        schedule: Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap(),
        keep: Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() },
        prune: Prune::Own,
        retries: 2,
        retry_after: Duration::from_secs(900),
        catch_up: Duration::from_secs(43_200),
        max_age: Duration::from_secs(93_600),
        enabled: true,
        ..Policy::removed(PolicyName::new("nightly").unwrap(), kind)
    }
}
