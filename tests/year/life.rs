//! The simulation: the real daemon, client and store over the simulated provider, in virtual time, with everything
//! that can happen to it. One seed decides all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::clock::{Clock, VirtualClock};
use lastgood::config::Config;
use lastgood::daemon::{Files, Rouse, Service, open_world};
use lastgood::provider::{Client, Settings};
use lastgood::run::Random;
use lastgood::simulator::{Effect, Rule, ServerSpec, Simulator, StatusEffect};
use lastgood::store::{Store, StoreError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::audit::Audit;
use crate::figures::{Figures, Scale};
use crate::fleet::{self, Knobs};
use crate::followed::Followed;
use crate::harvest::Harvest;
use crate::mail::PostOffice;
use crate::people::People;
use crate::provider::{self, Gate};
use crate::truth::Facts;

/// How often the daemon is roused: its own alarm clock does it every second, and without it it looks every 20 seconds.
const TICK: Duration = Duration::from_secs(120);
/// After the last event so long nothing goes wrong, so that everything can come to its end.
const QUIET: SignedDuration = SignedDuration::from_hours(72);

/// What happens to the daemon, the provider and the people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Crash,
    Stop,
    Reload,
    BadReload,
    Jump,
    Outage,
    Storm,
    SlowDeletes,
    SkewedProvider,
    NoMail,
    Person,
    Hold,
    OnCall,
    Reap,
    Hour,
}

/// How often each happens in a year, as a mean of days between two.
const MEANS: [(Event, f64); 12] = [
    (Event::Crash, 1.0),
    (Event::Stop, 9.0),
    (Event::Reload, 12.0),
    (Event::BadReload, 40.0),
    (Event::Jump, 8.0),
    (Event::Outage, 15.0),
    (Event::Storm, 15.0),
    (Event::SlowDeletes, 20.0),
    (Event::SkewedProvider, 30.0),
    (Event::NoMail, 20.0),
    (Event::Hold, 3.0),
    (Event::Person, 1.0),
];

/// Why the daemon's life ends.
enum Exit {
    Crash,
    Stop,
    Over,
}

/// What the daemon reads at start and at a reload.
struct File {
    knobs: Knobs,
    bad: bool,
    /// To read a file takes longer than a day of the simulation.
    read: BTreeMap<Knobs, Config>,
}

impl File {
    fn config(&mut self, at: Timestamp) -> Config {
        let knobs = self.knobs;
        self.read.entry(knobs).or_insert_with(|| fleet::config(knobs, at)).clone()
    }
}

/// A simulation under way.
pub struct Life {
    scale: Scale,
    random: StdRng,
    pub simulator: Simulator,
    gate: Arc<Gate>,
    truth: VirtualClock,
    ours: VirtualClock,
    /// How far the daemon's clock is ahead, in seconds.
    ahead: i64,
    specs: Vec<ServerSpec>,
    file: Arc<Mutex<File>>,
    agenda: BTreeMap<(Timestamp, Event), ()>,
    people: People,
    post: PostOffice,
    pub audit: Audit,
    pub followed: Followed,
    pub figures: Figures,
    end: Timestamp,
    calm: bool,
    pub harvest: Harvest,
    ticks: u64,
}

impl Life {
    /// An account of that size on the first of March 2026, and nothing made yet.
    pub fn new(scale: Scale) -> Self {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().expect("it is a timestamp");
        let (truth, ours) = (VirtualClock::new(start), VirtualClock::new(start));
        let specs = fleet::servers(scale.servers);
        let now = truth.clone();
        let options = provider::options(specs.clone(), scale.seed);
        let facts = Facts {
            instance: "year".to_owned(),
            reads: false,
            // The longest of the lags that the faults bring.
            list_lag: SignedDuration::from_secs(40),
            ..Facts::default()
        };
        let mut random = StdRng::seed_from_u64(scale.seed);
        let people = StdRng::seed_from_u64(random.random());
        let knobs = Knobs { hour: 2, full: 10, extra: false };
        let mut life = Self {
            scale,
            random,
            simulator: Simulator::new(options, Arc::new(move || now.now())),
            gate: Arc::default(),
            truth,
            ours,
            ahead: 0,
            specs,
            file: Arc::new(Mutex::new(File { knobs, bad: false, read: BTreeMap::new() })),
            agenda: BTreeMap::new(),
            people: People::new(people),
            post: PostOffice::default(),
            audit: Audit::new(facts),
            followed: Followed::default(),
            figures: Figures::default(),
            end: start + SignedDuration::from_hours(24 * i64::from(scale.days)),
            calm: false,
            harvest: Harvest::default(),
            ticks: 0,
        };
        life.begin(start);
        life
    }

    fn begin(&mut self, start: Timestamp) {
        for (event, _) in MEANS {
            self.again(event, start);
        }
        for (event, hours) in [(Event::OnCall, 11), (Event::Reap, 12), (Event::Hour, 1)] {
            self.agenda.insert((start + SignedDuration::from_hours(hours), event), ());
        }
        provider::renew(&self.simulator, &mut self.figures.faults, provider::faults());
    }

