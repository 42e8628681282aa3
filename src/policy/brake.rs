//! The brakes: signs that something is wrong, for which deletes stop until a person has looked and said `accept`.
//!
//! A sign that a list gives (points gone without our doing) is written down before the list is, since the next list
//! would give it no more. What mends itself (points listed again, clocks that agree again) releases its brake.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::policy::guard::Ground;
use crate::policy::inventory::{Id, Kind, RestorePoint};
use crate::policy::planner::{Request, counts};
use crate::policy::predecessor::change;

/// How far our clock and the provider's may be apart.
pub const APART: SignedDuration = SignedDuration::from_hours(1);
/// So many points must be gone at once, and half of the list, for a list to be much shorter.
const FEW: usize = 3;
/// The sizes that a new point is compared with: the last seven.
const SIZES: usize = 7;
/// A point is small when it is smaller than this part of the median.
const SMALL: u64 = 10;

/// What looks wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The list is much shorter than the last one, without our doing.
    Shorter,
    /// Completed points of ours are gone, and we did not delete them.
    Gone,
    /// The newest point is completed, and empty or far smaller than the ones before it.
    Small,
    /// The provider's time and ours are far apart.
    Clock,
    /// The policy file was changed, and would drop points that stayed before.
    Retention,
    /// A point carries our mark, and this journal knows nothing of it.
    SecondLastgood,
}

impl Cause {
    /// The word of JSON and of the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shorter => "shorter",
            Self::Gone => "gone",
            Self::Small => "small",
            Self::Clock => "clock",
            Self::Retention => "retention",
            Self::SecondLastgood => "second_lastgood",
        }
    }
}

/// A point that a brake is about. Its time is part of it, so that a later point with the same id is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The provider's key.
    pub id: Id,
    /// When the provider began it.
    pub created_at: Timestamp,
}

/// A brake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// What looks wrong.
    pub cause: Cause,
    /// The policy whose deletes stop; `None`: those of every policy of this server and kind.
    pub policy: Option<String>,
    /// What it is, in one sentence.
    pub text: String,
    /// The points it is about.
    pub points: Vec<About>,
}

impl Brake {
    /// Whether it is the same sign of the same policy.
    #[must_use]
    fn is_same(&self, other: &Self) -> bool {
        self.cause == other.cause && self.policy == other.policy
    }

    /// Makes it be about these points, too.
    fn widen(&mut self, points: &[About]) {
        let more: Vec<About> = points.iter().filter(|about| !self.points.contains(about)).cloned().collect();
        self.points.extend(more);
    }
}

impl fmt::Display for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A brake that the state holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub number: i64,
    /// The kind of restore point.
    pub kind: Kind,
    /// What it is.
    pub brake: Brake,
    /// Whether a person has accepted it. It is kept for as long as what it is about lasts.
    pub accepted: bool,
}

/// A point that the last list showed and that we did not mean to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The point.
    pub about: About,
    /// Whether it was completed and ours.
    pub good: bool,
}

/// What an inventory says of the brakes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The brakes that hold now for this policy.
    pub in_force: Vec<Brake>,
    /// Of these, those that the state does not hold yet, or holds with fewer points.
    pub new: Vec<Brake>,
    /// The numbers of those that the state holds and that are over.
    pub over: Vec<i64>,
}

impl Judgement {
    /// The brake that stops every delete, evictions too.
    #[must_use]
    pub fn stops_all(&self) -> Option<&Brake> {
        self.in_force.iter().find(|brake| brake.cause != Cause::Retention)
    }

    /// The brake that stops what retention drops; evictions still make room.
    #[must_use]
    pub fn stops_retention(&self) -> Option<&Brake> {
        self.in_force.iter().find(|brake| brake.cause == Cause::Retention)
    }
}

/// Judges an inventory. One in doubt neither sets a brake nor releases one: it stops every delete anyway.
#[must_use]
pub fn judge(request: &Request<'_>) -> Judgement {
    let changed = change(request);
    let retention = changed.as_ref().and_then(|changed| retention::brake(request, changed));
    judge_with(&request.ground, changed.is_some(), retention)
}

/// The brake that stops every delete here, evictions too. What retention would drop has no part in it.
#[must_use]
pub fn stops_all(ground: &Ground<'_>) -> Option<Brake> {
    judge_with(ground, false, None).stops_all().cloned()
}

