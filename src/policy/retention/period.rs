//! Periods: their text form and arithmetic, both as in restic.
//!
//! Calendar units move the wall clock first and overflow into the next month (a month before 31 March is 3 March),
//! then hours and seconds are elapsed time.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::policy::keep::Period;

/// A text that is not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a period: {problem}; write it like 14d or 1y2m3d3h (y, m for months, w, d, h, s)", text.escape_debug())]
pub struct PeriodError {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

const SECONDS_A_DAY: i128 = 86_400;

impl Period {
    /// The period in restic's form, `1y2m3d3h`; `w` and `s` are understood too. `m` is months.
    ///
    /// # Errors
    /// When a number or unit is missing, unknown, repeated or too large.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let refuse = |problem: String| PeriodError { text: text.to_owned(), problem };
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(refuse("it is empty".to_owned()));
        }
        let mut period = Self::default();
        let mut seen = String::new();
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let unit = after.chars().next();
            let Some(unit) = unit else { return Err(refuse(format!("{number} has no unit"))) };
            if number.is_empty() {
                return Err(refuse(format!("a number is missing before `{}`", unit.escape_debug())));
            }
            if seen.contains(unit) {
                return Err(refuse(format!("the unit {unit} comes twice")));
            }
            seen.push(unit);
            period.add(number, unit).map_err(refuse)?;
            rest = &after[unit.len_utf8()..];
        }
        Ok(period)
    }

    fn add(&mut self, number: &str, unit: char) -> Result<(), String> {
        let large = || format!("{number}{unit} is too large");
        if unit == 's' {
            self.seconds = number.parse().map_err(|_| large())?;
            return Ok(());
        }
        let amount: u32 = number.parse().map_err(|_| large())?;
        match unit {
            'y' => self.years = amount,
            'm' => self.months = amount,
            'w' => {
                let days = amount.checked_mul(7).and_then(|days| days.checked_add(self.days));
                self.days = days.ok_or_else(large)?;
            }
            'd' => self.days = self.days.checked_add(amount).ok_or_else(large)?,
            'h' => self.hours = amount,
            other => return Err(format!("`{}` is not a unit", other.escape_debug())),
        }
        Ok(())
    }

    /// The moment this long before `newest`, by the wall clock of `zone`; never before the beginning of the calendar.
    #[must_use]
    pub fn before(self, newest: Timestamp, zone: &TimeZone) -> Timestamp {
        let wall_clock = zone.to_datetime(newest);
        let months = i64::from(wall_clock.year()) * 12 + i64::from(wall_clock.month())
            - 1
            - i64::from(self.years) * 12
            - i64::from(self.months);
        let first = days_to_month(months.div_euclid(12), months.rem_euclid(12));
        let days = first + i64::from(wall_clock.day()) - 1 - i64::from(self.days);
        let time = wall_clock.time();
        let seconds = i128::from(days) * SECONDS_A_DAY
            + i128::from(time.hour()) * 3600
            + i128::from(time.minute()) * 60
            + i128::from(time.second());
        let seconds = instant_of(seconds, zone) - i128::from(self.hours) * 3600 - i128::from(self.seconds);
        let nanoseconds = seconds * 1_000_000_000 + i128::from(time.subsec_nanosecond());
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MIN)
    }
}

/// Days from 1970-01-01 to the first of a month (0 is January) of any year of the proleptic calendar.
fn days_to_month(year: i64, month: i64) -> i64 {
    // Years that begin in March put the leap day last, so that month lengths follow one formula.
    let shifted = if month < 2 { year - 1 } else { year };
    let since_march = (month + 10) % 12;
    let day_of_year = (153 * since_march + 2) / 5;
    let leap_days = shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    shifted * 365 + leap_days + day_of_year - 719_468
}

/// The instant of a wall-clock reading (in seconds, as if it were UTC). A reading that does not exist or occurs twice
/// is resolved as by Go's `time.Date`, and therefore restic: by the offset found one guess away.
fn instant_of(wall_clock: i128, zone: &TimeZone) -> i128 {
    let offset_at = |seconds: i128| -> i128 {
        let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        i128::from(zone.to_offset(at.unwrap_or(Timestamp::MIN)).seconds())
    };
    let guess = offset_at(wall_clock);
    wall_clock - offset_at(wall_clock - guess)
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        for (amount, unit) in parts.into_iter().filter(|(amount, _)| *amount != 0) {
            write!(f, "{amount}{unit}")?;
        }
        if self.seconds != 0 {
            write!(f, "{}s", self.seconds)?;
        } else if *self == Self::default() {
            f.write_str("0d")?;
        }
        Ok(())
    }
}
