//! `sequential`: the rules take turns and add up, as Proxmox Backup Server prunes.
//!
//! A rule passes over buckets that already hold a kept point, keeps the newest undecided point of each new bucket
//! until its count is used up, and takes the older points of those buckets out for good.

use std::collections::HashSet;

use super::bucket::Bucket;
use super::history::{History, in_turn};
use super::reason::KeepReason;
use super::verdict::KeepVerdict;
use crate::policy::keep::{Count, Keep, Period, Rule};

/// What the rules so far have made of a point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Undecided,
    Kept,
    Out,
}

struct Turns {
    marks: Vec<Mark>,
    why: Vec<Vec<KeepReason>>,
}

pub(super) fn decide(history: &History<'_>, keep: &Keep) -> Vec<KeepVerdict> {
    let none = vec![Vec::new(); history.len()];
    let mut turns = Turns { marks: vec![Mark::Undecided; history.len()], why: none };
    if let Some(period) = keep.within.filter(|&period| period != Period::default()) {
        turns.keep_within(history, period);
    }
    for (rule, period) in in_turn(&keep.within_buckets, Period::default()) {
        turns.keep_buckets_within(history, rule, period);
    }
    for (rule, count) in in_turn(&keep.counts, Count::Number(0)) {
        turns.keep_counted(history, rule, count);
    }
    let verdicts = turns.marks.into_iter().zip(turns.why);
    verdicts.map(|(mark, why)| verdict(mark, why)).collect()
}

/// A point that stays is told why it stays, not which rules passed it over before.
fn verdict(mark: Mark, mut why: Vec<KeepReason>) -> KeepVerdict {
    let keep = mark == Mark::Kept;
    why.retain(|reason| reason.keeps() == keep);
    KeepVerdict { keep, why }
}

impl Turns {
    fn keep(&mut self, place: usize, reason: KeepReason) {
        self.marks[place] = Mark::Kept;
        self.why[place].push(reason);
    }

    fn keep_within(&mut self, history: &History<'_>, period: Period) {
        for (place, within) in history.within(period).into_iter().enumerate() {
            if within {
                self.keep(place, KeepReason::Within { period });
            } else {
                self.why[place].push(KeepReason::TooOld { rule: None, period });
            }
        }
    }

    /// The buckets that hold a point that an earlier rule keeps.
    fn held(&self, buckets: &[Bucket]) -> HashSet<Bucket> {
        let kept = buckets.iter().zip(&self.marks).filter(|(_, mark)| **mark == Mark::Kept);
        kept.map(|(&bucket, _)| bucket).collect()
    }

    fn undecided(&self) -> Vec<usize> {
        (0..self.marks.len()).filter(|&place| self.marks[place] == Mark::Undecided).collect()
    }

    fn keep_buckets_within(&mut self, history: &History<'_>, rule: Rule, period: Period) {
        let buckets = history.buckets(rule);
        let within = history.within(period);
        let held = self.held(&buckets);
        let mut taken = HashSet::new();
        for place in self.undecided() {
            let bucket = buckets[place];
            if !within[place] {
                self.why[place].push(KeepReason::TooOld { rule: Some(rule), period });
            } else if held.contains(&bucket) {
                self.why[place].push(KeepReason::BucketHeld { rule, bucket: bucket.to_string() });
            } else if taken.insert(bucket) {
                self.keep(place, KeepReason::WithinBucket { rule, period, bucket: bucket.to_string() });
            } else {
                self.take_out(place, rule, bucket);
            }
        }
    }

    fn keep_counted(&mut self, history: &History<'_>, rule: Rule, count: Count) {
        let buckets = history.buckets(rule);
        let held = self.held(&buckets);
        let mut taken = HashSet::new();
        let mut used = 0_u32;
        let mut full = false;
        for place in self.undecided() {
            let bucket = buckets[place];
            if full {
                self.why[place].push(KeepReason::Full { rule, of: count });
            } else if held.contains(&bucket) {
                self.why[place].push(KeepReason::BucketHeld { rule, bucket: bucket.to_string() });
            } else if taken.contains(&bucket) {
                self.take_out(place, rule, bucket);
            } else if matches!(count, Count::Number(number) if used >= number) {
                full = true;
                self.why[place].push(KeepReason::Full { rule, of: count });
            } else {
                taken.insert(bucket);
                used += 1;
                let reason = KeepReason::Counted { rule, bucket: bucket.to_string(), place: used, of: count };
                self.keep(place, reason);
            }
        }
    }

    fn take_out(&mut self, place: usize, rule: Rule, bucket: Bucket) {
        self.marks[place] = Mark::Out;
        self.why[place].push(KeepReason::NewerStands { rule, bucket: bucket.to_string() });
    }
}
