//! The points as the rules see them: newest first, each with the hour of the wall clock that it falls into. A point's
//! *place* is its position in that order.

use jiff::tz::TimeZone;

use super::bucket::WallHour;
use super::newest_first::{TimeRank, newest_first};
use super::verdict::Candidate;
use super::wall_clock::WallClock;
use crate::policy::keep::{KeepRule, Period};

/// The points, newest first.
pub(super) struct History<'a> {
    zone: &'a TimeZone,
    points: &'a [Candidate],
    ranks: Vec<TimeRank>,
    hours: Vec<WallHour>,
    is_even: bool,
}

impl<'a> History<'a> {
    pub(super) fn new(points: &'a [Candidate], zone: &'a TimeZone) -> Self {
        let ranks = newest_first(points);
        let mut clock = WallClock::new(zone);
        let hours: Vec<WallHour> = ranks.iter().map(|rank| clock.hour(rank.second())).collect();
        let is_even = hours.is_sorted_by(|newer, older| !older.is_after(*newer));
        Self { zone, points, ranks, hours, is_even }
    }

    pub(super) fn len(&self) -> usize {
        self.hours.len()
    }

    /// The number of the bucket that the point at `place` falls into.
    pub(super) fn bucket(&self, rule: KeepRule, place: usize) -> i64 {
        self.hours[place].bucket(rule, place)
    }

    /// Whether the wall clock never goes back from a point to a newer one, so that the points of each bucket follow each
    /// other. It goes back where a clock change repeats more than the rest of an hour.
    pub(super) fn is_even(&self) -> bool {
        self.is_even
    }

    /// The index of the point at `place` in the list.
    pub(super) fn index(&self, place: usize) -> usize {
        self.ranks[place].index()
    }

    /// How many points are younger than `period` before the newest one.
    pub(super) fn within(&self, period: Period) -> usize {
        let Some(newest) = self.ranks.first() else { return 0 };
        let start = period.before(self.points[newest.index()].at, self.zone);
        self.ranks.partition_point(|rank| rank.is_later_than(start))
    }

    /// The points and their hours, newest first.
    pub(super) fn into_parts(self) -> (Vec<TimeRank>, Vec<WallHour>) {
        (self.ranks, self.hours)
    }
}
