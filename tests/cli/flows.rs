//! What a person does: plan and run, delete, restore, hold and release.

use lastgood::seams::journal::errand::{Errand, ManualCommand};
use lastgood::seams::policy::inventory::{Kind, PointId, ServerId};
use lastgood::seams::store::Store;
use lastgood::seams::store::leases::Holder;
use serde_json::{Value, json};

use crate::running::Running;
use crate::support::host::Host;

fn deletes(plan: &Value) -> Vec<Value> {
    let actions = plan["plans"][0]["actions"].as_array().unwrap();
    actions.iter().filter(|action| action["do"] == "delete").map(|action| action["id"].clone()).collect()
}

#[test]
fn run_deletes_what_plan_says() {
    let host = Host::new(&["--servers", "1"]);
    let mut made = Vec::new();
    for round in 0..4 {
        let planned = deletes(&host.run(&["plan", "--json"]).ends_with(0).json());
        let dry = deletes(&host.run(&["run", "--dry-run", "--json"]).ends_with(0).json());
        let run = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0].clone();
        assert_eq!((&json!(planned), &json!(dry)), (&run["deleted"], &run["deleted"]), "round {round}");
        made.push(run["created"].clone());
    }
    // Two are kept: the third and the fourth run each displaced the oldest.
    let history = host.run(&["history", "--json", "--limit", "2"]).ends_with(0).json();
    assert_eq!(history["runs"][0]["deleted"], json!([made[1]]));
    assert_eq!(history["runs"][1]["deleted"], json!([made[0]]));
}

#[test]
fn a_full_server_evicts_what_plan_says_before_it_makes() {
    let host = Host::new(&["--servers", "1"]);
    for number in 1..=3 {
        host.provider.person_makes_snapshot("web-server-01", &format!("by-hand-{number}"), number * 3600);
    }
    host.run(&["run"]).ends_with(0);
    host.run(&["run"]).ends_with(0);
    let plan = host.run(&["plan", "--json"]).ends_with(0).json();
    assert_eq!(plan["plans"][0]["actions"][0]["do"], "delete", "{plan:#}");
    assert_eq!(plan["plans"][0]["actions"][1]["do"], "create", "{plan:#}");
    let run = host.run(&["run", "--json"]).ends_with(0).json();
    assert_eq!(run["runs"][0]["deleted"], json!(deletes(&plan)));
    assert_eq!(host.provider.tally().1, 5);
}

#[test]
fn a_dry_run_changes_nothing() {
    let host = Host::new(&[]);
    host.run(&["run", "--dry-run"]).ends_with(0);
    host.run(&["plan"]).ends_with(0);
    assert_eq!(host.provider.tally(), (0, 0, 0));
}

#[test]
fn delete_asks_first() {
    let host = Host::new(&[]);
    let id = host.provider.person_makes_snapshot("web-server-01", "by-hand", 60).to_string();
    for answer in ["", "n\n", "by-hand\n"] {
        let done = host.answer(&["delete", "snapshot", &id], answer).ends_with(2);
        assert!(done.stderr.contains("nothing was deleted") && done.stderr.contains("by-hand"), "{done:#?}");
    }
    assert_eq!(host.provider.tally().1, 1);
    host.answer(&["delete", "snapshot", &id], "y\n").ends_with(0);
    assert_eq!(host.provider.tally().1, 0);
}

#[test]
fn a_hold_keeps_a_point_from_delete_and_from_runs() {
    let host = Host::new(&["--servers", "1"]);
    let first = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    let held = host.run(&["hold", "snapshot", &first, "--reason", "audit"]).ends_with(0);
    assert!(held.stdout.contains(&first) && held.stdout.contains("audit"), "{held:#?}");
    host.refuses(&["delete", "snapshot", &first, "--yes"], 2, &["on hold", "audit", "release"]);
    let listed = host.run(&["list", "snapshots", "--json"]).ends_with(0).json();
    assert_eq!(listed["snapshots"][0]["held"], true);
    for _ in 0..3 {
        host.run(&["run"]).ends_with(0);
    }
    let ids = |host: &Host| host.run(&["list", "snapshots", "--json"]).json()["snapshots"].to_string();
    assert!(ids(&host).contains(&format!("\"id\":{first},")), "the held point is gone");
    host.run(&["release", "snapshot", &first]).ends_with(0);
    host.refuses(&["release", "snapshot", &first], 2, &["not on hold"]);
    let run = host.run(&["run", "--json"]).ends_with(0).json();
    assert!(run["runs"][0]["deleted"].to_string().contains(&first), "released, it is pruned: {run:#}");
}

