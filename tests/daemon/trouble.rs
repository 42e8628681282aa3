//! A provider that is silent or refuses the token, a mail server that hangs: the daemon becomes ready, keeps running,
//! reports it, and stops when asked.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::process::{Daemon, PATIENCE, changes, eventually, history, mail_with, requests, status, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};
use crate::support::program::{BAD_TOKEN, TOKEN};
use crate::support::smtp_server;

/// These policies, with a report that is sent soon after something happens.
fn reported(lines: &str) -> String {
    lines.to_owned() + &oncall("group_wait = \"1s\"")
}

#[test]
fn a_silent_provider_delays_neither_ready_nor_due_times_nor_the_end() {
    let host = Host::new(&["--servers", "2"]);
    write_policy(&host, &reported(&policy("busy", "snapshot", "*/2 * * * * *", "")));
    let daemon = Daemon::start(&host);
    eventually("the policy runs", || (!changes(&host, "point_completed").is_empty()).then_some(()));
    daemon.stops();
    let known = history(&host).len();
    host.provider.fault(&json!({ "effect": { "do": "silence" } }));
    let begun = Instant::now();
    let daemon = Daemon::start_with(&host, &[("WATCHDOG_USEC", "4000000")], None);
    daemon.hears("READY=1");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The stored list is used: due times start runs, and the watchdog is fed.
    eventually("due times start runs", || (history(&host).len() > known).then_some(()));
    daemon.hears("WATCHDOG=1");
    daemon.hears("WATCHDOG=1");
    daemon.stops();
}

#[test]
fn a_provider_that_was_silent_at_the_first_start_is_listed_when_it_answers() {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &reported(&policy("busy", "snapshot", "* * * * * *", "")));
    host.provider.fault(&json!({ "call": "servers", "times": 1, "effect": { "do": "silence", "seconds": 2.0 } }));
    let daemon = Daemon::start(&host);
    eventually("the policy runs", || (!changes(&host, "point_created").is_empty()).then_some(()));
    daemon.stops();
}

#[test]
fn a_reload_while_the_provider_is_silent_is_over_at_once() {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &reported(&policy("busy", "snapshot", "0 0 1 1 *", "")));
    host.provider.fault(&json!({ "effect": { "do": "silence" } }));
    let daemon = Daemon::start(&host);
    let begun = Instant::now();
    for _ in 0..3 {
        daemon.signal("HUP");
        daemon.hears("RELOADING=1");
        daemon.hears("READY=1");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    daemon.stops();
}

#[test]
fn a_refused_token_is_an_incident_and_a_mail_and_the_daemon_continues() {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &reported(&policy("busy", "snapshot", "* * * * * *", "")));
    let daemon = Daemon::start(&host);
    eventually("the policy runs", || (!changes(&host, "point_completed").is_empty()).then_some(()));
    daemon.stops();
    // The token is wrong from now on; the stored list is used.
    host.write_private("token", BAD_TOKEN);
    let mut daemon = Daemon::start(&host);
    let mail = mail_with(&host, &["the account's servers cannot be listed", "401"]);
    assert!(!mail.contains(BAD_TOKEN) && !mail.contains(TOKEN));
    let (code, shown) = status(&host);
    assert_ne!(code, 0);
    let listed = |it: &serde_json::Value| it["text"].as_str().is_some_and(|text| text.contains("cannot be listed"));
    assert!(shown["incidents"].as_array().unwrap().iter().any(listed), "{shown}");
    mail_with(&host, &["[lastgood] FAILED busy on web-server-01", "Invalid token"]);
    assert!(daemon.runs());
    assert!(!daemon.log().contains(BAD_TOKEN));
    // It is corrected.
    host.write_private("token", TOKEN);
    daemon.signal("HUP");
    mail_with(&host, &["[lastgood] RECOVERED", "can be listed again"]);
    mail_with(&host, &["[lastgood] RECOVERED busy"]);
    daemon.stops();
}

#[test]
fn a_server_whose_entry_cannot_be_read_is_neither_gone_nor_dropped() {
    let host = Host::new(&["--servers", "2"]);
    write_policy(&host, &reported(&policy("busy", "snapshot", "* * * * * *", "")));
    let whole = host.run(&["list", "servers", "--json"]).ends_with(0).json();
    let (name, id) = (whole["servers"][0]["name"].as_str().unwrap(), &whole["servers"][0]["id"]);
    let broken = json!({ "call": "servers", "effect": { "do": "show", "fields": { "id": [1] }, "first": 1 } });
    let runs = |of: &str| history(&host).iter().filter(|run| run["server"]["name"] == of).count();
    // At the very first start the server is unknown: that is reported at once.
    host.provider.fault(&broken);
    let daemon = Daemon::start(&host);
    mail_with(
        &host,
        &["servers is doubtful", &format!("the entry of server {name} cannot be read"), "its id is a list"],
    );
    assert_eq!(runs(name), 0);
    host.provider.no_faults();
    daemon.signal("HUP");
    mail_with(&host, &["[lastgood] RECOVERED", "can be listed again"]);
    eventually("its policy runs", || (runs(name) > 0).then_some(()));
    // From now on it is known, and stays as it is.
    for fields in [json!({ "id": [1] }), json!({ "name": 17 })] {
        host.provider.no_faults();
        host.provider.fault(&json!({ "call": "servers", "effect": { "do": "show", "fields": fields, "first": 1 } }));
        let lists = requests(&host, "GET", "/servers/").len();
        daemon.signal("HUP");
        eventually("the servers are listed", || (requests(&host, "GET", "/servers/").len() > lists).then_some(()));
        let known = runs(name);
        eventually("its policy goes on", || (runs(name) > known + 2).then_some(()));
        let incidents = status(&host).1["incidents"].clone();
        let gone = |it: &serde_json::Value| it["topic"] == "server_gone";
        assert!(!incidents.as_array().unwrap().iter().any(gone), "{incidents}");
        let planned = host.run(&["plan", "--json"]).ends_with(0);
        let has = |it: &serde_json::Value| it["server"]["id"] == *id;
        assert!(planned.json()["plans"].as_array().unwrap().iter().any(has), "{planned:?}");
        assert!(planned.stderr.contains("doubtful") && planned.stderr.contains("cannot be read"), "{planned:?}");
    }
    daemon.stops();
}

