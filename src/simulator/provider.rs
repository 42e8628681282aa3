//! A simulated provider: one account behind a lock, with the faults in force and the time passed to it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::account::Account;
use super::faults::{ActiveRule, Faults, Rule};
use super::options::Options;
use super::person::PersonAction;
use super::point::{Point, PointKind};
use super::random::SeededRandom;
use super::rate_limit::RateLimit;
use super::record::Entry;

/// The source of the simulator's time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A simulated provider with one account. Clones share it.
#[derive(Clone)]
pub struct Simulator {
    state: Arc<Mutex<SimulatorState>>,
    now: Now,
    /// Sent at each outage: how long connections are refused.
    pub(super) outage: watch::Sender<Duration>,
}

/// The state behind the lock.
pub(super) struct SimulatorState {
    pub(super) account: Account,
    pub(super) faults: Faults,
    pub(super) random: SeededRandom,
    pub(super) refuse_until: Option<Timestamp>,
    pub(super) rate_limit: RateLimit,
}

impl Simulator {
    /// A provider with these options and this source of time.
    #[must_use]
    pub fn new(options: Options, now: Now) -> Self {
        let start = now();
        let state = SimulatorState {
            faults: Faults::default(),
            // Faults have a generator of their own, so that another fault does not change the account.
            random: SeededRandom::new(options.seed ^ 0xfa17),
            refuse_until: None,
            rate_limit: RateLimit::default(),
            account: Account::new(options, start),
        };
        Self { state: Arc::new(Mutex::new(state)), now, outage: watch::Sender::new(Duration::ZERO) }
    }

    /// Reads the current account.
    pub fn with_account<T>(&self, f: impl FnOnce(&Account) -> T) -> T {
        self.with_state(|state| f(&state.account))
    }

    /// A copy of the current account, including the record.
    #[must_use]
    pub fn account(&self) -> Account {
        self.with_account(Clone::clone)
    }

    /// Takes the entries since the last call. The record is empty afterwards, and numbering continues.
    #[must_use]
    pub fn take_record(&self) -> Vec<Entry> {
        self.with_state(|state| state.account.record.take())
    }

    /// Adds a rule after those in force.
    pub fn add_fault(&self, rule: Rule) {
        self.with_state(|state| state.faults.add(rule));
    }

    /// Removes all rules.
    pub fn clear_faults(&self) {
        self.with_state(|state| state.faults.0.clear());
    }

    /// The rules in force, with how often each matched and applied.
    #[must_use]
    pub fn faults(&self) -> Vec<ActiveRule> {
        self.with_state(|state| state.faults.0.clone())
    }

    /// Performs an action as a person.
    ///
    /// # Errors
    /// If the point or server does not exist: `{"detail": "…"}`.
    pub fn act(&self, act: &PersonAction) -> Result<Value, Value> {
        let now = self.now();
        self.with_state(|state| state.account.act(now, act)).map_err(|refusal| refusal.body)
    }

    /// Changes how the provider behaves from now on. Servers and foreign points stay as they are.
    pub fn set_options(&self, change: impl FnOnce(&mut Options)) {
        self.with_state(|state| change(&mut state.account.options));
    }

    /// Sets the provider's clock (`Date`, `created_at`) ahead by this many seconds.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.set_options(|options| options.clock_skew_seconds = seconds);
    }

    /// Refuses connections for this long: in-process every request is
    /// [`LostAnswer::Refused`](super::LostAnswer::Refused); a served port is closed, and reopened by real time.
    pub fn refuse_for(&self, duration: Duration) {
        let until = self.now() + duration;
        self.with_state(|state| state.refuse_until = Some(until));
        self.outage.send_replace(duration);
    }

    /// Whether connections are refused now.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        let now = self.now();
        self.with_state(|state| state.refuse_until.is_some_and(|until| now < until))
    }

    /// The whole state, as JSON.
    #[must_use]
    pub fn state_json(&self) -> Value {
        let now = self.now();
        self.with_state(|state| {
            let account = &state.account;
            let points = |kind| account.points(kind).map(|point| account.truth(point)).collect::<Vec<_>>();
            json!({
                "now": now,
                "servers": account.servers(),
                "backups": points(PointKind::Backup),
                "snapshots": points(PointKind::Snapshot),
                "faults": state.faults.0,
                "options": account.options(),
            })
        })
    }

    /// The record, as JSON: `{"entries": […]}`.
    #[must_use]
    pub fn record_json(&self) -> Value {
        self.with_state(|state| json!({ "entries": state.account.record.entries() }))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SimulatorState> {
        self.state.lock().expect("no code panics while it holds the account")
    }

    /// Locks the state, applies all changes that are due, and calls `f`.
    pub(super) fn with_state<T>(&self, f: impl FnOnce(&mut SimulatorState) -> T) -> T {
        let now = self.now();
        let mut state = self.lock();
        state.account.advance_to(now);
        f(&mut state)
    }
}

impl Account {
    /// The true state of a point, with its id and server as clients see them.
    fn truth(&self, point: &Point) -> Value {
        let mut truth = json!(point);
        truth["shown_id"] = self.shown_id(point);
        truth["server_name"] = json!(self.servers[point.server].name());
        truth
    }
}
