//! Which expressions are valid, the errors of those that are not, and clock changes by place name.

use std::time::Duration;

use super::super::ClockChange;
use super::*;

#[test]
fn five_fields_six_fields_and_nicknames_are_read() {
    let from = "2026-11-20T23:59:59Z";
    let cases = [
        ("30 2 * * *", "2026-11-21T02:30:00+00:00"),
        ("15 30 2 * * *", "2026-11-21T02:30:15+00:00"),
        ("  30   2 * * * ", "2026-11-21T02:30:00+00:00"),
        ("*/20 * * * *", "2026-11-21T00:00:00+00:00"),
        ("0 0 1 JAN *", "2027-01-01T00:00:00+00:00"),
        ("0 0 * * sun", "2026-11-22T00:00:00+00:00"),
        ("0 0 * * 7", "2026-11-22T00:00:00+00:00"),
        ("0 6 * * MON-FRI", "2026-11-23T06:00:00+00:00"),
        ("0 6 * * FRI-SUN", "2026-11-21T06:00:00+00:00"),
        ("0 6 L * *", "2026-11-30T06:00:00+00:00"),
        ("0 6 * * MON#1", "2026-12-07T06:00:00+00:00"),
        ("0 6 * * 5L", "2026-11-27T06:00:00+00:00"),
        ("0 6 15W * *", "2026-12-15T06:00:00+00:00"),
        ("@hourly", "2026-11-21T00:00:00+00:00"),
        ("@daily", "2026-11-21T00:00:00+00:00"),
        ("@midnight", "2026-11-21T00:00:00+00:00"),
        ("@WEEKLY", "2026-11-22T00:00:00+00:00"),
        ("@monthly", "2026-12-01T00:00:00+00:00"),
        ("@yearly", "2027-01-01T00:00:00+00:00"),
        ("@annually", "2027-01-01T00:00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
    ];
    for (expression, first) in cases {
        assert_eq!(shown(&schedule(&[expression], "UTC"), from, 1), [first], "{expression}");
    }
}

#[test]
fn day_of_month_and_day_of_week_named_together_mean_either() {
    // In November 2026 the 13th is a Friday; every other Friday counts as well as the next 13th.
    let friday_or_13th = schedule(&["0 0 13 * FRI"], "UTC");
    let due = shown(&friday_or_13th, "2026-11-28T00:00:00Z", 3);
    assert_eq!(due, ["2026-12-04T00:00:00+00:00", "2026-12-11T00:00:00+00:00", "2026-12-13T00:00:00+00:00"]);
}

#[test]
fn mistakes_are_reported_in_plain_english() {
    let cases = [
        "",
        "   ",
        "30 2 * *",
        "* * * * * * *",
        "60 2 * * *",
        "30 24 * * *",
        "30 2 0 * *",
        "30 2 32 * *",
        "30 2 * 13 *",
        "30 2 * * 8",
        "30 MON * * *",
        "30 2 * MON *",
        "30 2 * * JAN",
        "30 22-2 * * *",
        "0/15 * * * *",
        "/15 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "*/61 * * * *",
        "0 */25 * * *",
        "1,,2 * * * *",
        "5, * * * *",
        "-5 * * * *",
        "+5 * * * *",
        "1-2-3 * * * *",
        "half past two",
        "30 2 * * MONDAY",
        "@dialy",
        "@every 5m",
        "@reboot",
        "TZ=UTC 30 2 * * *",
        "H 2 * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 31 2 *",
        "30 2 * * *\u{1b}[31m",
    ];
    let told = cases.map(|text| Schedule::parse(&[text], TimeZone::UTC).unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn the_expression_at_fault_is_named() {
    let error = Schedule::parse(&["30 2 * * *", "0 0 30 2 *"], TimeZone::UTC).unwrap_err();
    assert_eq!((error.index, error.expression.as_str()), (1, "0 0 30 2 *"));
    assert!(Schedule::parse(&[], TimeZone::UTC).is_err());
}

#[test]
fn a_list_of_expressions_is_due_at_each_of_them_once() {
    let both = schedule(&["30 2 * * *", "30 2,14 * * SAT", "@hourly"], "UTC");
    let due = shown(&both, "2026-11-21T01:30:00Z", 4);
    let expected = ["02:00", "02:30", "03:00", "04:00"].map(|time| format!("2026-11-21T{time}:00+00:00"));
    assert_eq!(due, expected);
    assert_eq!(both.expressions(), ["30 2 * * *", "30 2,14 * * SAT", "@hourly"]);
}

#[test]
fn schedules_are_equal_when_texts_and_zone_are() {
    assert_eq!(schedule(&["30 2 * * *"], "UTC"), schedule(&[" 30 2 * * * "], "UTC"));
    assert_ne!(schedule(&["30 2 * * *"], "UTC"), schedule(&["30 2 * * *"], "Europe/Berlin"));
    assert_ne!(schedule(&["30 2 * * *"], "UTC"), schedule(&["31 2 * * *"], "UTC"));
}

#[test]
fn a_due_time_is_after_the_moment_asked_about_to_the_nanosecond() {
    let nightly = schedule(&["30 2 * * *"], "UTC");
    let due = at("2026-11-21T02:30:00Z");
    assert_eq!(nightly.next_after(at("2026-11-21T02:29:59.999999999Z")), Some(due));
    assert_eq!(nightly.next_after(due), Some(at("2026-11-22T02:30:00Z")));
    assert_eq!(nightly.latest_at_or_before(due), Some(due));
    assert_eq!(nightly.latest_at_or_before(at("2026-11-21T02:30:00.5Z")), Some(due));
    assert_eq!(nightly.latest_at_or_before(at("2026-11-21T02:29:59.999Z")), Some(at("2026-11-20T02:30:00Z")));
}

#[test]
fn a_time_in_the_spring_gap_is_due_once_at_its_end() {
    let cases = [
        ("30 2 * * *", vec!["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("0,30 2 * * *", vec!["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
        ("0 2,14 * * *", vec!["2026-03-28T14:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T14:00:00+02:00"]),
        ("0 2,3 * * *", vec!["2026-03-28T03:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
        ("30 2-4 * * *", vec!["2026-03-28T04:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]),
        ("0 0-23 * * *", vec!["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"]),
    ];
    for (expression, expected) in cases {
        let schedule = schedule(&[expression], "Europe/Berlin");
        let first = at(expected[0]) - jiff::SignedDuration::from_secs(1);
        assert_eq!(shown(&schedule, &first.to_string(), 3), expected, "{expression}");
    }
}

#[test]
fn a_time_in_the_repeated_hour_is_due_once_the_first_time() {
    let cases = [
        ("30 2 * * *", ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("0,30 2 * * *", ["2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:00:00+01:00"]),
        ("0 2,14 * * *", ["2026-10-25T02:00:00+02:00", "2026-10-25T14:00:00+01:00", "2026-10-26T02:00:00+01:00"]),
        ("0 1-3 * * *", ["2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"]),
    ];
    for (expression, expected) in cases {
        let schedule = schedule(&[expression], "Europe/Berlin");
        let first = at(expected[0]) - jiff::SignedDuration::from_secs(1);
        assert_eq!(shown(&schedule, &first.to_string(), 3), expected, "{expression}");
    }
}

#[test]
fn an_interval_follows_the_elapsed_hours() {
    let hourly = schedule(&["0 * * * *"], "Europe/Berlin");
    let spring = shown(&hourly, "2026-03-28T23:30:00Z", 3);
    assert_eq!(spring, ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"]);
    let autumn = shown(&hourly, "2026-10-24T23:30:00Z", 3);
    assert_eq!(autumn, ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"]);
    let every_two = schedule(&["30 */2 * * *"], "Europe/Berlin");
    let spring = shown(&every_two, "2026-03-28T23:30:00Z", 2);
    assert_eq!(spring, ["2026-03-29T04:30:00+02:00", "2026-03-29T06:30:00+02:00"], "nothing in the gap");
    let autumn = shown(&every_two, "2026-10-25T00:00:00Z", 3);
    assert_eq!(autumn, ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T04:30:00+01:00"]);
}

#[test]
fn half_an_hour_on_lord_howe_is_a_gap_and_a_repeat_too() {
    // 2026-10-04 02:00 +10:30 becomes 02:30 +11; 2026-04-05 02:00 +11 becomes 01:30 +10:30.
    let named = schedule(&["15 2 * * *"], "Australia/Lord_Howe");
    assert_eq!(shown(&named, "2026-10-03T00:00:00Z", 1), ["2026-10-04T02:30:00+11:00"]);
    let quarters = schedule(&["*/15 * * * *"], "Australia/Lord_Howe");
    let spring = shown(&quarters, "2026-10-03T15:15:00Z", 2);
    assert_eq!(spring, ["2026-10-04T02:30:00+11:00", "2026-10-04T02:45:00+11:00"]);
    let autumn = shown(&quarters, "2026-04-04T14:30:00Z", 3);
    assert_eq!(autumn, ["2026-04-05T01:45:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T01:45:00+10:30"]);
    let twice = schedule(&["40 1 * * *"], "Australia/Lord_Howe");
    let autumn = shown(&twice, "2026-04-04T00:00:00Z", 2);
    assert_eq!(autumn, ["2026-04-05T01:40:00+11:00", "2026-04-06T01:40:00+10:30"]);
}

#[test]
fn a_day_that_apia_skipped_is_due_at_the_end_of_the_gap() {
    // Apia went from 29 to 31 December 2011.
    let nightly = schedule(&["30 2 * * *"], "Pacific/Apia");
    let due = shown(&nightly, "2011-12-29T00:00:00Z", 4);
    let expected = [
        "2011-12-29T02:30:00-10:00",
        "2011-12-31T00:00:00+14:00",
        "2011-12-31T02:30:00+14:00",
        "2012-01-01T02:30:00+14:00",
    ];
    assert_eq!(due, expected);
    let that_day = schedule(&["30 2 30 12 *"], "Pacific/Apia");
    assert_eq!(shown(&that_day, "2011-01-01T00:00:00Z", 1), ["2011-12-31T00:00:00+14:00"]);
    let hourly = schedule(&["0 * * * *"], "Pacific/Apia");
    assert_eq!(shown(&hourly, "2011-12-30T09:00:00Z", 1), ["2011-12-31T00:00:00+14:00"]);
}

#[test]
fn a_gap_at_midnight_moves_the_first_run_of_the_day() {
    let midnight = schedule(&["@daily"], "America/Sao_Paulo");
    let due = shown(&midnight, "2018-11-03T12:00:00Z", 2);
    assert_eq!(due, ["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]);
}

#[test]
fn the_effect_of_a_clock_change_is_reported() {
    let change = |expression: &str, t: &str| schedule(&[expression], "Europe/Berlin").clock_change_at(at(t));
    let moved = ClockChange::Moved { from: "2026-03-29T02:30".parse().unwrap() };
    assert_eq!(change("30 2 * * *", "2026-03-29T01:00:00Z"), Some(moved));
    assert_eq!(change("0 3 * * *", "2026-03-29T01:00:00Z"), None);
    assert_eq!(change("30 2 * * *", "2026-03-28T01:30:00Z"), None);
    assert_eq!(change("30 2 * * *", "2026-10-25T00:30:00Z"), Some(ClockChange::FirstOfTwo));
    assert_eq!(change("30 * * * *", "2026-10-25T00:30:00Z"), Some(ClockChange::BothOfTwo));
    assert_eq!(change("30 * * * *", "2026-10-25T01:30:00Z"), Some(ClockChange::BothOfTwo));
    assert_eq!(change("30 * * * *", "2026-03-29T01:30:00Z"), None);
}

#[test]
fn the_longest_gap_is_the_one_of_the_coming_year() {
    let from = at("2026-11-21T12:00:00Z");
    let hours = |expressions: &[&str], zone_name: &str| {
        schedule(expressions, zone_name).longest_gap(from).as_secs_f64() / 3600.0
    };
    assert_eq!(hours(&["30 2 * * *"], "UTC"), 24.0);
    assert_eq!(hours(&["30 2 * * *"], "Europe/Berlin"), 25.0, "the autumn day");
    assert_eq!(hours(&["0 2,14 * * *"], "UTC"), 12.0);
    assert_eq!(hours(&["0 * * * *"], "Europe/Berlin"), 1.0);
    assert_eq!(hours(&["*/5 * * * *"], "UTC"), 5.0 / 60.0);
    assert_eq!(hours(&["* * * * * *"], "UTC"), 1.0 / 3600.0);
    assert_eq!(hours(&["0 6 * * MON-FRI"], "UTC"), 72.0);
    assert_eq!(hours(&["* * * 1,2 *"], "UTC"), (365.0 - 59.0) * 24.0 + 1.0 / 60.0);
    assert_eq!(hours(&["0 0 29 2 *"], "UTC"), 1461.0 * 24.0);
    assert_eq!(hours(&["@daily", "0 12 * * MON"], "UTC"), 24.0);
}

#[test]
fn ten_thousand_due_times_are_found_without_a_look_at_every_minute() {
    // About 0.1 s of a core even unoptimized. What this guards against is a search that looks at every minute
    // or every change, which takes far longer.
    let begun = worked();
    let mut found = 0;
    for zone_name in ["Europe/Berlin", "Australia/Lord_Howe"] {
        for expression in ["30 2 * * *", "0 * * * *"] {
            found += schedule(&[expression], zone_name).iter_after(at("2026-01-01T00:00:00Z")).take(2_500).count();
        }
    }
    assert_eq!(found, 10_000);
    let took = worked() - begun;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// The CPU time of this thread, so that other processes on the machine do not matter.
fn worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // After the name, which may contain anything, `utime` and `stime` are the 12th and 13th; in hundredths of a second.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[test]
fn the_end_of_the_calendar_is_no_due_time() {
    for expression in ["30 2 * * *", "0 * * * *"] {
        for zone_name in ["UTC", "Europe/Berlin"] {
            let schedule = schedule(&[expression], zone_name);
            assert_eq!(schedule.next_after(Timestamp::MAX), None);
            assert_eq!(schedule.latest_at_or_before(Timestamp::MIN), None);
        }
    }
    assert_eq!(schedule(&["30 2 * * *"], "UTC").longest_gap(Timestamp::MAX), Duration::ZERO);
}
