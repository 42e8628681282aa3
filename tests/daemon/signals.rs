//! What systemd sees: READY, RELOADING, WATCHDOG, STOPPING, and shutdown within ten seconds.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::process::{
    Daemon, PATIENCE, changes, eventually, history, mail_with, policy_file, requests, status, write_policy,
};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};

/// Never due while a test runs.
const SELDOM: &str = "0 0 1 1 *";
/// Due every second.
const ALWAYS: &str = "* * * * * *";

/// These policies, with a report that is sent soon after something happens.
fn reported(lines: &str) -> String {
    lines.to_owned() + &oncall("group_wait = \"1s\"")
}

fn host(lines: &str) -> Host {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &reported(lines));
    host
}

#[test]
fn it_says_ready_and_stopping_and_ends_with_0() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    Daemon::start(&host).stops();
    assert!(requests(&host, "POST", "/").is_empty(), "a first start makes nothing");
}

#[test]
fn a_second_daemon_ends_with_6_and_the_first_continues() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    let mut first = Daemon::start(&host);
    let second = host.run(&["daemon"]).ends_with(6);
    assert!(second.stderr.contains("another lastgood"), "{second:?}");
    host.run(&["run"]).ends_with(6);
    assert!(first.runs());
    first.stops();
}

#[test]
fn reloading_is_announced_with_the_monotonic_time_before_the_file_is_read() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start(&host);
    // The read blocks until somebody writes the file: what is heard until then was announced before it was read.
    let pipe = waits_for_its_authority(&host, &policy("other", "backup", ALWAYS, ""));
    daemon.signal("HUP");
    let reloading = daemon.hears("RELOADING=1");
    let time = reloading.text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("in one message");
    assert!(time.parse::<u64>().unwrap() > 0);
    assert!(daemon.heard_for(Duration::from_millis(300)).iter().all(|sign| sign.text != "READY=1"));
    std::fs::write(&pipe, authority()).unwrap();
    daemon.hears("READY=1");
    eventually("the new file is in force", || (!changes(&host, "point_created").is_empty()).then_some(()));
    daemon.stops();
}

#[test]
fn a_stop_is_obeyed_while_a_reload_cannot_read_its_file() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start(&host);
    waits_for_its_authority(&host, &policy("other", "backup", ALWAYS, ""));
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    daemon.stops();
}

#[test]
fn due_times_start_runs_while_a_reload_cannot_read_its_file() {
    let host = host(&policy("busy", "snapshot", ALWAYS, ""));
    let daemon = Daemon::start(&host);
    let pipe = waits_for_its_authority(&host, &policy("busy", "snapshot", ALWAYS, ""));
    // The second reload is requested during the first: the file is read once more afterwards.
    for _ in 0..2 {
        daemon.signal("HUP");
        daemon.hears("RELOADING=1");
    }
    let before = changes(&host, "point_created").len();
    eventually("runs go on", || (changes(&host, "point_created").len() >= before + 3).then_some(()));
    write_policy(&host, &reported(&policy("other", "backup", ALWAYS, "")));
    std::fs::write(&pipe, "no certificate at all").unwrap();
    daemon.hears("READY=1");
    let of_other = |it: &serde_json::Value| it["change"]["kind"] == "backup";
    eventually("the second reading is in force", || changes(&host, "point_created").iter().any(of_other).then_some(()));
    daemon.stops();
}

#[test]
fn a_bad_file_leaves_the_old_one_in_force_loudly_and_a_good_one_ends_it() {
    let host = host(&policy("busy", "snapshot", ALWAYS, ""));
    let daemon = Daemon::start(&host);
    eventually("the policy runs", || (!changes(&host, "point_created").is_empty()).then_some(()));
    write_policy(&host, "[policy.busy]\nkind = \"snapshots\"\nshedule = 1\n");
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    daemon.hears("READY=1");
    let mail = mail_with(&host, &["the changed policy file was refused"]);
    assert!(mail.contains("schedule"), "the errors are reported: {mail}");
    let before = changes(&host, "point_created").len();
    eventually("the old file is in force", || (changes(&host, "point_created").len() > before).then_some(()));
    // While the file is invalid, status uses the one in force.
    let (code, shown) = status(&host);
    assert_eq!((code, &shown["policies"][0]["policy"]), (1, &json!("busy")), "{shown}");
    assert!(shown["warnings"].to_string().contains("is invalid"), "{shown}");
    // The file is valid again, and has not been read yet.
    write_policy(&host, &reported(&policy("busy", "snapshot", ALWAYS, "")));
    let (code, shown) = status(&host);
    assert_ne!(code, 0, "{shown}");
    let warned = shown["warnings"].as_array().unwrap().iter().any(|it| it.as_str().unwrap().contains("refused"));
    assert!(warned, "{shown}");
    assert!(shown["incidents"].as_array().unwrap().iter().any(|it| it["topic"] == "reload"), "{shown}");
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    daemon.hears("READY=1");
    mail_with(&host, &["Subject: [lastgood] RECOVERED", "the policy file was reloaded"]);
    let (_, shown) = status(&host);
    assert!(!shown["warnings"].to_string().contains("refused"), "{shown}");
    assert!(!shown["incidents"].to_string().contains("reload"), "{shown}");
    daemon.stops();
}

