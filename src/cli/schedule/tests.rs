//! `lastgood schedule` as it is called.

use clap::Parser;
use serde_json::Value;

use super::*;

#[derive(Parser)]
struct ScheduleCommand {
    #[command(flatten)]
    args: ScheduleArgs,
}

fn call(words: &[&str]) -> (ExitCode, String, String) {
    let args = ScheduleCommand::try_parse_from([&["schedule"], words].concat()).unwrap().args;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let now = "2026-11-21T05:00:00Z".parse().unwrap();
    let code = run(&args, now, &mut stdout, &mut stderr).unwrap();
    (code, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn json_holds_the_times_after_from_with_their_offset() {
    let words =
        ["30 2 * * *", "--timezone", "Europe/Berlin", "--from", "2026-10-24T00:30:00Z", "--count", "2", "--json"];
    let (code, stdout, stderr) = call(&words);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document, json!({ "times": ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"] }));
    assert_eq!((code, stderr.as_str()), (ExitCode::Done, ""));
}

#[test]
fn text_says_the_weekday_and_what_a_clock_change_does() {
    let berlin = ["--timezone", "Europe/Berlin", "--count", "2", "--from"];
    let spring = call(&[&["30 2 * * *"], &berlin[..], &["2026-03-28T12:00:00Z"]].concat()).1;
    let autumn = call(&[&["30 2 * * *"], &berlin[..], &["2026-10-24T12:00:00Z"]].concat()).1;
    let hourly = call(&[&["0 * * * *"], &berlin[..], &["2026-10-25T00:00:00Z"]].concat()).1;
    insta::assert_snapshot!([spring, autumn, hourly].join("\n"));
}

#[test]
fn without_from_the_times_are_after_now_and_five() {
    let (_, stdout, _) = call(&["@hourly", "--json"]);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let times = document["times"].as_array().unwrap();
    assert_eq!((times.len(), &times[0]), (5, &json!("2026-11-21T06:00:00+00:00")));
}

#[test]
fn several_expressions_are_one_schedule() {
    let (_, stdout, _) = call(&["0 2 * * *", "0 14 * * *", "--count", "3"]);
    assert_eq!(stdout, "Sat 2026-11-21T14:00:00+00:00\nSun 2026-11-22T02:00:00+00:00\nSun 2026-11-22T14:00:00+00:00\n");
}

#[test]
fn a_moment_without_an_offset_is_the_zones_wall_clock() {
    for (from, first) in [
        ("2026-11-22", "Sun 2026-11-22T02:30:00+03:00\n"),
        ("2026-11-22T02:30", "Mon 2026-11-23T02:30:00+03:00\n"),
        ("2026-11-22T02:30:00Z", "Mon 2026-11-23T02:30:00+03:00\n"),
    ] {
        let (_, stdout, _) = call(&["30 2 * * *", "--timezone", "Europe/Istanbul", "--from", from, "--count", "1"]);
        assert_eq!(stdout, first, "{from}");
    }
}

#[test]
fn mistakes_end_with_2_and_one_json_document() {
    let cases = [
        vec!["0 0 30 2 *"],
        vec!["30", "2", "*", "*", "*"],
        vec!["30 2 * * *", "--timezone", "Istanbul"],
        vec!["30 2 * * *", "--timezone", "Europe/Instanbul"],
        vec!["30 2 * * *", "--from", "yesterday"],
    ];
    let mut reported = String::new();
    for mut words in cases {
        words.push("--json");
        let (code, stdout, stderr) = call(&words);
        let document: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &document["times"]), (ExitCode::Usage, &json!([])), "{words:?}");
        assert_eq!(format!("error: {}\n", document["error"].as_str().unwrap()), stderr);
        reported.push_str(&stderr);
    }
    insta::assert_snapshot!(reported);
}
