//! Which points are kept, and why: `sequential` (as in Proxmox Backup Server) and `union` (as in restic).
//!
//! Promises: verdicts depend only on the points, the rules and the zone, never on the order of the points or on the
//! current time; every point gets exactly one verdict with its reasons; without a rule nothing is decided. Whether a
//! point may be deleted is for the guards to say.

mod bound;
mod bucket;
mod ends;
mod history;
mod period;
mod reason;
mod sequential;
mod union;
mod verdict;

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

pub(crate) use bound::upper_bound;
pub(crate) use ends::{denser_than, next_bucket_end};
pub(crate) use reason::KeepReason;
pub use verdict::Candidate;
pub(crate) use verdict::{KeepVerdict, NoRules};

use crate::policy::keep::{Count, Keep, KeepMode, Period};
use history::History;

/// Decides for each point, in the order of `points`, whether it is kept. Buckets follow the wall clock of `zone`;
/// periods are measured from the newest of `points`.
///
/// # Errors
/// `NoRules` when no rule of `keep` could keep anything: that is a mistake, not a request to delete everything.
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

/// Whether there is no rule, or none above zero.
fn keeps_nothing(keep: &Keep) -> bool {
    keep.counts.iter().all(|&(_, count)| count == Count::Number(0))
        && keep.within.is_none_or(|period| period == Period::default())
        && keep.within_buckets.iter().all(|&(_, period)| period == Period::default())
}
