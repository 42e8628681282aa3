//! Cases that restic's own set leaves out: ISO weeks at new year, zones, clock changes, month ends, equal times.

use super::super::{NoRules, upper_bound};
use super::*;
use crate::policy::inventory::PointId;
use crate::policy::schedule::Schedule;

const BOTH: [KeepMode; 2] = [KeepMode::Sequential, KeepMode::Union];

#[test]
fn no_rules_is_refused() {
    let points = [Candidate::at(at("2026-11-21T02:30:00Z"))];
    for mode in BOTH {
        assert_eq!(decide(&points, &Keep::default(), mode, &TimeZone::UTC), Err(NoRules));
        assert_eq!(decide(&[], &Keep::default(), mode, &TimeZone::UTC), Err(NoRules));
        let zeros = Keep { within: Some(Period::default()), ..counts(&[(KeepRule::Daily, 0), (KeepRule::Last, 0)]) };
        assert_eq!(decide(&points, &zeros, mode, &TimeZone::UTC), Err(NoRules));
    }
}

#[test]
fn no_points_need_no_verdict() {
    for mode in BOTH {
        for keep in [counts(&[(KeepRule::Last, 1)]), within("14d")] {
            assert_eq!(decide(&[], &keep, mode, &TimeZone::UTC).unwrap().explained(), []);
        }
    }
}

#[test]
fn the_last_days_of_december_belong_to_week_1_of_the_new_year() {
    // 2025-12-29 to 2026-01-04 is 2026-W01.
    let times = ["2026-01-04T12:00:00Z", "2025-12-29T00:00:00Z", "2025-12-28T23:59:59Z", "2025-12-22T12:00:00Z"];
    for mode in BOTH {
        let stays = kept(&times, &counts(&[(KeepRule::Weekly, 2)]), mode, "UTC");
        assert_eq!(stays, ["2026-01-04T12:00:00Z", "2025-12-28T23:59:59Z"], "{mode:?}");
    }
}

#[test]
fn the_first_days_of_january_can_belong_to_week_53() {
    // 2026 has 53 weeks; 2027-01-03 is a Sunday in 2026-W53.
    let times = ["2027-01-04T00:00:00Z", "2027-01-03T23:00:00Z", "2026-12-28T00:00:00Z", "2026-12-27T12:00:00Z"];
    for mode in BOTH {
        let stays = kept(&times, &counts(&[(KeepRule::Weekly, 3)]), mode, "UTC");
        assert_eq!(stays, ["2027-01-04T00:00:00Z", "2027-01-03T23:00:00Z", "2026-12-27T12:00:00Z"], "{mode:?}");
    }
}

#[test]
fn days_are_cut_in_the_zone_of_the_policy() {
    // 22:30 UTC is the next day in Istanbul.
    let times = ["2026-11-21T01:00:00Z", "2026-11-20T22:30:00Z", "2026-11-20T20:30:00Z"];
    let two = counts(&[(KeepRule::Daily, 2)]);
    assert_eq!(kept(&times, &two, KeepMode::Sequential, "UTC"), [times[0], times[1]]);
    assert_eq!(kept(&times, &two, KeepMode::Sequential, "Europe/Istanbul"), [times[0], times[2]]);
}

#[test]
fn the_repeated_hour_is_one_bucket() {
    // 02:30 CEST and 02:30 CET in Berlin.
    let times = ["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-24T23:30:00Z"];
    for mode in BOTH {
        let stays = kept(&times, &counts(&[(KeepRule::Hourly, 2)]), mode, "Europe/Berlin");
        assert_eq!(stays, [times[0], times[2]], "{mode:?}");
    }
}

#[test]
fn a_half_hour_repeated_on_lord_howe_is_one_bucket() {
    // At 2026-04-05 02:00 +11 the clock goes back to 01:30 +10:30.
    let times = ["2026-04-04T15:15:00Z", "2026-04-04T14:45:00Z", "2026-04-04T14:15:00Z"];
    let civil: Vec<String> = times.iter().map(|t| zone("Australia/Lord_Howe").to_datetime(at(t)).to_string()).collect();
    assert_eq!(civil, ["2026-04-05T01:45:00", "2026-04-05T01:45:00", "2026-04-05T01:15:00"]);
    for mode in BOTH {
        let stays = kept(&times, &counts(&[(KeepRule::Hourly, 5)]), KeepMode::Sequential, "Australia/Lord_Howe");
        assert_eq!(stays, [times[0]], "{mode:?}");
    }
}

#[test]
fn a_day_of_23_hours_is_one_day() {
    let times = ["2026-03-29T21:59:00Z", "2026-03-28T23:00:00Z", "2026-03-28T22:59:00Z"];
    for mode in BOTH {
        let stays = kept(&times, &counts(&[(KeepRule::Daily, 2)]), mode, "Europe/Berlin");
        assert_eq!(stays, [times[0], times[2]], "{mode:?}");
    }
}

