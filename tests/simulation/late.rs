//! What changes after the daemon has looked: tokens, servers, how long a shutdown takes, and answers around midnight.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan};
use lastgood::simulator::{Call, Effect, PersonAction, Rule, ServerSpec};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::json;

use crate::events::LifeEvent;
use crate::fleet;
use crate::life::{Life, TOKEN};

impl Life {
    /// The provider's clock is ahead by this many seconds.
    pub fn set_skew(&mut self, seconds: i64) {
        self.check();
        self.skew = seconds;
        self.simulator.set_clock_skew(seconds);
    }

    pub fn slow_shutdown(&mut self) {
        let seconds = [0, 0, 45, 300, 1_800][self.random.random_range(0..5)];
        let ignored = self.random.random_bool(0.5);
        self.simulator.set_options(|options| {
            options.slow_shutdown = Duration::from_secs(seconds);
            options.start_ignored_while_stopping = ignored;
        });
        self.figures.event("changes of the time that a shutdown takes");
    }

    pub fn other_pace(&mut self) {
        let power = [20, 90][self.random.random_range(0..2)];
        let latency = [0, 0, 700][self.random.random_range(0..3)];
        self.simulator.set_options(|options| {
            options.power = Duration::from_secs(power);
            options.latency = Duration::from_millis(latency);
        });
        self.figures.event("changes of pace");
    }

    /// Around the next midnight of one of the zones, four of ten creates get no answer.
    pub fn lose_at_midnight(&mut self, now: Timestamp) {
        let zone = fleet::ZONES[self.random.random_range(0..fleet::ZONES.len())];
        let zoned = now.in_tz(zone).expect("the zone is known");
        let midnight =
            zoned.date().tomorrow().and_then(|day| day.in_tz(zone)).expect("there is a tomorrow").timestamp();
        let effect = Effect::Reset { carried_out: self.random.random_bool(0.5) };
        let rule = Rule::new(effect).call(Call::Create).probability(0.4).named("lost at midnight");
        self.simulator.add_fault(rule.between(midnight - 4.minutes(), midnight + 4.minutes()));
    }

    pub fn new_token(&mut self, now: Timestamp) {
        let token = format!("{TOKEN}_{}", self.random.random_range(0..1_000_000));
        self.simulator.set_options(|options| options.token = Some(token.clone()));
        self.file.lock().expect("nobody panics with it").token.clone_from(&token);
        self.gate.expect(token);
        let minutes = self.random.random_range(0..30);
        self.agenda.insert((now + SignedDuration::from_mins(minutes), LifeEvent::TokenReload), ());
        self.figures.event("new tokens");
    }

    pub fn server_comes(&mut self) {
        let large = fleet::is_large(self.scale.servers);
        let number = self.random.random_range(0..1_000);
        let name = format!("{}-{}", fleet::sort(large, number), 9_000 + self.came);
        let spec = ServerSpec::named(5_000 + self.came, &name);
        self.came += 1;
        self.simulator.act(&PersonAction::AddServer(spec.clone())).expect("there is room for servers");
        // The list of servers is read once an hour, if it can be read.
        self.followed.comes(&name, self.ours.now() + SignedDuration::from_hours(30));
        self.specs.push(spec);
        self.figures.event("servers added");
        self.servers_changed();
    }

    pub fn server_goes(&mut self) {
        if self.specs.len() < self.scale.servers.div_ceil(2) {
            return;
        }
        let place = self.random.random_range(0..self.specs.len());
        let spec = self.specs.remove(place);
        let name = spec.name.clone().expect("every server has a name here");
        self.gone.push(spec);
        self.simulator.act(&PersonAction::RemoveServer { server: json!(name) }).expect("it was there");
        self.figures.event("servers removed");
        self.servers_changed();
    }

    pub fn server_renamed(&mut self) {
        let Some(spec) = self.specs.choose(&mut self.random).cloned() else { return };
        let name = spec.name.clone().expect("every server has a name here");
        let to = format!("{}.{}", fleet::first_name(&name), self.random.random_range(0..1_000));
        if name == to {
            return;
        }
        self.check();
        self.simulator.act(&PersonAction::RenameServer { server: json!(name), name: to.clone() }).expect("it is there");
        self.people.renamed(&name, &to);
        for other in self.specs.iter_mut().filter(|other| other.id == spec.id) {
            other.name = Some(to.clone());
        }
        self.figures.event("servers renamed");
        self.servers_changed();
    }

    fn servers_changed(&mut self) {
        self.check();
        let config = self.file.lock().expect("nobody panics with it").config(self.ours.now());
        self.follow(&config);
    }
}
