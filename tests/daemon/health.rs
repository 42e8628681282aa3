//! `lastgood health`: whether a daemon works on the state, whatever its policy file and its backups are like.

use serde_json::json;

use crate::process::{Daemon, eventually, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::policy;

fn host() -> Host {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &policy("nightly", "snapshot", "0 0 1 1 *", ""));
    host
}

/// Stops a daemon as a hang would, at a moment at which it does not hold the database.
fn hangs(host: &Host, daemon: &Daemon) {
    eventually("it hangs outside a transaction", || {
        daemon.signal("STOP");
        // The signal was sent; its threads stop one after the other.
        eventually("all its threads are stopped", || is_stopped(daemon).then_some(()));
        let database = rusqlite::Connection::open(host.path("state/lastgood.db")).unwrap();
        database.busy_timeout(std::time::Duration::ZERO).unwrap();
        let free = database.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok();
        if !free {
            daemon.signal("CONT");
        }
        free.then_some(())
    });
}

fn is_stopped(daemon: &Daemon) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let mut states = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap());
    states.all(|state| state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}

/// Sets when the daemon last looked at what is due, as a clock at `seconds` from now would have it.
fn looked(host: &Host, seconds: &str) {
    let database = rusqlite::Connection::open(host.path("state/lastgood.db")).unwrap();
    let sql = "UPDATE fact SET value = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', ?1) WHERE name = 'last_evaluation'";
    assert_eq!(database.execute(sql, [format!("{seconds} seconds")]).unwrap(), 1);
}

#[test]
fn it_works_while_a_daemon_does_and_needs_no_valid_file() {
    let host = host();
    let done = host.run(&["health"]).ends_with(2);
    assert!(done.stderr.contains("no daemon works on the state"), "{done:?}");
    let daemon = Daemon::start(&host);
    let done = host.run(&["health"]).ends_with(0);
    assert!(done.stdout.starts_with("ok"), "{done:?}");
    assert_eq!(host.run(&["health", "--json"]).ends_with(0).json(), json!({ "ok": true, "why": null }));
    let valid = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    host.write_private("policy.toml", &valid.replace("schedule = ", "shedule = 1\nschedule "));
    host.run(&["check"]).ends_with(3);
    host.run(&["health"]).ends_with(0);
    daemon.dies();
    let done = host.run(&["health", "--json"]).ends_with(2);
    assert_eq!(done.json()["ok"], false);
    assert!(done.json()["why"].as_str().unwrap().contains("no daemon"), "{done:?}");
}

#[test]
fn a_daemon_that_hangs_is_seen_after_a_minute_and_again_when_it_works() {
    let host = host();
    let daemon = Daemon::start(&host);
    hangs(&host, &daemon);
    host.run(&["health"]).ends_with(0);
    looked(&host, "-59");
    host.run(&["health"]).ends_with(0);
    looked(&host, "-75");
    let done = host.run(&["health"]).ends_with(2);
    assert!(done.stderr.contains("has not looked at what is due"), "{done:?}");
    looked(&host, "+3600");
    let done = host.run(&["health"]).ends_with(2);
    assert!(done.stderr.contains("in the future"), "{done:?}");
    daemon.signal("CONT");
    // It writes every quarter of a minute.
    eventually("it works again", || (host.run(&["health"]).code == 0).then_some(()));
    daemon.stops();
}

#[test]
fn a_run_by_hand_is_no_daemon_and_a_state_of_another_version_is_none_that_works() {
    let host = host();
    host.run(&["run"]).ends_with(0);
    host.run(&["health"]).ends_with(2);
    let daemon = Daemon::start(&host);
    hangs(&host, &daemon);
    let database = rusqlite::Connection::open(host.path("state/lastgood.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    let done = host.run(&["health"]).ends_with(2);
    assert!(done.stderr.contains("newer"), "{done:?}");
    daemon.dies();
}

#[test]
fn a_failing_backup_is_none_of_its_business() {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &policy("busy", "snapshot", "* * * * * *", ""));
    host.provider.fault(&json!({ "call": "create", "effect": { "do": "status", "code": 400 } }));
    let daemon = Daemon::start(&host);
    eventually("a run fails", || {
        let (_, status) = crate::process::status(&host);
        (status["policies"][0]["state"] == "failing").then_some(())
    });
    host.run(&["health"]).ends_with(0);
    daemon.stops();
}
