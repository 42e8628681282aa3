//! What is checked beside the record's own rules: only what retention drops is ever deleted, a due time that had its
//! point gets no other; and in the end every due time has its point or a reported failure, and nothing is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::inventory::PointId;
use lastgood::seams::policy::mark::Mark;
use lastgood::seams::policy::policy::{Policy, Prune};
use lastgood::seams::policy::retention::{Candidate, decide};
use lastgood::simulator::{AccountChange, By, ChangeKind, Entry, Point, PointKind, What};

use crate::figures::Figures;
use crate::fleet::{first_name, first_policy_name};
use crate::invariants::{Facts, Truth};

type Place = (PointKind, i64);

#[expect(clippy::print_stdout, reason = "LASTGOOD_WATCH asks for it")]
fn print_entry(entry: &Entry) {
    println!("{} {} {:?}", entry.seq, entry.at, entry.what);
}

/// A point as the record shows it.
#[derive(Clone, Debug)]
struct RecordedPoint {
    server: String,
    point: Point,
    /// The requested mark.
    mark: Option<Mark>,
    /// A person changed it: it is not ours any more.
    changed: bool,
}

impl RecordedPoint {
    fn in_words(&self) -> String {
        let Point { id, created_at, status, description, deleting, .. } = &self.point;
        let due = self.mark.as_ref().map(|mark| format!(" {} of {}", mark.policy, mark.due)).unwrap_or_default();
        format!("{id} {created_at} {status} \"{description:.32}\"{due} changed {} deleting {deleting}", self.changed)
    }
}

/// The checker.
#[derive(Debug)]
pub struct Audit {
    /// The checker of the record.
    pub truth: Truth,
    /// Rules that are left out.
    pub without: Vec<crate::invariants::Invariant>,
    /// The policies by server's name: those of the file in force first, then those of the file before it.
    pub policies: Vec<BTreeMap<String, Vec<Arc<Policy>>>>,
    /// The server whose part of the record is printed.
    watched: Option<String>,
    asked: BTreeMap<u64, Mark>,
    points: BTreeMap<Place, RecordedPoint>,
    by_server: BTreeMap<(String, PointKind), BTreeSet<i64>>,
    /// Every due time that ever had a completed point, by first names, and when it was completed.
    pub done: BTreeMap<(String, String, Timestamp), Timestamp>,
}

impl Audit {
    pub fn new(facts: Facts) -> Self {
        Self {
            truth: Truth::new(facts),
            without: Vec::new(),
            policies: Vec::new(),
            watched: std::env::var("LASTGOOD_WATCH").ok(),
            asked: BTreeMap::new(),
            points: BTreeMap::new(),
            by_server: BTreeMap::new(),
            done: BTreeMap::new(),
        }
    }

    /// Checks what has happened since the last time.
    pub fn check(&mut self, entries: &[Entry], now: Timestamp, figures: &mut Figures) {
        for entry in entries {
            if self.watched.as_ref().is_some_and(|name| of(entry).is_some_and(|it| first_name(it) == name)) {
                print_entry(entry);
            }
            self.entry(entry, figures);
        }
        let before = self.truth.violations().len();
        self.truth.feed(entries);
        self.truth.time_passes(now);
        for violation in &self.truth.violations()[before..] {
            if !self.without.contains(&violation.rule) {
                figures.violation(violation.to_string());
            }
        }
        figures.checked += entries.len() as u64;
    }

    fn entry(&mut self, entry: &Entry, figures: &mut Figures) {
        match &entry.what {
            What::Request(request) if request.method == "POST" => {
                let mark = request.body["description"].as_str().and_then(Mark::parse);
                if let (Some(mark), Some(server)) = (mark, &request.server) {
                    let due = (first_name(server).to_owned(), first_policy_name(&mark.policy).to_owned(), mark.due);
                    if self.done.contains_key(&due) {
                        figures.violation(format!("{}: a due time comes again: {due:?}", entry.at));
                    }
                    self.asked.insert(entry.seq, mark);
                }
            }
            What::Request(_) => {}
            What::Change(change) => self.change(entry.at, change, figures),
        }
    }

