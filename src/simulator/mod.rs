//! The provider played back: the VPS.org API with its limits, its slowness and its faults, on loopback and in-process.
//!
//! Nothing here comes from the rest of the program: the time is handed in, and what a client must understand is
//! written here a second time from the provider's pages, so that a misreading on one side shows on the other.
//!
//! - [`Simulator::router`] is a tower service for tests under any time; [`serve()`] puts it behind a socket.
//! - [`Options`] say how the provider behaves, [`Rule`]s which requests go wrong.
//! - [`Account`] and [`Record`] are the truth to check against.
//! - An answer that no client may see bears [`Lost`] as an extension: an in-process transport must turn it into its
//!   error for a refused or closed connection. Over HTTP, [`serve()`] breaks the connection itself.

mod account;
mod answers;
mod control;
mod dice;
mod effects;
mod faults;
mod options;
mod paging;
mod points;
mod record;
mod routes;
mod serve;
mod servers;
mod shown;
mod turnstile;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

pub use account::{Account, BackupType, Kind, Point, Server};
pub use answers::Lost;
pub use control::{Act, Edit, Pick};
pub use effects::{Effect, StatusEffect};
pub use faults::{Armed, Call, Rule};
pub use options::{Options, PointSpec, RetryAfter, ServerReference, ServerSpec, Style};
pub use points::{Altered, Fate};
pub use record::{By, Cause, Change, ChangeKind, Entry, Record, Request, What};
pub use serve::serve;

/// Where the simulator's time comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The path that every call of the API begins with.
pub const BASE: &str = "/api/v1";

/// A simulated provider with one account. Clones are the same one.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Mutex<Inner>>,
    now: Now,
    outage: watch::Sender<Duration>,
}

/// What is behind the lock.
pub(crate) struct Inner {
    account: Account,
    faults: faults::Faults,
    dice: dice::Dice,
    refuse_until: Option<Timestamp>,
    bucket: turnstile::Bucket,
}

impl Simulator {
    /// A provider that behaves as the options say and lives in the given time.
    #[must_use]
    pub fn new(options: Options, now: Now) -> Self {
        let start = now();
        let inner = Inner {
            faults: faults::Faults::default(),
            // Faults throw their own dice, so that another fault does not change the account.
            dice: dice::Dice::new(options.seed ^ 0xfa17),
            refuse_until: None,
            bucket: turnstile::Bucket::default(),
            account: Account::new(options, start),
        };
        Self { inner: Arc::new(Mutex::new(inner)), now, outage: watch::Sender::new(Duration::ZERO) }
    }

    /// The API and the control endpoint as a service.
    pub fn router(&self) -> axum::Router {
        routes::router(self)
    }

    /// Looks at the account as it is now.
    pub fn with_account<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        self.look(|inner| look(&inner.account))
    }

    /// A copy of the account as it is now, record included.
    #[must_use]
    pub fn account(&self) -> Account {
        self.with_account(Clone::clone)
    }

    /// What happened since the last time; the record is empty afterwards and its numbers go on.
    #[must_use]
    pub fn take_record(&self) -> Vec<Entry> {
        self.look(|inner| inner.account.record.take())
    }

    /// Adds a rule after those in force.
    pub fn add_fault(&self, rule: Rule) {
        self.look(|inner| inner.faults.add(rule));
    }

    /// Takes all rules away.
    pub fn clear_faults(&self) {
        self.look(|inner| inner.faults.0.clear());
    }

    /// The rules in force, with how often each matched and struck.
    #[must_use]
    pub fn faults(&self) -> Vec<Armed> {
        self.look(|inner| inner.faults.0.clone())
    }

    /// Lets a person act.
    ///
    /// # Errors
    /// What it should be done to is not there: `{"detail": "…"}`.
    pub fn act(&self, act: &Act) -> Result<Value, Value> {
        let now = self.now();
        self.look(|inner| inner.account.act(now, act)).map_err(|refusal| refusal.body)
    }

    /// Changes how the provider behaves from now on. Servers and foreign points stay as they are.
    pub fn set_options(&self, change: impl FnOnce(&mut Options)) {
        self.look(|inner| change(&mut inner.account.options));
    }

    /// Puts the provider's clock (`Date`, `created_at`) ahead by so many seconds.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.set_options(|options| options.clock_skew_seconds = seconds);
    }

    /// Refuses connections for so long: in-process every request is [`Lost::Refused`]; a served port is closed, and
    /// opened again by real time.
    pub fn refuse_for(&self, duration: Duration) {
        let until = self.now() + duration;
        self.look(|inner| inner.refuse_until = Some(until));
        self.outage.send_replace(duration);
    }

    /// Whether connections are refused now.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        let now = self.now();
        self.look(|inner| inner.refuse_until.is_some_and(|until| now < until))
    }

    /// Everything there is to know, as JSON.
    #[must_use]
    pub fn state_json(&self) -> Value {
        let now = self.now();
        self.look(|inner| {
            let account = &inner.account;
            let points = |kind| account.points(kind).map(|point| account.truth(point)).collect::<Vec<_>>();
            json!({
                "now": now,
                "servers": account.servers(),
                "backups": points(Kind::Backup),
                "snapshots": points(Kind::Snapshot),
                "faults": inner.faults.0,
                "options": account.options(),
            })
        })
    }

    /// The record, as JSON: `{"entries": […]}`.
    #[must_use]
    pub fn record_json(&self) -> Value {
        self.look(|inner| json!({ "entries": inner.account.record.entries() }))
    }

    fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code panics while it holds the account")
    }

    /// Locks, lets the time do its work, and looks.
    fn look<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        inner.account.settle(now);
        look(&mut inner)
    }
}

impl Account {
    /// A point as it truly is, with the id and the server as clients see them.
    fn truth(&self, point: &Point) -> Value {
        let mut truth = json!(point);
        truth["shown_id"] = self.shown_id(point);
        truth["server_name"] = json!(self.servers[point.server].name());
        truth
    }
}

#[cfg(test)]
mod tests;
