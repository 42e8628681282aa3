//! `sequential`: the rules apply one after another and add up, as in Proxmox Backup Server.
//!
//! A rule skips buckets that already have a kept point. In each other bucket it keeps the newest undecided point, until
//! its count is used up, and rules out the older points of that bucket for good.

use std::collections::HashSet;

use super::bucket::Bucket;
use super::history::{History, in_order};
use super::reason::KeepReason;
use super::verdict::KeepVerdict;
use crate::policy::keep::{Count, Keep, KeepRule, Period};

/// What the rules so far have decided about a point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PointState {
    Undecided,
    Kept,
    Out,
}

struct SequentialPass {
    states: Vec<PointState>,
    why: Vec<Vec<KeepReason>>,
}

pub(super) fn decide(history: &History<'_>, keep: &Keep) -> Vec<KeepVerdict> {
    let none = vec![Vec::new(); history.len()];
    let mut pass = SequentialPass { states: vec![PointState::Undecided; history.len()], why: none };
    if let Some(period) = keep.within.filter(|&period| period != Period::default()) {
        pass.keep_within(history, period);
    }
    for (rule, period) in in_order(&keep.within_buckets, Period::default()) {
        pass.keep_buckets_within(history, rule, period);
    }
    for (rule, count) in in_order(&keep.counts, Count::Number(0)) {
        pass.keep_counted(history, rule, count);
    }
    let verdicts = pass.states.into_iter().zip(pass.why);
    verdicts.map(|(state, why)| verdict(state, why)).collect()
}

/// The verdict on a point. For a kept one, the reasons of rules that did not keep it are left out.
fn verdict(state: PointState, mut why: Vec<KeepReason>) -> KeepVerdict {
    let keep = state == PointState::Kept;
    why.retain(|reason| reason.keeps() == keep);
    KeepVerdict { keep, why }
}

impl SequentialPass {
    fn keep(&mut self, index: usize, reason: KeepReason) {
        self.states[index] = PointState::Kept;
        self.why[index].push(reason);
    }

    fn keep_within(&mut self, history: &History<'_>, period: Period) {
        for (index, within) in history.within(period).into_iter().enumerate() {
            if within {
                self.keep(index, KeepReason::Within { period });
            } else {
                self.why[index].push(KeepReason::TooOld { rule: None, period });
            }
        }
    }

    /// The buckets with a point that an earlier rule keeps.
    fn held(&self, buckets: &[Bucket]) -> HashSet<Bucket> {
        let kept = buckets.iter().zip(&self.states).filter(|(_, state)| **state == PointState::Kept);
        kept.map(|(&bucket, _)| bucket).collect()
    }

    fn undecided(&self) -> Vec<usize> {
        (0..self.states.len()).filter(|&index| self.states[index] == PointState::Undecided).collect()
    }

    fn keep_buckets_within(&mut self, history: &History<'_>, rule: KeepRule, period: Period) {
        let buckets = history.buckets(rule);
        let within = history.within(period);
        let held = self.held(&buckets);
        let mut taken = HashSet::new();
        for index in self.undecided() {
            let bucket = buckets[index];
            if !within[index] {
                self.why[index].push(KeepReason::TooOld { rule: Some(rule), period });
            } else if held.contains(&bucket) {
                self.why[index].push(KeepReason::BucketHeld { rule, bucket: bucket.to_string() });
            } else if taken.insert(bucket) {
                self.keep(index, KeepReason::WithinBucket { rule, period, bucket: bucket.to_string() });
            } else {
                self.take_out(index, rule, bucket);
            }
        }
    }

    fn keep_counted(&mut self, history: &History<'_>, rule: KeepRule, count: Count) {
        let buckets = history.buckets(rule);
        let held = self.held(&buckets);
        let mut taken = HashSet::new();
        let mut used = 0_u32;
        let mut full = false;
        for index in self.undecided() {
            let bucket = buckets[index];
            if full {
                self.why[index].push(KeepReason::Full { rule, of: count });
            } else if held.contains(&bucket) {
                self.why[index].push(KeepReason::BucketHeld { rule, bucket: bucket.to_string() });
            } else if taken.contains(&bucket) {
                self.take_out(index, rule, bucket);
            } else if matches!(count, Count::Number(number) if used >= number) {
                full = true;
                self.why[index].push(KeepReason::Full { rule, of: count });
            } else {
                taken.insert(bucket);
                used += 1;
                let reason = KeepReason::Counted { rule, bucket: bucket.to_string(), place: used, of: count };
                self.keep(index, reason);
            }
        }
    }

    fn take_out(&mut self, index: usize, rule: KeepRule, bucket: Bucket) {
        self.states[index] = PointState::Out;
        self.why[index].push(KeepReason::NewerKept { rule, bucket: bucket.to_string() });
    }
}
