//! The true state of the account: servers, restore points, and pending changes. Nothing runs in the background: changes
//! due by `now` are applied, in order, at the next access (`advance_to`). So the account works the same under real,
//! paused and manual time. Time that goes back undoes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::options::{Options, ServerSpec};
use super::point::{Point, PointKind};
use super::random::{SeededRandom, scramble};
use super::record::{AccountChange, Cause, ChangeKind, Record, What};

/// The true state of a server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerState {
    /// Its keys and names.
    pub spec: ServerSpec,
    /// `active`, `stopped`, `suspended`, `stopping`, `starting`, `restarting`, `restoring`.
    pub status: String,
    /// No longer in the account.
    pub removed: bool,
    /// Shown instead of `status`, if set.
    pub shows: Option<String>,
    /// When `status` last changed.
    pub since: Timestamp,
    /// The point it was last restored from.
    pub restored_from: Option<(PointKind, i64)>,
    /// Incremented by each status change, so that earlier pending ones are void.
    #[serde(skip)]
    pub(super) turn: u64,
}

impl ServerState {
    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.spec.name.as_deref().or(self.spec.hostname.as_deref()).unwrap_or("")
    }

    /// The status that clients see.
    #[must_use]
    pub fn shown_status(&self) -> &str {
        self.shows.as_deref().unwrap_or(&self.status)
    }

    /// Whether `key` is its integer id or uuid, as used in the API's paths and bodies.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        self.spec.uuid.as_deref() == Some(key) || self.spec.id.is_some_and(|id| id.to_string() == key)
    }

    /// Whether `word` is any of its keys or names.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        self.has_key(word) || [&self.spec.name, &self.spec.hostname].iter().any(|name| name.as_deref() == Some(word))
    }
}

/// A change that will happen with time.
#[derive(Clone, Debug)]
pub(super) enum PendingChange {
    Completed { kind: PointKind, id: i64, serial: u64 },
    Failed { kind: PointKind, id: i64, serial: u64 },
    Vanished { kind: PointKind, id: i64, serial: u64 },
    Gone { kind: PointKind, id: i64, serial: u64 },
    Listed { kind: PointKind, id: i64, serial: u64 },
    Status { server: usize, turn: u64, word: String },
}

/// The points of a kind.
#[derive(Clone, Debug, Default)]
pub(super) struct PointTable {
    pub(super) points: BTreeMap<i64, Point>,
    by_server: BTreeMap<usize, BTreeSet<i64>>,
    next_id: i64,
    freed: BTreeSet<i64>,
}

/// The true state of the account.
#[derive(Clone, Debug)]
pub struct Account {
    pub(super) options: Options,
    pub(super) servers: Vec<ServerState>,
    pub(super) tables: [PointTable; 2],
    pub(super) record: Record,
    pub(super) random: SeededRandom,
    pending: BTreeMap<(Timestamp, u64), PendingChange>,
    count: u64,
}

impl Account {
    /// The account that the options describe.
    pub(super) fn new(options: Options, now: Timestamp) -> Self {
        let table = |first| PointTable { next_id: first, ..PointTable::default() };
        let mut account = Self {
            servers: Vec::new(),
            tables: [table(501), table(801)],
            record: Record::default(),
            random: SeededRandom::new(options.seed),
            pending: BTreeMap::new(),
            count: 0,
            options,
        };
        for spec in account.options.servers.clone() {
            account.add_server(now, spec);
        }
        account.add_automatic_backups(now);
        for spec in account.options.foreign.clone() {
            account.add_points(now, &spec);
        }
        account
    }

    /// The servers, including removed ones. A point's `server` is an index into this list.
    #[must_use]
    pub fn servers(&self) -> &[ServerState] {
        &self.servers
    }

    /// The server with this key or name.
    #[must_use]
    pub fn server(&self, word: &str) -> Option<&ServerState> {
        self.find_server(word).map(|index| &self.servers[index])
    }

    /// All points of a kind, by id, including those not listed yet and those being deleted.
    pub fn points(&self, kind: PointKind) -> impl Iterator<Item = &Point> {
        self.tables[kind as usize].points.values()
    }

    /// The points of a kind on one server (given by any key or name), by id.
    #[must_use]
    pub fn points_of(&self, kind: PointKind, server: &str) -> Vec<&Point> {
        self.find_server(server).map(|index| self.points_on(kind, index).collect()).unwrap_or_default()
    }

    /// A point by its true id.
    #[must_use]
    pub fn point(&self, kind: PointKind, id: i64) -> Option<&Point> {
        self.tables[kind as usize].points.get(&id)
    }

    /// How many slots are taken on a server.
    #[must_use]
    pub fn used(&self, kind: PointKind, server: &str) -> usize {
        self.find_server(server).map_or(0, |index| self.used_on(kind, index))
    }

    /// The record of what has happened.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How the provider behaves.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// When the next pending change is due, if there is one.
    #[must_use]
    pub fn next_change(&self) -> Option<Timestamp> {
        self.pending.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn find_server(&self, word: &str) -> Option<usize> {
        self.servers.iter().position(|server| !server.removed && server.is_called(word))
    }

    pub(super) fn find_server_by_key(&self, key: &str) -> Option<usize> {
        // Called for every request, with a thousand servers: avoid formatting each id.
        let id = key.parse::<i64>().ok().filter(|id| id.to_string() == key);
        let has_key = |spec: &ServerSpec| spec.uuid.as_deref() == Some(key) || (id.is_some() && spec.id == id);
        self.servers.iter().position(|server| !server.removed && has_key(&server.spec))
    }

    pub(super) fn points_on(&self, kind: PointKind, server: usize) -> impl DoubleEndedIterator<Item = &Point> {
        let table = &self.tables[kind as usize];
        table.by_server.get(&server).into_iter().flatten().filter_map(|id| table.points.get(id))
    }

    pub(super) fn used_on(&self, kind: PointKind, server: usize) -> usize {
        self.points_on(kind, server).filter(|point| point.takes_slot()).count()
    }

    /// The time by the provider's clock.
    pub(super) fn shown(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_secs(self.options.clock_skew_seconds)).unwrap_or(now)
    }

