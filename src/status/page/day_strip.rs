//! The last 30 days of a policy on a server, as a strip with one cell a day: the worst that happened on it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::journal::summary::RunStatus;
use crate::policy::inventory::Kind;
use crate::policy::name::PolicyName;
use crate::status::page::words::count;
use crate::store::daily_outcomes::DailyOutcome;

/// How many days are shown; the last one is today, and all are those of UTC.
const DAYS: usize = 30;

/// When the first day that is shown begins.
pub(crate) fn first_day(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |day| day.timestamp());
    today.checked_sub(SignedDuration::from_hours(24 * (DAYS as i64 - 1))).unwrap_or(Timestamp::MIN)
}

/// How a day went; the worst is last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Day {
    #[default]
    Nothing,
    Running,
    Good,
    Skipped,
    Failed,
}

impl Day {
    const fn of(outcome: RunStatus) -> Self {
        match outcome {
            RunStatus::Running => Self::Running,
            RunStatus::Succeeded => Self::Good,
            RunStatus::Skipped => Self::Skipped,
            RunStatus::Failed | RunStatus::Unknown => Self::Failed,
        }
    }

    /// The element that draws it.
    const fn tag(self) -> &'static str {
        match self {
            Self::Nothing => "u",
            Self::Running => "q",
            Self::Good => "i",
            Self::Skipped => "s",
            Self::Failed => "b",
        }
    }
}

/// Days in a row that went alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Stretch {
    tag: &'static str,
    days: usize,
}

/// The strip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct DayStrip {
    /// What it shows, in words.
    label: String,
    stretches: Vec<Stretch>,
}

/// The strip of a policy on a server.
pub(super) fn day_strip(outcomes: &[DailyOutcome], policy: &PolicyName, kind: Kind) -> DayStrip {
    let mut days = [Day::default(); DAYS];
    for outcome in outcomes.iter().filter(|one| one.policy == *policy && one.kind == kind) {
        if let Some(day) = days.get_mut(outcome.day) {
            *day = Day::of(outcome.outcome).max(*day);
        }
    }
    let stretch = |alike: &[Day]| Stretch { tag: alike[0].tag(), days: alike.len() };
    DayStrip { label: label(&days), stretches: days.chunk_by(|a, b| a == b).map(stretch).collect() }
}

fn label(days: &[Day; DAYS]) -> String {
    let of = |wanted: Day| days.iter().filter(|day| **day == wanted).count();
    let words = [(Day::Failed, "failed"), (Day::Skipped, "skipped"), (Day::Good, "good"), (Day::Running, "running")];
    let words = words.into_iter().filter(|(day, _)| of(*day) > 0);
    let words: Vec<String> = words.map(|(day, word)| format!("{} {word}", of(day))).collect();
    let none = of(Day::Nothing);
    match words.as_slice() {
        [] => "30 days without a run".to_owned(),
        _ if none == 0 => format!("30 days: {}", words.join(", ")),
        _ => format!("30 days: {}, {} without a run", words.join(", "), count(none, "day", "days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_a_day_counts_and_equal_days_are_one_stretch() {
        use RunStatus::{Failed, Running, Skipped, Succeeded};
        let policy: PolicyName = "nightly".parse().unwrap();
        let one = |day, outcome| DailyOutcome { policy: policy.clone(), kind: Kind::Backup, day, outcome };
        let mut outcomes: Vec<DailyOutcome> = (10..30).map(|day| one(day, Succeeded)).collect();
        outcomes.extend([one(20, Failed), one(21, Skipped), one(29, Running), one(30, Failed)]);
        outcomes.push(DailyOutcome { kind: Kind::Snapshot, ..one(15, Failed) });
        let strip = day_strip(&outcomes, &policy, Kind::Backup);
        let drawn: Vec<(&str, usize)> = strip.stretches.iter().map(|stretch| (stretch.tag, stretch.days)).collect();
        assert_eq!(drawn, [("u", 10), ("i", 10), ("b", 1), ("s", 1), ("i", 8)]);
        assert_eq!(strip.label, "30 days: 1 failed, 1 skipped, 18 good, 10 days without a run");
        assert_eq!(day_strip(&[], &policy, Kind::Backup).label, "30 days without a run");
    }

    #[test]
    fn the_first_day_begins_at_midnight() {
        let first = first_day("2026-11-28T20:00:00Z".parse().unwrap());
        assert_eq!(first, "2026-10-30T00:00:00Z".parse().unwrap());
    }
}
