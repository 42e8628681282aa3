//! What systemd sees: READY, RELOADING, WATCHDOG, STOPPING, and the way out within ten seconds.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::lab::Lab;
use crate::process::{
    Daemon, PATIENCE, changes, eventually, fault, history, mail_with, no_faults, points_take, policy, policy_text,
    requests, status, write_policy,
};

/// Never due while a test runs.
const SELDOM: &str = "0 0 1 1 *";
/// Due every second.
const ALWAYS: &str = "* * * * * *";

const TELL: &str = "[report.oncall]\nto = [\"oncall@example.com\"]\ngroup_wait = \"1s\"\n";

fn lab(lines: &str) -> Lab {
    let lab = Lab::new(&["--servers", "1"]);
    write_policy(&lab, &(lines.to_owned() + TELL));
    lab
}

#[test]
fn it_says_ready_and_stopping_and_ends_with_0() {
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    Daemon::start(&lab).stops();
    assert!(requests(&lab, "POST", "/").is_empty(), "a first start makes nothing");
}

#[test]
fn a_second_daemon_ends_with_6_and_the_first_goes_on() {
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    let mut first = Daemon::start(&lab);
    let second = lab.run(&["daemon"]).ends_with(6);
    assert!(second.stderr.contains("another lastgood"), "{second:?}");
    lab.run(&["run"]).ends_with(6);
    assert!(first.runs());
    first.stops();
}

#[test]
fn reloading_is_told_with_the_monotonic_time_before_the_file_is_read_and_ready_after() {
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start(&lab);
    // A file that cannot be read before somebody writes it: what is heard until then was told before it was read.
    let pipe = waits_for_its_authority(&lab, &policy("other", "backup", ALWAYS, ""));
    daemon.signal("HUP");
    let reloading = daemon.hears("RELOADING=1");
    let time = reloading.text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("in one message");
    assert!(time.parse::<u64>().unwrap() > 0);
    assert!(daemon.heard_for(Duration::from_millis(300)).iter().all(|sign| sign.text != "READY=1"));
    std::fs::write(&pipe, authority()).unwrap();
    daemon.hears("READY=1");
    eventually("the new file is in force", || (!changes(&lab, "point_created").is_empty()).then_some(()));
    daemon.stops();
}

#[test]
fn a_stop_is_obeyed_while_a_reload_cannot_read_its_file() {
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start(&lab);
    waits_for_its_authority(&lab, &policy("other", "backup", ALWAYS, ""));
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    daemon.stops();
}

#[test]
fn due_times_are_taken_up_while_a_reload_cannot_read_its_file() {
    let lab = lab(&policy("busy", "snapshot", ALWAYS, ""));
    let daemon = Daemon::start(&lab);
    let pipe = waits_for_its_authority(&lab, &policy("busy", "snapshot", ALWAYS, ""));
    // The second is asked for while the first is being read: the file is read once more after it.
    for _ in 0..2 {
        daemon.signal("HUP");
        daemon.hears("RELOADING=1");
    }
    let before = changes(&lab, "point_created").len();
    eventually("runs go on", || (changes(&lab, "point_created").len() >= before + 3).then_some(()));
    write_policy(&lab, &(policy("other", "backup", ALWAYS, "") + TELL));
    std::fs::write(&pipe, "no certificate at all").unwrap();
    daemon.hears("READY=1");
    let of_other = |it: &serde_json::Value| it["change"]["kind"] == "backup";
    eventually("the second reading is in force", || changes(&lab, "point_created").iter().any(of_other).then_some(()));
    daemon.stops();
}

