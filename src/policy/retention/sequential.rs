//! `sequential`: the rules apply one after another and add up, as in Proxmox Backup Server.
//!
//! A rule skips buckets that already have a kept point. In each other bucket it keeps the newest undecided point, until
//! its count is used up, and rules out the older points of that bucket for good.

use super::history::History;
use super::rule::{AppliedRule, PointOutcome, Rule};
use crate::policy::keep::KeepRule;

/// A bucket of the rule whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BucketState {
    Free,
    /// An earlier rule keeps a point of it.
    Held,
    /// This rule keeps a point of it.
    Taken,
}

struct SequentialPass<'a> {
    history: &'a History<'a>,
    outcomes: Vec<PointOutcome>,
    /// The place of the newest point in the bucket of each point.
    firsts: Vec<u32>,
    /// The state of each bucket, at the place of its newest point.
    buckets: Vec<BucketState>,
}

/// What the rules decide about each point, by place.
pub(super) fn decide(history: &History<'_>, rules: &mut [AppliedRule]) -> Vec<PointOutcome> {
    let outcomes = vec![PointOutcome::default(); history.len()];
    let firsts = Vec::with_capacity(history.len());
    let mut pass = SequentialPass { history, outcomes, firsts, buckets: Vec::with_capacity(history.len()) };
    for (number, applied) in rules.iter_mut().enumerate() {
        match applied.rule {
            Rule::Within(_) => pass.outcomes[..applied.end].iter_mut().for_each(|outcome| outcome.keep(number)),
            Rule::BucketsWithin(rule, _) | Rule::Counted(rule, _) => pass.apply(number, rule, applied),
        }
    }
    pass.outcomes
}

impl SequentialPass<'_> {
    fn apply(&mut self, number: usize, rule: KeepRule, applied: &mut AppliedRule) {
        self.find_held_buckets(rule);
        let mut kept = 0;
        for (place, (outcome, first)) in self.outcomes[..applied.end].iter_mut().zip(&self.firsts).enumerate() {
            if !outcome.is_undecided() {
                continue;
            }
            let bucket = &mut self.buckets[*first as usize];
            match *bucket {
                BucketState::Held => {}
                BucketState::Taken => outcome.ruled_out_by = Some(number as u8),
                BucketState::Free if applied.is_used_up(kept) => {
                    applied.end = place;
                    break;
                }
                BucketState::Free => {
                    *bucket = BucketState::Taken;
                    outcome.keep(number);
                    kept += 1;
                }
            }
        }
    }

    fn find_held_buckets(&mut self, rule: KeepRule) {
        self.history.newest_in_bucket(rule, &mut self.firsts);
        self.buckets.clear();
        self.buckets.resize(self.history.len(), BucketState::Free);
        for (outcome, first) in self.outcomes.iter().zip(&self.firsts) {
            if outcome.is_kept() {
                self.buckets[*first as usize] = BucketState::Held;
            }
        }
    }
}
