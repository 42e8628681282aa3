//! Which points stay, and why: `sequential` (as Proxmox Backup Server) and `union` (as restic).
//!
//! Promises: the verdicts depend on the points, the rules and the zone alone, never on the order of the points and
//! never on the time of day; every point gets exactly one verdict with its reasons; without a rule nothing is
//! decided at all. Whether a point may be deleted is for the guards, not for this module.

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

pub use bound::upper_bound;
pub use ends::{denser_than, next_bucket_end};
pub use period::PeriodError;
pub use reason::KeepReason;
pub use verdict::{Candidate, KeepVerdict, NoRules};

use crate::policy::keep::{Count, Keep, KeepMode, Period};
use history::History;

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
