//! One cron expression: croner says which wall-clock times match, this file at which instants they are due.
//!
//! croner is asked only about civil times. Its own rules for clock changes treat every list, range or step as an
//! interval, so that `0 2,14` would lose a run in spring and gain one in autumn.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::error::ScheduleError;
use super::fields;
use super::wall_clock::{
    ClockChange, at_offset, last_change, moment_of, next_change, position, second_before, whole_seconds,
};

/// An expression must fire at least once after this. A fixed day, so that the result never changes.
const ANY_DAY: DateTime = date(2000, 1, 1).at(0, 0, 0, 0);

#[derive(Clone, Debug)]
pub(super) struct Expression {
    text: String,
    cron: Cron,
    /// Whether the hour field names hours: wall-clock times, not an interval.
    names_hours: bool,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields = fields::check(text)?;
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(&fields.pattern).map_err(|error| {
            let reason = error.to_string();
            ScheduleError::new(text, reason.trim_end_matches('.'), None)
        })?;
        if cron.find_next_occurrence(&ANY_DAY, true).is_err() {
            let reason = "it never fires: no date matches its day and month";
            return Err(ScheduleError::new(text, reason, Some("0 0 28 2 *")));
        }
        Ok(Self { text: text.trim().to_owned(), cron, names_hours: fields.names_hours })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn match_after(&self, civil: DateTime, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&civil, inclusive).ok()
    }

    fn match_at_or_before(&self, civil: DateTime) -> Option<DateTime> {
        self.cron.find_previous_occurrence(&civil, true).ok()
    }

    pub(super) fn next_after(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.names_hours { self.next_named(t, zone) } else { self.next_of_interval(t, zone) }
    }

    pub(super) fn latest_at_or_before(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.names_hours { self.latest_named(t, zone) } else { self.latest_of_interval(t, zone) }
    }

    /// Later wall-clock times never map to earlier instants, so the first match after `t` is the answer.
    fn next_named(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let position = position(t, zone);
        let found = match position.after_repeat {
            Some(end) => self.match_after(end, true)?,
            None => self.match_after(position.shown, false)?,
        };
        moment_of(found, zone)
    }

    fn latest_named(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let position = position(t, zone);
        let from = match position.after_repeat {
            Some(end) => second_before(end)?,
            None => position.shown,
        };
        moment_of(self.match_at_or_before(from)?, zone)
    }

    /// Between two clock changes, wall-clock time passes evenly, so one stretch after another is searched.
    fn next_of_interval(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = t;
        let mut inclusive = false;
        loop {
            let offset = zone.to_offset(from);
            let found = self.match_after(whole_seconds(offset.to_datetime(from)), inclusive)?;
            let due = at_offset(found, offset)?;
            let Some(change) = next_change(from, zone).filter(|&change| change <= due) else { return Some(due) };
            from = change;
            inclusive = true;
        }
    }

    fn latest_of_interval(&self, t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut until = t;
        loop {
            let offset = zone.to_offset(until);
            let found = self.match_at_or_before(whole_seconds(offset.to_datetime(until)))?;
            let due = at_offset(found, offset)?;
            let Some(change) = last_change(until, zone).filter(|&change| due < change) else { return Some(due) };
            until = change.checked_sub(SignedDuration::from_secs(1)).ok()?;
        }
    }

    /// How a clock change affects the due time `t` of this expression.
    pub(super) fn clock_change_at(&self, t: Timestamp, zone: &TimeZone) -> Option<ClockChange> {
        let shown = zone.to_datetime(t);
        if matches!(zone.to_ambiguous_timestamp(shown).offset(), AmbiguousOffset::Fold { .. }) {
            return Some(if self.names_hours { ClockChange::FirstOfTwo } else { ClockChange::BothOfTwo });
        }
        if !self.names_hours || self.match_at_or_before(shown) == Some(shown) {
            return None;
        }
        Some(ClockChange::Moved { from: self.match_at_or_before(shown)? })
    }
}
