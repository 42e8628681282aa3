//! An independent oracle that checks every minute: of the wall clock for schedules that name hours, of elapsed time for
//! intervals. It parses the fields itself, without croner.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// The values of one field.
fn values(field: &str, low: i8, high: i8) -> BTreeSet<i8> {
    let mut values = BTreeSet::new();
    for entry in field.split(',') {
        let (range, step) = entry.split_once('/').unwrap_or((entry, "1"));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None if range == "*" => (low, high),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        values.extend((from..=to).step_by(step.parse().unwrap()));
    }
    values
}

fn matches(expression: &str, civil: DateTime) -> bool {
    let fields: Vec<&str> = expression.split(' ').collect();
    let weekday = civil.weekday().to_sunday_zero_offset();
    let in_month = values(fields[2], 1, 31).contains(&civil.day());
    let in_week = values(fields[4], 0, 6).contains(&weekday);
    let day = match (fields[2], fields[4]) {
        ("*", _) | (_, "*") => in_month && in_week,
        _ => in_month || in_week,
    };
    values(fields[0], 0, 59).contains(&civil.minute())
        && values(fields[1], 0, 23).contains(&civil.hour())
        && values(fields[3], 1, 12).contains(&civil.month())
        && day
}

/// The due times from `from` up to `from` plus `hours`.
fn due_times(expression: &str, zone: &TimeZone, from: Timestamp, hours: i64) -> BTreeSet<Timestamp> {
    let end = from + SignedDuration::from_hours(hours);
    let mut due = BTreeSet::new();
    if expression.split(' ').nth(1).unwrap().starts_with('*') {
        let mut t = from;
        while t <= end {
            if matches(expression, zone.to_datetime(t)) {
                due.insert(t);
            }
            t += SignedDuration::from_mins(1);
        }
        return due;
    }
    // Two more days at both ends, because a gap of a whole day moves times by as much.
    let mut civil = zone.to_datetime(from).checked_sub(2.days()).unwrap();
    let last = zone.to_datetime(end).checked_add(2.days()).unwrap();
    while civil <= last {
        if matches(expression, civil) {
            let ambiguous = zone.to_ambiguous_timestamp(civil);
            due.insert(match ambiguous.offset() {
                jiff::tz::AmbiguousOffset::Gap { .. } => {
                    let mut after = civil;
                    while zone.to_ambiguous_timestamp(after).is_ambiguous() {
                        after = after.checked_add(1.minute()).unwrap();
                    }
                    zone.to_timestamp(after).unwrap()
                }
                _ => ambiguous.earlier().unwrap(),
            });
        }
        civil = civil.checked_add(1.minute()).unwrap();
    }
    due.retain(|t| (from..=end).contains(t));
    due
}

/// Zones and hours (in UTC) shortly before something happens to their clocks.
const MOMENTS: [(&str, &str); 17] = [
    ("UTC", "2026-02-27T00:00:00Z"),
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("America/New_York", "2026-03-07T18:00:00Z"),
    ("America/New_York", "2026-10-31T18:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T03:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T03:00:00Z"),
    ("Africa/Casablanca", "2026-02-14T12:00:00Z"),
    ("Africa/Casablanca", "2026-03-21T12:00:00Z"),
    ("America/Sao_Paulo", "2018-11-03T12:00:00Z"),
    ("America/Sao_Paulo", "2018-02-17T12:00:00Z"),
    ("Antarctica/Troll", "2026-10-24T12:00:00Z"),
    ("Antarctica/Troll", "2026-03-28T12:00:00Z"),
    ("America/St_Johns", "2010-11-06T14:00:00Z"),
    ("Asia/Beirut", "2026-10-24T10:00:00Z"),
    ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T06:00:00Z"),
];

fn expression() -> impl Strategy<Value = String> {
    let minute = select(vec!["0", "30", "5", "0,30", "*/15", "*", "59", "10-20/5", "1,31"]);
    let hour = select(vec![
        "*", "*/2", "*/3", "*/5", "0", "1", "2", "3", "23", "0,12", "2,14", "1-3", "0-23", "2-4", "1,2", "22-23",
        "0-23/2",
    ]);
    let day = select(vec![("*", "*"), ("*", "*"), ("*", "0"), ("1-31/2", "*"), ("29", "6"), ("4", "*"), ("30", "*")]);
    (minute, hour, day).prop_map(|(minute, hour, (day, weekday))| format!("{minute} {hour} {day} * {weekday}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn due_times_are_those_found_by_looking_at_every_minute(
        (zone_name, from) in select(MOMENTS.to_vec()), expression in expression(),
    ) {
        let schedule = schedule(&[&expression], zone_name);
        let from = at(from);
        let end = from + SignedDuration::from_hours(60);
        let expected: Vec<Timestamp> = due_times(&expression, schedule.zone(), from, 60).into_iter().collect();
        let before = from - SignedDuration::from_nanos(1);
        let forward: Vec<Timestamp> = schedule.iter_after(before).take_while(|&due| due <= end).collect();
        prop_assert_eq!(&forward, &expected);
        let mut backward: Vec<Timestamp> = std::iter::successors(schedule.latest_at_or_before(end), |&due| {
            schedule.latest_at_or_before(due - SignedDuration::from_nanos(1))
        }).take_while(|&due| due >= from).collect();
        backward.reverse();
        prop_assert_eq!(&backward, &expected);
    }

    #[test]
    fn both_ways_agree_at_any_moment(
        zone_name in select(MOMENTS.map(|(zone_name, _)| zone_name).to_vec()),
        expressions in proptest::collection::vec(expression(), 1..3),
        second in 1_262_304_000_i64..1_900_000_000,
        nanosecond in select(vec![0, 1, 999_999_999]),
    ) {
        let texts: Vec<&str> = expressions.iter().map(String::as_str).collect();
        let schedule = schedule(&texts, zone_name);
        let t = Timestamp::new(second, nanosecond).unwrap();
        let latest = schedule.latest_at_or_before(t).unwrap();
        let next = schedule.next_after(t).unwrap();
        prop_assert!(latest <= t && t < next);
        prop_assert_eq!(schedule.next_after(latest), Some(next));
        prop_assert_eq!(schedule.latest_at_or_before(next - SignedDuration::from_nanos(1)), Some(latest));
        prop_assert_eq!(schedule.latest_at_or_before(next), Some(next));
        prop_assert_eq!(schedule.next_after(latest - SignedDuration::from_nanos(1)), Some(latest));
    }
}