/// Judges an inventory, where it is known whether the file was changed and what that brakes.
fn judge_with(ground: &Ground<'_>, is_changed: bool, retention: Option<Brake>) -> Judgement {
    let mut judgement = Judgement::default();
    let kind = ground.inventory.kind;
    let proven = ground.inventory.doubt().is_none();
    let mut observed = if proven { observe(ground, retention) } else { Vec::new() };
    let mut standing: Vec<&Held> = Vec::new();
    for held in &ground.memory.brakes {
        let same_kind = held.kind == kind;
        if same_kind && proven && is_over(held, ground, is_changed, &observed) {
            judgement.over.push(held.number);
            continue;
        }
        if same_kind && proven && !held.accepted && is_of_former_name(&held.brake, ground) {
            judgement.over.push(held.number);
            under_the_new_name(&held.brake, ground, &mut observed);
            continue;
        }
        // A second lastgood is at work on the whole server.
        let concerns = same_kind || held.brake.cause == Cause::SecondLastgood;
        if concerns && !held.accepted && concerns_policy(&held.brake, ground) {
            judgement.in_force.push(held.brake.clone());
        }
        if same_kind {
            standing.push(held);
        }
    }
    for brake in observed {
        let held = standing.iter().find(|held| held.brake.is_same(&brake));
        match held {
            Some(held) if held.accepted && brake.cause == Cause::Clock => {}
            Some(held) if !held.accepted && brake.points.iter().all(|about| held.brake.points.contains(about)) => {}
            Some(held) if !held.accepted => {
                let mut wider = Brake { points: held.brake.points.clone(), ..brake.clone() };
                wider.widen(&brake.points);
                judgement.in_force.retain(|other| !other.is_same(&wider));
                judgement.in_force.push(wider.clone());
                judgement.new.push(wider);
            }
            _ => {
                judgement.in_force.push(brake.clone());
                judgement.new.push(brake);
            }
        }
    }
    judgement
}

/// Whether it was set before the policy was renamed.
fn is_of_former_name(brake: &Brake, ground: &Ground<'_>) -> bool {
    brake.policy.as_ref().is_some_and(|name| name != ground.policy.name.as_str() && ground.policy.answers_to(name))
}

/// A brake that waits for a person waits under the policy's new name.
fn under_the_new_name(brake: &Brake, ground: &Ground<'_>, observed: &mut Vec<Brake>) {
    let renamed = Brake { policy: Some(ground.policy.name.to_string()), ..brake.clone() };
    match observed.iter_mut().find(|other| other.is_same(&renamed)) {
        Some(other) => other.widen(&renamed.points),
        None => observed.push(renamed),
    }
}

fn concerns_policy(brake: &Brake, ground: &Ground<'_>) -> bool {
    brake.policy.as_ref().is_none_or(|name| ground.policy.answers_to(name))
}

/// Everything that looks wrong in this list.
fn observe(ground: &Ground<'_>, retention: Option<Brake>) -> Vec<Brake> {
    let mut brakes = Vec::new();
    brakes.extend(gone(ground));
    brakes.extend(shorter(ground));
    brakes.extend(small(ground));
    brakes.extend(clock(ground));
    brakes.extend(retention);
    brakes.extend(second_lastgood(ground));
    brakes
}

/// Whether what a brake is about is over by itself.
fn is_over(held: &Held, ground: &Ground<'_>, is_changed: bool, observed: &[Brake]) -> bool {
    let brake = &held.brake;
    let listed = |about: &About| ground.inventory.find(&about.id).is_some_and(|point| is_about(point, about));
    match brake.cause {
        Cause::Gone | Cause::Shorter => brake.points.iter().all(listed),
        Cause::Small => !brake.points.iter().any(listed),
        Cause::Clock | Cause::SecondLastgood => !observed.iter().any(|other| other.is_same(brake)),
        Cause::Retention => {
            // What still waits is about to be braked anew.
            (is_changed && concerns_policy(brake, ground)) || !brake.points.iter().any(listed)
        }
    }
}

fn is_about(point: &RestorePoint, about: &About) -> bool {
    point.id == about.id && point.created_at == about.created_at
}

fn about(point: &RestorePoint) -> About {
    About { id: point.id.clone(), created_at: point.created_at }
}

/// What the last list showed, this one does not, and we did not mean to delete.
fn missing<'a>(ground: &Ground<'a>) -> impl Iterator<Item = &'a Seen> {
    let (inventory, memory) = (ground.inventory, ground.memory);
    memory.listed.iter().filter(|seen| !inventory.points.iter().any(|point| is_about(point, &seen.about)))
}