#[test]
fn a_hold_on_a_server_stops_all_deletes_there() {
    let host = Host::new(&["--servers", "1"]);
    host.run(&["hold", "server", "web-server-01", "--reason", "migration"]).ends_with(0);
    for _ in 0..3 {
        host.run(&["run"]).ends_with(0);
    }
    assert_eq!(host.provider.tally().1, 3);
    assert_eq!(host.run(&["list", "servers", "--json"]).json()["servers"][0]["held"], true);
    let again = host.run(&["hold", "server", "web-server-01", "--reason", "migration"]).ends_with(0);
    assert!(again.stdout.contains("there is room for 2 more snapshots"), "what it will cost: {again:#?}");
    host.run(&["release", "server", "web-server-01"]).ends_with(0);
    host.run(&["run"]).ends_with(0);
    assert!(host.provider.tally().1 < 4);
}

#[test]
fn restore_wants_the_servers_name_and_says_what_is_lost() {
    let host = Host::new(&["--restore", "200ms"]);
    let id = host.provider.person_makes_snapshot("web-server-02", "by-hand", 7200).to_string();
    let done = host.answer(&["restore", "snapshot", &id], "web-server-01\n").ends_with(2);
    assert!(done.stderr.contains("nothing was restored"), "{done:#?}");
    assert_eq!(host.provider.tally().2, 0);
    let done = host.answer(&["restore", "snapshot", &id], "web-server-02\n").ends_with(0);
    for words in ["overwritten", "2 h 0 min old", "since then is lost"] {
        assert!(done.stderr.contains(words), "`{words}`: {done:#?}");
    }
    assert!(done.stdout.contains("web-server-02 is back"), "{done:#?}");
    host.run(&["restore", "snapshot", &id, "--yes"]).ends_with(0);
}

#[test]
fn text_from_outside_moves_no_cursor() {
    let host = Host::new(&["--servers", "1"]);
    let id = host.provider.person_makes_snapshot("web-server-01", "a\u{1b}[2Jb\r\u{202e}c", 60).to_string();
    for command in [["list", "snapshots"].as_slice(), &["plan"], &["delete", "snapshot", &id]] {
        let done = host.run(command);
        assert!(!format!("{}{}", done.stdout, done.stderr).contains(['\u{1b}', '\r', '\u{202e}']), "{done:#?}");
    }
}

#[test]
fn a_brake_is_shown_by_plan_and_status_and_accept_takes_it_off() {
    let host = Host::new(&["--servers", "1"]);
    for _ in 0..2 {
        host.run(&["run"]).ends_with(0);
    }
    assert_eq!(host.run(&["accept", "--yes", "--json"]).ends_with(0).json(), json!({ "accepted": [] }));
    host.provider.control(
        "POST",
        "act",
        &json!({ "act": "delete_point", "kind": "snapshot", "server": "web-server-01", "oldest": true }),
    );
    let plan = host.run(&["plan", "--json"]).ends_with(0).json();
    assert_eq!(plan["plans"][0]["brakes"][0]["cause"], "gone", "{plan:#}");
    assert_eq!(host.run(&["status", "--json"]).ends_with(0).json()["level"], "ok", "plan changes nothing");
    for _ in 0..2 {
        let run = host.run(&["run", "--json"]).ends_with(0).json();
        assert_eq!(run["runs"][0]["deleted"], json!([]), "{run:#}");
    }
    let status = host.run(&["status", "--json"]).ends_with(1).json();
    assert_eq!(
        (&status["level"], &status["incidents"][0]["topic"]),
        (&json!("warning"), &json!("brake")),
        "{status:#}"
    );
    let mail = std::fs::read_dir(host.path("mail")).unwrap().count();
    assert_eq!(mail, 1, "reported once");
    let no = host.answer(&["accept"], "n\n").ends_with(2);
    assert!(no.stdout.contains("brake: ") && no.stdout.contains("next run would do this"), "{no:#?}");
    assert!(no.stderr.contains("nothing was accepted"), "{no:#?}");
    let yes = host.run(&["accept", "--yes", "--json"]).ends_with(0).json();
    assert_eq!(yes["accepted"][0]["cause"], "gone", "{yes:#}");
    host.run(&["status"]).ends_with(0);
    let run = host.run(&["run", "--json"]).ends_with(0).json();
    assert_eq!(run["runs"][0]["deleted"].as_array().unwrap().len(), 2, "{run:#}");
}

