//! `union`: a point is kept if any rule keeps it, exactly as by `restic forget`.
//!
//! As in restic, a bucket is new when it differs from that of the point the rule kept last, and a rule that has not
//! kept its full count also keeps the oldest point.

use super::history::History;
use super::rule::{AppliedRule, PointOutcome, RetentionRule};
use crate::policy::keep::KeepRule;

/// What the rules decide about each point, in the order of the list.
pub(super) fn decide(history: &History<'_>, rules: &mut [AppliedRule]) -> Vec<PointOutcome> {
    let mut outcomes = vec![PointOutcome::default(); history.len()];
    for (number, applied) in rules.iter_mut().enumerate() {
        match applied.rule {
            RetentionRule::Within(_) => (0..applied.end).for_each(|place| outcomes[history.index(place)].keep(number)),
            RetentionRule::BucketsWithin(rule, _) | RetentionRule::Counted(rule, _) => {
                apply(history, (number, rule, applied), &mut outcomes)
            }
        }
    }
    outcomes
}

fn apply(
    history: &History<'_>,
    (number, rule, applied): (usize, KeepRule, &mut AppliedRule),
    outcomes: &mut [PointOutcome],
) {
    let mut kept = 0;
    let mut last = None;
    for place in 0..applied.end {
        let bucket = history.bucket(rule, place);
        if last != Some(bucket) {
            outcomes[history.index(place)].keep(number);
            kept += 1;
            (last, applied.last) = (Some(bucket), Some(place));
            if applied.is_used_up(kept) {
                applied.end = place + 1;
                return;
            }
        } else if place + 1 == history.len() {
            outcomes[history.index(place)].keep(number);
        }
    }
}
