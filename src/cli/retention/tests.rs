//! `lastgood retention` as it is called.

use clap::Parser;
use serde_json::Value;

use super::*;

#[derive(Parser)]
struct RetentionCommand {
    #[command(flatten)]
    args: RetentionArgs,
}

fn call(words: &[&str], input: &str) -> (ExitCode, String, String) {
    let args = RetentionCommand::try_parse_from([&["retention"], words].concat()).unwrap().args;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code = run(&args, &mut input.as_bytes(), &mut stdout, &mut stderr).unwrap();
    (code, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The texts of the times that stay.
fn kept(words: &[&str], input: &str) -> Vec<String> {
    let (code, stdout, stderr) = call(&[words, &["--json", "-"]].concat(), input);
    assert_eq!((code, stderr.as_str()), (ExitCode::Done, ""));
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let points = document["points"].as_array().unwrap().iter();
    let stay = points.filter(|point| point["keep"] == true);
    stay.map(|point| point["time"].as_str().unwrap().to_owned()).collect()
}

const TIMES: &str = "# made by hand\n2026-11-20T02:30:00Z\n\n2026-11-21T05:30:00+03:00\r\n2026-11-19T02:30:00.5Z\n";

#[test]
fn json_echoes_the_times_as_written_newest_first() {
    let (code, stdout, _) = call(&["--keep", "last=1,daily=1", "--json", "-"], TIMES);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let expected = json!({ "points": [
        { "time": "2026-11-21T05:30:00+03:00", "keep": true, "why": ["last (1 of 1)"] },
        { "time": "2026-11-20T02:30:00Z", "keep": true, "why": ["daily 2026-11-20 (1 of 1)"] },
        { "time": "2026-11-19T02:30:00.5Z", "keep": false,
          "why": ["last: 1 newer already kept", "daily: 1 newer already kept"] },
    ] });
    assert_eq!((code, document), (ExitCode::Done, expected));
}

#[test]
fn text_is_aligned_and_ends_with_a_sum() {
    let (_, stdout, _) = call(&["--keep", "last=1,daily=1", "-"], TIMES);
    insta::assert_snapshot!(stdout);
}

#[test]
fn a_file_is_read_and_a_missing_one_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("times.txt");
    std::fs::write(&file, TIMES).unwrap();
    let path = file.to_str().unwrap();
    assert!(call(&["--keep", "last=2", path], "").1.ends_with("2 kept, 1 dropped\n"));
    std::fs::remove_file(&file).unwrap();
    let (code, stdout, stderr) = call(&["--keep", "last=2", path], "");
    assert_eq!((code, stdout.as_str()), (ExitCode::Usage, ""));
    assert!(stderr.contains("times.txt cannot be read: No such file"), "{stderr}");
}

#[test]
fn modes_zones_periods_and_all_are_understood() {
    assert_eq!(kept(&["--keep", "yearly=all"], TIMES).len(), 1);
    assert_eq!(kept(&["--keep", "yearly=all", "--mode", "union"], TIMES).len(), 2, "the oldest too");
    assert_eq!(kept(&["--keep", "last=all"], TIMES).len(), 3);
    assert_eq!(kept(&["--keep", "within=1d"], TIMES).len(), 1);
    assert_eq!(kept(&["--keep", "within=0y0m1d1h"], TIMES).len(), 2);
    assert_eq!(kept(&["--keep", "within_hourly=2d, within-yearly = 9999y", "--mode", "union"], TIMES).len(), 3);
    let two = "2026-11-20T22:30:00Z\n2026-11-21T01:00:00Z\n";
    assert_eq!(kept(&["--keep", "daily=2"], two).len(), 2);
    assert_eq!(kept(&["--keep", "daily=2", "--timezone", "Europe/Istanbul"], two).len(), 1);
}

#[test]
fn times_that_come_twice_are_two_points() {
    let twice = "2026-11-20T02:30:00Z\n2026-11-20T02:30:00Z\n";
    assert_eq!(kept(&["--keep", "last=5"], twice).len(), 2);
    assert_eq!(kept(&["--keep", "daily=5"], twice).len(), 1);
}

#[test]
fn no_times_are_no_points() {
    let (code, stdout, _) = call(&["--keep", "last=1", "--json", "-"], "# nothing\n");
    assert_eq!(code, ExitCode::Done);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), json!({ "points": [] }));
}

#[test]
fn mistakes_end_with_2_and_one_json_document() {
    let keep = |keep| (vec!["--keep", keep, "-"], "2026-11-20T02:30:00Z\n");
    let cases = [
        keep(""),
        keep("last=0"),
        keep("daily"),
        keep("daily=4,"),
        keep("daily=-1"),
        keep("daily=+1"),
        keep("daily=4,daily=5"),
        keep("dayly=4"),
        keep("within=14"),
        keep("within_last=3d"),
        keep("within_daily=3d,within_daily=4d"),
        (vec!["--keep", "last=1", "--timezone", "Mars/Olympus", "-"], ""),
        (vec!["--keep", "last=1", "-"], "2026-11-20T02:30:00Z\n2026-11-20\nyester\u{1b}[31mday\n2026-13-01T00:00:00Z"),
    ];
    let mut reported = String::new();
    for (mut words, input) in cases {
        words.push("--json");
        let (code, stdout, stderr) = call(&words, input);
        let document: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &document["points"]), (ExitCode::Usage, &json!([])), "{words:?}");
        assert_eq!(format!("error: {}\n", document["error"].as_str().unwrap()), stderr);
        reported.push_str(&stderr);
    }
    insta::assert_snapshot!(reported);
}
