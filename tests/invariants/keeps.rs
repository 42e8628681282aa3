//! What retention must leave, worked out from the record alone: after every point that was completed, each of the
//! newest buckets that a rule counts still has a point. The buckets are cut here a second time.
//!
//! Only what is certain is required. The first rule in turn (every rule of a union) sees all points, so its newest
//! `n` buckets must be there. A later one passes over the buckets that the rules before it hold, at least one, so that
//! its newest `n + 1` must be there, unless buckets of two rules overlap without nesting (weeks and months).

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lastgood::simulator::PointKind;

use super::state::TrackedPoint;
use super::{Invariant, Truth};

/// What a rule counts, in the order in which the rules take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    Last,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A policy's `keep`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepFacts {
    /// The counts above zero.
    pub counts: Vec<(Grain, usize)>,
    /// Whether every rule sees all points.
    pub union: bool,
    /// The zone that cuts the buckets.
    pub zone: TimeZone,
}

impl KeepFacts {
    /// One rule alone, in UTC.
    pub fn only(grain: Grain, count: usize) -> Self {
        Self { counts: vec![(grain, count)], union: false, zone: TimeZone::UTC }
    }

    /// How many of the newest buckets of each grain must have a point, and whether that is required only while no week has
    /// points in two of them.
    fn required(&self) -> Vec<(Grain, usize, bool)> {
        let mut counts = self.counts.clone();
        counts.sort_by_key(|(grain, _)| *grain);
        let weekly = counts.iter().any(|(grain, _)| *grain == Grain::Weekly);
        let turns = counts.into_iter().enumerate();
        turns
            .map(|(turn, (grain, count))| {
                let more = usize::from(turn > 0 && !self.union);
                (grain, count + more, more > 0 && weekly && grain > Grain::Weekly)
            })
            .collect()
    }

    pub(super) fn sum(&self) -> usize {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// The bucket of a time; a later bucket is greater.
type BucketKey = [i64; 4];

/// What happened to a completed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The client deleted it.
    Deleted,
    /// The client deleted it to make room, and no point of the policy was completed since.
    Evicted {
        /// Our clock differed from the provider's: the new point may be dated into another bucket than planned.
        clocks_apart: bool,
    },
    /// It exists, or somebody other than the policy deleted it.
    Remains,
}

/// A completed point that the policy counts.
#[derive(Clone, Debug)]
struct Past {
    id: String,
    /// It left the account or the policy without fault. It keeps its place, since what stood behind it may be gone.
    excused: bool,
    /// The policy in its mark; nothing for a person's point.
    policy: Option<String>,
    at: Timestamp,
    due: Option<Timestamp>,
    fate: Fate,
}

impl Past {
    fn bucket(&self, grain: Grain, zone: &TimeZone) -> BucketKey {
        let civil = zone.to_datetime(self.at);
        let (year, month, day) = (i64::from(civil.year()), i64::from(civil.month()), i64::from(civil.day()));
        match grain {
            Grain::Last => {
                let due = self.due.map_or(i64::MIN, Timestamp::as_millisecond);
                [self.at.as_millisecond(), due, self.id.parse().unwrap_or(0), 0]
            }
            Grain::Hourly => [year, month, day, i64::from(civil.hour())],
            Grain::Daily => [year, month, day, 0],
            Grain::Weekly => {
                let week = civil.date().iso_week_date();
                [i64::from(week.year()), i64::from(week.week()), 0, 0]
            }
            Grain::Monthly => [year, month, 0, 0],
            Grain::Yearly => [year, 0, 0, 0],
        }
    }
}

/// The completed points of all servers.
#[derive(Debug, Default)]
pub(super) struct Pasts {
    by_server: BTreeMap<(PointKind, String), Vec<Past>>,
    /// By kind, server and policy: what it keeps, since when, and when its last point was completed.
    lines: BTreeMap<(PointKind, String, String), KeepTrack>,
}

#[derive(Debug)]
struct KeepTrack {
    keep: KeepFacts,
    changed: Option<Timestamp>,
    completed: Option<Timestamp>,
}

/// After a change of the file, the previous one may be in force for this long.
const TAKES_OVER: SignedDuration = SignedDuration::from_mins(10);
/// A delete this soon after a completion is not an eviction for the next point.
const PRUNES: SignedDuration = SignedDuration::from_mins(2);

/// How many buckets beyond those that count are remembered.
const SPARE: usize = 2;

impl Pasts {
    /// A server has another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for kind in [PointKind::Backup, PointKind::Snapshot] {
            if let Some(pasts) = self.by_server.remove(&(kind, from.to_owned())) {
                self.by_server.insert((kind, to.to_owned()), pasts);
            }
        }
        let lines = std::mem::take(&mut self.lines);
        let renamed = |server: String| if server == from { to.to_owned() } else { server };
        self.lines = lines.into_iter().map(|((kind, server, of), it)| ((kind, renamed(server), of), it)).collect();
    }

    fn find(&mut self, known: &TrackedPoint) -> Option<&mut Past> {
        let pasts = self.by_server.get_mut(&(known.point.kind, known.server.clone()))?;
        pasts.iter_mut().rev().find(|past| past.id == known.id && past.fate == Fate::Remains && !past.excused)
    }

    /// The point is gone or no longer ours, without fault.
    pub(super) fn excuse(&mut self, known: &TrackedPoint) {
        if let Some(past) = self.find(known) {
            past.excused = true;
        }
    }
}

