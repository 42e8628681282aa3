//! The simulation: the real daemon, client and store over the simulated provider, in virtual time, with everything
//! that can happen to it. One seed decides all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::cli::world::{open_world, run_settings};
use lastgood::seams::clock::{Clock, VirtualClock};
use lastgood::seams::config::Config;
use lastgood::seams::daemon::{NewConfig, ReloadConfig, Service, Wake};
use lastgood::seams::provider::{Client, ClientSettings};
use lastgood::seams::run::Random;
use lastgood::seams::store::{Store, StoreError};
use lastgood::simulator::{Options, ServerSpec, Simulator};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::audit::Audit;
use crate::events::{LifeEvent, MEANS};
use crate::figures::{Figures, Scale};
use crate::fleet::{self, Knobs};
use crate::followed::FollowedSchedules;
use crate::harvest::Harvest;
use crate::ingredients::Ingredients;
use crate::invariants::{Facts, Invariant};
use crate::mail::PostOffice;
use crate::people::People;
use crate::policy_file::PolicyFile;
use crate::provider::{self, Gate};

/// How often the daemon is woken. Its own timer does that every second; without it the daemon checks every 20 seconds.
const TICK: Duration = Duration::from_secs(120);
/// The seconds of an hour around which something is due, or a bucket ends.
const LOOKS: [u64; 8] = [1, 2, 3, 3_540, 3_541, 3_597, 3_599, 3_600];
/// How every token begins.
pub const TOKEN: &str = "vps_year";
/// For this long after the last event nothing goes wrong, so that everything can finish: until ten to five.
const QUIET: SignedDuration = SignedDuration::from_mins(76 * 60 + 50);

/// Why the daemon's life ends.
pub enum Exit {
    Crash,
    Stop,
    Over,
}

/// A simulation in progress.
pub struct Life {
    pub scale: Scale,
    pub with: Ingredients,
    pub random: StdRng,
    pub simulator: Simulator,
    pub gate: Arc<Gate>,
    pub truth: VirtualClock,
    pub ours: VirtualClock,
    /// How far the daemon's clock is ahead, and the provider's, in seconds.
    pub ahead: i64,
    pub skew: i64,
    /// From when on the daemon's clock was this many seconds ahead.
    pub clocks: Vec<(Timestamp, i64)>,
    pub specs: Vec<ServerSpec>,
    /// Servers that have left the account: a run that has begun there goes on.
    pub gone: Vec<ServerSpec>,
    /// How many servers came later.
    pub came: i64,
    pub file: Arc<Mutex<PolicyFile>>,
    pub agenda: BTreeMap<(Timestamp, LifeEvent), ()>,
    /// Until then every answer may be a failure.
    pub storm_until: Timestamp,
    pub people: People,
    pub post: PostOffice,
    pub audit: Audit,
    pub followed: FollowedSchedules,
    pub figures: Figures,
    end: Timestamp,
    calm: bool,
    pub harvest: Harvest,
    ticks: u64,
}

impl Life {
    /// An account of this size on 1 March 2026, with no points yet.
    pub fn new(scale: Scale) -> Self {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().expect("it is a timestamp");
        let (truth, ours) = (VirtualClock::new(start), VirtualClock::new(start));
        let large = fleet::is_large(scale.servers);
        let specs = fleet::servers(scale.servers);
        let now = truth.clone();
        let options = Options { token: Some(TOKEN.to_owned()), ..provider::options(specs.clone(), scale.seed) };
        let facts = Facts {
            instance: "year".to_owned(),
            reads: false,
            // The longest of the lags that the faults bring.
            list_lag: SignedDuration::from_secs(40),
            ..Facts::default()
        };
        let mut random = StdRng::seed_from_u64(scale.seed);
        let people = StdRng::seed_from_u64(random.random());
        let knobs = Knobs { hour: 2, full: 10, extra: false, renamed: false };
        let with = Ingredients::chosen();
        let mut life = Self {
            scale,
            with,
            random,
            simulator: Simulator::new(options, Arc::new(move || now.now())),
            gate: Arc::default(),
            truth,
            ours,
            ahead: 0,
            skew: 0,
            clocks: vec![(start, 0)],
            specs,
            gone: Vec::new(),
            came: 0,
            file: Arc::new(Mutex::new(PolicyFile::new(knobs, large))),
            agenda: BTreeMap::new(),
            storm_until: start,
            people: People::new(people),
            post: PostOffice::default(),
            audit: Audit::new(facts),
            followed: FollowedSchedules::default(),
            figures: Figures::default(),
            end: start + SignedDuration::from_hours(24 * i64::from(scale.days)),
            calm: false,
            harvest: Harvest::default(),
            ticks: 0,
        };
        if !with.power {
            life.audit.without = vec![Invariant::OffTooLong, Invariant::StartedUnread];
        }
        life.post.writes_digests = with.digests;
        life.begin(start);
        life
    }

