//! What is true at this entry of the record, and what the client can know of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lastgood::simulator::{By, Change, ChangeKind, Entry, Kind, Point, Request, What};
use serde_json::Value;

use super::text::{self, Mark};
use super::{Facts, Rule, Told, Truth};

/// A restore point that is in the account, or was a moment ago.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) server: String,
    pub(super) point: Point,
    /// What the client asked for it to carry, or what a person wrote.
    pub(super) mark: Option<Mark>,
    pub(super) by_client: bool,
    /// A list that the client has read had it.
    seen: bool,
    /// Its entry, and the last one in which a person changed its text after the client had seen it.
    pub(super) born: (u64, Timestamp),
    pub(super) changed: Option<(u64, Timestamp)>,
    /// A delete was accepted.
    pub(super) deleting: bool,
    /// When it left, for as long as the client may not know it.
    pub(super) left: Option<(u64, Timestamp)>,
}

impl Known {
    pub(super) fn completed(&self) -> bool {
        self.point.status == "completed"
    }
}

/// A policy on a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// A point of the run under way (or of the last one) is completed.
    pub(super) good: bool,
    /// What the last create was for.
    due: Option<String>,
    /// Completed points deleted since the last completion, before the next.
    pub(super) evicted: usize,
    /// Accepted deletes of the run under way; `None` outside of a run that was announced.
    pub(super) deleted: Option<BTreeSet<String>>,
}

impl Line {
    pub(super) fn begin(&mut self) {
        self.good = false;
        self.due = None;
        self.deleted = Some(BTreeSet::new());
    }
}

#[derive(Clone, Debug, Default)]
struct Power {
    owes_start: bool,
    /// A person (or the provider) has stopped it.
    stopped: bool,
    /// A stop of the client came a moment later: it cannot tell whose the stop was.
    asked: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) moment: (u64, Timestamp),
    /// By kind and server, then by id as shown.
    points: BTreeMap<(Kind, String), BTreeMap<String, Known>>,
    /// On which server a point is.
    places: BTreeMap<(Kind, String), String>,
    /// What has left and may not be known yet.
    pub(super) ghosts: Vec<Known>,
    /// By server, then by policy.
    lines: BTreeMap<String, BTreeMap<String, Line>>,
    servers: BTreeMap<String, Power>,
    /// The entry of the last good list of a kind, of a server or (under an empty name) of all.
    reads: BTreeMap<(Kind, String), u64>,
    /// The first one.
    first_reads: BTreeMap<(Kind, String), u64>,
    /// Lists that told a lie which nobody can see through, since the last good one.
    misled: BTreeSet<(Kind, String)>,
    /// What the creates that are on their way ask for.
    asked: BTreeMap<u64, Mark>,
    /// The client's points: the server, the policy, and whether it was ever completed.
    made: BTreeMap<(Kind, String), (String, String, bool)>,
    deleted: BTreeSet<(Kind, String)>,
}

/// Faults of a list that no client can see through.
const LIES: [&str; 2] = ["only_items", "show"];

impl State {
    pub(super) fn line(&mut self, server: &str, policy: &str) -> &mut Line {
        self.lines.entry(server.to_owned()).or_default().entry(policy.to_owned()).or_default()
    }

    pub(super) fn line_of(&self, server: &str, policy: &str) -> Option<&Line> {
        self.lines.get(server)?.get(policy)
    }

    /// Whether a run that was announced is under way on a server.
    pub(super) fn announced(&self, server: &str) -> bool {
        self.lines.get(server).is_some_and(|lines| lines.values().any(|line| line.deleted.is_some()))
    }

    /// Whether the client may not know yet what happened at this entry.
    pub(super) fn unknown(&self, facts: &Facts, place: (Kind, &str), (seq, at): (u64, Timestamp)) -> bool {
        if facts.reads { self.last_read(place) < seq } else { self.moment.1.duration_since(at) < facts.grace }
    }

    fn last_read(&self, (kind, server): (Kind, &str)) -> u64 {
        let of = |name: &str| self.reads.get(&(kind, name.to_owned())).copied().unwrap_or(0);
        of(server).max(of(""))
    }

    /// Whether the client had read a list of the server before this entry.
    pub(super) fn read_before(&self, (kind, server): (Kind, &str), seq: u64) -> bool {
        let of = |name: &str| self.first_reads.get(&(kind, name.to_owned())).is_some_and(|first| *first < seq);
        of(server) || of("")
    }

