//! What happens to the daemon, the provider and the people, and when.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::daemon::Wake;
use lastgood::seams::store::Store;
use lastgood::simulator::{Effect, Rule, StatusEffect};
use rand::RngExt;
use tokio::sync::mpsc::UnboundedSender;

use crate::life::{Exit, Life};
use crate::provider;

/// What happens to the daemon, the provider and the people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeEvent {
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
    /// A shutdown takes long and shows `active` meanwhile, or no longer does.
    SlowShutdown,
    /// Stops and starts, or every answer, take another time.
    Pace,
    /// Creates around a midnight get no answer.
    LostAtMidnight,
    /// The provider takes another token; some minutes later the file has it.
    NewToken,
    TokenReload,
    ServerComes,
    ServerGoes,
    ServerRenamed,
    OnCall,
    Reap,
    Hour,
}

/// How often each happens in a year, as a mean of days between two.
pub const MEANS: [(LifeEvent, f64); 19] = [
    (LifeEvent::Crash, 1.0),
    (LifeEvent::Stop, 9.0),
    (LifeEvent::Reload, 12.0),
    (LifeEvent::BadReload, 40.0),
    (LifeEvent::Jump, 8.0),
    (LifeEvent::Outage, 15.0),
    (LifeEvent::Storm, 15.0),
    (LifeEvent::SlowDeletes, 20.0),
    (LifeEvent::SkewedProvider, 30.0),
    (LifeEvent::NoMail, 20.0),
    (LifeEvent::Hold, 1.0),
    (LifeEvent::SlowShutdown, 6.0),
    (LifeEvent::Pace, 10.0),
    (LifeEvent::LostAtMidnight, 4.0),
    (LifeEvent::NewToken, 20.0),
    (LifeEvent::ServerComes, 25.0),
    (LifeEvent::ServerGoes, 30.0),
    (LifeEvent::ServerRenamed, 20.0),
    (LifeEvent::Person, 1.0),
];

impl Life {
    pub fn again(&mut self, event: LifeEvent, now: Timestamp) {
        let Some((_, mean)) = MEANS.iter().find(|(it, _)| *it == event) else { return };
        // A short simulation sees everything, too; more servers have more people.
        let dense = if self.scale.days < 100 { 0.2 } else { 1.0 };
        let mean = match event {
            LifeEvent::Person => (mean * 60.0 / self.scale.servers as f64).min(0.5),
            _ => mean * dense,
        };
        let days = -self.random.random_range(0.0001_f64..1.0).ln() * mean;
        let at = now + SignedDuration::from_millis((days * 86_400_000.0) as i64 + 1);
        self.agenda.insert((at, event), ());
    }

    pub async fn happen(&mut self, now: Timestamp, wake: &UnboundedSender<Wake>, store: &Store) -> Option<Exit> {
        while let Some(entry) = self.agenda.first_entry() {
            let (at, event) = *entry.key();
            if at > now {
                return None;
            }
            entry.remove();
            self.again(event, now);
            match event {
                LifeEvent::Crash if self.random.random_bool(0.1) => return Some(Exit::Crash),
                LifeEvent::Crash => self.gate.arm(self.random.random_range(1..60)),
                LifeEvent::Stop => return Some(Exit::Stop),
                LifeEvent::Hold => {
                    self.check();
                    if self.people.hold(&self.simulator, store, &mut self.audit.truth.facts, self.ours.now()).await {
                        self.figures.event("holds");
                    }
                }
                LifeEvent::Reap => {
                    self.agenda.insert((at + SignedDuration::from_hours(24), event), ());
                    self.harvest.reap(store).await;
                    self.people.accept(store, &self.specs, self.ours.now(), &mut self.figures).await;
                }
                event => self.occur(event, at, now, wake),
            }
        }
        None
    }

