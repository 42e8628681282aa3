//! The rules as they are applied, and what they have decided about a point.

use super::history::History;
use crate::policy::keep::{Count, Keep, KeepMode, KeepRule, Period};

/// A rule that could keep something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetentionRule {
    /// `within`.
    Within(Period),
    /// `within_daily` or similar.
    BucketsWithin(KeepRule, Period),
    /// A count of buckets.
    Counted(KeepRule, Count),
}

/// A rule and how far it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AppliedRule {
    pub rule: RetentionRule,
    /// From this place on it keeps nothing: the count is used up, or the points are too old.
    pub end: usize,
    /// In `union`, the place of the last point that it kept as the newest of a bucket.
    pub last: Option<usize>,
}

impl AppliedRule {
    fn new(rule: RetentionRule, history: &History<'_>) -> Self {
        let end = match rule {
            RetentionRule::Within(period) | RetentionRule::BucketsWithin(_, period) => history.within(period),
            RetentionRule::Counted(..) => history.len(),
        };
        Self { rule, end, last: None }
    }

    /// Whether its count is used up by the `kept` buckets that it keeps.
    pub(super) fn is_used_up(&self, kept: u32) -> bool {
        matches!(self.rule, RetentionRule::Counted(_, Count::Number(number)) if kept >= number)
    }
}

/// The rules of `keep` in the order in which `mode` applies them.
pub(super) fn applied(keep: &Keep, mode: KeepMode, history: &History<'_>) -> Vec<AppliedRule> {
    let mut rules = Vec::with_capacity(1 + keep.within_buckets.len() + keep.counts.len());
    let period = keep.within.filter(|&period| period != Period::default());
    let counts = in_order(&keep.counts, Count::Number(0)).map(|(rule, count)| RetentionRule::Counted(rule, count));
    let within = in_order(&keep.within_buckets, Period::default());
    let within = within.map(|(rule, period)| RetentionRule::BucketsWithin(rule, period));
    let mut add = |rule| rules.push(AppliedRule::new(rule, history));
    period.map(RetentionRule::Within).into_iter().for_each(&mut add);
    match mode {
        KeepMode::Sequential => within.chain(counts).for_each(add),
        KeepMode::Union => counts.chain(within).for_each(add),
    }
    rules
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

/// What the rules have decided about a point. Rules go by their numbers, in the order in which they are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PointOutcome {
    /// A bit for each rule that keeps it. There are 13 rules at most.
    kept_by: u16,
    /// The rule of `sequential` that ruled it out for the rules after it.
    pub ruled_out_by: Option<u8>,
}

impl PointOutcome {
    pub(super) fn keep(&mut self, number: usize) {
        self.kept_by |= 1 << number;
    }

    pub(super) fn is_kept(self) -> bool {
        self.kept_by != 0
    }

    pub(super) fn is_kept_by(self, number: usize) -> bool {
        self.kept_by & 1 << number != 0
    }

    /// Whether a rule of `sequential` still has to decide about it.
    pub(super) fn is_undecided(self) -> bool {
        self == Self::default()
    }
}
