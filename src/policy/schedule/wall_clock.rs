//! Converts between wall-clock times of a zone and instants: gaps, repeated hours and clock changes.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// How a clock change affects a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// The wall clock skips this time on that day, so it is due at the first moment after the gap.
    Moved {
        /// The time that the schedule names.
        from: DateTime,
    },
    /// The wall clock shows this time twice; it is due only the first time.
    FirstOfTwo,
    /// The wall clock shows this time twice; an interval is due both times.
    BothOfTwo,
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The instant at which the wall-clock time `civil` is due: the first of two, or the end of the gap.
pub(super) fn moment_of(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(civil).ok()
        }
        AmbiguousOffset::Gap { after, .. } => {
            let before_gap = after.to_timestamp(civil).ok()?;
            let changes = zone.following(before_gap).map(|change| change.timestamp());
            changes.into_iter().find(|&change| zone.to_offset(change) == after)
        }
    }
}

/// Where a search among wall-clock times must continue so that nothing due at or before `t` is found again: the second
/// pass through a repeated hour counts as its end.
pub(super) struct Position {
    /// What the clock shows at `t`, in whole seconds.
    pub shown: DateTime,
    /// If `t` is in the second pass: the first wall-clock time after the repeated stretch.
    pub after_repeat: Option<DateTime>,
}

pub(super) fn position(t: Timestamp, zone: &TimeZone) -> Position {
    let offset = zone.to_offset(t);
    let shown = whole_seconds(offset.to_datetime(t));
    let repeat = zone.to_ambiguous_timestamp(shown).offset();
    let after_repeat = match repeat {
        AmbiguousOffset::Fold { before, after } if offset == after => {
            last_change(t, zone).map(|change| before.to_datetime(change))
        }
        _ => None,
    };
    Position { shown, after_repeat }
}

/// Drops fractions of a second.
pub(super) fn whole_seconds(civil: DateTime) -> DateTime {
    let time = civil.time();
    civil.date().at(time.hour(), time.minute(), time.second(), 0)
}

/// The last clock change at or before `t`.
pub(super) fn last_change(t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let later = t.checked_add(SignedDuration::from_nanos(1)).ok()?;
    zone.preceding(later).next().map(|change| change.timestamp())
}

/// The first clock change after `t`.
pub(super) fn next_change(t: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    zone.following(t).next().map(|change| change.timestamp())
}

/// One second before a wall-clock time.
pub(super) fn second_before(civil: DateTime) -> Option<DateTime> {
    civil.checked_sub(SECOND).ok()
}

/// The instant at which a clock with a fixed `offset` shows `civil`.
pub(super) fn at_offset(civil: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(civil).ok()
}
