//! The verdicts on all points. Reasons are made when they are asked for: most callers want to know only what is kept.

use super::bucket::WallHour;
use super::history::History;
use super::newest_first::TimeRank;
use super::reason::KeepReason;
use super::rule::{AppliedRule, PointOutcome, RetentionRule};
use super::verdict::KeepVerdict;
use crate::policy::keep::{KeepMode, KeepRule};

/// What retention decides about each of a list of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    mode: KeepMode,
    rules: Vec<AppliedRule>,
    /// In the order of the list.
    outcomes: Vec<PointOutcome>,
    /// Newest first, as the hours.
    ranks: Vec<TimeRank>,
    hours: Vec<WallHour>,
}

impl Verdicts {
    pub(super) fn new(
        mode: KeepMode,
        rules: Vec<AppliedRule>,
        history: History<'_>,
        outcomes: Vec<PointOutcome>,
    ) -> Self {
        let (ranks, hours) = history.into_parts();
        Self { mode, rules, outcomes, ranks, hours }
    }

    /// Whether the point at `index` of the list is kept.
    #[must_use]
    pub fn keeps(&self, index: usize) -> bool {
        self.outcomes[index].is_kept()
    }

    /// Whether each point is kept, in the order of the list.
    pub fn kept(&self) -> impl Iterator<Item = bool> + '_ {
        self.outcomes.iter().map(|outcome| outcome.is_kept())
    }

    /// Why the point at `index` of the list is kept, or why each rule drops it.
    #[must_use]
    pub(crate) fn why(&self, index: usize) -> Vec<KeepReason> {
        let mut kept_by = vec![0; self.rules.len()];
        let place = self.ranks.iter().position(|rank| {
            self.count(rank.index(), &mut kept_by);
            rank.index() == index
        });
        place.map(|place| self.reasons(place, &kept_by)).unwrap_or_default()
    }

    /// The verdict on each point with its reasons, in the order of the list.
    #[must_use]
    pub(crate) fn explained(&self) -> Vec<KeepVerdict> {
        let mut kept_by = vec![0; self.rules.len()];
        let mut verdicts: Vec<_> = self.kept().map(|keep| KeepVerdict { keep, why: Vec::new() }).collect();
        for (place, rank) in self.ranks.iter().enumerate() {
            self.count(rank.index(), &mut kept_by);
            verdicts[rank.index()].why = self.reasons(place, &kept_by);
        }
        verdicts
    }

    fn outcome(&self, place: usize) -> PointOutcome {
        self.outcomes[self.ranks[place].index()]
    }

    /// Adds a point to the number of points that each rule keeps.
    fn count(&self, index: usize, kept_by: &mut [u32]) {
        for (number, kept) in kept_by.iter_mut().enumerate() {
            *kept += u32::from(self.outcomes[index].is_kept_by(number));
        }
    }

    /// The reasons for the point at `place`. Each rule keeps `kept_by` points up to it.
    fn reasons(&self, place: usize, kept_by: &[u32]) -> Vec<KeepReason> {
        let outcome = self.outcome(place);
        let last = outcome.ruled_out_by.map_or(self.rules.len(), |number| usize::from(number) + 1);
        let numbers = 0..last;
        if outcome.is_kept() {
            let keeping = numbers.filter(|&number| outcome.is_kept_by(number));
            keeping.map(|number| self.why_kept(number, place, kept_by[number])).collect()
        } else {
            numbers.map(|number| self.why_dropped(number, place)).collect()
        }
    }

    fn why_kept(&self, number: usize, place: usize, count: u32) -> KeepReason {
        let applied = &self.rules[number];
        let is_newest = applied.last.is_none_or(|last| place <= last);
        let bucket = |rule| self.hours[place].bucket_text(rule);
        match applied.rule {
            RetentionRule::Within(period) => KeepReason::Within { period },
            RetentionRule::BucketsWithin(rule, period) if is_newest => {
                KeepReason::WithinBucket { rule, period, bucket: bucket(rule) }
            }
            RetentionRule::BucketsWithin(rule, period) => KeepReason::OldestWithin { rule, period },
            RetentionRule::Counted(rule, of) if is_newest => {
                KeepReason::Counted { rule, bucket: bucket(rule), place: count, of }
            }
            RetentionRule::Counted(rule, _) => KeepReason::Oldest { rule },
        }
    }

    fn why_dropped(&self, number: usize, place: usize) -> KeepReason {
        let applied = &self.rules[number];
        let ended = place >= applied.end;
        match applied.rule {
            RetentionRule::Within(period) => KeepReason::TooOld { rule: None, period },
            RetentionRule::BucketsWithin(rule, period) if ended => KeepReason::TooOld { rule: Some(rule), period },
            RetentionRule::Counted(rule, of) if ended && !self.is_in_last_bucket(rule, applied, place) => {
                KeepReason::Full { rule, of }
            }
            RetentionRule::BucketsWithin(rule, _) | RetentionRule::Counted(rule, _) => {
                let bucket = self.hours[place].bucket_text(rule);
                let ruled_out = self.outcome(place).ruled_out_by.map(usize::from) == Some(number);
                if ruled_out || self.mode == KeepMode::Union {
                    KeepReason::NewerKept { rule, bucket }
                } else {
                    KeepReason::BucketHeld { rule, bucket }
                }
            }
        }
    }

    /// Whether `rule` kept its last point of `union` in the bucket of the point at `place`.
    fn is_in_last_bucket(&self, rule: KeepRule, applied: &AppliedRule, place: usize) -> bool {
        let bucket = |place: usize| self.hours[place].bucket(rule, place);
        applied.last.is_some_and(|last| bucket(last) == bucket(place))
    }
}
