//! Which points are kept, and why: `sequential` (as in Proxmox Backup Server) and `union` (as in restic).
//!
//! Promises: verdicts depend only on the points, the rules and the zone, never on the order of the points or on the
//! current time; every point gets exactly one verdict; without a rule nothing is decided. Whether a point may be
//! deleted is for the guards to say.
//!
//! The planner decides many times for each run, so deciding is fast: it sorts numbers, asks the zone once between two
//! clock changes, and makes no reasons. `Verdicts` makes the reasons of a point when they are asked for.

mod bound;
mod bucket;
mod ends;
mod history;
mod newest_first;
mod period;
mod reason;
mod rule;
mod sequential;
mod union;
mod verdict;
mod verdicts;
mod wall_clock;

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

pub(crate) use bound::upper_bound;
pub(crate) use ends::{denser_than, next_bucket_end};
pub(crate) use reason::KeepReason;
pub use verdict::Candidate;
pub(crate) use verdict::{KeepVerdict, NoRules};
pub(crate) use verdicts::Verdicts;

use crate::policy::keep::{Count, Keep, KeepMode, Period};
use history::History;

/// Decides for each point whether it is kept. Buckets follow the wall clock of `zone`; periods are measured from the
/// newest of `points`.
///
/// # Errors
/// `NoRules` when no rule of `keep` could keep anything: that is a mistake, not a request to delete everything.
pub fn decide(points: &[Candidate], keep: &Keep, mode: KeepMode, zone: &TimeZone) -> Result<Verdicts, NoRules> {
    if keeps_nothing(keep) {
        return Err(NoRules);
    }
    let history = History::new(points, zone);
    let mut rules = rule::applied(keep, mode, &history);
    let outcomes = match mode {
        KeepMode::Sequential => sequential::decide(&history, &mut rules),
        KeepMode::Union => union::decide(&history, &mut rules),
    };
    Ok(Verdicts::new(mode, rules, history, outcomes))
}

/// Whether there is no rule, or none above zero.
fn keeps_nothing(keep: &Keep) -> bool {
    keep.counts.iter().all(|&(_, count)| count == Count::Number(0))
        && keep.within.is_none_or(|period| period == Period::default())
        && keep.within_buckets.iter().all(|&(_, period)| period == Period::default())
}