#[test]
fn a_month_before_31_march_is_3_march_as_in_go() {
    let cases = [
        ("2026-03-31T10:00:00Z", "1m", "2026-03-03T10:00:00Z"),
        ("2024-03-31T10:00:00Z", "1m", "2024-03-02T10:00:00Z"),
        ("2024-02-29T10:00:00Z", "1y", "2023-03-01T10:00:00Z"),
        ("2026-01-15T10:00:00Z", "1m", "2025-12-15T10:00:00Z"),
        ("2026-05-31T10:00:00Z", "3m1d", "2026-03-02T10:00:00Z"),
        ("2026-03-01T00:30:00.25Z", "1d1h", "2026-02-27T23:30:00.25Z"),
        ("2026-03-01T00:00:30Z", "45s", "2026-02-28T23:59:45Z"),
        ("2026-11-21T10:00:00Z", "9999y", "-007973-11-21T10:00:00Z"),
        ("2026-11-21T10:00:00Z", "4000000000y", "-009999-01-02T01:59:59Z"),
    ];
    for (newest, period, start) in cases {
        let before = Period::parse(period).unwrap().before(at(newest), &TimeZone::UTC);
        assert_eq!(before, at(start), "{period} before {newest}");
    }
}

#[test]
fn a_day_before_is_the_same_wall_clock_time() {
    // 23 hours over the spring change, 25 over the autumn change.
    let cases = [
        ("2026-03-29T10:00:00Z", "1d", "2026-03-28T11:00:00Z"),
        ("2026-10-25T11:00:00Z", "1d", "2026-10-24T10:00:00Z"),
        ("2026-10-25T11:00:00Z", "24h", "2026-10-24T11:00:00Z"),
        // 02:30 of 29 March does not exist in Berlin: Go takes 03:30.
        ("2026-03-30T00:30:00Z", "1d", "2026-03-29T01:30:00Z"),
        // 02:30 of 25 October comes twice in Berlin: Go takes the second.
        ("2026-10-26T01:30:00Z", "1d", "2026-10-25T01:30:00Z"),
    ];
    for (newest, period, start) in cases {
        let before = Period::parse(period).unwrap().before(at(newest), &zone("Europe/Berlin"));
        assert_eq!(before, at(start), "{period} before {newest}");
    }
}

#[test]
fn exactly_as_old_as_the_period_is_too_old() {
    let times = ["2026-11-21T10:00:00Z", "2026-11-14T10:00:00.001Z", "2026-11-14T10:00:00Z"];
    for mode in BOTH {
        assert_eq!(kept(&times, &within("7d"), mode, "UTC"), [times[0], times[1]], "{mode:?}");
    }
}

#[test]
fn a_period_is_measured_from_the_newest_point_not_from_today() {
    let times = ["2014-11-21T10:00:00Z", "2014-11-20T10:00:00Z", "2014-10-20T10:00:00Z"];
    for mode in BOTH {
        assert_eq!(kept(&times, &within("2d"), mode, "UTC"), [times[0], times[1]], "{mode:?}");
    }
}

#[test]
fn in_sequential_the_counts_begin_where_the_period_ends() {
    let times = ["2026-11-21T10:00:00Z", "2026-11-20T12:00:00Z", "2026-11-20T10:00:00Z", "2026-11-19T10:00:00Z"];
    let keep =
        Keep { within: Some(Period::parse("1d").unwrap()), ..counts(&[(KeepRule::Last, 1), (KeepRule::Daily, 1)]) };
    assert_eq!(kept(&times, &keep, KeepMode::Sequential, "UTC"), times);
    assert_eq!(kept(&times, &keep, KeepMode::Union, "UTC"), [times[0], times[1]]);
}

#[test]
fn equal_times_are_ordered_by_due_time_then_by_id() {
    let time = at("2026-11-21T02:30:07Z");
    let point = |due: Option<&str>, id: PointId| Candidate { at: time, due: due.map(at), id: Some(id) };
    let points = [
        point(None, PointId::Number(99)),
        point(Some("2026-11-21T02:30:00Z"), PointId::Number(7)),
        point(Some("2026-11-21T02:30:00.250Z"), PointId::Number(3)),
        point(Some("2026-11-21T02:30:00Z"), PointId::Text("a".to_owned())),
    ];
    for mode in BOTH {
        for (count, expected) in [(1, vec![2]), (2, vec![2, 3]), (3, vec![1, 2, 3])] {
            let verdicts = decide(&points, &counts(&[(KeepRule::Last, count)]), mode, &TimeZone::UTC).unwrap();
            let stays: Vec<usize> = (0..points.len()).filter(|&index| verdicts.keeps(index)).collect();
            assert_eq!(stays, expected, "{mode:?} last={count}");
        }
    }
}

