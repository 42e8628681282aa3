//! Buckets: the spans of wall-clock time of which retention keeps one point each.

use jiff::civil::{DateTime, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::policy::keep::KeepRule;

const FIRST_HOUR: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// An hour of the wall clock, as the number of hours since 1970 began on it. The repeated hour of a clock change is
/// one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WallHour(i32);

impl WallHour {
    /// The hour of a moment where the wall clock differs from UTC by `offset`.
    pub(super) fn at(moment: Timestamp, offset: Offset) -> Self {
        Self::of_second(floor_second(moment), offset.seconds())
    }

    /// The hour of a second since 1970 where the wall clock differs from UTC by `offset` seconds.
    pub(super) fn of_second(second: i64, offset: i32) -> Self {
        let hour = (second + i64::from(offset)).div_euclid(3600);
        Self(i32::try_from(hour).expect("the calendar ends with the year 9999"))
    }

    /// The number of the bucket of `rule` that this hour is in. A later bucket has a larger number. For `last`, it
    /// follows from the point's place, newest first.
    pub(super) fn bucket(self, rule: KeepRule, place: usize) -> i64 {
        let day = self.0.div_euclid(24);
        i64::from(match rule {
            KeepRule::Last => return -(place as i64),
            KeepRule::Hourly => self.0,
            KeepRule::Daily => day,
            // 1970-01-01 was a Thursday, and ISO weeks begin on Monday.
            KeepRule::Weekly => (day + 3).div_euclid(7),
            KeepRule::Monthly => month(day),
            KeepRule::Yearly => month(day).div_euclid(12),
        })
    }

    /// How the bucket of `rule` that this hour is in is written; empty for `last`.
    pub(super) fn bucket_text(self, rule: KeepRule) -> String {
        let civil = FIRST_HOUR.saturating_add(SignedDuration::from_hours(self.0.into()));
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

/// The months from January of the year 0 to the month of a day, which is counted from 1970-01-01.
fn month(day: i32) -> i32 {
    // Years that begin in March put the leap day last, so that month lengths follow one formula. Four hundred years
    // have the same number of days each.
    let since_march_0 = day + 719_468;
    let (era, day_of_era) = (since_march_0.div_euclid(146_097), since_march_0.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let since_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + since_march + 2
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::Date;

    use super::*;

    fn first_hour_of(day: Date) -> WallHour {
        let hours = day.at(0, 0, 0, 0).duration_since(FIRST_HOUR).as_hours();
        WallHour(hours.try_into().unwrap())
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
            let mut yesterday = first;
            while yesterday < last {
                let today = yesterday.tomorrow().unwrap();
                let (before, after) = (first_hour_of(yesterday), first_hour_of(today));
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
        assert_eq!(first_hour_of(date(2024, 2, 29)).0, (date(2024, 2, 29) - FIRST_HOUR.date()).get_days() * 24);
        assert_eq!(FIRST_HOUR + 1.hour(), date(1970, 1, 1).at(1, 0, 0, 0));
    }
}
