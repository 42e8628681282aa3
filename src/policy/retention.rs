//! Which points stay, and why: `sequential` (as Proxmox Backup Server) and `union` (as restic).
//!
//! Promises: the verdicts depend on the points, the rules and the zone alone, never on the order of the points and
//! never on the time of day; every point gets exactly one verdict with its reasons; without a rule nothing is
//! decided at all. Whether a point may be deleted is for the guards, not for this module.

mod bound;
mod bucket;
mod ends;
mod period;
mod reason;
mod sequential;
mod union;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use bound::upper_bound;
pub use ends::{denser_than, next_bucket_end};
pub use period::PeriodError;
pub use reason::KeepReason;

use crate::policy::inventory::Id;
use crate::policy::keep::{Count, Keep, KeepMode, Period, Rule};
use bucket::Bucket;

/// A completed point that takes part in the decision. Ordered by time, then due time (none is lowest), then id:
/// the larger one is the newer one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// `created_at`.
    pub at: Timestamp,
    /// The due time in its mark, which tells points of the same second apart.
    pub due: Option<Timestamp>,
    /// The provider's key; `None` for a point that is still to be made.
    pub id: Option<Id>,
}

impl Candidate {
    /// A point of which only the time is known.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at, due: None, id: None }
    }
}

/// What retention says of one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepVerdict {
    /// Whether it stays.
    pub keep: bool,
    /// Why it stays, or why each rule lets it go; never empty.
    pub why: Vec<KeepReason>,
}

/// There is no rule that could keep anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no rule keeps anything: name at least one of last, hourly, daily, weekly, monthly, yearly or within, above zero"
)]
pub struct NoRules;

/// Decides for each point, in the order of `points`, whether it stays. Buckets are cut by the wall clock of `zone`;
/// periods are measured from the newest of `points`.
///
/// # Errors
/// `NoRules` when `keep` names no rule that could keep anything: that is a mistake, not a wish to lose everything.
pub fn decide(points: &[Candidate], keep: &Keep, mode: KeepMode, zone: &TimeZone) -> Result<Vec<KeepVerdict>, NoRules> {
    if keeps_nothing(keep) {
        return Err(NoRules);
    }
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| points[b].cmp(&points[a]));
    let newest_first: Vec<&Candidate> = order.iter().map(|&index| &points[index]).collect();
    let history = History::new(&newest_first, zone);
    let decided = match mode {
        KeepMode::Sequential => sequential::decide(&history, keep),
        KeepMode::Union => union::decide(&history, keep),
    };
    let mut verdicts = vec![KeepVerdict { keep: false, why: Vec::new() }; points.len()];
    for (verdict, index) in decided.into_iter().zip(order) {
        verdicts[index] = verdict;
    }
    Ok(verdicts)
}

/// Whether no rule is given, or none above zero.
fn keeps_nothing(keep: &Keep) -> bool {
    keep.counts.iter().all(|&(_, count)| count == Count::Number(0))
        && keep.within.is_none_or(|period| period == Period::default())
        && keep.within_buckets.iter().all(|&(_, period)| period == Period::default())
}

/// The points newest first, with the wall clock at each.
struct History<'a> {
    zone: &'a TimeZone,
    moments: Vec<Timestamp>,
}

impl<'a> History<'a> {
    fn new(newest_first: &[&Candidate], zone: &'a TimeZone) -> Self {
        Self { zone, moments: newest_first.iter().map(|point| point.at).collect() }
    }

    fn len(&self) -> usize {
        self.moments.len()
    }

    /// The bucket of each point for `rule`.
    fn buckets(&self, rule: Rule) -> Vec<Bucket> {
        let wall_clock = self.moments.iter().map(|&at| self.zone.to_datetime(at));
        wall_clock.enumerate().map(|(place, civil)| Bucket::of(rule, place, civil)).collect()
    }

    /// For each point whether it is younger than `period` before the newest one.
    fn within(&self, period: Period) -> Vec<bool> {
        let Some(&newest) = self.moments.first() else { return Vec::new() };
        let start = period.before(newest, self.zone);
        self.moments.iter().map(|&at| at > start).collect()
    }
}

/// The rules in the order of `Rule::ALL`, without those that are zero.
fn in_turn<T: Copy + PartialEq>(rules: &[(Rule, T)], zero: T) -> impl Iterator<Item = (Rule, T)> + '_ {
    Rule::ALL
        .into_iter()
        .flat_map(move |turn| rules.iter().copied().filter(move |&(rule, amount)| rule == turn && amount != zero))
}