    pub(super) fn is_misled(&self, (kind, server): (Kind, &str)) -> bool {
        self.misled.contains(&(kind, server.to_owned())) || self.misled.contains(&(kind, String::new()))
    }

    /// The manual points of a server and kind.
    pub(super) fn on<'a>(&'a self, kind: Kind, server: &'a str) -> impl Iterator<Item = &'a Known> {
        let here = self.points.get(&(kind, server.to_owned())).into_iter().flat_map(BTreeMap::values);
        here.filter(|it| it.point.takes_slot())
    }

    /// The point of that kind and id.
    pub(super) fn point(&self, kind: Kind, id: &str) -> Option<&Known> {
        let key = (kind, id.to_owned());
        let server = self.places.get(&key)?;
        self.points.get(&(kind, server.clone()))?.get(id)
    }

    fn point_mut(&mut self, (kind, id): &(Kind, String)) -> Option<&mut Known> {
        let server = self.places.get(&(*kind, id.clone()))?;
        self.points.get_mut(&(*kind, server.clone()))?.get_mut(id)
    }

    /// The slots taken, as far as the client can know: what a person made since its last list does not count.
    pub(super) fn used(&self, facts: &Facts, kind: Kind, server: &str) -> usize {
        let counts = |it: &&Known| it.by_client || !self.unknown(facts, (kind, server), it.born);
        self.on(kind, server).filter(counts).count()
    }

    /// What a run tells, against what happened.
    pub(super) fn compare(&mut self, told: &Told<'_>) -> Vec<(Rule, String)> {
        let mut wrong = Vec::new();
        let Told { server, policy, kind, outcome, .. } = told;
        let made = told.created.as_ref().and_then(|id| self.made.get(&(*kind, id.clone())));
        match (&told.created, made) {
            (Some(id), None) => wrong.push((Rule::Adopted, format!("{policy} on {server} calls {id} its own"))),
            (Some(id), Some((at, by, _))) if at != server || by != policy => {
                wrong.push((Rule::Adopted, format!("{policy} on {server} calls {id} of {by} on {at} its own")));
            }
            _ => {}
        }
        if *outcome == "succeeded" && !made.is_some_and(|(.., completed)| *completed) {
            wrong.push((Rule::Told, format!("{policy} on {server} says succeeded, and {:?} is not", told.created)));
        }
        for id in &told.deleted {
            let key = (*kind, id.clone());
            if self.point(*kind, id).is_some_and(|it| !it.deleting) && !self.deleted.contains(&key) {
                wrong.push((Rule::Told, format!("{policy} on {server} says that {id} is deleted")));
            }
        }
        let line = self.line(server, policy);
        for id in line.deleted.take().unwrap_or_default() {
            if !told.deleted.contains(&id) {
                wrong.push((Rule::Told, format!("{policy} on {server} does not say that it deleted {id}")));
            }
        }
        wrong
    }

    /// What must not be left when nothing is under way.
    pub(super) fn left_behind(&self) -> Vec<(Rule, String)> {
        let stopped = self.servers.iter().filter(|(_, power)| power.owes_start);
        let mut wrong: Vec<_> = stopped.map(|(name, _)| (Rule::LeftStopped, format!("{name} does not run"))).collect();
        let mut dues: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for it in self
            .points
            .values()
            .flat_map(BTreeMap::values)
            .filter(|it| it.by_client && !it.deleting && it.point.status != "failed")
        {
            if let Some(mark) = &it.mark {
                dues.entry((it.point.kind, &it.server, &mark.policy, &mark.due)).or_default().push(&it.id);
            }
        }
        for ((_, server, policy, due), ids) in dues.into_iter().filter(|(_, ids)| ids.len() > 1) {
            wrong.push((Rule::OnePointADueTime, format!("{policy} on {server} of {due}: {ids:?}")));
        }
        wrong
    }
}

impl Truth {
    pub(super) fn entry(&mut self, entry: &Entry) {
        self.state.moment = (entry.seq, entry.at);
        match &entry.what {
            What::Request(request) => self.request(request),
            What::Change(change) => self.change(change),
        }
    }

