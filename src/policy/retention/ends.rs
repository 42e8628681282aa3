//! When the current buckets end. From then on, a new point falls into other ones.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::bucket::WallHour;
use super::rule::in_order;
use crate::policy::keep::{Count, Keep, KeepRule};
use crate::policy::schedule::Schedule;

/// More clock changes than any zone has within one bucket.
const MOST_CLOCK_CHANGES: usize = 64;

/// The first moment after `at` that is in another bucket of any rule of `keep` that counts hours, days, weeks, months
/// or years by the wall clock of `zone`. `None` if no rule counts such buckets.
#[must_use]
pub(crate) fn next_bucket_end(keep: &Keep, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let counted = in_order(&keep.counts, Count::Number(0)).map(|(rule, _)| rule);
    counted.filter(|rule| *rule != KeepRule::Last).filter_map(|rule| end(rule, zone, at)).min()
}

/// When the bucket of `at` ends. Between two clock changes the wall clock moves evenly; a change may end the bucket (a
/// day that begins at one o'clock) or not (the repeated hour).
fn end(rule: KeepRule, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let bucket = |moment: Timestamp| WallHour::at(moment, zone.to_offset(moment)).bucket(rule, 0);
    let mut from = at;
    for _ in 0..MOST_CLOCK_CHANGES {
        let offset = zone.to_offset(from);
        let even = next_start(rule, offset.to_datetime(from)).and_then(|start| offset.to_timestamp(start).ok())?;
        match zone.following(from).next().map(|change| change.timestamp()) {
            Some(change) if change <= even && bucket(change) == bucket(at) => from = change,
            Some(change) if change <= even => return Some(change),
            _ => return Some(even),
        }
    }
    None
}

/// The wall-clock time at which the next bucket begins.
fn next_start(rule: KeepRule, civil: DateTime) -> Option<DateTime> {
    let (date, midnight) = (civil.date(), Time::midnight());
    let begins = match rule {
        KeepRule::Last => return None,
        KeepRule::Hourly => return date.at(civil.hour(), 0, 0, 0).checked_add(1.hour()).ok(),
        KeepRule::Daily => date.tomorrow(),
        KeepRule::Weekly => date.nth_weekday(1, Weekday::Monday),
        KeepRule::Monthly => date.first_of_month().checked_add(1.month()),
        KeepRule::Yearly => date.first_of_year().checked_add(1.year()),
    };
    Some(begins.ok()?.to_datetime(midnight))
}

/// The most due times evaluated to find two in one bucket.
const MOST_LOOKED_AT: usize = 1_000;

