//! The daemon's log as a machine reads it: one line a fact, the same fields on every line about a run, a failure once.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::host::Host;
use crate::support::policy_text::{MAIL_TO_FILES, oncall, policy};

/// A host whose one server is due every two seconds, with this many retries.
fn busy_host(retries: u32) -> Host {
    let host = Host::new(&["--servers", "1"]);
    let policies = policy("hourly", "snapshot", "*/2 * * * * *", "retry_after = \"100ms\"\nstuck_after = \"1m\"");
    let policies = policies.replace("retries = 0", &format!("retries = {retries}"));
    host.write_private("policy.toml", &host.policy_text(&(policies + MAIL_TO_FILES + &oncall(""))));
    host
}

/// People's snapshots take every slot: each run fails.
fn fill_slots(host: &Host) {
    for number in 1..=5 {
        host.provider.person_makes_snapshot("web-server-01", &format!("by-hand-{number}"), number * 3600);
    }
}

/// Runs the daemon until its log has `count` lines with these words, and returns all of the log.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the daemon is a process of its own, in real time")]
fn log_of(host: &Host, command: &mut Command, words: &str, count: usize) -> String {
    let log = || std::fs::read_to_string(host.path("log")).unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while log().matches(words).count() < count && Instant::now() < until && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
    child.wait().unwrap();
    assert!(log().matches(words).count() >= count, "no `{words}` in:\n{}", log());
    log()
}

/// The daemon, whose standard error is a file that systemd claims to have opened.
fn under_systemd(host: &Host, arguments: &[&str]) -> Command {
    let file = File::create(host.path("log")).unwrap();
    let data = file.metadata().unwrap();
    let mut command = host.command(arguments);
    command.env("JOURNAL_STREAM", format!("{}:{}", data.dev(), data.ino())).stderr(file);
    command
}

#[test]
fn a_failed_run_is_one_error_with_every_field() {
    let host = busy_host(1);
    let fault = json!({ "call": "list", "effect": { "do": "status", "code": 501 } });
    host.provider.fault(&fault);
    let mut command = host.command(&["daemon", "--log-format", "json"]);
    command.stderr(File::create(host.path("log")).unwrap());
    let log = log_of(&host, &mut command, "\"ERROR\"", 2);
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for line in &lines {
        assert!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line:#}");
    }
    let failures: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    let first = failures[0];
    let run = &first["run"];
    assert!(run.is_i64() && first["due"].is_string(), "{first:#}");
    assert!(first["server"] == "web-server-01" && first["policy"] == "hourly", "{first:#}");
    assert!(first["message"].as_str().unwrap().contains("501"), "{first:#}");
    assert_eq!(failures.iter().filter(|line| line["run"] == *run).count(), 1, "{lines:#?}");
    let told = |line: &&Value| line["run"] == *run && line["message"].as_str().unwrap().contains("501");
    let levels: Vec<&Value> = lines.iter().filter(told).map(|line| &line["level"]).collect();
    // The run has two attempts, and each failure is on one line.
    assert_eq!(levels, ["WARN", "ERROR"], "{lines:#?}");
}

#[test]
fn a_run_that_makes_a_point_names_it_in_a_field() {
    let host = busy_host(0);
    let mut command = host.command(&["--log-format=json", "daemon"]);
    command.stderr(File::create(host.path("log")).unwrap());
    let log = log_of(&host, &mut command, "\"succeeded", 1);
    let line = log.lines().find(|line| line.contains("\"succeeded")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let history = host.run(&["history", "--json"]).ends_with(0).json();
    let runs = history["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["run"] == line["run"]).unwrap();
    assert_eq!(line["restore_point"], run["created"].to_string(), "{line:#}");
}

#[test]
fn under_systemd_every_line_begins_with_its_level_and_is_one_fact() {
    let host = busy_host(0);
    fill_slots(&host);
    let log = log_of(&host, &mut under_systemd(&host, &["daemon"]), "<3>", 1);
    for line in log.lines() {
        let level = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(level, _)| level);
        assert!(level.is_some_and(|level| ["3", "4", "6", "7"].contains(&level)), "{line}\nin\n{log}");
        assert!(!line.contains('\u{1b}') && !line.contains(" INFO ") && !line.contains(" ERROR "), "{line}");
    }
    assert!(log.contains("<6>") && log.contains("server=web-server-01"), "{log}");
}

#[test]
fn a_policy_file_that_is_refused_is_one_line_in_the_journal() {
    let host = busy_host(0);
    host.write_private("bad.toml", "[policy.x]\nkind = 3\nshedule = \"\"\n");
    let log = log_of(&host, &mut under_systemd(&host, &["daemon", "--config", "bad.toml"]), "<3>", 1);
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("shedule") && log.contains("is invalid"), "{log}");
}

#[test]
fn a_variable_inherited_from_another_service_changes_nothing() {
    let host = Host::new(&["--servers", "1"]);
    let mut command = host.command(&["daemon"]);
    command.env("JOURNAL_STREAM", "8:12345").stderr(File::create(host.path("log")).unwrap());
    let log = log_of(&host, &mut command, "following the schedules", 1);
    assert!(log.contains(" INFO ") && !log.contains("<6>"), "{log}");
}

#[test]
fn a_filter_that_is_none_is_named_and_the_default_is_used() {
    let host = Host::new(&["--servers", "1"]);
    let mut command = host.command(&["daemon"]);
    command.env("LASTGOOD_LOG", "lastgood=loud").stderr(File::create(host.path("log")).unwrap());
    let log = log_of(&host, &mut command, "following the schedules", 1);
    assert!(log.starts_with("warning: LASTGOOD_LOG is no filter"), "{log}");
    let mut quiet = host.command(&["daemon"]);
    quiet.env("LASTGOOD_LOG", "lastgood=debug").stderr(File::create(host.path("log")).unwrap());
    log_of(&host, &mut quiet, "following the schedules", 1);
}