#[test]
fn a_bad_file_leaves_the_old_one_in_force_loudly_and_a_good_one_ends_it() {
    let lab = lab(&policy("busy", "snapshot", ALWAYS, ""));
    let daemon = Daemon::start(&lab);
    eventually("the policy runs", || (!changes(&lab, "point_created").is_empty()).then_some(()));
    write_policy(&lab, "[policy.busy]\nkind = \"snapshots\"\nshedule = 1\n");
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    daemon.hears("READY=1");
    let mail = mail_with(&lab, &["the changed policy file was refused"]);
    assert!(mail.contains("schedule"), "the errors are told: {mail}");
    let before = changes(&lab, "point_created").len();
    eventually("the old file is in force", || (changes(&lab, "point_created").len() > before).then_some(()));
    // While it is wrong, status goes by the one in force.
    let (code, shown) = status(&lab);
    assert_eq!((code, &shown["policies"][0]["policy"]), (1, &json!("busy")), "{shown}");
    assert!(shown["warnings"].to_string().contains("is invalid"), "{shown}");
    // The file is right again, and nobody has read it yet.
    write_policy(&lab, &(policy("busy", "snapshot", ALWAYS, "") + TELL));
    let (code, shown) = status(&lab);
    assert_ne!(code, 0, "{shown}");
    let warned = shown["warnings"].as_array().unwrap().iter().any(|it| it.as_str().unwrap().contains("refused"));
    assert!(warned, "{shown}");
    assert!(shown["incidents"].as_array().unwrap().iter().any(|it| it["topic"] == "reload"), "{shown}");
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    daemon.hears("READY=1");
    mail_with(&lab, &["Subject: [lastgood] RECOVERED", "the policy file was reloaded"]);
    let (_, shown) = status(&lab);
    assert!(!shown["warnings"].to_string().contains("refused"), "{shown}");
    assert!(!shown["incidents"].to_string().contains("reload"), "{shown}");
    daemon.stops();
}

#[test]
fn a_token_file_that_is_gone_refuses_the_reload() {
    let lab = lab(&policy("busy", "snapshot", SELDOM, ""));
    let mut daemon = Daemon::start(&lab);
    std::fs::remove_file(lab.path("token")).unwrap();
    daemon.signal("HUP");
    daemon.hears("READY=1");
    mail_with(&lab, &["the changed policy file was refused"]);
    let (code, shown) = status(&lab);
    assert_eq!(code, 1, "a warning: {shown}");
    assert!(daemon.runs());
    daemon.stops();
}

