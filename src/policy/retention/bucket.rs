//! Buckets: the spans of wall-clock time of which retention keeps one point each.

use std::fmt;

use jiff::civil::DateTime;

use crate::policy::keep::KeepRule;

/// One hour, day, ISO week, month or year of the wall clock; or one point, for `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    Point(usize),
    /// Year, month, day, hour. The repeated hour of a clock change is one bucket.
    Hour(i16, i8, i8, i8),
    Day(i16, i8, i8),
    /// ISO year and week: the last days of December may be in week 1 of the next year.
    Week(i16, i8),
    Month(i16, i8),
    Year(i16),
}

impl Bucket {
    /// The bucket of the point at `index` (newest first) whose wall-clock time is `civil`.
    pub(super) fn of(rule: KeepRule, index: usize, civil: DateTime) -> Self {
        let (year, month, day) = (civil.year(), civil.month(), civil.day());
        match rule {
            KeepRule::Last => Self::Point(index),
            KeepRule::Hourly => Self::Hour(year, month, day, civil.hour()),
            KeepRule::Daily => Self::Day(year, month, day),
            KeepRule::Weekly => {
                let week = civil.date().iso_week_date();
                Self::Week(week.year(), week.week())
            }
            KeepRule::Monthly => Self::Month(year, month),
            KeepRule::Yearly => Self::Year(year),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Point(_) => Ok(()),
            Self::Hour(year, month, day, hour) => write!(f, "{year:04}-{month:02}-{day:02} {hour:02}h"),
            Self::Day(year, month, day) => write!(f, "{year:04}-{month:02}-{day:02}"),
            Self::Week(year, week) => write!(f, "{year:04}-W{week:02}"),
            Self::Month(year, month) => write!(f, "{year:04}-{month:02}"),
            Self::Year(year) => write!(f, "{year:04}"),
        }
    }
}
