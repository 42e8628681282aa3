//! The order of the points: newest first.

use jiff::Timestamp;

use super::bucket::floor_second;
use super::verdict::Candidate;

/// A point's time and its index in the list given, in one number that is smaller for a newer point. Of two points of
/// one time the earlier in the list has the smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimeRank(u128);

impl TimeRank {
    fn new(moment: Timestamp, index: u32) -> Self {
        let second = floor_second(moment);
        let age = Timestamp::MAX.as_second().abs_diff(second);
        // From 0 to 999,999,999, as the second is not later.
        let nanosecond = moment.subsec_nanosecond().rem_euclid(1_000_000_000).unsigned_abs();
        Self(u128::from(age) << 64 | u128::from(!nanosecond) << 32 | u128::from(index))
    }

    /// The second since 1970 that the point is in.
    pub(super) fn second(self) -> i64 {
        Timestamp::MAX.as_second() - (self.0 >> 64) as i64
    }

    pub(super) fn index(self) -> usize {
        self.0 as u32 as usize
    }

    pub(super) fn is_later_than(self, moment: Timestamp) -> bool {
        self.0 >> 32 < Self::new(moment, 0).0 >> 32
    }

    fn is_at_the_time_of(self, other: Self) -> bool {
        self.0 >> 32 == other.0 >> 32
    }
}

/// The points, newest first. Of equal ones the earlier in the list comes first.
pub(super) fn newest_first(points: &[Candidate]) -> Vec<TimeRank> {
    let mut ranks: Vec<TimeRank> =
        points.iter().zip(0..).map(|(point, index)| TimeRank::new(point.at, index)).collect();
    ranks.sort_unstable();
    for same_time in ranks.chunk_by_mut(|a, b| a.is_at_the_time_of(*b)).filter(|ranks| ranks.len() > 1) {
        same_time.sort_by(|a, b| points[b.index()].cmp(&points[a.index()]));
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_moment_ranks_before_an_earlier_one() {
        let moments = [
            Timestamp::MAX,
            "2026-11-21T02:30:00.000000001Z".parse().unwrap(),
            "2026-11-21T02:30:00Z".parse().unwrap(),
            "2026-11-21T02:29:59.999999999Z".parse().unwrap(),
            "1970-01-01T00:00:00.5Z".parse().unwrap(),
            "1970-01-01T00:00:00Z".parse().unwrap(),
            "1969-12-31T23:59:59.6Z".parse().unwrap(),
            "1969-12-31T23:59:59.5Z".parse().unwrap(),
            "1969-12-31T23:59:59Z".parse().unwrap(),
            Timestamp::MIN,
        ];
        for (newer, older) in moments.iter().zip(&moments[1..]) {
            assert!(TimeRank::new(*newer, 1) < TimeRank::new(*older, 0), "{newer} {older}");
            assert!(TimeRank::new(*newer, 1).is_later_than(*older) && !TimeRank::new(*newer, 0).is_later_than(*newer));
            assert_eq!(TimeRank::new(*newer, 7).second(), floor_second(*newer));
            assert_eq!(TimeRank::new(*newer, 7).index(), 7);
        }
    }
}
