//! Buckets: the spans of wall-clock time of which retention keeps one point each.

use std::ops::Range;

use jiff::civil::{DateTime, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::policy::keep::KeepRule;

const FIRST_HOUR: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// An hour of the wall clock. The repeated hour of a clock change is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WallHour {
    /// How many hours after the beginning of 1970.
    hour: i32,
    month: i32,
}

impl WallHour {
    /// The hour of a moment where the wall clock differs from UTC by `offset`.
    pub(super) fn at(moment: Timestamp, offset: Offset) -> Self {
        MonthFinder::default().hour_of_second(floor_second(moment) + i64::from(offset.seconds()))
    }

    /// The number of the bucket of `rule` that this hour is in. A later bucket has a larger number. For `last`, it
    /// follows from the point's place, newest first.
    pub(super) fn bucket(self, rule: KeepRule, place: usize) -> i64 {
        i64::from(match rule {
            KeepRule::Last => return -(place as i64),
            KeepRule::Hourly => self.hour,
            KeepRule::Daily => self.hour.div_euclid(24),
            // 1970-01-01 was a Thursday, and ISO weeks begin on Monday.
            KeepRule::Weekly => (self.hour + 3 * 24).div_euclid(7 * 24),
            KeepRule::Monthly => self.month,
            KeepRule::Yearly => self.month.div_euclid(12),
        })
    }

    /// Whether it comes after another hour on the wall clock.
    pub(super) fn is_after(self, other: Self) -> bool {
        self.hour > other.hour
    }

    /// How the bucket of `rule` that this hour is in is written; empty for `last`.
    pub(super) fn bucket_text(self, rule: KeepRule) -> String {
        let civil = FIRST_HOUR.saturating_add(SignedDuration::from_hours(self.hour.into()));
        let (year, month, day) = (civil.year(), civil.month(), civil.day());
        match rule {
            KeepRule::Last => String::new(),
            KeepRule::Hourly => format!("{year:04}-{month:02}-{day:02} {:02}h", civil.hour()),
            KeepRule::Daily => format!("{year:04}-{month:02}-{day:02}"),
            KeepRule::Weekly => {
                // The last days of December may be in week 1 of the next year.
                let week = civil.date().iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            KeepRule::Monthly => format!("{year:04}-{month:02}"),
            KeepRule::Yearly => format!("{year:04}"),
        }
    }
}

/// The second since 1970 that a moment is in. `as_second` rounds towards 1970 instead.
pub(super) fn floor_second(moment: Timestamp) -> i64 {
    moment.as_second() - i64::from(moment.subsec_nanosecond() < 0)
}

/// Finds the months of days, and remembers the one found last: most points are in the month of the next newer one.
/// Days are counted from 1970-01-01, and months from January of the year 0.
#[derive(Default)]
pub(super) struct MonthFinder {
    /// Some days of `month`.
    days: Range<i32>,
    month: i32,
}

impl MonthFinder {
    /// The hour that a second of the wall clock is in. It is counted from the beginning of 1970.
    pub(super) fn hour_of_second(&mut self, second: i64) -> WallHour {
        let hour = i32::try_from(second.div_euclid(3600)).expect("the calendar ends with the year 9999");
        WallHour { hour, month: self.month_of(hour.div_euclid(24)) }
    }

    fn month_of(&mut self, day: i32) -> i32 {
        if !self.days.contains(&day) {
            let (month, first) = month_and_its_first_day(day);
            (self.month, self.days) = (month, first..day + 1);
        }
        self.month
    }
}

fn month_and_its_first_day(day: i32) -> (i32, i32) {
    // Years that begin in March put the leap day last, so that month lengths follow one formula. Every four hundred
    // years, an era, have the same number of days.
    let since_march_0 = day + 719_468;
    let (era, day_of_era) = (since_march_0.div_euclid(146_097), since_march_0.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let since_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * since_march + 2) / 5;
    ((era * 400 + year_of_era) * 12 + since_march + 2, day - day_of_month)
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;

    fn first_hour_of(day: Date, finder: &mut MonthFinder) -> WallHour {
        finder.hour_of_second(day.at(0, 0, 0, 0).duration_since(FIRST_HOUR).as_secs())
    }

    #[test]
    fn weeks_months_and_years_change_on_the_days_of_the_calendar() {
        use KeepRule::{Daily, Monthly, Weekly, Yearly};
        // 1,600 years are more than all pairs of a leap year and a weekday; and both ends of the calendar.
        for (first, last) in [
            (date(1000, 1, 1), date(2600, 1, 1)),
            (Date::MIN, date(-9990, 1, 1)),
            (date(-5, 1, 1), date(5, 1, 1)),
            (date(9990, 1, 1), Date::MAX),
        ] {
            let (mut yesterday, mut finder) = (first, MonthFinder::default());
            while yesterday < last {
                let today = yesterday.tomorrow().unwrap();
                let [before, after] = [yesterday, today].map(|day| first_hour_of(day, &mut MonthFinder::default()));
                // One that knows a day of this month or another one finds the same, whether it goes back or forth.
                assert_eq!([first_hour_of(today, &mut finder), first_hour_of(yesterday, &mut finder)], [after, before]);
                let grows = |rule| after.bucket(rule, 0) - before.bucket(rule, 0);
                let week = |day: Date| (day.iso_week_date().year(), day.iso_week_date().week());
                assert_eq!(grows(Daily), 1, "{today}");
                assert_eq!(grows(Weekly), i64::from(week(today) != week(yesterday)), "{today}");
                assert_eq!(grows(Monthly), i64::from(today.month() != yesterday.month()), "{today}");
                assert_eq!(grows(Yearly), i64::from(today.year() - yesterday.year()), "{today}");
                assert_eq!(after.bucket(Yearly, 0), i64::from(today.year()));
                yesterday = today;
            }
        }
    }

    #[test]
    fn an_hour_begins_with_its_first_second_even_before_1970() {
        for (moment, text) in [
            ("1970-01-01T00:00:00Z", "1970-01-01 00h"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31 23h"),
            ("1969-12-31T23:00:00Z", "1969-12-31 23h"),
            ("1969-12-31T22:59:59.999999999Z", "1969-12-31 22h"),
            ("2026-11-21T14:59:59.999999999Z", "2026-11-21 14h"),
        ] {
            let moment: Timestamp = moment.parse().unwrap();
            assert_eq!(WallHour::at(moment, Offset::UTC).bucket_text(KeepRule::Hourly), text);
        }
        for (moment, offset) in [(Timestamp::MIN, Offset::MIN), (Timestamp::MAX, Offset::MAX)] {
            let (hour, civil) = (WallHour::at(moment, offset), offset.to_datetime(moment));
            assert_eq!(
                hour.bucket_text(KeepRule::Daily),
                format!("{:04}-{:02}-{:02}", civil.year(), civil.month(), civil.day())
            );
        }
    }
}
