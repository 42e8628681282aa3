//! The verdicts on all points. Reasons are made when they are asked for: most callers want to know only what is kept.

use super::bucket::WallHour;
use super::history::History;
use super::reason::KeepReason;
use super::rule::{AppliedRule, PointOutcome, Rule};
use super::verdict::KeepVerdict;
use crate::policy::keep::{KeepMode, KeepRule};

/// What retention decides about each of a list of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    mode: KeepMode,
    rules: Vec<AppliedRule>,
    /// The place of each point, newest first, in the order of the list.
    places: Vec<u32>,
    /// By place, as the outcomes.
    hours: Vec<WallHour>,
    outcomes: Vec<PointOutcome>,
}

impl Verdicts {
    pub(super) fn new(
        mode: KeepMode,
        rules: Vec<AppliedRule>,
        history: History<'_>,
        outcomes: Vec<PointOutcome>,
    ) -> Self {
        let (places, hours) = history.into_places();
        Self { mode, rules, places, hours, outcomes }
    }

    /// Whether the point at `index` of the list is kept.
    #[must_use]
    pub fn keeps(&self, index: usize) -> bool {
        self.outcomes[self.places[index] as usize].is_kept()
    }

    /// Whether each point is kept, in the order of the list.
    pub fn kept(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.places.len()).map(|index| self.keeps(index))
    }

    /// Why the point at `index` of the list is kept, or why each rule drops it.
    #[must_use]
    pub(crate) fn why(&self, index: usize) -> Vec<KeepReason> {
        let place = self.places[index] as usize;
        let rank = |number| self.outcomes[..=place].iter().filter(|outcome| outcome.is_kept_by(number)).count();
        self.reasons(place, |number| u32::try_from(rank(number)).unwrap_or(u32::MAX))
    }

    /// The verdict on each point with its reasons, in the order of the list.
    #[must_use]
    pub(crate) fn explained(&self) -> Vec<KeepVerdict> {
        let mut ranks = vec![0_u32; self.rules.len()];
        let by_place = self.outcomes.iter().enumerate().map(|(place, outcome)| {
            for (number, rank) in ranks.iter_mut().enumerate() {
                *rank += u32::from(outcome.is_kept_by(number));
            }
            Some(KeepVerdict { keep: outcome.is_kept(), why: self.reasons(place, |number| ranks[number]) })
        });
        let mut by_place: Vec<Option<KeepVerdict>> = by_place.collect();
        self.places.iter().filter_map(|&place| by_place[place as usize].take()).collect()
    }

    /// The reasons for the point at `place`. `rank` says how many points a rule keeps up to it.
    fn reasons(&self, place: usize, rank: impl Fn(usize) -> u32) -> Vec<KeepReason> {
        let outcome = self.outcomes[place];
        let last = outcome.ruled_out_by.map_or(self.rules.len(), |number| usize::from(number) + 1);
        let numbers = 0..last;
        if outcome.is_kept() {
            let keeping = numbers.filter(|&number| outcome.is_kept_by(number));
            keeping.map(|number| self.why_kept(number, place, rank(number))).collect()
        } else {
            numbers.map(|number| self.why_dropped(number, place)).collect()
        }
    }

    fn why_kept(&self, number: usize, place: usize, rank: u32) -> KeepReason {
        let applied = &self.rules[number];
        let is_newest = applied.last.is_none_or(|last| place <= last);
        let bucket = |rule| self.hours[place].bucket_text(rule);
        match applied.rule {
            Rule::Within(period) => KeepReason::Within { period },
            Rule::BucketsWithin(rule, period) if is_newest => {
                KeepReason::WithinBucket { rule, period, bucket: bucket(rule) }
            }
            Rule::BucketsWithin(rule, period) => KeepReason::OldestWithin { rule, period },
            Rule::Counted(rule, of) if is_newest => KeepReason::Counted { rule, bucket: bucket(rule), place: rank, of },
            Rule::Counted(rule, _) => KeepReason::Oldest { rule },
        }
    }

    fn why_dropped(&self, number: usize, place: usize) -> KeepReason {
        let applied = &self.rules[number];
        let ended = place >= applied.end;
        match applied.rule {
            Rule::Within(period) => KeepReason::TooOld { rule: None, period },
            Rule::BucketsWithin(rule, period) if ended => KeepReason::TooOld { rule: Some(rule), period },
            Rule::Counted(rule, of) if ended && !self.is_in_last_bucket(rule, applied, place) => {
                KeepReason::Full { rule, of }
            }
            Rule::BucketsWithin(rule, _) | Rule::Counted(rule, _) => {
                let bucket = self.hours[place].bucket_text(rule);
                let ruled_out = self.outcomes[place].ruled_out_by.map(usize::from) == Some(number);
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