/// The finest bucket that `keep` counts, if `schedule` creates more than one point in some of them. `None` if each
/// point counts by itself (`last`, `within`) or no bucket gets two points.
#[must_use]
pub(crate) fn denser_than(keep: &Keep, schedule: &Schedule, from: Timestamp) -> Option<KeepRule> {
    let mut counted = in_order(&keep.counts, Count::Number(0)).map(|(rule, _)| rule);
    let finest = counted.next().filter(|rule| *rule != KeepRule::Last && keep.within.is_none())?;
    let bucket = |due: Timestamp| WallHour::at(due, schedule.zone().to_offset(due)).bucket(finest, 0);
    let mut last = None;
    let two = schedule.iter_after(from).take(MOST_LOOKED_AT).any(|due| {
        let now = Some(bucket(due));
        std::mem::replace(&mut last, now) == now
    });
    two.then_some(finest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(rules: &[KeepRule], zone: &str, at: &str) -> Option<String> {
        let counts = rules.iter().map(|rule| (*rule, Count::Number(2))).collect();
        let keep = Keep { counts, ..Keep::default() };
        next_bucket_end(&keep, &TimeZone::get(zone).unwrap(), at.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn a_bucket_ends_where_the_wall_clock_of_the_zone_says() {
        use KeepRule::{Daily, Hourly, Last, Monthly, Weekly, Yearly};
        let cases: &[(&[KeepRule], &str, &str, &str)] = &[
            (&[Hourly], "UTC", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00:00Z"),
            (&[Hourly], "UTC", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"),
            (&[Hourly], "Asia/Kathmandu", "2026-11-21T10:00:00Z", "2026-11-21T10:15:00Z"),
            (&[Daily], "UTC", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            (&[Daily], "Europe/Istanbul", "2026-11-21T20:59:59Z", "2026-11-21T21:00:00Z"),
            (&[Daily], "Europe/Berlin", "2026-11-21T20:59:59Z", "2026-11-21T23:00:00Z"),
            (&[Weekly], "UTC", "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z"),
            (&[Weekly], "UTC", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (&[Monthly], "UTC", "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"),
            (&[Monthly], "UTC", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"),
            (&[Yearly], "UTC", "2028-02-29T23:00:00Z", "2029-01-01T00:00:00Z"),
            (&[Last, Yearly, Daily], "UTC", "2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z"),
            // The repeated hour is one bucket: it ends once, after its second time.
            (&[Hourly], "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),
            (&[Hourly], "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"),
            // The hour before the gap ends with it.
            (&[Hourly], "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            (&[Daily], "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z"),
            // A day that has no midnight begins at one.
            (&[Daily], "Africa/Cairo", "2026-04-23T21:30:00Z", "2026-04-23T22:00:00Z"),
            (&[Daily], "Africa/Cairo", "2026-10-29T20:30:00Z", "2026-10-29T22:00:00Z"),
        ];
        for (rules, zone, at, expected) in cases {
            assert_eq!(ends(rules, zone, at).as_deref(), Some(*expected), "{rules:?} {zone} {at}");
        }
        assert_eq!(ends(&[Last], "UTC", "2026-11-21T10:00:00Z"), None);
        assert_eq!(ends(&[], "UTC", "2026-11-21T10:00:00Z"), None);
    }

    #[test]
    fn a_schedule_is_denser_than_the_finest_bucket_when_two_due_times_fall_into_one() {
        use KeepRule::{Daily, Hourly, Last, Weekly};
        let cases: &[(&[KeepRule], &[&str], Option<KeepRule>)] = &[
            (&[Daily], &["0 0,12 * * *"], Some(Daily)),
            (&[Daily], &["30 2 * * *"], None),
            (&[Daily], &["30 2 * * *", "0 12 * * SUN"], Some(Daily)),
            (&[Hourly, Daily], &["0 * * * *"], None),
            (&[Hourly, Daily], &["*/30 * * * *"], Some(Hourly)),
            (&[Last, Daily], &["*/30 * * * *"], None),
            (&[Weekly], &["30 2 * * *"], Some(Weekly)),
            (&[], &["30 2 * * *"], None),
        ];
        for (rules, schedule, expected) in cases {
            let counts = rules.iter().map(|rule| (*rule, Count::Number(2))).collect();
            let keep = Keep { counts, ..Keep::default() };
            let schedule = Schedule::parse(schedule, TimeZone::UTC).unwrap();
            assert_eq!(denser_than(&keep, &schedule, Timestamp::UNIX_EPOCH), *expected, "{rules:?} {schedule:?}");
        }
    }

    #[test]
    fn no_bucket_changes_before_its_end_and_each_changes_at_it() {
        for zone in ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"] {
            let zone = TimeZone::get(zone).unwrap();
            for start in ["2026-03-01T00:07:00Z", "2026-10-01T00:07:00Z", "2011-12-01T00:07:00Z"] {
                let mut at: Timestamp = start.parse().unwrap();
                for _ in 0..800 {
                    for rule in KeepRule::of_calendar() {
                        let bucket = |moment: Timestamp| WallHour::at(moment, zone.to_offset(moment)).bucket(rule, 0);
                        let ends = end(rule, &zone, at).unwrap();
                        assert!(ends > at && bucket(ends) != bucket(at), "{rule} {at} {ends}");
                        assert_eq!(bucket(ends - 1.nanosecond()), bucket(at), "{rule} {at} {ends}");
                    }
                    at += 79.minutes();
                }
            }
        }
    }
}
