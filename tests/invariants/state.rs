//! What is true at this entry of the record, and what the client can know of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lastgood::simulator::{AccountChange, By, ChangeKind, Point, PointKind, Request};

use super::text::MarkText;
use super::{Facts, Invariant, ReportedRun};

/// A restore point that is in the account, or was a moment ago.
#[derive(Clone, Debug)]
pub(super) struct TrackedPoint {
    pub(super) id: String,
    pub(super) server: String,
    pub(super) point: Point,
    /// What the client asked for it to carry, or what a person wrote.
    pub(super) mark: Option<MarkText>,
    pub(super) by_client: bool,
    /// A list that the client has read had it.
    pub(super) seen: bool,
    /// Its entry, and the last one in which a person changed its text after the client had seen it.
    pub(super) born: (u64, Timestamp),
    pub(super) changed: Option<(u64, Timestamp)>,
    /// A delete was accepted.
    pub(super) deleting: bool,
    /// When it left, for as long as the client may not know it.
    pub(super) left: Option<(u64, Timestamp)>,
}

impl TrackedPoint {
    pub(super) fn completed(&self) -> bool {
        self.point.status == "completed"
    }
}

/// A policy on a server.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyTrack {
    /// A point of the run in progress (or of the last one) is completed.
    pub(super) good: bool,
    /// What the last create was for.
    pub(super) due: Option<String>,
    /// Completed points deleted since the last completion, before the next.
    pub(super) evicted: usize,
    /// Accepted deletes of the run in progress; `None` outside of a run that was announced.
    pub(super) deleted: Option<BTreeSet<String>>,
}

impl PolicyTrack {
    pub(super) fn begin(&mut self) {
        self.good = false;
        self.due = None;
        self.deleted = Some(BTreeSet::new());
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct PowerTrack {
    pub(super) owes_start: bool,
    /// A person (or the provider) has stopped it.
    pub(super) stopped: bool,
    /// A stop of the client came a moment later: it cannot know whose stop it was.
    pub(super) asked: bool,
    /// When it ran again after a stop of the client.
    ran_again: Option<Timestamp>,
}

/// The client looks at a server that it starts every two minutes, and a look takes a moment.
const BETWEEN_LOOKS: SignedDuration = SignedDuration::from_mins(3);

/// How a server is, from its first change on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    pub(super) still: bool,
    /// The last to ask for that was a person.
    pub(super) by_person: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) moment: (u64, Timestamp),
    /// By kind and server, then by id as shown.
    pub(super) points: BTreeMap<(PointKind, String), BTreeMap<String, TrackedPoint>>,
    /// On which server a point is.
    pub(super) places: BTreeMap<(PointKind, String), String>,
    /// What has left and may not be known yet.
    pub(super) ghosts: Vec<TrackedPoint>,
    /// By server, then by policy.
    lines: BTreeMap<String, BTreeMap<String, PolicyTrack>>,
    pub(super) servers: BTreeMap<String, PowerTrack>,
    pub(super) standing: BTreeMap<String, Standing>,
    /// The entry of the last good list of a kind, of a server or (under an empty name) of all.
    reads: BTreeMap<(PointKind, String), u64>,
    /// The first one.
    first_reads: BTreeMap<(PointKind, String), u64>,
    /// Wrong lists that nobody can recognize, since the last good one.
    misled: BTreeSet<(PointKind, String)>,
    /// What the creates that are on their way ask for.
    pub(super) asked: BTreeMap<u64, MarkText>,
    /// The client's points: the server, the policy, and whether it was ever completed.
    pub(super) made: BTreeMap<(PointKind, String), (String, String, bool)>,
    pub(super) deleted: BTreeSet<(PointKind, String)>,
}

/// Faults of a list that no client can see through.
const LIES: [&str; 2] = ["only_items", "show"];

impl State {
    pub(super) fn line(&mut self, server: &str, policy: &str) -> &mut PolicyTrack {
        self.lines.entry(server.to_owned()).or_default().entry(policy.to_owned()).or_default()
    }

    pub(super) fn line_of(&self, server: &str, policy: &str) -> Option<&PolicyTrack> {
        self.lines.get(server)?.get(policy)
    }