#[test]
fn accept_takes_off_the_brakes_of_the_policy_that_is_named_and_no_other() {
    let host = Host::new(&["--servers", "1"]);
    let second = "[policy.second]\nkind = \"backup\"\nservers = [\"*\"]\nschedule = \"0 * * * *\"\nkeep = { last = 2 }";
    host.replace_line(&format!("retries = 0\n{second}"));
    for _ in 0..2 {
        host.run(&["run"]).ends_with(0);
    }
    for kind in ["snapshot", "backup"] {
        let oldest = json!({ "act": "delete_point", "kind": kind, "server": "web-server-01", "oldest": true });
        host.provider.control("POST", "act", &oldest);
    }
    host.run(&["run"]).ends_with(0);
    let yes = host.run(&["accept", "--policy", "hourly", "--yes", "--json"]).ends_with(0).json();
    assert_eq!(yes["accepted"].as_array().map(Vec::len), Some(1), "{yes:#}");
    let brakes = |policy: &str| {
        let plan = host.run(&["plan", "--policy", policy, "--json"]).ends_with(0).json();
        plan["plans"][0]["brakes"].as_array().unwrap().len()
    };
    assert_eq!((brakes("hourly"), brakes("second")), (0, 1));
}

#[test]
fn delete_by_hand_sets_no_brake() {
    let host = Host::new(&["--servers", "1"]);
    let first = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    host.run(&["run"]).ends_with(0);
    host.run(&["delete", "snapshot", &first, "--yes"]).ends_with(0);
    assert_eq!(host.run(&["plan", "--json"]).ends_with(0).json()["plans"][0]["brakes"], json!([]));
}

