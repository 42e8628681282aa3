//! `union`: a point is kept if any rule keeps it, exactly as by `restic forget`.
//!
//! As in restic, a bucket is new when it differs from that of the point the rule kept last, and a rule that has not
//! kept its full count also keeps the oldest point.

use super::bucket::Bucket;
use super::history::{History, in_order};
use super::reason::KeepReason;
use super::verdict::KeepVerdict;
use crate::policy::keep::{Count, Keep, KeepRule, Period};

pub(super) fn decide(history: &History<'_>, keep: &Keep) -> Vec<KeepVerdict> {
    let mut why: Vec<Vec<KeepReason>> = vec![Vec::new(); history.len()];
    if let Some(period) = keep.within.filter(|&period| period != Period::default()) {
        for (reasons, within) in why.iter_mut().zip(history.within(period)) {
            reasons.push(if within {
                KeepReason::Within { period }
            } else {
                KeepReason::TooOld { rule: None, period }
            });
        }
    }
    for (rule, count) in in_order(&keep.counts, Count::Number(0)) {
        add(&mut why, counted(history, rule, count));
    }
    for (rule, period) in in_order(&keep.within_buckets, Period::default()) {
        add(&mut why, buckets_within(history, rule, period));
    }
    why.into_iter().map(verdict).collect()
}

fn add(why: &mut [Vec<KeepReason>], of_rule: Vec<KeepReason>) {
    for (reasons, reason) in why.iter_mut().zip(of_rule) {
        reasons.push(reason);
    }
}

fn verdict(mut why: Vec<KeepReason>) -> KeepVerdict {
    let keep = why.iter().any(KeepReason::keeps);
    why.retain(|reason| reason.keeps() == keep);
    KeepVerdict { keep, why }
}

/// The reason of one counting rule for every point.
fn counted(history: &History<'_>, rule: KeepRule, count: Count) -> Vec<KeepReason> {
    let mut used = 0_u32;
    let mut last: Option<Bucket> = None;
    let mut reasons = Vec::with_capacity(history.len());
    for (index, bucket) in history.buckets(rule).into_iter().enumerate() {
        let full = matches!(count, Count::Number(number) if used >= number);
        let is_new = last != Some(bucket);
        let is_oldest = index + 1 == history.len();
        reasons.push(if !full && is_new {
            used += 1;
            last = Some(bucket);
            KeepReason::Counted { rule, bucket: bucket.to_string(), place: used, of: count }
        } else if !full && is_oldest {
            KeepReason::Oldest { rule }
        } else if is_new {
            KeepReason::Full { rule, of: count }
        } else {
            KeepReason::NewerKept { rule, bucket: bucket.to_string() }
        });
    }
    reasons
}

/// The reason of a `within_daily` or similar rule for every point.
fn buckets_within(history: &History<'_>, rule: KeepRule, period: Period) -> Vec<KeepReason> {
    let mut last: Option<Bucket> = None;
    let mut reasons = Vec::with_capacity(history.len());
    let points = history.buckets(rule).into_iter().zip(history.within(period));
    for (index, (bucket, within)) in points.enumerate() {
        reasons.push(if !within {
            KeepReason::TooOld { rule: Some(rule), period }
        } else if last != Some(bucket) {
            last = Some(bucket);
            KeepReason::WithinBucket { rule, period, bucket: bucket.to_string() }
        } else if index + 1 == history.len() {
            KeepReason::OldestWithin { rule, period }
        } else {
            KeepReason::NewerKept { rule, bucket: bucket.to_string() }
        });
    }
    reasons
}