#[test]
fn a_token_file_that_is_gone_refuses_the_reload() {
    let host = host(&policy("busy", "snapshot", SELDOM, ""));
    let mut daemon = Daemon::start(&host);
    std::fs::remove_file(host.path("token")).unwrap();
    daemon.signal("HUP");
    daemon.hears("READY=1");
    mail_with(&host, &["the changed policy file was refused"]);
    let (code, shown) = status(&host);
    assert_eq!(code, 1, "a warning: {shown}");
    assert!(daemon.runs());
    daemon.stops();
}

#[test]
fn the_watchdog_is_fed_only_while_the_evaluator_works() {
    let host = host(&policy("busy", "snapshot", ALWAYS, ""));
    let daemon = Daemon::start_with(&host, &[("WATCHDOG_USEC", "2000000")], Some("own"));
    daemon.hears("READY=1");
    for _ in 0..3 {
        daemon.hears("WATCHDOG=1");
    }
    // Somebody holds the state, so that due times cannot be checked.
    let state = rusqlite::Connection::open(host.path("state").join("lastgood.db")).unwrap();
    state.busy_timeout(Duration::from_secs(10)).unwrap();
    state.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.heard_for(Duration::from_millis(1500));
    let signs = daemon.heard_for(Duration::from_secs(3));
    assert!(signs.iter().all(|sign| sign.text != "WATCHDOG=1"), "{signs:?}");
    state.execute_batch("ROLLBACK").unwrap();
    daemon.hears("WATCHDOG=1");
    daemon.stops();
}

#[test]
fn a_watchdog_that_is_off_or_meant_for_another_process_hears_nothing() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    for (variables, pid) in [(&[][..], None), (&[("WATCHDOG_USEC", "2000000")][..], Some("1"))] {
        let daemon = Daemon::start_with(&host, variables, pid);
        daemon.hears("READY=1");
        let signs = daemon.heard_for(Duration::from_secs(3));
        assert!(signs.iter().all(|sign| sign.text != "WATCHDOG=1"), "{signs:?}");
        daemon.stops();
    }
}

#[test]
fn a_run_that_waits_for_its_point_is_resumed_by_the_next_start() {
    let host = host(&policy("hourly", "snapshot", ALWAYS, ""));
    host.provider.points_take(3600.0);
    let daemon = Daemon::start(&host);
    let made = eventually("a point is requested", || changes(&host, "point_created").pop());
    daemon.stops();
    let run = history(&host).pop().unwrap();
    assert_eq!(run["outcome"], "running", "{run}");
    // No more due times: whatever happens now is the interrupted run.
    write_policy(&host, &reported(&policy("hourly", "snapshot", SELDOM, "")));
    host.provider.control(
        "POST",
        "points/edit",
        &json!({ "kind": "snapshot", "id": made["change"]["id"], "status": "completed" }),
    );
    let daemon = Daemon::start(&host);
    let run = eventually("it is resumed", || history(&host).pop().filter(|run| run["outcome"] == "succeeded"));
    assert_eq!(run["created"], made["change"]["id"]);
    assert_eq!(changes(&host, "point_created").len(), 1, "nothing is made twice");
    daemon.stops();
}