    fn change(&mut self, at: Timestamp, change: &AccountChange, figures: &mut Figures) {
        let Some(point) = &change.point else { return };
        let place = (point.kind, point.id);
        if change.by == By::Client {
            let (kind, deed) = (format!("{:?}", point.kind), format!("{:?}", change.change));
            figures.record((at.as_nanosecond(), &change.server, kind, point.id, deed));
        }
        match change.change {
            ChangeKind::PointCreated => {
                let mark = change.request.and_then(|seq| self.asked.remove(&seq));
                figures.made += u64::from(change.by == By::Client);
                let server = first_name(&change.server).to_owned();
                self.by_server.entry((server.clone(), point.kind)).or_default().insert(point.id);
                let known = RecordedPoint { server, point: point.clone(), mark, changed: false };
                self.points.insert(place, known);
            }
            ChangeKind::PointDeleted if change.by == By::Client => {
                figures.deleted += 1;
                self.deleted(at, place, figures);
                if let Some(known) = self.points.get_mut(&place) {
                    known.point.deleting = true;
                }
            }
            ChangeKind::PointGone | ChangeKind::PointVanished => {
                if let Some(known) = self.points.remove(&place)
                    && let Some(ids) = self.by_server.get_mut(&(known.server, point.kind))
                {
                    ids.remove(&point.id);
                }
            }
            _ => {
                let Some(known) = self.points.get_mut(&place) else { return };
                // A person's point stays a person's, whatever a person writes on it.
                known.changed |= change.change == ChangeKind::PointEdited && known.mark.is_some();
                known.point = point.clone();
                if let (ChangeKind::PointCompleted, Some(mark)) = (change.change, &known.mark) {
                    let server = first_name(&known.server).to_owned();
                    let due = (server, first_policy_name(&mark.policy).to_owned(), mark.due);
                    self.done.entry(due).or_insert(at);
                }
            }
        }
    }

    /// A completed point that goes is one that retention drops: without the new point, or with it.
    fn deleted(&self, at: Timestamp, place: Place, figures: &mut Figures) {
        let Some(known) = self.points.get(&place).filter(|known| known.point.status == "completed") else { return };
        let twin = |other: &RecordedPoint| {
            let older = (other.point.created_at, other.point.id) < (known.point.created_at, known.point.id);
            other.mark.is_some() && other.mark == known.mark && older && other.point.status == "completed"
        };
        if self.beside(known).any(twin) || self.drops(at, known) || self.is_given_up(known) {
            return;
        }
        let policy = known.mark.as_ref().map_or("nobody", |mark| &mark.policy);
        let there: Vec<String> = self.beside(known).map(RecordedPoint::in_words).collect();
        figures.violation(format!(
            "{at}: {} of {} ({policy}, {}) is deleted, and retention keeps it: {there:?}",
            known.point.id, known.server, known.point.created_at
        ));
    }

    /// Whether it may make way for a point that a hold or `protect` keeps: the oldest that nothing keeps does. That the
    /// slots do not suffice is what the record's own rules look at.
    fn is_given_up(&self, known: &RecordedPoint) -> bool {
        let facts = &self.truth.facts;
        let policies = || self.policies.iter().filter_map(|file| file.get(&known.server)).flatten();
        let protects = |it: &RecordedPoint| {
            policies().any(|policy| policy.protect.iter().any(|words| words.matches(&it.point.description)))
        };
        let stays = |it: &RecordedPoint| {
            facts.held.contains(&(it.point.kind, it.point.id.to_string())) || protects(it) || it.changed
        };
        let is_of_its_policy = |it: &&RecordedPoint| match (&it.mark, &known.mark) {
            (Some(one), Some(other)) => one.policy == other.policy,
            (one, other) => one.is_none() && other.is_none(),
        };
        let mut free =
            self.beside(known).filter(|it| it.point.status == "completed" && !it.point.deleting && !stays(it));
        let is_oldest = !free.any(|it| is_of_its_policy(&it) && it.point.created_at < known.point.created_at);
        is_oldest && self.beside(known).any(|it| it.point.id != known.point.id && stays(it) && !it.changed)
    }