    fn occur(&mut self, event: LifeEvent, at: Timestamp, now: Timestamp, wake: &UnboundedSender<Wake>) {
        match event {
            LifeEvent::Reload => self.reload(wake),
            LifeEvent::BadReload => {
                self.file.lock().expect("nobody panics with it").bad = true;
                self.figures.event("reloads refused");
                wake.send(Wake::Reload).expect("the daemon listens");
            }
            LifeEvent::Jump => {
                let by = [1, 5, 5, 60, 120, 1_800, 7_200, 10_800, 93_600][self.random.random_range(0..9)];
                let by = if self.random.random_bool(0.5) { by } else { -by };
                let by = if self.ahead != 0 && self.random.random_bool(0.7) { -self.ahead } else { by };
                self.jump(by);
                self.figures.event("clock jumps");
            }
            LifeEvent::Outage => {
                self.simulator.refuse_for(Duration::from_secs(self.random.random_range(600..21_600)));
                self.figures.event("outages");
            }
            LifeEvent::Storm => {
                let until = now + SignedDuration::from_mins(self.random.random_range(10..180));
                self.storm_until = until;
                let storm = Effect::Status(StatusEffect::new(503));
                let rule = Rule::new(storm).probability(0.6).between(now, until).named("503 in a storm");
                provider::renew(&self.simulator, &mut self.figures.faults, [vec![rule], provider::faults()].concat());
                self.figures.event("storms");
            }
            LifeEvent::SlowDeletes => {
                let slow = self.random.random_bool(0.5);
                let seconds = if slow { 1_200 } else { 8 };
                self.simulator.set_options(|options| options.delete = Duration::from_secs(seconds));
                self.figures.event("changes of the time that deletes take");
            }
            LifeEvent::SkewedProvider => {
                let seconds = self.random.random_range(-120..120);
                self.set_skew(seconds);
                self.figures.event("changes of the provider's clock");
            }
            LifeEvent::NoMail => {
                self.post.down_until = Some(now + SignedDuration::from_mins(self.random.random_range(20..1_440)));
                self.figures.event("outages of the mail server");
            }
            LifeEvent::SlowShutdown => self.slow_shutdown(),
            LifeEvent::Pace => self.other_pace(),
            LifeEvent::LostAtMidnight => self.lose_at_midnight(now),
            LifeEvent::NewToken => self.new_token(now),
            LifeEvent::TokenReload => {
                self.file.lock().expect("nobody panics with it").bad = false;
                self.gate.is_told(now + SignedDuration::from_mins(15));
                wake.send(Wake::Reload).expect("the daemon listens");
            }
            LifeEvent::ServerComes => self.server_comes(),
            LifeEvent::ServerGoes => self.server_goes(),
            LifeEvent::ServerRenamed => self.server_renamed(),
            LifeEvent::Person => self.people.act(&self.simulator, now, &mut self.figures),
            LifeEvent::OnCall => {
                let extra = self.file.lock().expect("nobody panics with it").knobs.extra;
                self.people.clear_away(&self.simulator, now, extra, &mut self.figures);
                self.agenda.insert((at + SignedDuration::from_hours(24), event), ());
            }
            LifeEvent::Hour => {
                self.check();
                self.agenda.insert((at + SignedDuration::from_hours(1), event), ());
            }
            LifeEvent::Crash | LifeEvent::Stop | LifeEvent::Hold | LifeEvent::Reap => {
                unreachable!("they are handled before")
            }
        }
    }

    pub fn jump(&mut self, seconds: i64) {
        // What happened so far was dated by the previous clocks.
        self.check();
        self.ours.jump(seconds);
        self.ahead += seconds;
        self.clocks.push((self.truth.now(), self.ahead));
        self.followed.jumped(self.ours.now());
    }

    fn reload(&mut self, wake: &UnboundedSender<Wake>) {
        let config = {
            let mut file = self.file.lock().expect("nobody panics with it");
            match self.random.random_range(0..4) {
                0 => file.knobs.hour = self.random.random_range(0..24),
                1 => file.knobs.full = self.random.random_range(7..11),
                2 if self.with.formerly => file.knobs.renamed = !file.knobs.renamed,
                _ => file.knobs.extra = !file.knobs.extra,
            }
            file.bad = false;
            file.config(self.ours.now())
        };
        self.figures.event("reloads");
        self.taken_over(&config);
        wake.send(Wake::Reload).expect("the daemon listens");
    }
}