    /// Whether the client stopped the server and has not started it since.
    pub(super) fn owes_start(&self, server: &str) -> bool {
        self.servers.get(server).is_some_and(|power| power.owes_start)
    }

    /// A server has another name from now on.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for kind in [PointKind::Backup, PointKind::Snapshot] {
            let (old, new) = ((kind, from.to_owned()), (kind, to.to_owned()));
            if let Some(mut shelf) = self.points.remove(&old) {
                shelf.values_mut().for_each(|known| known.server = to.to_owned());
                self.points.insert(new.clone(), shelf);
            }
            for reads in [&mut self.reads, &mut self.first_reads] {
                if let Some(read) = reads.remove(&old) {
                    reads.insert(new.clone(), read);
                }
            }
            if self.misled.remove(&old) {
                self.misled.insert(new);
            }
        }
        self.places.values_mut().filter(|server| *server == from).for_each(|server| *server = to.to_owned());
        self.ghosts.iter_mut().filter(|it| it.server == from).for_each(|it| it.server = to.to_owned());
        self.made.values_mut().filter(|made| made.0 == from).for_each(|made| made.0 = to.to_owned());
        move_key(&mut self.lines, from, to);
        move_key(&mut self.servers, from, to);
        move_key(&mut self.standing, from, to);
    }

    /// Whether a run that was announced is in progress on a server.
    pub(super) fn announced(&self, server: &str) -> bool {
        self.lines.get(server).is_some_and(|lines| lines.values().any(|line| line.deleted.is_some()))
    }

    /// Whether the client may not know yet what happened at this entry.
    pub(super) fn unknown(&self, facts: &Facts, place: (PointKind, &str), (seq, at): (u64, Timestamp)) -> bool {
        if facts.reads { self.last_read(place) < seq } else { self.moment.1.duration_since(at) < facts.grace }
    }

    fn last_read(&self, (kind, server): (PointKind, &str)) -> u64 {
        let of = |name: &str| self.reads.get(&(kind, name.to_owned())).copied().unwrap_or(0);
        of(server).max(of(""))
    }

    /// Whether the client had read a list of the server before this entry.
    pub(super) fn read_before(&self, (kind, server): (PointKind, &str), seq: u64) -> bool {
        let of = |name: &str| self.first_reads.get(&(kind, name.to_owned())).is_some_and(|first| *first < seq);
        of(server) || of("")
    }

    pub(super) fn is_misled(&self, (kind, server): (PointKind, &str)) -> bool {
        self.misled.contains(&(kind, server.to_owned())) || self.misled.contains(&(kind, String::new()))
    }

    /// The manual points of a server and kind.
    pub(super) fn on<'a>(&'a self, kind: PointKind, server: &'a str) -> impl Iterator<Item = &'a TrackedPoint> {
        let here = self.points.get(&(kind, server.to_owned())).into_iter().flat_map(BTreeMap::values);
        here.filter(|it| it.point.takes_slot())
    }

    /// The point of that kind and id.
    pub(super) fn point(&self, kind: PointKind, id: &str) -> Option<&TrackedPoint> {
        let key = (kind, id.to_owned());
        let server = self.places.get(&key)?;
        self.points.get(&(kind, server.clone()))?.get(id)
    }

    pub(super) fn point_mut(&mut self, (kind, id): &(PointKind, String)) -> Option<&mut TrackedPoint> {
        let server = self.places.get(&(*kind, id.clone()))?;
        self.points.get_mut(&(*kind, server.clone()))?.get_mut(id)
    }

    /// The slots taken, as far as the client can know: what a person made since its last list does not count.
    pub(super) fn used(&self, facts: &Facts, kind: PointKind, server: &str) -> usize {
        let counts = |it: &&TrackedPoint| it.by_client || !self.unknown(facts, (kind, server), it.born);
        self.on(kind, server).filter(counts).count()
    }

    /// What a run tells, against what happened.
    pub(super) fn compare(&mut self, told: &ReportedRun<'_>) -> Vec<(Invariant, String)> {
        let mut wrong = Vec::new();
        let ReportedRun { server, policy, kind, outcome, .. } = told;
        let made = told.created.as_ref().and_then(|id| self.made.get(&(*kind, id.clone())));
        match (&told.created, made) {
            (Some(id), None) => wrong.push((Invariant::Adopted, format!("{policy} on {server} calls {id} its own"))),
            (Some(id), Some((at, by, _))) if at != server || by != policy => {
                wrong.push((Invariant::Adopted, format!("{policy} on {server} calls {id} of {by} on {at} its own")));
            }
            _ => {}
        }
        if *outcome == "succeeded" && !made.is_some_and(|(.., completed)| *completed) {
            wrong.push((
                Invariant::FalseReport,
                format!("{policy} on {server} says succeeded, and {:?} is not", told.created),
            ));
        }
        for id in &told.deleted {
            let key = (*kind, id.clone());
            if self.point(*kind, id).is_some_and(|it| !it.deleting) && !self.deleted.contains(&key) {
                wrong.push((Invariant::FalseReport, format!("{policy} on {server} says that {id} is deleted")));
            }
        }
        let line = self.line(server, policy);
        for id in line.deleted.take().unwrap_or_default() {
            if !told.deleted.contains(&id) {
                wrong.push((Invariant::FalseReport, format!("{policy} on {server} does not say that it deleted {id}")));
            }
        }
        wrong
    }

    /// What must not be left when nothing is in progress.
    pub(super) fn left_behind(&self) -> Vec<(Invariant, String)> {
        let stopped = self.servers.iter().filter(|(_, power)| power.owes_start);
        let mut wrong: Vec<_> =
            stopped.map(|(name, _)| (Invariant::LeftStopped, format!("{name} does not run"))).collect();
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
            wrong.push((Invariant::OnePointADueTime, format!("{policy} on {server} of {due}: {ids:?}")));
        }
        wrong
    }
}