    fn begin(&mut self, start: Timestamp) {
        for (event, _) in MEANS {
            if self.with.allow(event) {
                self.again(event, start);
            }
        }
        if self.with.midnights {
            self.simulator.set_options(|options| options.power = Duration::from_secs(90));
        }
        for (event, hours) in [(LifeEvent::OnCall, 11), (LifeEvent::Reap, 12), (LifeEvent::Hour, 1)] {
            self.agenda.insert((start + SignedDuration::from_hours(hours), event), ());
        }
        provider::renew(&self.simulator, &mut self.figures.faults, provider::faults());
    }

    /// Runs the whole simulation and returns what happened.
    pub async fn live(mut self) -> Figures {
        let dir = tempfile::Builder::new().prefix("lastgood-year").tempdir_in(room()).expect("a folder can be made");
        loop {
            let store = self.own(dir.path()).await;
            match self.one_life(&store).await {
                Exit::Over => {
                    self.check();
                    self.finish(&store).await;
                    self.figures.calls = self.gate.calls();
                    self.figures.mails = self.post.sent();
                    self.figures.ended = Some((self.truth.now(), self.ours.now()));
                    provider::renew(&self.simulator, &mut self.figures.faults, Vec::new());
                    self.figures.digests = self.post.digests();
                    return self.figures;
                }
                Exit::Crash => {
                    self.figures.event("crashes");
                    drop(store);
                    let seconds = if self.random.random_bool(0.85) { 1..40 } else { 60..18_000 };
                    self.pause(seconds).await;
                }
                Exit::Stop => {
                    self.figures.event("stops");
                    drop(store);
                    self.pause(2..600).await;
                }
            }
        }
    }

    async fn pause(&mut self, seconds: std::ops::Range<u64>) {
        let seconds = self.random.random_range(seconds);
        let from = self.truth.now();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.audit.truth.facts.was_unreachable(from, self.truth.now());
    }