    fn beside<'a>(&'a self, known: &'a RecordedPoint) -> impl Iterator<Item = &'a RecordedPoint> {
        let ids = self.by_server.get(&(known.server.clone(), known.point.kind)).into_iter().flatten();
        ids.filter_map(move |id| self.points.get(&(known.point.kind, *id))).filter(|it| it.point.takes_slot())
    }

    fn drops(&self, at: Timestamp, known: &RecordedPoint) -> bool {
        let files = self.policies.iter().filter_map(|file| file.get(&known.server));
        let of_kind = |policy: &&Arc<Policy>| crate::fleet::kind(policy.kind) == known.point.kind;
        let answers = |policy: &&Arc<Policy>| match &known.mark {
            Some(mark) => policy.answers_to(&mark.policy),
            None => policy.prune == Prune::All,
        };
        files.flatten().filter(of_kind).filter(answers).any(|policy| self.dropped_by(policy, at, known))
    }

    /// The verdict may rest on a list of a while ago, and the new point may be there or not: any of these will do.
    fn dropped_by(&self, policy: &Policy, at: Timestamp, known: &RecordedPoint) -> bool {
        let counts = |it: &&RecordedPoint| {
            let own = it.mark.as_ref().is_some_and(|mark| policy.answers_to(&mark.policy));
            let theirs = it.mark.is_none() && policy.prune == Prune::All;
            let protected = policy.protect.iter().any(|words| words.matches(&it.point.description));
            it.point.status == "completed" && !it.point.deleting && !it.changed && !protected && (own || theirs)
        };
        let points: Vec<&RecordedPoint> = self.beside(known).filter(counts).collect();
        // The text may have been lost with the answer: then the program does not know it for ours.
        let certain: Vec<&RecordedPoint> =
            points.iter().copied().filter(|it| it.mark.is_none() || it.point.description.starts_with("lg-")).collect();
        let mut cases = vec![points.clone()];
        if certain.len() < points.len() {
            cases.push(certain);
        }
        // Before the newest was there.
        if let Some(newest) = points.iter().map(|it| it.point.created_at).max() {
            cases.push(points.into_iter().filter(|it| it.point.created_at < newest).collect());
        }
        // What makes room is judged for the bucket that begins within minutes, too.
        let minutes = |minutes| Some(at + SignedDuration::from_mins(minutes));
        let moments = [None, Some(at), minutes(12), minutes(-30), minutes(-360)];
        cases.iter().any(|case| moments.iter().any(|moment| drops(policy, case, *moment, known)))
    }

    /// What must be so when all is quiet.
    pub fn quiet(&mut self, figures: &mut Figures) {
        let before = self.truth.violations().len();
        self.truth.quiet();
        for violation in &self.truth.violations()[before..] {
            figures.violation(violation.to_string());
        }
    }
}

fn drops(policy: &Policy, points: &[&RecordedPoint], new: Option<Timestamp>, known: &RecordedPoint) -> bool {
    let mut candidates: Vec<Candidate> = points
        .iter()
        .map(|it| {
            let due = Mark::parse(&it.point.description).map(|mark| mark.due);
            Candidate { at: it.point.created_at, due, id: Some(PointId::Number(it.point.id)) }
        })
        .collect();
    let Some(place) = points.iter().position(|it| it.point.id == known.point.id) else { return false };
    if let Some(new) = new {
        let newest = candidates.iter().map(|it| it.at).max().unwrap_or(new);
        candidates.push(Candidate { at: new.max(newest), due: Some(Timestamp::MAX), id: None });
    }
    decide(&candidates, &policy.keep, policy.keep_mode, &policy.timezone).is_ok_and(|verdicts| !verdicts.keeps(place))
}

/// The server that an entry of the record is about.
fn of(entry: &Entry) -> Option<&str> {
    match &entry.what {
        What::Request(request) => request.server.as_deref(),
        What::Change(change) => Some(&change.server),
    }
}