impl Truth {
    /// A point is completed that may count for its policy.
    pub(super) fn keeps_completed(&mut self, known: &TrackedPoint) {
        let policy = match &known.mark {
            Some(mark) if self.is_ours(known) => Some(mark.policy.clone()),
            Some(_) => return,
            None => None,
        };
        if !known.point.takes_slot() || known.changed.is_some() {
            return;
        }
        let (kind, server) = (known.point.kind, known.server.clone());
        let of = self.policy_of(known).map(|(name, _)| name);
        let due = known.mark.as_ref().and_then(|mark| mark.due.parse().ok());
        if let Some(of) = &of {
            self.follow_keep(kind, &server, of);
            if known.by_client {
                self.settle_evictions(kind, &server, of);
            }
            let now = self.state.moment.1;
            if let Some(line) =
                self.pasts.lines.get_mut(&(kind, server.clone(), of.clone())).filter(|_| known.by_client)
            {
                line.completed = Some(now);
            }
        } else if policy.is_none() {
            return;
        }
        let (id, at) = (known.id.clone(), known.point.created_at);
        let past = Past { id, excused: false, policy, at, due, fate: Fate::Remains };
        self.pasts.by_server.entry((kind, server.clone())).or_default().push(past);
        if let Some(of) = of {
            self.look_at_depth(kind, &server, &of);
        }
    }

    /// A delete of ours was accepted.
    pub(super) fn keeps_deleted(&mut self, known: &TrackedPoint) {
        let (kind, server) = (known.point.kind, known.server.clone());
        if self.is_younger_twin(known) {
            if let Some(pasts) = self.pasts.by_server.get_mut(&(kind, server)) {
                pasts.retain(|past| past.id != known.id);
            }
            return;
        }
        let Some((of, policy)) = self.policy_of(known) else { return };
        let reserve = policy.reserve;
        self.follow_keep(kind, &server, &of);
        let now = self.state.moment.1;
        let Some(line) = self.pasts.lines.get(&(kind, server.clone(), of.clone())) else { return };
        let just_changed = line.changed.is_some_and(|at| now.duration_since(at) < TAKES_OVER);
        let long_ago = line.completed.is_none_or(|at| now.duration_since(at) > PRUNES);
        let full = self.state.on(kind, &server).count() + reserve >= self.facts.slots[kind as usize];
        let clocks_apart = !self.facts.apart.is_zero();
        let gives_way = self.gives_way(known, &of);
        let Some(past) = self.pasts.find(known) else { return };
        if just_changed || gives_way {
            past.excused = true;
            return;
        }
        past.fate = if full && long_ago { Fate::Evicted { clocks_apart } } else { Fate::Deleted };
        self.look_at_depth(kind, &server, &of);
    }

    /// Whether the point may be given up for one that stays although no rule keeps it, when the slots do not suffice.
    fn gives_way(&self, known: &TrackedPoint, of: &str) -> bool {
        let (kind, server) = (known.point.kind, known.server.as_str());
        let (mut foreign, mut kept) = (0, 0);
        for it in self.state.on(kind, server) {
            match self.policy_of(it) {
                None => foreign += 1,
                Some((name, policy)) if name == of && self.stays(it, policy) => kept += 1,
                Some(_) => {}
            }
        }
        let policies = || self.facts.of(server, kind).map(|(_, policy)| policy);
        let sum: usize = policies().map(|policy| policy.keep.as_ref().map_or(100, KeepFacts::sum)).sum();
        let reserve = policies().map(|policy| policy.reserve).max().unwrap_or(0);
        kept > 0 && sum + reserve + foreign + kept > self.facts.slots[kind as usize]
    }

    fn stays(&self, known: &TrackedPoint, policy: &super::CheckedPolicy) -> bool {
        self.is_held(known) || self.is_protected(known, policy)
    }

