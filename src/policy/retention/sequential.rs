//! `sequential`: the rules apply one after another and add up, as in Proxmox Backup Server.
//!
//! A rule skips buckets that already have a kept point. In each other bucket it keeps the newest undecided point, until
//! its count is used up, and rules out the older points of that bucket for good.

use std::collections::BTreeMap;

use super::history::History;
use super::rule::{AppliedRule, PointOutcome, RetentionRule};
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
    /// In the order of the list.
    outcomes: Vec<PointOutcome>,
    undecided: usize,
}

/// What the rules decide about each point, in the order of the list.
pub(super) fn decide(history: &History<'_>, rules: &mut [AppliedRule]) -> Vec<PointOutcome> {
    let outcomes = vec![PointOutcome::default(); history.len()];
    let mut pass = SequentialPass { history, outcomes, undecided: history.len() };
    for (number, applied) in rules.iter_mut().enumerate() {
        if pass.undecided == 0 {
            break;
        }
        match applied.rule {
            RetentionRule::Within(_) => (0..applied.end).for_each(|place| pass.keep(place, number)),
            RetentionRule::BucketsWithin(rule, _) | RetentionRule::Counted(rule, _) => {
                pass.apply(number, rule, applied)
            }
        }
    }
    pass.outcomes
}

impl SequentialPass<'_> {
    fn keep(&mut self, place: usize, number: usize) {
        self.outcomes[self.history.index(place)].keep(number);
        self.undecided -= 1;
    }

    fn rule_out(&mut self, place: usize, number: usize) {
        self.outcomes[self.history.index(place)].ruled_out_by = Some(number as u8);
        self.undecided -= 1;
    }

    fn is_undecided(&self, place: usize) -> bool {
        self.outcomes[self.history.index(place)].is_undecided()
    }

    fn is_kept(&self, place: usize) -> bool {
        self.outcomes[self.history.index(place)].is_kept()
    }

    fn apply(&mut self, number: usize, rule: KeepRule, applied: &mut AppliedRule) {
        // Where the clock never goes back, a bucket does not come again and only the current one is remembered.
        let mut states = if self.history.is_even() { None } else { Some(self.held(rule)) };
        let mut current: Option<(i64, BucketState)> = None;
        let mut kept = 0;
        for place in 0..applied.end {
            if !self.is_undecided(place) {
                continue;
            }
            let bucket = self.history.bucket(rule, place);
            let state = match (current, &states) {
                (Some((same, state)), _) if same == bucket => state,
                (_, Some(states)) => states.get(&bucket).copied().unwrap_or(BucketState::Free),
                (_, None) if self.is_held(rule, place) => BucketState::Held,
                (_, None) => BucketState::Free,
            };
            current = Some((bucket, state));
            match state {
                BucketState::Held => {}
                BucketState::Taken => self.rule_out(place, number),
                BucketState::Free if applied.is_used_up(kept) => {
                    applied.end = place;
                    break;
                }
                BucketState::Free => {
                    self.keep(place, number);
                    kept += 1;
                    current = Some((bucket, BucketState::Taken));
                    states.iter_mut().for_each(|states| _ = states.insert(bucket, BucketState::Taken));
                }
            }
        }
    }

    /// Whether the bucket of the point at `place` has a kept point, if its points follow each other.
    fn is_held(&self, rule: KeepRule, place: usize) -> bool {
        let bucket = self.history.bucket(rule, place);
        let is_same = |place: &usize| self.history.bucket(rule, *place) == bucket;
        let newer = (0..place).rev().take_while(is_same);
        let older = (place + 1..self.history.len()).take_while(is_same);
        newer.chain(older).any(|place| self.is_kept(place))
    }

    /// The buckets that have a kept point.
    fn held(&self, rule: KeepRule) -> BTreeMap<i64, BucketState> {
        let kept = (0..self.history.len()).filter(|&place| self.is_kept(place));
        kept.map(|place| (self.history.bucket(rule, place), BucketState::Held)).collect()
    }
}
