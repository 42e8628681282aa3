//! What in a list looks wrong and so sets a brake: points that are gone, a list that is much shorter, a point that is
//! far too small, clocks that disagree, a second lastgood.

use jiff::SignedDuration;

use crate::policy::brake::{Brake, BrakeCause, LastListed, PointIdentity, StoredBrake};
use crate::policy::counted::counts;
use crate::policy::evidence::Evidence;
use crate::policy::inventory::{RestorePoint, newest_first};
use crate::policy::owner::Owner;

/// How far our clock and the provider's may differ.
const APART: SignedDuration = SignedDuration::from_hours(1);
/// A list is much shorter when at least this many points, and half of the list, are gone at once. A median needs at
/// least as many sizes.
const FEW: usize = 3;
/// A new point is compared with the sizes of this many previous ones.
const SIZES: usize = 7;
/// A point is small when its size times this is below the median.
const SMALL: u64 = 10;

/// The brakes for everything that looks wrong in this list; `retention` is the brake of a changed policy file.
pub(super) fn observed_brakes(evidence: &Evidence<'_>, retention: Option<Brake>) -> Vec<Brake> {
    let mut brakes = Vec::new();
    brakes.extend(gone(evidence));
    brakes.extend(shorter(evidence));
    brakes.extend(small(evidence));
    brakes.extend(clock(evidence));
    brakes.extend(retention);
    brakes.extend(second_lastgood(evidence));
    brakes
}

/// The points in the last list that are missing from this one and that we did not intend to delete.
fn missing<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a LastListed> {
    let (inventory, memory) = (evidence.inventory, evidence.memory);
    memory.listed.iter().filter(|last| !inventory.points.iter().any(|point| last.about.is(point)))
}

fn gone(evidence: &Evidence<'_>) -> Option<Brake> {
    let points: Vec<PointIdentity> =
        missing(evidence).filter(|last| last.good).map(|last| last.about.clone()).collect();
    let kind = evidence.inventory.kind;
    (!points.is_empty()).then(|| Brake {
        cause: BrakeCause::Gone,
        policy: None,
        text: format!(
            "completed {} of ours are gone from the provider's list, and lastgood did not delete them: {}",
            kind.plural(),
            in_words(&points)
        ),
        points,
    })
}

fn shorter(evidence: &Evidence<'_>) -> Option<Brake> {
    let missing: Vec<&LastListed> = missing(evidence).collect();
    let points: Vec<PointIdentity> = missing.iter().map(|last| last.about.clone()).collect();
    let before = evidence.memory.listed.len();
    // Someone who makes room for us, as the mail of a failed run asks, triggers this brake, too. The text says so.
    let by_people = if missing.iter().any(|last| last.good) {
        ""
    } else {
        " (none of them was a good one of ours: this is fine if someone deleted them)"
    };
    (points.len() >= FEW && points.len() * 2 >= before).then(|| Brake {
        cause: BrakeCause::Shorter,
        policy: None,
        text: format!(
            "the list of {} is much shorter than the last one: {} of {before} are gone, and lastgood did not delete them: {}{by_people}",
            evidence.inventory.kind.plural(),
            points.len(),
            in_words(&points)
        ),
        points,
    })
}

fn small(evidence: &Evidence<'_>) -> Option<Brake> {
    let mut points: Vec<&RestorePoint> =
        evidence.inventory.points.iter().filter(|point| counts(evidence, point)).collect();
    points.sort_by(|a, b| newest_first((a.created_at, &a.id), (b.created_at, &b.id)));
    let (newest, before) = points.split_first()?;
    let size = newest.size_mb?;
    if is_accepted(evidence, newest) {
        return None;
    }
    // Once a person has accepted a size, later points are compared with it.
    let end =
        before.iter().position(|point| is_accepted(evidence, point)).map_or(before.len(), |position| position + 1);
    let mut sizes: Vec<u64> = before[..end].iter().filter_map(|point| point.size_mb).take(SIZES).collect();
    sizes.sort_unstable();
    let median = *sizes.get(sizes.len() / 2)?;
    let is_small = if size == 0 { median > 0 } else { sizes.len() >= FEW && size.saturating_mul(SMALL) < median };
    is_small.then(|| {
        let kind = evidence.inventory.kind;
        let what = if size == 0 { "is empty".to_owned() } else { format!("has only {size} MB") };
        Brake {
            cause: BrakeCause::Small,
            policy: Some(evidence.policy.name.clone()),
            text: format!(
                "{kind} {} of {} {what}, while the previous ones had {median} MB: it may be unusable",
                newest.id, newest.created_at
            ),
            points: vec![PointIdentity::of(newest)],
        }
    })
}

/// Whether a person has accepted the small size of this point.
fn is_accepted(evidence: &Evidence<'_>, point: &RestorePoint) -> bool {
    let is_about_size = |stored: &&StoredBrake| {
        stored.accepted && stored.brake.cause == BrakeCause::Small && stored.brake.concerns(evidence.policy)
    };
    let mut accepted = evidence.memory.brakes.iter().filter(is_about_size);
    accepted.any(|stored| stored.brake.points.iter().any(|about| about.is(point)))
}

fn clock(evidence: &Evidence<'_>) -> Option<Brake> {
    let (provider, ours) = (evidence.inventory.provider_time?, evidence.inventory.read_at);
    let apart = ours.duration_until(provider).abs();
    (apart > APART).then(|| Brake {
        cause: BrakeCause::Clock,
        policy: None,
        text: format!(
            "our clock says {ours}, the provider's {provider}: {} min apart; correct this machine's clock",
            apart.as_mins()
        ),
        points: Vec::new(),
    })
}

fn second_lastgood(evidence: &Evidence<'_>) -> Option<Brake> {
    let stray = |point: &&RestorePoint| matches!(evidence.owner(point), Owner::Stray(_));
    let points: Vec<PointIdentity> = evidence.inventory.manual().filter(stray).map(PointIdentity::of).collect();
    (!points.is_empty()).then(|| Brake {
        cause: BrakeCause::SecondLastgood,
        policy: None,
        text: format!(
            "{} carry our mark, but this journal has no record of them: {}; is a second lastgood running with the same \
             provider.instance? If not, the first list that this journal saw lacked them, or the state was restored from \
             a copy: `lastgood accept` accepts them as ours",
            evidence.inventory.kind.plural(),
            in_words(&points)
        ),
        points,
    })
}

/// The points by id and time.
pub(super) fn in_words(points: &[PointIdentity]) -> String {
    let words: Vec<String> = points.iter().map(|about| format!("{} of {}", about.id, about.created_at)).collect();
    words.join(", ")
}