#[test]
fn accept_releases_nothing_while_a_run_is_working_on_the_server() {
    let host = Host::new(&["--servers", "1"]);
    host.provider.points_take(600.0);
    let mut run = host.spawn(&["run"]);
    while host.provider.tally().2 == 0 {
        assert_eq!(run.try_wait().expect("it is our child"), None, "the run waits for its point");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    let accept = host.run(&["accept", "--yes"]).ends_with(6);
    run.kill().expect("it is our child");
    run.wait().expect("it is our child");
    assert!(accept.sentence().contains("a run is working on web-server-01"), "{accept:#?}");
}

#[test]
fn a_hold_may_last_until_a_date() {
    let host = Host::new(&["--servers", "1"]);
    let held = host.run(&["hold", "server", "web-server-01", "--until", "2099-01-02"]).ends_with(0);
    assert!(held.stdout.contains("until 2099-01-02T00:00:00Z"), "{held:#?}");
    let refused = host.run(&["hold", "server", "web-server-01", "--until", "soon"]).ends_with(2);
    assert!(refused.stderr.contains("`soon` is not a time; write it like"), "{refused:#?}");
}

/// A lease as left by a command that was killed.
fn leave(host: &Host, snapshot: &str, accepted: bool) {
    let store = Store::beside(&host.path("state")).unwrap();
    let until = "2026-11-21T02:35:00Z".parse().unwrap();
    let command = ManualCommand::Restore { kind: Kind::Snapshot, id: PointId::Number(snapshot.parse().unwrap()) };
    let holder = Holder::Command { name: "beside-0".to_owned(), errand: Errand { command, accepted } };
    let lease = store.lease(ServerId::Number(12345), holder, until);
    assert!(tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(lease).unwrap());
}

fn restores(host: &Host) -> usize {
    let record = host.provider.record().to_string();
    record.matches("restore_started").count()
}

#[test]
fn an_interrupted_restore_is_reported_first_and_repeated_only_on_demand() {
    let host = Host::new(&["--servers", "1", "--restore", "100ms"]);
    host.replace_line("requests_per_second = 1000\ntimeout = \"1s\"");
    let id = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    let command = ["restore", "snapshot", &id];
    leave(&host, &id, false);
    let words =
        [format!("`lastgood restore snapshot {id}` was cut off at about 2026-11-21T02:30:00Z"), "unknown".to_owned()];
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--again", "web-server-01"]).collect();
    host.refuses(&[&command[..], &["--yes"]].concat(), 2, &words);
    for answer in ["", "web-server-01\n", "web-server-01\nyes\n", "again\nagain\n"] {
        let done = host.answer(&command, answer).ends_with(2);
        let (said, asked) = (done.stderr.find(words[0]), done.stderr.find("Type the server's name"));
        assert!(said.is_some() && said < asked && done.stderr.contains("nothing was restored"), "{answer}: {done:#?}");
        assert_eq!(restores(&host), 0, "{answer}");
    }
    host.answer(&command, "web-server-01\nagain\n").ends_with(0);
    assert_eq!(restores(&host), 1);
    leave(&host, &id, false);
    let done = host.run(&[&command[..], &["--yes", "--again"]].concat()).ends_with(0);
    assert!(done.stderr.contains(words[0]), "{done:#?}");
    assert_eq!(restores(&host), 2);
    // A restore that the provider has accepted is watched: there is nothing to ask.
    leave(&host, &id, true);
    let done = host.run(&command).ends_with(0);
    assert!(done.stderr.contains("after the provider had accepted it"), "{done:#?}");
    assert!(done.stderr.contains("nothing is sent again"), "{done:#?}");
    assert_eq!(restores(&host), 2);
    // A restore of another point is a new one, and says what was interrupted.
    leave(&host, "4711", true);
    host.refuses(&[&command[..], &["--yes"]].concat(), 2, &["restore snapshot 4711", "--again"]);
    let done = host.run(&[&command[..], &["--yes", "--again"]].concat()).ends_with(0);
    assert!(done.stderr.contains("restore snapshot 4711"), "{done:#?}");
    host.run(&[&command[..], &["--yes"]].concat()).ends_with(0);
    assert_eq!(restores(&host), 4);
}

#[test]
fn a_restore_whose_server_can_no_longer_be_looked_at_ends_and_gives_the_server_back() {
    let host = Host::new(&["--servers", "1", "--restore", "200ms"]);
    let id = host.provider.person_makes_snapshot("web-server-01", "by-hand", 60).to_string();
    let lost = json!({ "call": "server", "effect": { "do": "status", "code": 404 } });
    host.provider.fault(&lost);
    let done = host.run(&["restore", "snapshot", &id, "--yes"]).ends_with(4);
    assert!(done.stderr.contains("the progress of the restore of web-server-01 cannot be seen"), "{done:#?}");
    host.provider.no_faults();
    host.run(&["run"]).ends_with(0);
}

/// The policy stops its server and waits at most a second for that.
fn stops_its_server(host: &Host) {
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    let text = text.replace("retries = 0", "retries = 0\nstop_server = true\nstuck_after = \"1s\"");
    host.write_private("policy.toml", &text);
}

#[test]
fn a_run_waits_at_its_end_until_a_server_that_went_down_late_runs_again() {
    let host = Host::new(&["--servers", "1", "--slow-shutdown", "3s", "--start-ignored-while-stopping"]);
    stops_its_server(&host);
    let done = host.run(&["run"]).ends_with(5);
    assert!(done.stderr.contains("waiting until web-server-01"), "{done:#?}");
    let state = host.provider.state();
    assert_eq!(state["servers"][0]["status"], "active", "{done:#?}");
    let status = host.run(&["status", "--json"]).json();
    assert_eq!(status["debts"], json!([]), "{status:#}");
    host.refuses(&["release", "debt", "web-server-01"], 2, &["nothing is owed to server web-server-01"]);
    host.refuses(&["release", "debt", "nobody"], 2, &["there is no server nobody"]);
}

#[test]
fn what_is_owed_to_a_server_is_shown_and_can_be_released() {
    let host = Host::new(&["--servers", "1", "--slow-shutdown", "1h"]);
    stops_its_server(&host);
    let mut run = Running::start(&mut host.command(&["run"]));
    run.says("waiting until web-server-01");
    assert_eq!(run.terminate().0, 5);
    let status = host.run(&["status", "--json"]).ends_with(2).json();
    assert_eq!(status["level"], "critical", "{status:#}");
    assert_eq!(
        (&status["debts"][0]["what"], &status["debts"][0]["run"]),
        (&json!("start"), &json!(null)),
        "{status:#}"
    );
    assert!(status["incidents"].to_string().contains("lastgood release debt web-server-01"), "{status:#}");
    let shown = host.run(&["status"]).ends_with(2);
    assert!(shown.stdout.contains("to be started since"), "{shown:#?}");
    let done = host.run(&["release", "debt", "web-server-01", "--reason", "it is broken"]).ends_with(0);
    assert!(done.stdout.contains("is left as it is"), "{done:#?}");
    let status = host.run(&["status", "--json"]).json();
    assert!(!status["incidents"].to_string().contains("server_stopped"), "{status:#}");
    host.refuses(&["release", "debt", "web-server-01"], 2, &["nothing is owed"]);
}
