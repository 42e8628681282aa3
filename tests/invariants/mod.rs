//! The checker: reads the simulator's own record and says which of the design's rules were broken, whatever the
//! program believes. It shares no code with the program: the mark is read here a second time.
//!
//! Feed it every entry of the record, in order, from the account's first one. Say `run_began` and `run_ended` where
//! they are known: then the rules within one run are checked too, and what the run reports is compared.

mod deletes;
mod follow;
mod keeps;
mod power;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use lastgood::simulator::{Entry, PointKind};

use keeps::Pasts;
pub use keeps::{Grain, KeepFacts};
use power::Powers;
use state::State;

/// A rule of the design that the record shows broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// A create was sent though no slot was free.
    RoomFirst,
    /// A point that is not ours (by a person, by another lastgood, changed by a person) was to be deleted.
    Foreign,
    /// An automatic backup was to be deleted.
    Automatic,
    /// A point on hold was to be deleted.
    Held,
    /// A point that `protect` names was to be deleted.
    Protected,
    /// A point in progress was to be deleted.
    InProgress,
    /// A point dated in the future was to be deleted.
    Future,
    /// A point was to be deleted that belongs to no policy of the server, or that its own run did not create.
    OtherPolicy,
    /// A point was to be deleted although another has our mark and was created elsewhere.
    SecondLastgood,
    /// The newest completed point of the server and kind was to be deleted.
    NewestOfServer,
    /// The newest completed point of the policy was to be deleted.
    NewestOfPolicy,
    /// Fewer than `min_keep` would have been left.
    MinKeep,
    /// A completed point was to be deleted before the new one was completed, though a slot was free.
    EvictedWithRoom,
    /// A second completed point was to be deleted before a new one was completed.
    EvictedTwice,
    /// More deletes in one run than `max_deletes`.
    MaxDeletes,
    /// After a success, a bucket that retention counts has no point any more.
    KeptTooFew,
    /// Two restore points of one due time are left.
    OnePointADueTime,
    /// A create was sent again while its point was listed.
    SentTwice,
    /// A server that was stopped for a point is not running.
    LeftStopped,
    /// A server that ran before was off for longer than its point was in progress and its start takes.
    OffTooLong,
    /// A start was sent to a server that did not read `stopped`.
    StartedUnread,
    /// A create of a policy that stops its server was sent while the server was active or starting.
    MadeRunning,
    /// A server was stopped or started for no reason.
    PowerUnasked,
    /// A `hard_stop` was sent.
    HardStop,
    /// What a run reports is not what happened.
    FalseReport,
    /// A run claims a point that it did not create.
    Adopted,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Invariant,
    /// The number of the record's entry that shows it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} (entry {}): {}", self.rule, self.at, self.seq, self.text)
    }
}

/// What the checker must know about a policy.
#[derive(Clone, Debug)]
pub struct CheckedPolicy {
    /// What it creates.
    pub kind: PointKind,
    /// Its `min_keep`.
    pub min_keep: usize,
    /// Its `max_deletes`, when the file gives one.
    pub max_deletes: Option<usize>,
    /// Its `reserve` (the largest of the server and kind).
    pub reserve: usize,
    /// Whether `prune = "all"`: people's points count as its own.
    pub prune_all: bool,
    /// Whether `prune = "none"`.
    pub prune_none: bool,
    /// Whether it stops the server.
    pub stop_server: bool,
    /// Its `protect`.
    pub protect: Vec<String>,
    /// Its `formerly`.
    pub formerly: Vec<String>,
    /// Its `keep`, if it is checked.
    pub keep: Option<KeepFacts>,
}

impl CheckedPolicy {
    /// A policy of that kind with every default.
    pub fn new(kind: PointKind) -> Self {
        Self {
            kind,
            min_keep: 1,
            max_deletes: None,
            reserve: 0,
            prune_all: false,
            prune_none: false,
            stop_server: false,
            protect: Vec::new(),
            formerly: Vec::new(),
            keep: None,
        }
    }
}