#[test]
fn restic_keeps_the_oldest_while_counts_are_left_and_proxmox_does_not() {
    let times = ["2026-11-21T12:00:00Z", "2026-11-21T10:00:00Z", "2026-11-21T08:00:00Z"];
    let keep = counts(&[(KeepRule::Daily, 3)]);
    assert_eq!(kept(&times, &keep, KeepMode::Union, "UTC"), [times[0], times[2]]);
    assert_eq!(kept(&times, &keep, KeepMode::Sequential, "UTC"), [times[0]]);
}

#[test]
fn sequential_adds_up_to_the_sum_and_union_overlaps() {
    let times: Vec<String> = (0..60_i64)
        .map(|day| (at("2026-11-21T02:30:00Z") - jiff::SignedDuration::from_hours(24 * day)).to_string())
        .collect();
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    let keep = counts(&[(KeepRule::Daily, 4), (KeepRule::Weekly, 3)]);
    assert_eq!(kept(&times, &keep, KeepMode::Sequential, "UTC").len(), 7);
    assert_eq!(kept(&times, &keep, KeepMode::Union, "UTC").len(), 6);
}

#[test]
fn when_the_clock_goes_back_two_hours_union_follows_restic_and_sequential_proxmox() {
    // Antarctica/Troll on 2026-10-25: 01:30 and 02:30 at +02, then 01:30 and 02:30 again at +00.
    let times = ["2026-10-25T02:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-24T23:30:00Z"];
    let keep = counts(&[(KeepRule::Hourly, 4)]);
    assert_eq!(kept(&times, &keep, KeepMode::Union, "Antarctica/Troll"), times);
    assert_eq!(kept(&times, &keep, KeepMode::Sequential, "Antarctica/Troll"), [times[0], times[1]]);
}

#[test]
fn periods_read_as_restic_writes_them() {
    let read = |text: &str| Period::parse(text).map(|period| period.to_string());
    assert_eq!(read("1y2m3d3h").as_deref(), Ok("1y2m3d3h"));
    assert_eq!(read("3h1y").as_deref(), Ok("1y3h"));
    assert_eq!(read("2w1d").as_deref(), Ok("15d"));
    assert_eq!(read("90s").as_deref(), Ok("90s"));
    assert_eq!(read("0d").as_deref(), Ok("0d"));
    for wrong in ["", "14", "d", "14x", "1d2d", "-3d", "1.5d", "99999999999d", "4000000000w", "1d 2h", "١d"] {
        assert!(Period::parse(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(
        Period::parse("14x").unwrap_err().to_string(),
        "`14x` is not a period: `x` is not a unit; write it like 14d or 1y2m3d3h (y, m for months, w, d, h, s)"
    );
}

#[test]
fn the_most_a_policy_keeps_is_the_counts_and_what_the_period_can_hold() {
    let from = at("2026-11-21T00:00:00Z");
    let nightly = Schedule::parse(&["30 2 * * *"], TimeZone::UTC).unwrap();
    let bound = |keep: &Keep, schedule: &Schedule| upper_bound(keep, KeepMode::Sequential, schedule, from);
    assert_eq!(bound(&counts(&[(KeepRule::Daily, 4), (KeepRule::Weekly, 3)]), &nightly), Some(7));
    assert_eq!(bound(&within("9d"), &nightly), Some(10));
    assert_eq!(
        bound(&Keep { within: Some(Period::parse("9d").unwrap()), ..counts(&[(KeepRule::Last, 2)]) }, &nightly),
        Some(12)
    );
    assert_eq!(bound(&Keep { counts: vec![(KeepRule::Last, Count::All)], ..Keep::default() }, &nightly), None);
    let hourly = Schedule::parse(&["0 * * * *"], zone("Europe/Berlin")).unwrap();
    assert_eq!(bound(&within("1d"), &hourly), Some(26), "a day of 25 hours");
    assert_eq!(bound(&within("24h"), &hourly), Some(25));
    let weekdays = Schedule::parse(&["0 2,14 * * MON-FRI"], TimeZone::UTC).unwrap();
    assert_eq!(bound(&within("3d"), &weekdays), Some(7));
    let seldom = Schedule::parse(&["0 0 29 2 *"], TimeZone::UTC).unwrap();
    assert_eq!(bound(&within("1d"), &seldom), Some(1), "the newest is always within");
    let dense = Schedule::parse(&["* * * * * *"], TimeZone::UTC).unwrap();
    assert_eq!(bound(&within("1y"), &dense), Some(10_000));
}