    /// Tasks left behind release the lock when the runtime next polls them; a dead process does at once.
    async fn own(&self, dir: &Path) -> Store {
        for _ in 0..10_000 {
            match Store::own_simulated(dir) {
                Ok(store) => return store,
                Err(StoreError::Locked(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("a dead daemon holds its state");
    }

    /// From a start to a crash or an end.
    async fn one_life(&mut self, store: &Store) -> Exit {
        let whole = {
            let mut file = self.file.lock().expect("nobody panics with it");
            file.bad = false;
            file.config(self.ours.now())
        };
        self.taken_over(&whole);
        let NewConfig { config, client, .. } = self.reload_config()().expect("the file at a start is good");
        let clock = Clock::Virtual(self.ours.clone());
        let (mut world, stop) = open_world(&config, client, store.clone(), clock);
        world.random = Random::new(StdRng::seed_from_u64(self.random.random()));
        let (wake, mut wakes) = unbounded_channel();
        let service = Service::new(world, stop, config, self.reload_config());
        let (end, ended) = oneshot::channel::<()>();
        let next_wake = async move || match wakes.recv().await {
            Some(wake) => wake,
            None => std::future::pending().await,
        };
        let mut service = Box::pin(service.run(next_wake, async { drop(ended.await) }));
        let exit = tokio::select! {
            biased;
            done = &mut service => {
                self.figures.violation(format!("{}: the daemon ended by itself: {done:?}", self.truth.now()));
                return Exit::Crash;
            }
            exit = self.days(&wake, store) => exit,
        };
        if !matches!(exit, Exit::Crash) {
            end.send(()).expect("the daemon listens");
            if let Err(error) = service.await {
                self.figures.violation(format!("{}: the daemon ended with {error}", self.truth.now()));
            }
        }
        exit
    }

    /// Time passes.
    async fn days(&mut self, wake: &UnboundedSender<Wake>, store: &Store) -> Exit {
        loop {
            let before = self.truth.now();
            let crash = tokio::select! {
                biased;
                () = self.gate.reached() => true,
                () = tokio::time::sleep(self.until_next_look()) => false,
            };
            if crash {
                // Somewhere among the next awaits of everything in progress.
                for _ in 0..self.random.random_range(0..30) {
                    tokio::task::yield_now().await;
                }
                return Exit::Crash;
            }
            wake.send(Wake::Tick).expect("the daemon listens");
            self.ticks += 1;
            let now = self.truth.now();
            if self.simulator.is_refusing() || now < self.storm_until || !self.gate.is_strict(now) {
                self.audit.truth.facts.was_unreachable(before, now);
            }
            if let Some(exit) = self.happen(now, wake, store).await {
                return exit;
            }
            if self.ticks.is_multiple_of(8) {
                self.post.round(store, self.ours.now()).await;
                if self.people.releases(now) {
                    // What was deleted so far was deleted under the hold.
                    self.check();
                }
                self.people.go_on(&self.simulator, store, &mut self.audit.truth.facts, now).await;
            }
            if self.simulator.with_account(|account| account.record().entries().len()) > 500 {
                self.check();
            }
            if now >= self.end && !self.calm {
                self.calm_down(wake);
            }
            if now >= self.end + QUIET {
                return Exit::Over;
            }
        }
    }

    /// The time now by the daemon's clock.
    pub fn now(&self) -> Timestamp {
        self.ours.now()
    }

    /// How soon the daemon is woken next: sooner around the ends of hours by its clock.
    fn until_next_look(&self) -> Duration {
        if !self.with.midnights {
            return TICK;
        }
        let now = self.ours.now();
        let into = Duration::from_millis(u64::try_from(now.as_millisecond().rem_euclid(3_600_000)).unwrap_or(0));
        let next = LOOKS.iter().map(|second| Duration::from_secs(*second)).find(|second| *second > into);
        next.map_or(TICK, |next| (next - into).min(TICK))
    }

    pub fn check(&mut self) {
        let entries = self.simulator.take_record();
        let facts = &mut self.audit.truth.facts;
        facts.ahead = SignedDuration::from_secs(self.ahead.max(0));
        facts.apart = SignedDuration::from_secs((self.ahead - self.skew).abs());
        self.audit.check(&entries, self.truth.now(), &mut self.figures);
        for at in self.gate.take_stale() {
            self.figures.violation(format!("{at}: a request bears the old token long after the reload"));
        }
    }

    /// From now on nothing goes wrong any more.
    fn calm_down(&mut self, wake: &UnboundedSender<Wake>) {
        self.calm = true;
        self.gate.disarm();
        provider::renew(&self.simulator, &mut self.figures.faults, Vec::new());
        self.post.down_until = None;
        self.jump(-self.ahead);
        self.set_skew(0);
        self.simulator.set_options(|options| {
            options.slow_shutdown = Duration::ZERO;
            options.start_ignored_while_stopping = false;
        });
        self.agenda.retain(|(_, event), ()| {
            matches!(event, LifeEvent::OnCall | LifeEvent::Reap | LifeEvent::Hour | LifeEvent::TokenReload)
        });
        wake.send(Wake::Reload).expect("the daemon listens");
    }

    /// A file is in force from now on: informs the checkers.
    pub fn taken_over(&mut self, config: &Config) {
        self.check();
        self.post.of(config);
        self.follow(config);
    }

    /// The policies of the file, or the servers, have changed.
    pub fn follow(&mut self, config: &Config) {
        let all = [&self.specs[..], &self.gone].concat();
        let policies = fleet::policies(config, &all);
        fleet::facts(&mut self.audit.truth.facts, &policies, &all, self.with.depth);
        self.followed.file(&policies, &self.specs, self.ours.now());
        self.audit.policies.insert(0, policies);
        self.audit.policies.truncate(2);
    }

    /// Reads the policy file as the daemon does.
    fn reload_config(&self) -> ReloadConfig {
        let (file, clock) = (Arc::clone(&self.file), self.ours.clone());
        let router = provider::router(&self.simulator, &self.gate, &self.truth);
        Arc::new(move || {
            let (mut config, token) = {
                let mut file = file.lock().expect("nobody panics with it");
                if std::mem::take(&mut file.bad) {
                    return Err("a typing error".to_owned());
                }
                (file.config(clock.now()), file.token.clone())
            };
            // The simulation delivers mail itself: threads have no place in its time.
            config.smtp = None;
            let settings = ClientSettings {
                url: config.provider.url.clone(),
                token: token.into(),
                timeout: config.provider.timeout,
                requests_per_second: config.provider.requests_per_second,
                poll: config.provider.poll,
                ca_file: None,
            };
            let client = Client::in_process(settings, Clock::Virtual(clock.clone()), router.clone());
            let settings = run_settings(&config);
            Ok(NewConfig { config: Arc::new(config), client: client.map_err(|error| error.to_string())?, settings })
        })
    }
}

/// A folder in memory where there is one.
fn room() -> std::path::PathBuf {
    Some(Path::new("/dev/shm").to_owned()).filter(|memory| memory.is_dir()).unwrap_or_else(std::env::temp_dir)
}
