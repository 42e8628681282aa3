//! The points as the rules see them: newest first, each with the hour of the wall clock that it falls into. A point's
//! *place* is its position in that order.

use std::collections::HashMap;

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
}

impl<'a> History<'a> {
    pub(super) fn new(points: &'a [Candidate], zone: &'a TimeZone) -> Self {
        let ranks = newest_first(points);
        let mut clock = WallClock::new(zone);
        let hours = ranks.iter().map(|rank| clock.hour(rank.second())).collect();
        Self { zone, points, ranks, hours }
    }

    pub(super) fn len(&self) -> usize {
        self.hours.len()
    }

    /// The number of the bucket that the point at `place` falls into.
    pub(super) fn bucket(&self, rule: KeepRule, place: usize) -> i64 {
        self.hours[place].bucket(rule, place)
    }

    /// Sets `firsts` to the place of the newest point in the bucket of each point.
    pub(super) fn newest_in_bucket(&self, rule: KeepRule, firsts: &mut Vec<u32>) {
        firsts.clear();
        let mut before: Option<(i64, u32)> = None;
        for place in 0..self.len() {
            let bucket = self.bucket(rule, place);
            let first = match before {
                Some((same, first)) if same == bucket => first,
                // The clock went back over the beginning of a bucket: this one may have come before.
                Some((earlier, _)) if earlier < bucket => return self.newest_in_any_order(rule, firsts),
                _ => place as u32,
            };
            before = Some((bucket, first));
            firsts.push(first);
        }
    }

    /// As `newest_in_bucket`, for points of one bucket that do not follow each other.
    fn newest_in_any_order(&self, rule: KeepRule, firsts: &mut Vec<u32>) {
        firsts.clear();
        let mut newest = HashMap::new();
        let places = 0..self.len();
        firsts.extend(places.map(|place| *newest.entry(self.bucket(rule, place)).or_insert(place as u32)));
    }

    /// How many points are younger than `period` before the newest one.
    pub(super) fn within(&self, period: Period) -> usize {
        let Some(newest) = self.ranks.first() else { return 0 };
        let start = period.before(self.points[newest.index()].at, self.zone);
        self.ranks.partition_point(|rank| rank.is_later_than(start))
    }

    /// The place of each point, in the order of the list, and the hours by place.
    pub(super) fn into_places(self) -> (Vec<u32>, Vec<WallHour>) {
        let mut places = vec![0; self.len()];
        for (rank, place) in self.ranks.iter().zip(0..) {
            places[rank.index()] = place;
        }
        (places, self.hours)
    }
}
