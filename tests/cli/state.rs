//! A state folder that cannot be used, or that is damaged: a clear sentence, the documented exit code, no restore point
//! deleted, none created that is not recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lastgood::seams::store::{DATABASE, Store};

use crate::account::every_point_is_in_the_history;
use crate::running::Running;
use crate::support::folder::LASTGOOD;
use crate::support::host::Host;
use crate::support::program::{Done, finish};

/// Every file below a folder with what is in it.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

const LOOKING: [&[&str]; 7] = [
    &["plan"],
    &["plan", "--json"],
    &["run", "--dry-run"],
    &["list", "servers"],
    &["list", "snapshots"],
    &["check"],
    &["check", "--online"],
];

#[test]
fn looking_makes_no_file_and_no_folder() {
    let host = Host::new(&[]);
    host.provider.person_makes_snapshot("web-server-01", "by-hand", 60);
    let before = files(host.folder.root());
    for command in LOOKING {
        host.run(command).ends_with(0);
        assert_eq!(files(host.folder.root()), before, "{command:?}");
    }
    for (command, code) in [(&["status"], 3), (&["history"], 7)] {
        host.run(command).ends_with(code);
        assert_eq!(files(host.folder.root()), before, "{command:?}");
    }
}

#[test]
fn looking_at_a_state_leaves_it_as_it_is_and_sees_what_it_holds() {
    let host = Host::new(&["--servers", "1"]);
    let id = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    host.run(&["hold", "snapshot", &id, "--reason", "audit"]).ends_with(0);
    let before = files(&host.path("state"));
    assert!(before.contains_key(&host.path("state/lastgood.db")));
    for command in LOOKING {
        host.run(command).ends_with(0);
        assert_eq!(files(&host.path("state")), before, "{command:?}");
    }
    let listed = host.run(&["list", "snapshots", "--json"]).ends_with(0).json();
    assert_eq!(listed["snapshots"][0]["held"], true);
}

#[test]
fn people_read_whole_seconds_in_the_history_and_programs_all_digits() {
    let host = Host::new(&["--servers", "1"]);
    host.run(&["run"]).ends_with(0);
    let reported = host.run(&["history"]).ends_with(0).stdout;
    assert!(reported.contains("by hand") && !reported.contains('.'), "{reported}");
    let json = host.run(&["history", "--json"]).ends_with(0).json();
    assert!(json["runs"][0]["started"].as_str().unwrap().contains('.'), "{json:#}");
}

#[test]
fn a_hold_or_release_of_what_is_not_there_makes_no_state() {
    let host = Host::new(&["--automatic", "1"]);
    let automatic = host.run(&["list", "backups", "--json"]).ends_with(0).json()["backups"][0]["id"].to_string();
    let before = files(host.folder.root());
    host.refuses(&["hold", "backup", "99"], 2, &["there is no backup 99", "lastgood list backups"]);
    host.refuses(&["hold", "snapshot", "99"], 2, &["there is no snapshot 99", "lastgood list snapshots"]);
    host.refuses(&["hold", "server", "db-9"], 2, &["there is no server db-9", "lastgood list servers"]);
    host.refuses(&["hold", "backup", &automatic], 2, &["automatic"]);
    host.refuses(&["release", "backup", "99"], 7, &["state"]);
    host.refuses(&["delete", "snapshot", "99", "--yes"], 2, &["there is no snapshot 99"]);
    host.refuses(&["restore", "snapshot", "99", "--yes"], 2, &["there is no snapshot 99"]);
    assert_eq!(files(host.folder.root()), before);
    let point = host.provider.person_makes_snapshot("web-server-01", "by-hand", 60).to_string();
    host.run(&["hold", "snapshot", &point]).ends_with(0);
    assert!(host.path("state/lastgood.db").exists(), "what is there is held, and its state made");
}

/// Commands that need the state, with the id of a point of ours.
pub fn users(id: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["run"],
        vec!["daemon"],
        vec!["plan"],
        vec!["list", "snapshots"],
        vec!["history"],
        vec!["hold", "snapshot", id],
        vec!["release", "snapshot", id],
        vec!["delete", "snapshot", id, "--yes"],
        vec!["restore", "snapshot", id, "--yes"],
    ]
}

/// A host with two points of ours, one of which the next run would drop.
fn used() -> (Host, String) {
    let host = Host::new(&["--servers", "1"]);
    host.run(&["run"]).ends_with(0);
    let id = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    (host, id)
}