    fn request(&mut self, request: &Request) {
        let words: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let kind = match words[0] {
            "backups" => Some(Kind::Backup),
            "snapshots" => Some(Kind::Snapshot),
            _ => None,
        };
        match (request.method.as_str(), words.as_slice(), kind) {
            ("GET", [_], Some(kind)) => self.state.listed(kind, request),
            ("POST", [_], Some(kind)) => self.create(kind, request),
            ("DELETE", [_, id], Some(kind)) => self.delete(kind, id),
            ("POST", ["servers", _, "power"], _) => self.power(request),
            _ => {}
        }
    }

    fn create(&mut self, kind: Kind, request: &Request) {
        let Some(server) = &request.server else { return };
        let mark = request.body["description"].as_str().and_then(text::mark);
        let limit = self.facts.slots[kind as usize];
        let used = self.state.used(&self.facts, kind, server);
        if used >= limit && !self.state.is_misled((kind, server)) {
            self.broken(Rule::RoomFirst, format!("a create on {server}, where {used} of {limit} are taken"));
        }
        let Some(mark) = mark else { return };
        let is_same = |it: &&Known| it.by_client && it.mark.as_ref().is_some_and(|own| is_for_the_same(own, &mark));
        let there = |it: &&Known| {
            let shown = it.born.1.saturating_add(self.facts.list_lag).unwrap_or(it.born.1);
            let long_ago = shown <= self.state.moment.1 && !self.state.unknown(&self.facts, (kind, server), it.born);
            long_ago && it.point.status != "failed" && !it.deleting
        };
        let again = self.state.on(kind, server).filter(is_same).find(there).map(|it| it.id.clone());
        if let Some(id) = again {
            self.broken(Rule::SentTwice, format!("a create for {} of {}, which is {id}", mark.policy, mark.due));
        }
        let name = self.facts.policy(server, &mark.policy).map_or(mark.policy.clone(), |(name, _)| name.to_owned());
        let line = self.state.line(server, &name);
        if line.due.as_ref() != Some(&mark.due) {
            line.good = false;
            line.due = Some(mark.due.clone());
        }
        let seq = self.state.moment.0;
        self.state.asked.insert(seq, mark);
    }

    fn power(&mut self, request: &Request) {
        let Some(server) = request.server.clone() else { return };
        let asked = [Kind::Backup, Kind::Snapshot]
            .iter()
            .any(|kind| self.facts.of(&server, *kind).any(|(_, policy)| policy.stop_server));
        let power = self.state.servers.entry(server.clone()).or_default();
        let anothers = power.stopped && !power.owes_start && !power.asked;
        power.asked |= request.body["action"] == "stop";
        match request.body["action"].as_str() {
            Some("hard_stop") => self.broken(Rule::HardStop, format!("{server} was to be stopped hard")),
            Some("stop") if !asked => self.broken(Rule::PowerUnasked, format!("{server} was to be stopped")),
            Some("start") if anothers => self.broken(Rule::PowerUnasked, format!("{server} was to be started")),
            _ => {}
        }
    }

    fn change(&mut self, change: &Change) {
        match (change.kind, &change.id, &change.point) {
            (Some(kind), Some(id), Some(point)) => self.point_changed(change, (kind, word(id)), point),
            _ => self.state.server_changed(change),
        }
    }

    fn point_changed(&mut self, change: &Change, key: (Kind, String), point: &Point) {
        let moment = self.state.moment;
        let by_client = change.by == By::Client;
        match change.change {
            ChangeKind::PointCreated => {
                let asked = change.request.filter(|_| by_client).and_then(|seq| self.state.asked.remove(&seq));
                let mark = asked.or_else(|| text::mark(&point.description));
                if by_client && let Some(mark) = &mark {
                    let made = (change.server.clone(), mark.policy.clone(), false);
                    self.state.made.insert(key.clone(), made);
                }
                let known = Known {
                    id: key.1.clone(),
                    server: change.server.clone(),
                    point: point.clone(),
                    mark,
                    by_client,
                    seen: false,
                    born: moment,
                    changed: None,
                    deleting: false,
                    left: None,
                };
                let shelf = self.state.points.entry((key.0, known.server.clone())).or_default();
                shelf.insert(key.1.clone(), known);
                self.state.places.insert(key, change.server.clone());
            }
            ChangeKind::PointDeleted => self.accepted(&key),
            ChangeKind::PointGone | ChangeKind::PointVanished => {
                let shelf = self.state.points.get_mut(&(key.0, change.server.clone()));
                if let Some(mut known) = shelf.and_then(|shelf| shelf.remove(&key.1)) {
                    self.state.places.remove(&key);
                    known.left = Some(moment);
                    self.state.ghosts.push(known);
                }
                self.forget_ghosts();
            }
            ChangeKind::PointCompleted | ChangeKind::PointFailed | ChangeKind::PointEdited => {
                let reads = self.facts.reads;
                let Some(known) = self.state.point_mut(&key) else { return };
                let other = known.point.name != point.name || known.point.description != point.description;
                if other && (known.seen || !reads) {
                    known.changed = Some(moment);
                }
                known.point = point.clone();
                let completed = known.completed() && change.change == ChangeKind::PointCompleted;
                if completed && known.by_client {
                    let known = known.clone();
                    self.completed(&key, &known);
                }
            }
            _ => {}
        }
    }