    /// Lives the whole time, and says what happened.
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
        tokio::time::sleep(Duration::from_secs(self.random.random_range(seconds))).await;
    }

    /// What was left behind lets go of the lock when the runtime next looks at it, as a dead process does at once.
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
        let (config, client) = self.files()().expect("the file at a start is good");
        let clock = Clock::Virtual(self.ours.clone());
        let (mut world, stop) = open_world(&config, client, store.clone(), clock);
        world.random = Random::new(StdRng::seed_from_u64(self.random.random()));
        let (rouse, mut roused) = unbounded_channel();
        let service = Service::new(world, stop, config, self.files());
        let (end, ended) = oneshot::channel::<()>();
        let rouses = async move || match roused.recv().await {
            Some(rouse) => rouse,
            None => std::future::pending().await,
        };
        let mut service = Box::pin(service.run_on(rouses, async { drop(ended.await) }));
        let exit = tokio::select! {
            biased;
            done = &mut service => {
                self.figures.violation(format!("{}: the daemon ended by itself: {done:?}", self.truth.now()));
                return Exit::Crash;
            }
            exit = self.days(&rouse, store) => exit,
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
    async fn days(&mut self, rouse: &UnboundedSender<Rouse>, store: &Store) -> Exit {
        loop {
            let crash = tokio::select! {
                biased;
                () = self.gate.reached() => true,
                () = tokio::time::sleep(TICK) => false,
            };
            if crash {
                // Somewhere among the next awaits of everything that is under way.
                for _ in 0..self.random.random_range(0..30) {
                    tokio::task::yield_now().await;
                }
                return Exit::Crash;
            }
            rouse.send(Rouse::Tick).expect("the daemon listens");
            self.ticks += 1;
            let now = self.truth.now();
            if let Some(exit) = self.happen(now, rouse, store).await {
                return exit;
            }
            if self.ticks.is_multiple_of(5) {
                self.post.round(store, self.ours.now()).await;
                self.people.go_on(&self.simulator, store, &mut self.audit.truth.facts, now).await;
            }
            if self.simulator.with_account(|account| account.record().entries().len()) > 500 {
                self.check();
            }
            if now >= self.end && !self.calm {
                self.calm_down(rouse);
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

    /// Whether a mail of that Message-ID was sent.
    pub fn has_sent(&self, message_id: &str) -> bool {
        self.post.has_sent(message_id)
    }

    fn check(&mut self) {
        let entries = self.simulator.take_record();
        self.audit.truth.facts.ahead = SignedDuration::from_secs(self.ahead.max(0));
        self.audit.check(&entries, &mut self.figures);
    }

    /// From now on nothing goes wrong any more.
    fn calm_down(&mut self, rouse: &UnboundedSender<Rouse>) {
        self.calm = true;
        self.gate.disarm();
        provider::renew(&self.simulator, &mut self.figures.faults, Vec::new());
        self.post.down_until = None;
        self.jump(-self.ahead);
        self.simulator.set_clock_skew(0);
        self.agenda.retain(|(_, event), ()| matches!(event, Event::OnCall | Event::Reap | Event::Hour));
        rouse.send(Rouse::Reload).expect("the daemon listens");
    }

    fn again(&mut self, event: Event, now: Timestamp) {
        let Some((_, mean)) = MEANS.iter().find(|(it, _)| *it == event) else { return };
        // A short simulation sees everything, too; more servers have more people.
        let dense = if self.scale.days < 100 { 0.2 } else { 1.0 };
        let mean = match event {
            Event::Person => (mean * 60.0 / self.scale.servers as f64).min(0.5),
            _ => mean * dense,
        };
        let days = -self.random.random_range(0.0001_f64..1.0).ln() * mean;
        let at = now + SignedDuration::from_millis((days * 86_400_000.0) as i64 + 1);
        self.agenda.insert((at, event), ());
    }

    async fn happen(&mut self, now: Timestamp, rouse: &UnboundedSender<Rouse>, store: &Store) -> Option<Exit> {
        while let Some(entry) = self.agenda.first_entry() {
            let (at, event) = *entry.key();
            if at > now {
                return None;
            }
            entry.remove();
            self.again(event, now);
            match event {
                Event::Crash if self.random.random_bool(0.1) => return Some(Exit::Crash),
                Event::Crash => self.gate.arm(self.random.random_range(1..60)),
                Event::Stop => return Some(Exit::Stop),
                Event::Hold => {
                    if self.people.hold(&self.simulator, store, &mut self.audit.truth.facts, self.ours.now()).await {
                        self.figures.event("holds");
                    }
                }
                Event::Reap => {
                    self.agenda.insert((at + SignedDuration::from_hours(24), event), ());
                    self.harvest.reap(store).await;
                    self.people.accept(store, &self.specs, self.ours.now(), &mut self.figures).await;
                }
                event => self.occur(event, at, now, rouse),
            }
        }
        None
    }

    fn occur(&mut self, event: Event, at: Timestamp, now: Timestamp, rouse: &UnboundedSender<Rouse>) {
        match event {
            Event::Reload => self.reload(rouse),
            Event::BadReload => {
                self.file.lock().expect("nobody panics with it").bad = true;
                self.figures.event("reloads refused");
                rouse.send(Rouse::Reload).expect("the daemon listens");
            }
            Event::Jump => {
                let by = [5, 60, 120, 1_800, 7_200, 10_800, 93_600][self.random.random_range(0..7)];
                let by = if self.random.random_bool(0.5) { by } else { -by };
                let by = if self.ahead != 0 && self.random.random_bool(0.7) { -self.ahead } else { by };
                self.jump(by);
                self.figures.event("clock jumps");
            }
            Event::Outage => {
                self.simulator.refuse_for(Duration::from_secs(self.random.random_range(600..21_600)));
                self.figures.event("outages");
            }
            Event::Storm => {
                let until = now + SignedDuration::from_mins(self.random.random_range(10..180));
                let storm = Effect::Status(StatusEffect::new(503));
                let rule = Rule::new(storm).probability(0.6).between(now, until).named("503 in a storm");
                provider::renew(&self.simulator, &mut self.figures.faults, [vec![rule], provider::faults()].concat());
                self.figures.event("storms");
            }
            Event::SlowDeletes => {
                let slow = self.random.random_bool(0.5);
                let seconds = if slow { 1_200 } else { 8 };
                self.simulator.set_options(|options| options.delete = Duration::from_secs(seconds));
                self.figures.event("changes of the time that deletes take");
            }
            Event::SkewedProvider => {
                let seconds = self.random.random_range(-120..120);
                self.simulator.set_clock_skew(seconds);
                self.figures.event("changes of the provider's clock");
            }
            Event::NoMail => {
                self.post.down_until = Some(now + SignedDuration::from_mins(self.random.random_range(20..1_440)));
                self.figures.event("outages of the mail server");
            }
            Event::Person => self.people.act(&self.simulator, now, &mut self.figures),
            Event::OnCall => {
                let extra = self.file.lock().expect("nobody panics with it").knobs.extra;
                self.people.clear_away(&self.simulator, now, extra, &mut self.figures);
                self.agenda.insert((at + SignedDuration::from_hours(24), event), ());
            }
            Event::Hour => {
                self.check();
                self.agenda.insert((at + SignedDuration::from_hours(1), event), ());
            }
            Event::Crash | Event::Stop | Event::Hold | Event::Reap => unreachable!("they are taken up before"),
        }
    }

    fn jump(&mut self, seconds: i64) {
        self.ours.jump(seconds);
        self.ahead += seconds;
        self.followed.jumped(self.ours.now());
    }

    fn reload(&mut self, rouse: &UnboundedSender<Rouse>) {
        let config = {
            let mut file = self.file.lock().expect("nobody panics with it");
            match self.random.random_range(0..3) {
                0 => file.knobs.hour = self.random.random_range(0..24),
                1 => file.knobs.full = self.random.random_range(7..11),
                _ => file.knobs.extra = !file.knobs.extra,
            }
            file.bad = false;
            file.config(self.ours.now())
        };
        self.figures.event("reloads");
        self.taken_over(&config);
        rouse.send(Rouse::Reload).expect("the daemon listens");
    }

    /// A file holds from now on: the checkers must know.
    fn taken_over(&mut self, config: &Config) {
        self.check();
        let policies = fleet::policies(config, &self.specs);
        fleet::facts(&mut self.audit.truth.facts, &policies);
        self.followed.file(&policies, &self.specs, self.ours.now());
        self.audit.policies.insert(0, policies);
        self.audit.policies.truncate(2);
        self.post.of(config);
    }

    /// Reads the policy file as the daemon does.
    fn files(&self) -> Files {
        let (file, clock) = (Arc::clone(&self.file), self.ours.clone());
        let router = provider::router(&self.simulator, &self.gate);
        Arc::new(move || {
            let mut config = {
                let mut file = file.lock().expect("nobody panics with it");
                if std::mem::take(&mut file.bad) {
                    return Err("a typing error".to_owned());
                }
                file.config(clock.now())
            };
            // Mail is carried by the post office of this simulation: threads of their own have no place in its time.
            config.smtp = None;
            let settings = Settings {
                url: config.provider.url.clone(),
                token: "vps_year".to_owned().into(),
                timeout: config.provider.timeout,
                requests_per_second: config.provider.requests_per_second,
                poll: config.provider.poll,
                ca_file: None,
            };
            let client = Client::in_process(settings, Clock::Virtual(clock.clone()), router.clone());
            Ok((Arc::new(config), client.map_err(|error| error.to_string())?))
        })
    }
}

/// A folder in memory where there is one.
fn room() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}