#[test]
fn a_damaged_database_ends_with_7_and_nothing_is_deleted() {
    let (host, id) = used();
    let file = host.path("state").join(DATABASE);
    let whole = std::fs::read(&file).unwrap();
    let noise: Vec<u8> = (0..whole.len()).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect();
    let short = whole[..whole.len() / 2].to_vec();
    let mut holed = whole.clone();
    // Only its first page is intact.
    holed[4096..].iter_mut().for_each(|byte| *byte = 0x5a);
    for bytes in [noise, short, holed] {
        std::fs::write(&file, bytes).unwrap();
        for command in users(&id) {
            host.refuses(&command, 7, &["state/lastgood.db", "restore it from a copy", "move it"]);
        }
        host.refuses(&["status"], 3, &["state/lastgood.db", "restore it from a copy"]);
    }
    std::fs::write(&file, whole).unwrap();
    host.run(&["run"]).ends_with(0);
}

#[test]
fn a_newer_database_ends_with_7_and_stays_as_it_is() {
    let (host, id) = used();
    let file = host.path("state").join(DATABASE);
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&file).unwrap();
    for command in users(&id) {
        host.refuses(&command, 7, &["state", "newer lastgood", "99", "upgrade lastgood"]);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn garbage_after_a_kill_in_the_log_of_the_database_deletes_nothing_and_doubles_nothing() {
    let (host, _) = used();
    // The log as `kill -9` leaves it, with its second half overwritten.
    let store = Store::beside_or_new(&host.path("state")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.set_fact("test", Some("x".repeat(9000)))).unwrap();
    let log = host.path("state/lastgood.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let database = std::fs::read(host.path("state").join(DATABASE)).unwrap();
    drop(store);
    let half = bytes.len() / 2;
    bytes[half..].iter_mut().for_each(|byte| *byte = 0x5a);
    std::fs::write(host.path("state").join(DATABASE), database).unwrap();
    std::fs::write(&log, bytes).unwrap();
    host.run(&["plan"]).ends_with(0);
    assert_eq!(host.provider.tally().1, 2);
    host.run(&["run"]).ends_with(0);
    every_point_is_in_the_history(&host, "web-server-01", &[]);
}

#[test]
fn a_folder_without_permission_ends_with_7() {
    let (host, id) = used();
    for (mode, path) in [("000", "state"), ("500", "state"), ("000", "state/lastgood.db")] {
        chmod(&host, mode, path);
        for command in users(&id) {
            // Commands that only read, or write only into the file, work in a read-only folder.
            let writes = ["run", "daemon"].contains(&command[0]) || mode == "000";
            let before = host.provider.tally();
            let done = unprivileged(&host, &command);
            if writes {
                let done = done.ends_with(7);
                let sentence = done.sentence();
                assert!(sentence.contains("state") && sentence.contains("writable for this user"), "{sentence}");
                assert_eq!(host.provider.tally(), before, "{command:?}");
            }
            if before != host.provider.tally() {
                break; // A delete by hand was carried out, as requested.
            }
        }
        chmod(&host, if path == "state" { "700" } else { "600" }, path);
    }
}

fn chmod(host: &Host, mode: &str, path: &str) {
    assert!(Command::new("chmod").args([mode, path]).current_dir(host.folder.root()).status().unwrap().success());
}

/// Runs the program as a user bound by file modes: root without that privilege, or the user of the tests.
fn unprivileged(host: &Host, arguments: &[&str]) -> Done {
    if !is_root() {
        return host.run(arguments);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--", LASTGOOD]).args(arguments);
    finish(command.current_dir(host.folder.root()).env("HOME", host.folder.root()).stdin(Stdio::null()))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim() == "0"
}

#[test]
fn two_daemons_on_one_folder_are_one() {
    let host = Host::new(&["--servers", "1"]);
    host.replace_line("schedule = \"* * * * * *\"");
    let mut service = Running::start(&mut host.command(&["daemon"]));
    service.says("succeeded");
    for command in [["daemon"].as_slice(), &["run"], &["run", "--json"]] {
        let done = host.run(command).ends_with(6);
        assert!(done.sentence().contains("another lastgood is using the state folder"), "{done:#?}");
        assert!(done.sentence().contains("[state] dir"), "{done:#?}");
    }
    host.run(&["history"]).ends_with(0);
    assert_eq!(service.terminate().0, 0);
    every_point_is_in_the_history(&host, "web-server-01", &[]);
}