#[test]
fn a_token_that_is_refused_at_the_very_first_start_is_reported_too() {
    let host = Host::new(&["--servers", "1"]);
    host.write_private("token", BAD_TOKEN);
    write_policy(&host, &reported(&policy("busy", "snapshot", "* * * * * *", "")));
    let mut daemon = Daemon::start(&host);
    mail_with(&host, &["the account's servers cannot be listed", "no list is stored", "401"]);
    assert!(daemon.runs());
    daemon.stops();
}

#[test]
fn a_mail_server_that_never_answers_delays_neither_runs_nor_the_end() {
    let host = Host::new(&["--servers", "1"]);
    // It accepts connections and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (connected, connection) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in silent.incoming() {
            if connected.send(stream).is_err() {
                return;
            }
        }
    });
    let report = oncall(
        "on = [\"success\", \"failure\"]
group_wait = \"0s\"",
    );
    write_policy(&host, &(policy("busy", "snapshot", "* * * * * *", "") + &smtp_server::settings(port) + &report));
    let daemon = Daemon::start(&host);
    let stream = connection.recv_timeout(PATIENCE).expect("a mail is on its way").unwrap();
    let before = changes(&host, "point_completed").len();
    eventually("runs go on", || (changes(&host, "point_completed").len() >= before + 3).then_some(()));
    daemon.stops();
    drop(stream);
    // Nothing is lost: the next start tries again at once.
    let daemon = Daemon::start(&host);
    let mut again = connection.recv_timeout(PATIENCE).expect("it is tried again").unwrap();
    again.write_all(b"554 no\r\n").unwrap();
    daemon.stops();
}

#[test]
fn a_reload_starts_new_policies_while_runs_in_progress_share_the_same_limits() {
    let host = Host::new(&["--servers", "6"]);
    host.provider.points_take(3.0);
    write_policy(&host, &reported(&policy("first", "snapshot", "*/4 * * * * *", "")));
    // Two run permits in all.
    let narrow = |host: &Host| {
        let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
        host.write_private("policy.toml", &text.replace("[provider]\n", "[provider]\nparallel_runs = 2\n"));
    };
    narrow(&host);
    let daemon = Daemon::start(&host);
    eventually("runs are in progress", || (changes(&host, "point_created").len() >= 2).then_some(()));
    write_policy(&host, &reported(&policy("second", "backup", "*/4 * * * * *", "")));
    narrow(&host);
    daemon.signal("HUP");
    daemon.hears("READY=1");
    eventually("the new policy runs", || {
        let made = changes(&host, "point_completed");
        (made.iter().filter(|entry| entry["change"]["kind"] == "backup").count() >= 3).then_some(())
    });
    daemon.stops();
    let record = host.provider.record();
    let (mut making, mut most) = (0_usize, 0);
    for entry in record["entries"].as_array().unwrap() {
        match entry["change"]["change"].as_str() {
            Some("point_created") => making += 1,
            Some("point_completed") => making -= 1,
            _ => {}
        }
        most = most.max(making);
    }
    assert_eq!(most, 2, "old and new runs share the places");
    assert!(requests(&host, "GET", "/servers/").len() >= 2, "the servers are listed again at a reload");
    host.provider.no_faults();
}

#[test]
fn a_reload_leaves_one_run_a_server_at_a_time_and_one_bucket_over_all_requests() {
    let host = Host::new(&["--servers", "1"]);
    host.provider.points_take(4.0);
    let slow = |name: &str, kind: &str| {
        write_policy(&host, &reported(&policy(name, kind, "* * * * * *", "")));
        let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
        host.write_private("policy.toml", &text.replace("requests_per_second = 1000", "requests_per_second = 5"));
    };
    slow("first", "snapshot");
    let daemon = Daemon::start(&host);
    eventually("a run is in progress", || (!changes(&host, "point_created").is_empty()).then_some(()));
    // Each reload makes a new client; the run in progress keeps watching its point with the old one.
    slow("second", "backup");
    for _ in 0..3 {
        daemon.signal("HUP");
        daemon.hears("READY=1");
    }
    let of = |kind: &str, entries: Vec<serde_json::Value>| -> Option<jiff::Timestamp> {
        let entry = entries.into_iter().find(|entry| entry["change"]["kind"] == kind)?;
        entry["at"].as_str()?.parse().ok()
    };
    let begun = eventually("the new policy runs", || of("backup", changes(&host, "point_created")));
    daemon.stops();
    let done = of("snapshot", changes(&host, "point_completed")).expect("the first was waited for");
    assert!(begun >= done, "one run a server at a time: {begun} is before {done}");
    let all = requests(&host, "", "");
    let times: Vec<jiff::Timestamp> = all.iter().map(|entry| entry["at"].as_str().unwrap().parse().unwrap()).collect();
    // A request may arrive a little late and the next one on time: one more within a second is allowed.
    for window in times.windows(7) {
        assert!(window[0].duration_until(window[6]).as_millis() >= 1000, "seven in a second: {window:?}");
    }
    assert!(times.len() > 10, "{}", times.len());
}