pub(super) fn move_key<T>(map: &mut BTreeMap<String, T>, from: &str, to: &str) {
    if let Some(value) = map.remove(from) {
        map.insert(to.to_owned(), value);
    }
}

impl State {
    /// A list was asked for. Its answer shows the client the state when the request came in.
    pub(super) fn listed(&mut self, kind: PointKind, request: &Request) {
        if request.status != Some(200) {
            return;
        }
        let key = (kind, request.server.clone().unwrap_or_default());
        if request.faults.iter().any(|fault| LIES.contains(&fault.as_str())) {
            self.misled.insert(key);
            return;
        }
        self.misled.remove(&key);
        let here = |(of, at): &(PointKind, String)| *of == kind && (key.1.is_empty() || *at == key.1);
        let shown = self.points.iter_mut().filter(|(place, _)| here(place)).flat_map(|(_, shelf)| shelf.values_mut());
        shown.for_each(|known| known.seen = true);
        self.reads.insert(key.clone(), self.moment.0);
        self.first_reads.entry(key).or_insert(self.moment.0);
    }

    pub(super) fn server_changed(&mut self, facts: &Facts, change: &AccountChange) {
        let now = self.moment.1;
        let power = self.servers.entry(change.server.clone()).or_default();
        let to = change.detail["to"].as_str().unwrap_or_default();
        if change.change == ChangeKind::ServerStatus {
            let standing = self.standing.entry(change.server.clone()).or_default();
            standing.still = to == "stopped";
            if change.by != By::Provider {
                standing.by_person = change.by == By::Person;
            }
        }
        match (change.change, change.by) {
            (ChangeKind::ServerStatus, By::Client) if to.starts_with("stop") => power.owes_start = true,
            (ChangeKind::ServerStatus, _) if to == "active" => {
                *power = PowerTrack { ran_again: power.owes_start.then_some(now), ..PowerTrack::default() };
            }
            (ChangeKind::ServerStatus, By::Person) => {
                // Nobody who looks now and then sees a server run for so short a time: it reads as if it had not started.
                let unseen = |since| now.duration_since(since) - facts.unreachable_within(since, now) <= BETWEEN_LOOKS;
                power.stopped = !power.ran_again.is_some_and(unseen);
            }
            (ChangeKind::ServerChanged, _) if change.detail.is_string() => *power = PowerTrack::default(),
            _ => {}
        }
    }
}