/// What the record does not show. It may change between two entries, as by a reload.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `provider.instance`.
    pub instance: String,
    /// The slots of backups and of snapshots.
    pub slots: [usize; 2],
    /// By server name (`*`: every server): the policies with their names.
    pub policies: BTreeMap<String, Vec<(String, CheckedPolicy)>>,
    /// Points on hold: kind and id as shown.
    pub held: BTreeSet<(PointKind, String)>,
    /// Names of servers on hold.
    pub held_servers: BTreeSet<String>,
    /// How far the later of the program's and the provider's clocks is ahead of the simulator's.
    pub ahead: SignedDuration,
    /// How far the program's clock is from the provider's.
    pub apart: SignedDuration,
    /// When no program could have reached the provider: it was down, or refused or failed everything. In order of time.
    pub unreachable: Vec<(Timestamp, Timestamp)>,
    /// How long a server may be off besides that, with no point in progress.
    pub start_takes: SignedDuration,
    /// How long a new point may be missing from lists (`Options::list_lag`).
    pub list_lag: SignedDuration,
    /// If the record has no reads: a run may not know yet what people did within this time.
    pub grace: SignedDuration,
    /// Whether the record has reads (`Options::record_reads`).
    pub reads: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            instance: "main".to_owned(),
            slots: [10, 5],
            policies: BTreeMap::new(),
            held: BTreeSet::new(),
            held_servers: BTreeSet::new(),
            ahead: SignedDuration::ZERO,
            apart: SignedDuration::ZERO,
            unreachable: Vec::new(),
            start_takes: SignedDuration::from_mins(15),
            list_lag: SignedDuration::ZERO,
            grace: SignedDuration::from_mins(10),
            reads: true,
        }
    }
}

impl Facts {
    /// No program could reach the provider between these times.
    pub fn was_unreachable(&mut self, from: Timestamp, to: Timestamp) {
        match self.unreachable.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => self.unreachable.push((from, to)),
        }
    }

    /// For how long, between these times, no program could reach it. The record is read later than it was written.
    pub fn unreachable_within(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let parts = self.unreachable.iter().rev().take_while(|part| part.1 > from);
        let overlaps = parts.map(|part| part.0.max(from).duration_until(part.1.min(to)));
        overlaps.filter(SignedDuration::is_positive).sum()
    }

    /// Adds a policy of a server (`*`: of every server).
    pub fn add(&mut self, server: &str, policy: &str, facts: CheckedPolicy) {
        self.policies.entry(server.to_owned()).or_default().push((policy.to_owned(), facts));
    }

    /// The policy of that name on a server, or the one that had it formerly, with its present name.
    fn policy(&self, server: &str, name: &str) -> Option<(&str, &CheckedPolicy)> {
        let is_it =
            |(called, it): &(&str, &CheckedPolicy)| *called == name || it.formerly.iter().any(|was| was == name);
        self.on(server).find(is_it)
    }

    /// The policies of a server and kind.
    fn of(&self, server: &str, kind: PointKind) -> impl Iterator<Item = (&str, &CheckedPolicy)> {
        self.on(server).filter(move |(_, it)| it.kind == kind)
    }

    fn on(&self, server: &str) -> impl Iterator<Item = (&str, &CheckedPolicy)> {
        let here = self.policies.get(server).into_iter().chain(self.policies.get("*"));
        here.flatten().map(|(called, it)| (called.as_str(), it))
    }
}

/// How a run ended, as it reports it.
#[derive(Clone, Debug)]
pub struct ReportedRun<'a> {
    /// The server's name.
    pub server: &'a str,
    /// The policy's name.
    pub policy: &'a str,
    /// Backup or snapshot.
    pub kind: PointKind,
    /// `succeeded` and so on.
    pub outcome: &'a str,
    /// The point that it reports as created.
    pub created: Option<String>,
    /// The points that it reports as deleted.
    pub deleted: Vec<String>,
}

/// Follows the record and collects the broken rules.
#[derive(Debug)]
pub struct Truth {
    /// What the record does not show.
    pub facts: Facts,
    state: State,
    pasts: Pasts,
    powers: Powers,
    violations: Vec<Violation>,
}

impl Truth {
    /// Nothing has happened yet.
    pub fn new(facts: Facts) -> Self {
        let (state, pasts, powers) = (State::default(), Pasts::default(), Powers::default());
        Self { facts, state, pasts, powers, violations: Vec::new() }
    }

    /// The next entries of the record.
    pub fn feed(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.entry(entry);
        }
    }

    /// It is `now`; nothing may have happened for a while.
    pub fn time_passes(&mut self, now: Timestamp) {
        self.state.moment.1 = self.state.moment.1.max(now);
        self.look_for_long_offs();
    }

    /// A run of a policy begins on a server: rules within one run count from here.
    pub fn run_began(&mut self, server: &str, policy: &str) {
        self.state.line(server, policy).begin();
    }

    /// The run that began there has ended and reports this.
    pub fn run_ended(&mut self, told: &ReportedRun<'_>) {
        for (rule, text) in self.state.compare(told) {
            self.broken(rule, text);
        }
    }

    /// Nothing is in progress any more: checks what must hold in the end.
    pub fn quiet(&mut self) {
        for (rule, text) in self.state.left_behind() {
            self.broken(rule, text);
        }
    }

    /// The rules broken so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    fn broken(&mut self, rule: Invariant, text: String) {
        let (seq, at) = self.state.moment;
        self.violations.push(Violation { rule, seq, at, text });
    }
}
