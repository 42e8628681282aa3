//! `sequential`: the rules apply one after another and add up, as in Proxmox Backup Server.
//!
//! A rule skips buckets that already have a kept point. In each other bucket it keeps the newest undecided point, until
//! its count is used up, and rules out the older points of that bucket for good.

use std::collections::BTreeMap;

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

/// Points of one bucket that follow each other, newest first.
struct BucketRun {
    bucket: i64,
    state: BucketState,
    /// The place after its last point.
    end: usize,
}

struct SequentialPass<'a> {
    history: &'a History<'a>,
    /// In the order of the list.
    outcomes: Vec<PointOutcome>,
}

/// What the rules decide about each point, in the order of the list.
pub(super) fn decide(history: &History<'_>, rules: &mut [AppliedRule]) -> Vec<PointOutcome> {
    let mut pass = SequentialPass { history, outcomes: vec![PointOutcome::default(); history.len()] };
    for (number, applied) in rules.iter_mut().enumerate() {
        match applied.rule {
            Rule::Within(_) => (0..applied.end).for_each(|place| pass.outcome(place).keep(number)),
            Rule::BucketsWithin(rule, _) | Rule::Counted(rule, _) => pass.apply(number, rule, applied),
        }
    }
    pass.outcomes
}

impl SequentialPass<'_> {
    fn outcome(&mut self, place: usize) -> &mut PointOutcome {
        &mut self.outcomes[self.history.index(place)]
    }

    fn is_kept(&self, place: usize) -> bool {
        self.outcomes[self.history.index(place)].is_kept()
    }

    fn apply(&mut self, number: usize, rule: KeepRule, applied: &mut AppliedRule) {
        // Only where the clock goes back can a bucket have more than one run, and its state must be remembered.
        let mut states = if self.history.is_even() { None } else { Some(self.held(rule)) };
        let mut kept = 0;
        let mut run = BucketRun { bucket: 0, state: BucketState::Free, end: 0 };
        for place in 0..applied.end {
            if place == run.end {
                run = self.run(rule, place, states.as_ref());
            }
            let outcome = self.outcome(place);
            if !outcome.is_undecided() {
                continue;
            }
            match run.state {
                BucketState::Held => {}
                BucketState::Taken => outcome.ruled_out_by = Some(number as u8),
                BucketState::Free if applied.is_used_up(kept) => {
                    applied.end = place;
                    break;
                }
                BucketState::Free => {
                    outcome.keep(number);
                    kept += 1;
                    run.state = BucketState::Taken;
                    states.iter_mut().for_each(|states| _ = states.insert(run.bucket, run.state));
                }
            }
        }
    }

    /// The run that begins at `place`. `states` are those of all buckets that are not free.
    fn run(&self, rule: KeepRule, place: usize, states: Option<&BTreeMap<i64, BucketState>>) -> BucketRun {
        let bucket = self.history.bucket(rule, place);
        let mut is_held = false;
        let mut end = place;
        while end < self.history.len() && self.history.bucket(rule, end) == bucket {
            is_held |= self.is_kept(end);
            end += 1;
        }
        let state = match states {
            Some(states) => states.get(&bucket).copied().unwrap_or(BucketState::Free),
            None if is_held => BucketState::Held,
            None => BucketState::Free,
        };
        BucketRun { bucket, state, end }
    }

    /// The buckets that have a kept point.
    fn held(&self, rule: KeepRule) -> BTreeMap<i64, BucketState> {
        let kept = (0..self.history.len()).filter(|&place| self.is_kept(place));
        kept.map(|place| (self.history.bucket(rule, place), BucketState::Held)).collect()
    }
}
