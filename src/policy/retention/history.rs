//! The points as the rules see them: newest first, each with its wall-clock time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::bucket::Bucket;
use super::verdict::Candidate;
use crate::policy::keep::{KeepRule, Period};

/// The times of the points, newest first.
pub(super) struct History<'a> {
    zone: &'a TimeZone,
    moments: Vec<Timestamp>,
}

impl<'a> History<'a> {
    pub(super) fn new(newest_first: &[&Candidate], zone: &'a TimeZone) -> Self {
        Self { zone, moments: newest_first.iter().map(|point| point.at).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.moments.len()
    }

    /// The bucket of each point for `rule`.
    pub(super) fn buckets(&self, rule: KeepRule) -> Vec<Bucket> {
        let wall_clock = self.moments.iter().map(|&at| self.zone.to_datetime(at));
        wall_clock.enumerate().map(|(index, civil)| Bucket::of(rule, index, civil)).collect()
    }

    /// For each point, whether it is younger than `period` before the newest one.
    pub(super) fn within(&self, period: Period) -> Vec<bool> {
        let Some(&newest) = self.moments.first() else { return Vec::new() };
        let start = period.before(newest, self.zone);
        self.moments.iter().map(|&at| at > start).collect()
    }
}

/// The rules in the order of `KeepRule::ALL`, without those whose amount is zero.
pub(super) fn in_order<T: Copy + PartialEq>(
    rules: &[(KeepRule, T)],
    zero: T,
) -> impl Iterator<Item = (KeepRule, T)> + '_ {
    KeepRule::ALL
        .into_iter()
        .flat_map(move |turn| rules.iter().copied().filter(move |&(rule, amount)| rule == turn && amount != zero))
}
