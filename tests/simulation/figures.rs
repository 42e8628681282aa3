//! What a simulation did, in numbers: printed at its end, and equal for equal seeds.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use jiff::Timestamp;

/// How large a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// How many servers the account has.
    pub servers: usize,
    /// How many days pass.
    pub days: u32,
    /// The source of all randomness.
    pub seed: u64,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests that reached the provider.
    pub calls: u64,
    /// Runs by outcome.
    pub runs: BTreeMap<String, u64>,
    /// Restore points that the program made, and deleted.
    pub made: u64,
    /// Deletes that the provider accepted.
    pub deleted: u64,
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
    /// Other events by name: crashes, stops, reloads, clock jumps, outages, acts of people.
    pub events: BTreeMap<String, u64>,
    /// Entries of the record that were checked.
    pub checked: u64,
    /// A hash of what the record says of points that the program made and deleted, and when.
    pub record: u64,
    /// Due times that were reported as missed.
    pub missed: u64,
    /// Mails sent, and digests among them.
    pub mails: u64,
    pub digests: u64,
    /// The last moments of the simulator's and of the daemon's clock.
    pub ended: Option<(Timestamp, Timestamp)>,
    /// Broken rules, the first of each sort.
    pub violations: Vec<String>,
    /// How often each sort of them was broken.
    pub sorts: BTreeMap<String, u64>,
}

impl Figures {
    /// Counts an event.
    pub fn event(&mut self, name: &str) {
        *self.events.entry(name.to_owned()).or_default() += 1;
    }

    /// Adds a point that the program created or deleted to the hash.
    pub fn record(&mut self, deed: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.record, deed).hash(&mut hasher);
        self.record = hasher.finish();
    }

    /// Records a broken rule.
    pub fn violation(&mut self, text: String) {
        // The first ones of a kind say enough, and one cause may break a rule a thousand times.
        let sort: String = text.chars().filter(|sign| sign.is_ascii_alphabetic()).take(30).collect();
        let seen = self.sorts.entry(sort).or_default();
        *seen += 1;
        if *seen <= 3 {
            self.violations.push(text);
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |all: &BTreeMap<String, u64>| all.values().sum::<u64>();
        let list = |all: &BTreeMap<String, u64>| {
            all.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "  runs        {} ({})", sum(&self.runs), list(&self.runs))?;
        writeln!(f, "  points      {} made, {} deleted", self.made, self.deleted)?;
        writeln!(f, "  calls       {}", self.calls)?;
        writeln!(f, "  faults      {} ({})", sum(&self.faults), list(&self.faults))?;
        writeln!(f, "  events      {}", list(&self.events))?;
        writeln!(f, "  missed      {} due times, each reported", self.missed)?;
        writeln!(f, "  mails       {} ({} digests)", self.mails, self.digests)?;
        writeln!(f, "  checked     {} entries of the record, whose hash is {:016x}", self.checked, self.record)?;
        write!(f, "  violations  {} of {} sorts", self.sorts.values().sum::<u64>(), self.sorts.len())
    }
}