    fn completed(&mut self, key: &(Kind, String), known: &Known) {
        if let Some((.., completed)) = self.state.made.get_mut(key) {
            *completed = true;
        }
        let Some(mark) = &known.mark else { return };
        let line = self.state.line(&known.server, &mark.policy);
        line.evicted = 0;
        // A point of an earlier run that is completed at last is not what this run waits for.
        line.good |= line.due.as_ref() == Some(&mark.due);
    }

    /// What left so long ago that the client must know it is no ghost any more.
    fn forget_ghosts(&mut self) {
        let ghosts = std::mem::take(&mut self.state.ghosts);
        let still =
            |it: &Known| it.left.is_some_and(|left| self.state.unknown(&self.facts, (it.point.kind, &it.server), left));
        self.state.ghosts = ghosts.into_iter().filter(still).collect();
    }

    fn accepted(&mut self, key: &(Kind, String)) {
        let Some(known) = self.state.point_mut(key) else { return };
        known.deleting = true;
        let known = known.clone();
        self.state.deleted.insert(key.clone());
        let policy = known.mark.as_ref().map(|mark| mark.policy.clone());
        let policy = policy.and_then(|name| self.facts.policy(&known.server, &name).map(|(now, _)| now.to_owned()));
        // A point that a person made is deleted by the policy that may.
        let fallback = || {
            let all = self.facts.of(&known.server, key.0).find(|(_, it)| it.prune_all);
            all.map(|(name, _)| name.to_owned())
        };
        let Some(policy) = policy.or_else(fallback) else { return };
        let completed = known.completed();
        let line = self.state.line(&known.server, &policy);
        line.evicted += usize::from(completed && !line.good);
        if let Some(deleted) = &mut line.deleted {
            deleted.insert(key.1.clone());
        }
    }
}

impl State {
    /// A list was asked for. Its answer tells the client what was so when the request came in.
    fn listed(&mut self, kind: Kind, request: &Request) {
        if request.status != Some(200) {
            return;
        }
        let key = (kind, request.server.clone().unwrap_or_default());
        if request.faults.iter().any(|fault| LIES.contains(&fault.as_str())) {
            self.misled.insert(key);
            return;
        }
        self.misled.remove(&key);
        let here = |(of, at): &(Kind, String)| *of == kind && (key.1.is_empty() || *at == key.1);
        let shown = self.points.iter_mut().filter(|(place, _)| here(place)).flat_map(|(_, shelf)| shelf.values_mut());
        shown.for_each(|known| known.seen = true);
        self.reads.insert(key.clone(), self.moment.0);
        self.first_reads.entry(key).or_insert(self.moment.0);
    }

    fn server_changed(&mut self, change: &Change) {
        let power = self.servers.entry(change.server.clone()).or_default();
        let to = change.detail["to"].as_str().unwrap_or_default();
        match (change.change, change.by) {
            (ChangeKind::ServerStatus, By::Client) if to.starts_with("stop") => power.owes_start = true,
            (ChangeKind::ServerStatus, _) if to == "active" => *power = Power::default(),
            (ChangeKind::ServerStatus, By::Person) => power.stopped = true,
            (ChangeKind::ServerChanged, _) => *power = Power::default(),
            _ => {}
        }
    }
}

fn is_for_the_same(own: &Mark, other: &Mark) -> bool {
    (&own.instance, &own.policy, &own.due) == (&other.instance, &other.policy, &other.due)
}

fn word(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
