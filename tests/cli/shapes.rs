//! The `--json` documents: a contract, also when the exit code is not 0. And the helps.

use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::host::Host;

/// Every key of the object is there; more may be.
#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    for key in keys {
        assert!(object.contains_key(*key), "`{key}` is missing in {value:#}");
    }
}

#[track_caller]
fn is_server_one(value: &Value) {
    assert_eq!(*value, json!({ "id": 12345, "name": "web-server-01" }));
}

const RUN: [&str; 10] =
    ["run", "server", "policy", "kind", "due", "outcome", "created", "deleted", "error", "attempts"];

#[test]
fn plan_run_history_status_and_list_have_the_documented_shapes() {
    let host = Host::new(&["--servers", "1"]);
    host.provider.person_makes_snapshot("web-server-01", "by-hand", 3600);
    let plan = host.run(&["plan", "--json"]).ends_with(0).json();
    has_keys(&plan, &["at", "plans"]);
    let plan = &plan["plans"][0];
    has_keys(plan, &["server", "policy", "kind", "slots", "actions", "points", "refused"]);
    is_server_one(&plan["server"]);
    has_keys(&plan["slots"], &["limit", "used", "own", "foreign", "held"]);
    has_keys(&plan["actions"][0], &["do", "id", "why"]);
    assert_eq!(plan["actions"][0]["do"], "create");
    has_keys(&plan["points"][0], &["id", "status", "created_at", "own", "keep", "why"]);
    assert!(plan["points"][0]["why"][0].is_string() && plan["refused"].is_null(), "{plan:#}");

    let run = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0].clone();
    has_keys(&run, &RUN);
    is_server_one(&run["server"]);
    assert_eq!((&run["due"], &run["outcome"], &run["error"]), (&Value::Null, &json!("succeeded"), &Value::Null));
    assert!(run["created"].is_i64() && run["deleted"] == json!([]) && run["attempts"] == 1, "{run:#}");

    let past = host.run(&["history", "--json"]).ends_with(0).json()["runs"][0].clone();
    has_keys(&past, &RUN);
    has_keys(&past, &["started", "ended", "steps"]);
    has_keys(&past["steps"][0], &["do", "id", "state", "at", "error"]);
    assert_eq!(past["steps"][0]["id"], run["created"]);

    let status = host.run(&["status", "--json"]).ends_with(0).json();
    has_keys(&status, &["at", "level", "policies", "unprotected", "incidents", "debts", "outbox"]);
    has_keys(&status["outbox"], &["waiting", "oldest"]);
    let one = &status["policies"][0];
    let keys =
        ["server", "policy", "kind", "last_good", "age_seconds", "max_age_seconds", "next_due", "slots", "state"];
    has_keys(one, &keys);
    has_keys(&one["last_good"], &["id", "created_at"]);
    assert_eq!((&status["level"], &one["state"]), (&json!("ok"), &json!("ok")));
    assert_eq!(one["last_good"]["id"], run["created"]);

    for (what, keys) in [("servers", ["id", "name", "own", "held"]), ("snapshots", ["id", "server", "own", "held"])] {
        has_keys(&host.run(&["list", what, "--json"]).ends_with(0).json()[what][0], &keys);
    }
    let backups = host.run(&["list", "backups", "--json", "--type", "manual"]).ends_with(0).json();
    assert_eq!(backups, json!({ "backups": [] }));
}

#[test]
fn schedule_and_retention_need_no_policy_file() {
    let folder = Folder::new();
    let schedule = ["schedule", "30 2 * * *", "--timezone", "Europe/Istanbul", "--from", "2026-11-21T00:00:00Z"];
    let done = folder.run(&[&schedule[..], &["--count", "2", "--json"]].concat()).ends_with(0);
    assert_eq!(done.json(), json!({ "times": ["2026-11-22T02:30:00+03:00", "2026-11-23T02:30:00+03:00"] }));

    std::fs::write(folder.path("times"), "2026-11-20T02:30:00Z\n2026-11-21T02:30:00Z\n").unwrap();
    let done = folder.run(&["retention", "--keep", "last=1", "--json", "times"]).ends_with(0);
    let points = done.json()["points"].clone();
    has_keys(&points[0], &["time", "keep", "why"]);
    let brief = |point: &Value| (point["time"].clone(), point["keep"].clone());
    assert_eq!(brief(&points[0]), (json!("2026-11-21T02:30:00Z"), json!(true)));
    assert_eq!(brief(&points[1]), (json!("2026-11-20T02:30:00Z"), json!(false)));
}