#[test]
fn the_watchdog_hears_of_an_evaluator_that_goes_on_and_of_no_other() {
    let lab = lab(&policy("busy", "snapshot", ALWAYS, ""));
    let daemon = Daemon::start_with(&lab, &[("WATCHDOG_USEC", "2000000")], Some("own"));
    daemon.hears("READY=1");
    for _ in 0..3 {
        daemon.hears("WATCHDOG=1");
    }
    // Somebody holds the state, so that what is due cannot be looked at.
    let state = rusqlite::Connection::open(lab.path("state").join("lastgood.db")).unwrap();
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
fn a_watchdog_that_is_not_asked_for_or_is_another_process_s_hears_nothing() {
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    for (variables, pid) in [(&[][..], None), (&[("WATCHDOG_USEC", "2000000")][..], Some("1"))] {
        let daemon = Daemon::start_with(&lab, variables, pid);
        daemon.hears("READY=1");
        let signs = daemon.heard_for(Duration::from_secs(3));
        assert!(signs.iter().all(|sign| sign.text != "WATCHDOG=1"), "{signs:?}");
        daemon.stops();
    }
}

#[test]
fn a_run_that_waits_for_its_point_is_left_and_taken_up_by_the_next_start() {
    let lab = lab(&policy("hourly", "snapshot", ALWAYS, ""));
    points_take(&lab, 3600.0);
    let daemon = Daemon::start(&lab);
    let made = eventually("a point is asked for", || changes(&lab, "point_created").pop());
    daemon.stops();
    let run = history(&lab).pop().unwrap();
    assert_eq!(run["outcome"], "running", "{run}");
    // No more due times: what happens now is the run that was cut off.
    write_policy(&lab, &(policy("hourly", "snapshot", SELDOM, "") + TELL));
    lab.provider.control(
        "POST",
        "points/edit",
        &json!({ "kind": "snapshot", "id": made["change"]["id"], "status": "completed" }),
    );
    let daemon = Daemon::start(&lab);
    let run = eventually("it is taken up", || history(&lab).pop().filter(|run| run["outcome"] == "succeeded"));
    assert_eq!(run["created"], made["change"]["id"]);
    assert_eq!(changes(&lab, "point_created").len(), 1, "nothing is made twice");
    daemon.stops();
}

fn server_status(lab: &Lab) -> String {
    let state = lab.provider.control("GET", "state", &serde_json::Value::Null);
    state["servers"][0]["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_server_that_we_stopped_is_started_before_the_end() {
    let lab = lab(&policy("cold", "snapshot", ALWAYS, "stop_server = true"));
    points_take(&lab, 3600.0);
    let daemon = Daemon::start(&lab);
    eventually("a point is asked for", || changes(&lab, "point_created").pop());
    assert_eq!(server_status(&lab), "stopped");
    daemon.stops();
    eventually("the server runs", || (server_status(&lab) == "active").then_some(()));
}

#[test]
fn a_server_that_we_stopped_is_started_before_the_end_though_a_call_hangs() {
    let lab = lab(&policy("cold", "snapshot", ALWAYS, "stop_server = true"));
    fault(&lab, json!({ "call": "create", "effect": { "do": "silence" } }));
    let daemon = Daemon::start(&lab);
    eventually("a create hangs", || (!requests(&lab, "POST", "/snapshots").is_empty()).then_some(()));
    assert_eq!(server_status(&lab), "stopped");
    daemon.stops();
    eventually("the server runs", || (server_status(&lab) == "active").then_some(()));
    // The next start finds out that nothing was made, and goes on.
    no_faults(&lab);
    let daemon = Daemon::start(&lab);
    eventually("a run succeeds", || history(&lab).into_iter().find(|run| run["outcome"] == "succeeded"));
    daemon.stops();
}

#[test]
fn a_due_time_is_taken_up_within_two_seconds() {
    let lab = lab(&policy("busy", "snapshot", "*/2 * * * * *", ""));
    let daemon = Daemon::start(&lab);
    let made = eventually("eight due times", || Some(changes(&lab, "point_created")).filter(|made| made.len() >= 8));
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
    // One may suffer from what else this machine is doing.
    let slow = late.iter().filter(|late| **late > 2.0).count();
    assert!(slow <= 1 && late.iter().all(|late| *late >= 0.0), "{late:?}");
}

/// A policy file whose reading comes to an end when somebody writes an authority into the pipe that is returned.
fn waits_for_its_authority(lab: &Lab, lines: &str) -> std::path::PathBuf {
    let pipe = lab.path("ca.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = policy_text(lab, &(lines.to_owned() + TELL));
    let text = text.replacen("[provider]\n", "[provider]\nca_file = \"ca.pem\"\n", 1);
    std::fs::write(lab.path("policy.toml"), text).unwrap();
    pipe
}

/// Opens the pipe for writing, which goes on when somebody reads it.
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
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    let pipe = waits_for_its_authority(&lab, &policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start_with(&lab, &[], None);
    let _pipe = open_pipe(pipe);
    daemon.stops();
}

#[test]
fn a_reload_that_is_asked_for_before_the_files_are_read_ends_nothing_and_is_done_later() {
    let lab = lab(&policy("nightly", "snapshot", SELDOM, ""));
    let pipe = waits_for_its_authority(&lab, &policy("nightly", "snapshot", SELDOM, ""));
    let daemon = Daemon::start_with(&lab, &[], None);
    let mut file = open_pipe(pipe.clone());
    daemon.signal("HUP");
    std::io::Write::write_all(&mut file, authority().as_bytes()).unwrap();
    drop(file);
    daemon.hears("READY=1");
    daemon.hears("RELOADING=1");
    daemon.stops();
}

/// How the server was at each making of a point.
fn server_at_makings(lab: &Lab) -> Vec<String> {
    let record = lab.provider.control("GET", "record", &serde_json::Value::Null);
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
fn a_point_that_is_asked_for_again_after_the_end_is_not_made_of_a_server_on_its_way_up() {
    let lab = lab(&policy("cold", "snapshot", ALWAYS, "stop_server = true"));
    fault(&lab, json!({ "call": "create", "effect": { "do": "silence" } }));
    let daemon = Daemon::start(&lab);
    eventually("a create hangs", || (!requests(&lab, "POST", "/snapshots").is_empty()).then_some(()));
    // Longer than a create without an answer is looked for.
    lab.provider.control("POST", "options", &json!({ "power": 4.0 }));
    daemon.stops();
    assert_eq!(server_status(&lab), "starting");
    no_faults(&lab);
    write_policy(&lab, &(policy("cold", "snapshot", SELDOM, "stop_server = true") + TELL));
    let daemon = Daemon::start(&lab);
    eventually("a run succeeds", || history(&lab).into_iter().find(|run| run["outcome"] == "succeeded"));
    daemon.stops();
    assert_eq!(server_at_makings(&lab), ["stopped"]);
    assert_eq!(server_status(&lab), "active");
}