fn server_status(host: &Host) -> String {
    let state = host.provider.state();
    state["servers"][0]["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_server_that_we_stopped_is_started_before_the_end() {
    let host = host(&policy("cold", "snapshot", ALWAYS, "stop_server = true"));
    host.provider.points_take(3600.0);
    let daemon = Daemon::start(&host);
    eventually("a point is requested", || changes(&host, "point_created").pop());
    assert_eq!(server_status(&host), "stopped");
    daemon.stops();
    eventually("the server runs", || (server_status(&host) == "active").then_some(()));
}

#[test]
fn a_server_that_we_stopped_is_started_before_the_end_though_a_call_hangs() {
    let host = host(&policy("cold", "snapshot", ALWAYS, "stop_server = true"));
    host.provider.fault(&json!({ "call": "create", "effect": { "do": "silence" } }));
    let daemon = Daemon::start(&host);
    eventually("a create hangs", || (!requests(&host, "POST", "/snapshots").is_empty()).then_some(()));
    assert_eq!(server_status(&host), "stopped");
    daemon.stops();
    eventually("the server runs", || (server_status(&host) == "active").then_some(()));
    // The next start finds that nothing was created, and goes on.
    host.provider.no_faults();
    let daemon = Daemon::start(&host);
    eventually("a run succeeds", || history(&host).into_iter().find(|run| run["outcome"] == "succeeded"));
    daemon.stops();
}

#[test]
fn a_due_time_starts_its_run_within_two_seconds() {
    let host = host(&policy("busy", "snapshot", "*/2 * * * * *", ""));
    let daemon = Daemon::start(&host);
    let made = eventually("eight due times", || Some(changes(&host, "point_created")).filter(|made| made.len() >= 8));
    daemon.stops();
    let late: Vec<f64> = made
        .iter()
        .map(|entry| {
            let at: jiff::Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
            // lg-TOKEN8 INSTANCE POLICY DUE …
            let text = entry["change"]["point"]["description"].as_str().unwrap();
            let due: jiff::Timestamp = text.split(' ').nth(3).unwrap().parse().unwrap();
            due.duration_until(at).as_secs_f64()
        })
        .collect();
    // One may be late because of what else this machine is doing.
    let slow = late.iter().filter(|late| **late > 2.0).count();
    assert!(slow <= 1 && late.iter().all(|late| *late >= 0.0), "{late:?}");
}

/// Writes a policy file that can be read to its end only once somebody writes a certificate into the returned pipe.
fn waits_for_its_authority(host: &Host, lines: &str) -> std::path::PathBuf {
    let pipe = host.path("ca.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = policy_file(host, &reported(lines));
    let text = text.replacen("[provider]\n", "[provider]\nca_file = \"ca.pem\"\n", 1);
    std::fs::write(host.path("policy.toml"), text).unwrap();
    pipe
}

/// Opens the pipe for writing, which blocks until somebody reads it.
fn open_pipe(pipe: std::path::PathBuf) -> std::fs::File {
    let (tell, opened) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(std::fs::File::options().write(true).open(pipe)));
    opened.recv_timeout(PATIENCE).expect("the daemon reads its files").unwrap()
}

fn authority() -> String {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
}

#[test]
fn a_stop_is_obeyed_before_the_files_are_read() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    let pipe = waits_for_its_authority(&host, &policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start_with(&host, &[], None);
    let _pipe = open_pipe(pipe);
    daemon.stops();
}

#[test]
fn a_reload_before_the_files_are_read_ends_nothing_and_is_done_later() {
    let host = host(&policy("nightly", "snapshot", SELDOM, ""));
    let pipe = waits_for_its_authority(&host, &policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start_with(&host, &[], None);
    let mut file = open_pipe(pipe.clone());
    daemon.signal("HUP");
    std::io::Write::write_all(&mut file, authority().as_bytes()).unwrap();
    drop(file);
    daemon.hears("READY=1");
    daemon.hears("RELOADING=1");
    daemon.stops();
}

/// The status of the server at each creation of a point.
fn server_status_at_creates(host: &Host) -> Vec<String> {
    let record = host.provider.record();
    let (mut status, mut seen) = ("active".to_owned(), Vec::new());
    for change in record["entries"].as_array().unwrap().iter().map(|entry| &entry["change"]) {
        match change["change"].as_str() {
            Some("server_status") => change["detail"]["to"].as_str().unwrap().clone_into(&mut status),
            Some("point_created") => seen.push(status.clone()),
            _ => {}
        }
    }
    seen
}

#[test]
fn a_create_that_is_sent_again_after_a_restart_makes_no_point_of_a_starting_server() {
    let host = host(&policy("cold", "snapshot", ALWAYS, "stop_server = true"));
    host.provider.fault(&json!({ "call": "create", "effect": { "do": "silence" } }));
    let daemon = Daemon::start(&host);
    eventually("a create hangs", || (!requests(&host, "POST", "/snapshots").is_empty()).then_some(()));
    // Longer than the search for a create without an answer.
    host.provider.control("POST", "options", &json!({ "power": 4.0 }));
    daemon.stops();
    assert_eq!(server_status(&host), "starting");
    host.provider.no_faults();
    write_policy(&host, &reported(&policy("cold", "snapshot", SELDOM, "stop_server = true")));
    let daemon = Daemon::start(&host);
    eventually("a run succeeds", || history(&host).into_iter().find(|run| run["outcome"] == "succeeded"));
    daemon.stops();
    assert_eq!(server_status_at_creates(&host), ["stopped"]);
    assert_eq!(server_status(&host), "active");
}