fn gone(ground: &Ground<'_>) -> Option<Brake> {
    let points: Vec<About> = missing(ground).filter(|seen| seen.good).map(|seen| seen.about.clone()).collect();
    let kind = ground.inventory.kind;
    (!points.is_empty()).then(|| Brake {
        cause: Cause::Gone,
        policy: None,
        text: format!(
            "completed {} of ours are gone from the provider's list, and lastgood did not delete them: {}",
            kind.plural(),
            in_words(&points)
        ),
        points,
    })
}

fn shorter(ground: &Ground<'_>) -> Option<Brake> {
    let missing: Vec<&Seen> = missing(ground).collect();
    let points: Vec<About> = missing.iter().map(|seen| seen.about.clone()).collect();
    let before = ground.memory.listed.len();
    // A person who makes room for us, as the mail of a failed run asks, is met by this, too: the words say so.
    let by_people = if missing.iter().any(|seen| seen.good) {
        ""
    } else {
        " (none of them was a good one of ours: it is well if people deleted them)"
    };
    (points.len() >= FEW && points.len() * 2 >= before).then(|| Brake {
        cause: Cause::Shorter,
        policy: None,
        text: format!(
            "the list of {} is much shorter than the last one: {} of {before} are gone without our doing: {}{by_people}",
            ground.inventory.kind.plural(),
            points.len(),
            in_words(&points)
        ),
        points,
    })
}

fn small(ground: &Ground<'_>) -> Option<Brake> {
    let mut points: Vec<&RestorePoint> = ground.inventory.points.iter().filter(|point| counts(ground, point)).collect();
    points.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let (newest, before) = points.split_first()?;
    let size = newest.size_mb?;
    let accepted = |point: &RestorePoint| {
        let fits =
            |held: &&Held| held.accepted && held.brake.cause == Cause::Small && concerns_policy(&held.brake, ground);
        ground
            .memory
            .brakes
            .iter()
            .filter(fits)
            .any(|held| held.brake.points.iter().any(|about| is_about(point, about)))
    };
    if accepted(newest) {
        return None;
    }
    // From a point on that a person has accepted, it is the measure.
    let end = before.iter().position(|point| accepted(point)).map_or(before.len(), |place| place + 1);
    let mut sizes: Vec<u64> = before[..end].iter().filter_map(|point| point.size_mb).take(SIZES).collect();
    sizes.sort_unstable();
    let median = *sizes.get(sizes.len() / 2)?;
    let is_small = if size == 0 { median > 0 } else { sizes.len() >= FEW && size.saturating_mul(SMALL) < median };
    is_small.then(|| {
        let kind = ground.inventory.kind;
        let what = if size == 0 { "is empty".to_owned() } else { format!("has only {size} MB") };
        Brake {
            cause: Cause::Small,
            policy: Some(ground.policy.name.to_string()),
            text: format!(
                "{kind} {} of {} {what}, where the last ones had {median} MB: it may be worth nothing",
                newest.id, newest.created_at
            ),
            points: vec![about(newest)],
        }
    })
}

fn clock(ground: &Ground<'_>) -> Option<Brake> {
    let (provider, ours) = (ground.inventory.provider_time?, ground.inventory.read_at);
    let apart = ours.duration_until(provider).abs();
    (apart > APART).then(|| Brake {
        cause: Cause::Clock,
        policy: None,
        text: format!(
            "our clock says {ours}, the provider's {provider}: {} min apart; set the clock of this machine right",
            apart.as_mins()
        ),
        points: Vec::new(),
    })
}

fn second_lastgood(ground: &Ground<'_>) -> Option<Brake> {
    let stray = |point: &&RestorePoint| matches!(ground.owner(point), crate::policy::memory::Owner::Stray(_));
    let points: Vec<About> = ground.inventory.manual().filter(stray).map(about).collect();
    (!points.is_empty()).then(|| Brake {
        cause: Cause::SecondLastgood,
        policy: None,
        text: format!(
            "{} carry our mark, but this journal knows nothing of them: {}; is a second lastgood at work with the same \
             provider.instance? If none is, the first list that this journal saw was short of them, or the state was put \
             back from a copy: `lastgood accept` takes them as ours",
            ground.inventory.kind.plural(),
            in_words(&points)
        ),
        points,
    })
}

/// The points by id and time.
fn in_words(points: &[About]) -> String {
    let words: Vec<String> = points.iter().map(|about| format!("{} of {}", about.id, about.created_at)).collect();
    words.join(", ")
}

mod retention;
#[cfg(test)]
mod tests;
