//! The wall clock of a zone, read for points that are given newest first.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::bucket::{MonthFinder, WallHour};

/// The wall clock of a zone. It remembers the offset since the last clock change, so that the zone is asked once
/// between two changes and not once a point.
pub(super) struct WallClock<'a> {
    zone: &'a TimeZone,
    /// The second from which on `offset` is in force.
    since: i64,
    offset: i64,
    months: MonthFinder,
}

impl<'a> WallClock<'a> {
    pub(super) fn new(zone: &'a TimeZone) -> Self {
        Self { zone, since: i64::MAX, offset: 0, months: MonthFinder::default() }
    }

    /// The hour of a second since 1970. It must not be later than the one asked for before.
    pub(super) fn hour(&mut self, second: i64) -> WallHour {
        if second < self.since {
            self.find_offset(second);
        }
        self.months.hour_of_second(second + self.offset)
    }

    fn find_offset(&mut self, second: i64) {
        // `preceding` leaves out a change at its argument. Changes happen at whole seconds.
        let after = Timestamp::from_second(second + 1).unwrap_or(Timestamp::MAX);
        if let Some(change) = self.zone.preceding(after).next() {
            (self.since, self.offset) = (change.timestamp().as_second(), change.offset().seconds().into());
        } else {
            let at = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
            (self.since, self.offset) = (i64::MIN, self.zone.to_offset(at).seconds().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds around each clock change of a zone, and the days between, newest first.
    fn seconds(zone: &TimeZone) -> Vec<i64> {
        let from: Timestamp = "2110-01-01T00:00:00Z".parse().unwrap();
        let mut seconds: Vec<i64> = (-100..1600).map(|month| month * 2_629_746 + 1).collect();
        for change in zone.preceding(from).take(2_000) {
            let change = change.timestamp().as_second();
            seconds.extend([change - 1, change, change + 1]);
        }
        seconds.extend([Timestamp::MIN.as_second(), Timestamp::MAX.as_second()]);
        seconds.sort_unstable_by(|a, b| b.cmp(a));
        seconds
    }

    #[test]
    fn every_zone_reads_as_if_it_were_asked_for_each_point() {
        let zones: Vec<TimeZone> =
            jiff::tz::db().available().map(|name| TimeZone::get(name.as_str()).unwrap()).collect();
        assert!(zones.len() > 400, "only {}", zones.len());
        for zone in &zones {
            let mut clock = WallClock::new(zone);
            for second in seconds(zone) {
                let moment = Timestamp::from_second(second).unwrap();
                assert_eq!(clock.hour(second), WallHour::at(moment, zone.to_offset(moment)), "{zone:?} {moment}");
            }
        }
    }
}