#[test]
fn a_command_that_fails_prints_a_document_all_the_same() {
    let host = Host::new(&[]);
    host.write_private("bad.toml", "[policy.x]\n");
    for (command, code, list) in [
        (["history", "--json"].as_slice(), 7, "runs"),
        (&["plan", "--json", "--config", "nowhere.toml"], 3, "plans"),
        (&["run", "--json", "--config", "bad.toml"], 3, "runs"),
        (&["run", "--dry-run", "--json", "--server", "db-9"], 2, "plans"),
        (&["list", "backups", "--json", "--config", "nowhere.toml"], 3, "backups"),
        (&["list", "servers", "--json", "--server", "db-9"], 2, "servers"),
        (&["schedule", "soon", "--json"], 2, "times"),
        (&["retention", "--keep", "x=1", "--json", "nowhere"], 2, "points"),
        (&["status", "--json", "--config", "nowhere.toml"], 3, "policies"),
    ] {
        let document = host.run(command).ends_with(code).json();
        assert_eq!(document[list], json!([]), "{command:?}: {document:#}");
        assert!(document["error"].as_str().is_some_and(|error| !error.is_empty()), "{command:?}: {document:#}");
    }
    let document = host.run(&["check", "--json", "--config", "bad.toml"]).ends_with(3).json();
    assert_eq!(document["valid"], false);
    assert!(document["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{document:#}");
    assert!(host.run(&["plan", "--json", "--polcy", "x"]).ends_with(2).json()["error"].is_string());
}

#[test]
fn a_run_that_fails_ends_with_5_and_says_why_in_json() {
    let host = Host::new(&["--servers", "2"]);
    for number in 1..=5 {
        host.provider.person_makes_snapshot("web-server-01", &format!("by-hand-{number}"), number * 3600);
    }
    let done = host.run(&["run", "--json"]).ends_with(5);
    let runs = done.json()["runs"].clone();
    let outcome = |name: &str| {
        let runs = runs.as_array().unwrap();
        runs.iter().find(|run| run["server"]["name"] == name).unwrap().clone()
    };
    assert_eq!(outcome("web-server-02")["outcome"], "succeeded");
    let failed = outcome("web-server-01");
    assert_eq!((&failed["outcome"], &failed["created"]), (&json!("failed"), &Value::Null));
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("limit reached") && error.contains("by-hand-5"), "{error}");
    // Plan and run give the same reason.
    let plan = host.run(&["plan", "--json", "--server", "web-server-01"]).ends_with(0).json();
    assert_eq!(plan["plans"][0]["refused"], error);
    // Monitoring sees it, and it was mailed before the command ended.
    assert_eq!(host.run(&["status", "--json"]).ends_with(2).json()["level"], "critical");
    let mails: Vec<_> = std::fs::read_dir(host.path("mail")).unwrap().map(|mail| mail.unwrap().file_name()).collect();
    assert!(mails.iter().any(|name| name.to_string_lossy().contains("failed-hourly-on-web-server-01")), "{mails:?}");
}

#[test]
fn status_without_a_state_is_unknown() {
    let host = Host::new(&[]);
    let done = host.run(&["status", "--json"]).ends_with(3);
    assert_eq!(done.json()["level"], "unknown");
}

#[test]
fn every_help_shows_an_example() {
    let folder = Folder::new();
    for command in [
        "init",
        "check",
        "plan",
        "run",
        "daemon",
        "status",
        "list",
        "delete",
        "restore",
        "hold",
        "release",
        "accept",
        "history",
        "schedule",
        "retention",
        "health",
        "schema",
        "completions",
        "man",
        "demo",
        "simulator",
    ] {
        let done = folder.run(&[command, "--help"]).ends_with(0);
        assert!(done.stdout.contains("Example") && done.stdout.contains(&format!("lastgood {command}")), "{done:#?}");
        let all = folder.run(&["--help"]).ends_with(0);
        assert!(all.stdout.contains(&format!("\n  {command} ")), "{command} is not in the list of commands");
    }
}
