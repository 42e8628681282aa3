//! A schedule: cron expressions in a time zone, and the times they produce.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::ScheduleError;
use super::expression::Expression;
use super::wall_clock::ClockChange;

/// One or more cron expressions in one time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    expressions: Vec<Expression>,
    zone: TimeZone,
}

/// Gaps up to this long are searched for only among the first due times.
const SHORT_GAP: SignedDuration = SignedDuration::from_hours(1);

/// How many due times are searched for short gaps.
const DUE_TIMES_FOR_SHORT_GAPS: usize = 2_000;

impl Schedule {
    /// The schedule of a list of expressions: 5 cron fields, or 6 with seconds first, or a nickname such as `@hourly`.
    ///
    /// # Errors
    /// The first expression that is invalid or never fires.
    pub fn parse(expressions: &[&str], zone: TimeZone) -> Result<Self, ScheduleError> {
        if expressions.is_empty() {
            return Err(ScheduleError::new("", "no expression is given", Some("30 2 * * *")));
        }
        let parse =
            |(index, text): (usize, &&str)| Expression::parse(text).map_err(|error| ScheduleError { index, ..error });
        let expressions = expressions.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { expressions, zone })
    }

    /// The first due time after `t`. `None` only at the end of the calendar.
    #[must_use]
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        self.expressions.iter().filter_map(|expression| expression.next_after(t, &self.zone)).min()
    }

    /// The last due time at or before `t`. `None` only at the beginning of the calendar.
    #[must_use]
    pub fn latest_at_or_before(&self, t: Timestamp) -> Option<Timestamp> {
        self.expressions.iter().filter_map(|expression| expression.latest_at_or_before(t, &self.zone)).max()
    }

    /// All due times after `t`, ascending.
    pub fn iter_after(&self, t: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(t), |&due| self.next_after(due))
    }

    /// The longest time between consecutive due times in the year after `from`, starting with the last one at or before
    /// `from`. Gaps of an hour or less are found only among the first 2,000 due times.
    #[must_use]
    pub fn longest_gap(&self, from: Timestamp) -> Duration {
        let end = from.saturating_add(SignedDuration::from_hours(24 * 366)).unwrap_or(Timestamp::MAX);
        let start = self.latest_at_or_before(from).unwrap_or(from);
        let mut longest = SignedDuration::ZERO;
        let mut at = start;
        for due in self.iter_after(start).take(DUE_TIMES_FOR_SHORT_GAPS) {
            longest = longest.max(due.duration_since(at));
            at = due;
            if due >= end {
                return longest.unsigned_abs();
            }
        }
        while at < end {
            // If anything is due in this stretch, it contains no gap longer than the longest so far.
            let stretch = longest.max(SHORT_GAP);
            let reach = at.saturating_add(stretch).unwrap_or(Timestamp::MAX);
            match self.latest_at_or_before(reach).filter(|&due| due > at) {
                Some(due) => at = due,
                None => {
                    let Some(due) = self.next_after(at) else { break };
                    longest = longest.max(due.duration_since(at));
                    at = due;
                }
            }
        }
        longest.unsigned_abs()
    }

    /// The expressions as they were written.
    #[must_use]
    pub fn expressions(&self) -> Vec<&str> {
        self.expressions.iter().map(Expression::text).collect()
    }

    /// The time zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// How a clock change affects the due time `t`, if it does.
    #[must_use]
    pub fn clock_change_at(&self, t: Timestamp) -> Option<ClockChange> {
        let due_here =
            self.expressions.iter().filter(|expression| expression.latest_at_or_before(t, &self.zone) == Some(t));
        due_here.filter_map(|expression| expression.clock_change_at(t, &self.zone)).next()
    }
}