    /// Applies all changes that are due by `now`.
    pub(super) fn advance_to(&mut self, now: Timestamp) {
        while let Some(entry) = self.pending.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let due = entry.remove();
            self.apply(at, due);
        }
    }

    pub(super) fn schedule(&mut self, at: Timestamp, due: PendingChange) {
        self.count += 1;
        self.pending.insert((at, self.count), due);
    }

    fn apply(&mut self, at: Timestamp, due: PendingChange) {
        match due {
            PendingChange::Completed { kind, id, serial } => {
                self.finish(at, (kind, id, serial), "completed", ChangeKind::PointCompleted);
            }
            PendingChange::Failed { kind, id, serial } => {
                self.finish(at, (kind, id, serial), "failed", ChangeKind::PointFailed)
            }
            PendingChange::Vanished { kind, id, serial } => {
                self.vanish(at, (kind, id, serial), ChangeKind::PointVanished)
            }
            PendingChange::Gone { kind, id, serial } => self.vanish(at, (kind, id, serial), ChangeKind::PointGone),
            PendingChange::Listed { kind, id, serial } => {
                if let Some(point) = self.find_same((kind, id, serial)) {
                    point.listed = true;
                }
            }
            PendingChange::Status { server, turn, word } => {
                if self.servers[server].turn == turn {
                    self.set_status(at, server, &word, Cause::PROVIDER);
                }
            }
        }
    }

    fn find_same(&mut self, (kind, id, serial): (PointKind, i64, u64)) -> Option<&mut Point> {
        self.tables[kind as usize].points.get_mut(&id).filter(|point| point.serial == serial)
    }

    fn finish(&mut self, at: Timestamp, which: (PointKind, i64, u64), word: &str, change: ChangeKind) {
        let Some(point) = self.find_same(which) else { return };
        if point.deleting {
            return;
        }
        point.status = word.to_owned();
        point.size_mb = (change == ChangeKind::PointCompleted).then_some(point.final_size_mb);
        let point = point.clone();
        self.record_point(at, change, &point, Cause::PROVIDER);
    }

    fn vanish(&mut self, at: Timestamp, which: (PointKind, i64, u64), change: ChangeKind) {
        if self.find_same(which).is_some() {
            self.remove(at, (which.0, which.1), change, Cause::PROVIDER);
        }
    }

    /// Removes a point from the account for good.
    pub(super) fn remove(&mut self, at: Timestamp, (kind, id): (PointKind, i64), change: ChangeKind, cause: Cause) {
        let table = &mut self.tables[kind as usize];
        let Some(point) = table.points.remove(&id) else { return };
        if let Some(ids) = table.by_server.get_mut(&point.server) {
            ids.remove(&id);
        }
        table.freed.insert(id);
        self.record_point(at, change, &point, cause);
    }

    /// Adds the point under a new id.
    pub(super) fn insert(&mut self, at: Timestamp, mut point: Point, cause: Cause) -> Point {
        self.count += 1;
        point.serial = self.count;
        let reused = if self.options.reuse_ids { self.tables[point.kind as usize].freed.pop_first() } else { None };
        let table = &mut self.tables[point.kind as usize];
        point.id = reused.unwrap_or(table.next_id);
        table.next_id += i64::from(reused.is_none());
        if point.final_size_mb == 0 {
            // Sizes differ between servers, and slightly between points, as real ones do.
            let index = u64::try_from(point.server).expect("an index fits");
            let id = u64::try_from(point.id).expect("ids are positive");
            point.final_size_mb = 4_000 + scramble(index) % 4_000 + scramble(id) % 200;
        }
        if point.status == "completed" {
            point.size_mb = point.size_mb.or(Some(point.final_size_mb));
        }
        table.by_server.entry(point.server).or_default().insert(point.id);
        table.points.insert(point.id, point.clone());
        self.record_point(at, ChangeKind::PointCreated, &point, cause);
        point
    }

    /// Records a change of a point.
    pub(super) fn record_point(&mut self, at: Timestamp, change: ChangeKind, point: &Point, cause: Cause) {
        let entry = AccountChange {
            change,
            server: self.servers[point.server].name().to_owned(),
            kind: Some(point.kind),
            id: Some(self.shown_id(point)),
            point: Some(point.clone()),
            used: Some(self.used_on(point.kind, point.server)),
            by: cause.by,
            request: cause.request,
            detail: Value::Null,
        };
        self.record.push(at, What::Change(entry));
    }

    /// Records a change of a server.
    pub(super) fn record_server(
        &mut self,
        at: Timestamp,
        change: ChangeKind,
        server: usize,
        cause: Cause,
        detail: Value,
    ) {
        let entry = AccountChange {
            change,
            server: self.servers[server].name().to_owned(),
            kind: None,
            id: None,
            point: None,
            used: None,
            by: cause.by,
            request: cause.request,
            detail,
        };
        self.record.push(at, What::Change(entry));
    }
}
