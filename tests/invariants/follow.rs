//! Follows the record entry by entry: what a request means, and what a change makes true.

use lastgood::simulator::{AccountChange, By, ChangeKind, Entry, Point, PointKind, Request, What};
use serde_json::Value;

use super::state::TrackedPoint;
use super::text::{self, MarkText};
use super::{Invariant, Truth};

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
            "backups" => Some(PointKind::Backup),
            "snapshots" => Some(PointKind::Snapshot),
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

    fn create(&mut self, kind: PointKind, request: &Request) {
        let Some(server) = &request.server else { return };
        let mark = request.body["description"].as_str().and_then(text::mark);
        let limit = self.facts.slots[kind as usize];
        let used = self.state.used(&self.facts, kind, server);
        if used >= limit && !self.state.is_misled((kind, server)) {
            self.broken(Invariant::RoomFirst, format!("a create on {server}, where {used} of {limit} are taken"));
        }
        let Some(mark) = mark else { return };
        let is_same =
            |it: &&TrackedPoint| it.by_client && it.mark.as_ref().is_some_and(|own| is_for_the_same(own, &mark));
        let there = |it: &&TrackedPoint| {
            let shown = it.born.1.saturating_add(self.facts.list_lag).unwrap_or(it.born.1);
            let long_ago = shown <= self.state.moment.1 && !self.state.unknown(&self.facts, (kind, server), it.born);
            long_ago && it.point.status != "failed" && !it.deleting
        };
        let again = self.state.on(kind, server).filter(is_same).find(there).map(|it| it.id.clone());
        if let Some(id) = again {
            self.broken(Invariant::SentTwice, format!("a create for {} of {}, which is {id}", mark.policy, mark.due));
        }
        let stops = self.facts.policy(server, &mark.policy).is_some_and(|(_, policy)| policy.stop_server);
        let runs = self.state.standing.get(server).is_some_and(|it| !it.still && !it.by_person);
        if stops && runs {
            self.broken(Invariant::MadeRunning, format!("a create on {server}, which is not stopped"));
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
        let asked = [PointKind::Backup, PointKind::Snapshot]
            .iter()
            .any(|kind| self.facts.of(&server, *kind).any(|(_, policy)| policy.stop_server));
        let power = self.state.servers.entry(server.clone()).or_default();
        let anothers = power.stopped && !power.owes_start && !power.asked;
        power.asked |= request.body["action"] == "stop";
        match request.body["action"].as_str() {
            Some("hard_stop") => self.broken(Invariant::HardStop, format!("{server} was to be stopped hard")),
            Some("stop") if !asked => self.broken(Invariant::PowerUnasked, format!("{server} was to be stopped")),
            Some("start") if self.powers.runs(&server, self.state.moment.1) => {
                self.broken(Invariant::StartedUnread, format!("{server} was to be started, and was not stopped"));
            }
            Some("start") if anothers => self.broken(Invariant::PowerUnasked, format!("{server} was to be started")),
            _ => {}
        }
    }

    fn change(&mut self, change: &AccountChange) {
        match (change.kind, &change.id, &change.point) {
            (Some(kind), Some(id), Some(point)) => self.point_changed(change, (kind, word(id)), point),
            _ => {
                if let (Some(from), Some(to)) =
                    (change.detail["renamed"]["from"].as_str(), change.detail["renamed"]["to"].as_str())
                {
                    self.renamed(from, to);
                }
                self.state.server_changed(&self.facts, change);
                self.power_changed(change);
            }
        }
    }

    fn point_changed(&mut self, change: &AccountChange, key: (PointKind, String), point: &Point) {
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
                let known = TrackedPoint {
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
                if by_client {
                    self.powers.making(&known, moment.1);
                }
                let shelf = self.state.points.entry((key.0, known.server.clone())).or_default();
                shelf.insert(key.1.clone(), known.clone());
                self.state.places.insert(key, change.server.clone());
                if known.completed() && !by_client {
                    self.keeps_completed(&known);
                }
            }
            ChangeKind::PointDeleted => self.accepted(&key),
            ChangeKind::PointGone | ChangeKind::PointVanished => {
                let shelf = self.state.points.get_mut(&(key.0, change.server.clone()));
                if let Some(mut known) = shelf.and_then(|shelf| shelf.remove(&key.1)) {
                    self.state.places.remove(&key);
                    if !known.deleting {
                        self.pasts.excuse(&known);
                    }
                    self.powers.made(&known, moment.1);
                    known.left = Some(moment);
                    self.state.ghosts.push(known);
                }
                self.forget_ghosts();
            }
            ChangeKind::PointCompleted | ChangeKind::PointFailed | ChangeKind::PointEdited => {
                let reads = self.facts.reads;
                let Some(known) = self.state.point_mut(&key) else { return };
                let other = known.point.name != point.name || known.point.description != point.description;
                // A person's point with another text of a person's is as foreign as it was, and goes with `prune = "all"`.
                let marked = known.mark.is_some() || text::mark(&point.description).is_some();
                if other && marked && (known.seen || !reads) {
                    known.changed = Some(moment);
                }
                known.point = point.clone();
                let known = known.clone();
                self.powers.made(&known, moment.1);
                if known.changed.is_some() {
                    self.pasts.excuse(&known);
                }
                if known.completed() && change.change == ChangeKind::PointCompleted {
                    if known.by_client {
                        self.completed(&key, &known);
                    }
                    self.keeps_completed(&known);
                }
            }
            _ => {}
        }
    }

    /// A server has another name from now on.
    fn renamed(&mut self, from: &str, to: &str) {
        self.state.rename(from, to);
        self.pasts.rename(from, to);
        self.powers.rename(from, to);
    }

    fn completed(&mut self, key: &(PointKind, String), known: &TrackedPoint) {
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
        let still = |it: &TrackedPoint| {
            it.left.is_some_and(|left| self.state.unknown(&self.facts, (it.point.kind, &it.server), left))
        };
        self.state.ghosts = ghosts.into_iter().filter(still).collect();
    }

    fn accepted(&mut self, key: &(PointKind, String)) {
        let Some(known) = self.state.point_mut(key) else { return };
        known.deleting = true;
        let known = known.clone();
        self.state.deleted.insert(key.clone());
        if known.completed() {
            self.keeps_deleted(&known);
        }
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

fn is_for_the_same(own: &MarkText, other: &MarkText) -> bool {
    (&own.instance, &own.policy, &own.due) == (&other.instance, &other.policy, &other.due)
}

fn word(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