    /// After a change of the file, what is gone is no longer required.
    fn follow_keep(&mut self, kind: PointKind, server: &str, of: &str) {
        let Some((_, policy)) = self.facts.policy(server, of) else { return };
        let Some(keep) = policy.keep.clone() else { return };
        let place = (kind, server.to_owned(), of.to_owned());
        if self.pasts.lines.get(&place).is_some_and(|line| line.keep == keep) {
            return;
        }
        let before = self.pasts.lines.get(&place);
        let completed = before.and_then(|line| line.completed);
        let line = KeepTrack { keep, changed: before.map(|_| self.state.moment.1), completed };
        self.pasts.lines.insert(place, line);
        let names = self.names_of(server, of);
        if let Some(pasts) = self.pasts.by_server.get_mut(&(kind, server.to_owned())) {
            pasts.retain(|past| past.fate == Fate::Remains || !past.is_of(&names));
        }
    }

    /// The policy's names, present and former, and `None` if people's points count as its own.
    fn names_of(&self, server: &str, of: &str) -> Vec<Option<String>> {
        let Some((name, policy)) = self.facts.policy(server, of) else { return Vec::new() };
        let own = std::iter::once(name.to_owned()).chain(policy.formerly.iter().cloned()).map(Some);
        own.chain(policy.prune_all.then_some(None)).collect()
    }

    /// The point that needed room is completed: nothing may be missing for it any more.
    fn settle_evictions(&mut self, kind: PointKind, server: &str, of: &str) {
        let names = self.names_of(server, of);
        let Some(pasts) = self.pasts.by_server.get_mut(&(kind, server.to_owned())) else { return };
        for past in pasts.iter_mut().filter(|past| past.is_of(&names)) {
            if let Fate::Evicted { clocks_apart } = past.fate {
                (past.fate, past.excused) = if clocks_apart { (Fate::Remains, true) } else { (Fate::Deleted, false) };
            }
        }
    }

    fn look_at_depth(&mut self, kind: PointKind, server: &str, of: &str) {
        let Some(line) = self.pasts.lines.get(&(kind, server.to_owned(), of.to_owned())) else { return };
        let keep = line.keep.clone();
        let names = self.names_of(server, of);
        let Some(pasts) = self.pasts.by_server.get_mut(&(kind, server.to_owned())) else { return };
        let mut broken = Vec::new();
        let mut needed = vec![false; pasts.len()];
        for (grain, count, unless_weeks_overlap) in keep.required() {
            let mut buckets: BTreeMap<BucketKey, Vec<usize>> = BTreeMap::new();
            for (index, past) in pasts.iter().enumerate().filter(|(_, past)| past.is_of(&names)) {
                buckets.entry(past.bucket(grain, &keep.zone)).or_default().push(index);
            }
            // A twin may still be deleted, and what stood behind it counts then.
            let nearly = buckets.values().rev().take(count + SPARE);
            nearly.for_each(|inside| inside.iter().for_each(|index| needed[*index] = true));
            let newest: Vec<(&BucketKey, &Vec<usize>)> = buckets.iter().rev().take(count).collect();
            if unless_weeks_overlap && weeks_overlap(pasts, &names, grain, &keep.zone) {
                continue;
            }
            for (place, (bucket, inside)) in newest.iter().enumerate() {
                let best = inside.iter().map(|index| pasts[*index].fate).max().unwrap_or(Fate::Remains);
                let oldest = place + 1 == count;
                if best == Fate::Deleted || (matches!(best, Fate::Evicted { .. }) && !oldest) {
                    let text = format!(
                        "{of} on {server} counts {count} {grain:?}: of {bucket:?}, the {}. from now, nothing is left",
                        place + 1
                    );
                    broken.push((text, (*inside).clone()));
                }
            }
        }
        for (_, inside) in &broken {
            inside.iter().for_each(|index| (pasts[*index].fate, pasts[*index].excused) = (Fate::Remains, true));
        }
        // What no rule counts any more never counts again: buckets only get newer.
        let mut needed = needed.into_iter();
        pasts.retain(|past| needed.next().is_some_and(|it| it) || !past.is_of(&names));
        for (text, _) in broken {
            self.broken(Invariant::KeptTooFew, text);
        }
    }
}

impl Past {
    fn is_of(&self, names: &[Option<String>]) -> bool {
        names.contains(&self.policy)
    }
}

/// Whether a week has points of two months (or years): the newer one may have taken the older's place.
fn weeks_overlap(pasts: &[Past], names: &[Option<String>], grain: Grain, zone: &TimeZone) -> bool {
    let mut of_week: BTreeMap<BucketKey, BucketKey> = BTreeMap::new();
    pasts.iter().filter(|past| past.is_of(names)).any(|past| {
        let bucket = past.bucket(grain, zone);
        *of_week.entry(past.bucket(Grain::Weekly, zone)).or_insert(bucket) != bucket
    })
}
