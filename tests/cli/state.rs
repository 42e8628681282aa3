//! A state folder that cannot be used, or ceases to be usable during a run: a clear sentence, the documented exit
//! code, no restore point deleted, none made that is not recorded, no server left standing. Full disks are played by the
//! kernel: a limit on the size of files, and (for root) a small file system of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lastgood::store::{DATABASE, Store};
use serde_json::{Value, json};

use crate::lab::{Done, LASTGOOD, Lab, finish};

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
    let lab = Lab::new(&[]);
    lab.provider.person_makes_snapshot("web-server-01", "by-hand", 60);
    let before = files(lab.folder.path());
    for command in LOOKING {
        lab.run(command).ends_with(0);
        assert_eq!(files(lab.folder.path()), before, "{command:?}");
    }
    for (command, code) in [(&["status"], 3), (&["history"], 7)] {
        lab.run(command).ends_with(code);
        assert_eq!(files(lab.folder.path()), before, "{command:?}");
    }
}

#[test]
fn looking_at_a_state_leaves_it_as_it_is_and_sees_what_it_holds() {
    let lab = Lab::new(&["--servers", "1"]);
    let id = lab.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    lab.run(&["hold", "snapshot", &id, "--reason", "audit"]).ends_with(0);
    let before = files(&lab.path("state"));
    assert!(before.contains_key(&lab.path("state/lastgood.db")));
    for command in LOOKING {
        lab.run(command).ends_with(0);
        assert_eq!(files(&lab.path("state")), before, "{command:?}");
    }
    let listed = lab.run(&["list", "snapshots", "--json"]).ends_with(0).json();
    assert_eq!(listed["snapshots"][0]["held"], true);
}

#[test]
fn people_read_whole_seconds_in_the_history_and_programs_all_digits() {
    let lab = Lab::new(&["--servers", "1"]);
    lab.run(&["run"]).ends_with(0);
    let told = lab.run(&["history"]).ends_with(0).stdout;
    assert!(told.contains("by hand") && !told.contains('.'), "{told}");
    let json = lab.run(&["history", "--json"]).ends_with(0).json();
    assert!(json["runs"][0]["started"].as_str().unwrap().contains('.'), "{json:#}");
}

#[test]
fn a_hold_or_release_of_what_is_not_there_makes_no_state() {
    let lab = Lab::new(&["--automatic", "1"]);
    let automatic = lab.run(&["list", "backups", "--json"]).ends_with(0).json()["backups"][0]["id"].to_string();
    let before = files(lab.folder.path());
    lab.refuses(&["hold", "backup", "99"], 2, &["there is no backup 99", "lastgood list backups"]);
    lab.refuses(&["hold", "snapshot", "99"], 2, &["there is no snapshot 99", "lastgood list snapshots"]);
    lab.refuses(&["hold", "server", "db-9"], 2, &["there is no server db-9", "lastgood list servers"]);
    lab.refuses(&["hold", "backup", &automatic], 2, &["automatic"]);
    lab.refuses(&["release", "backup", "99"], 7, &["state"]);
    lab.refuses(&["delete", "snapshot", "99", "--yes"], 2, &["there is no snapshot 99"]);
    lab.refuses(&["restore", "snapshot", "99", "--yes"], 2, &["there is no snapshot 99"]);
    assert_eq!(files(lab.folder.path()), before);
    let point = lab.provider.person_makes_snapshot("web-server-01", "by-hand", 60).to_string();
    lab.run(&["hold", "snapshot", &point]).ends_with(0);
    assert!(lab.path("state/lastgood.db").exists(), "what is there is held, and its state made");
}

/// Commands that need the state, with the id of a point of ours.
fn users(id: &str) -> Vec<Vec<&str>> {
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

/// A lab with two points of ours, one of which the next run would drop, and a closed state.
fn used() -> (Lab, String) {
    let lab = Lab::new(&["--servers", "1"]);
    lab.run(&["run"]).ends_with(0);
    let id = lab.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    (lab, id)
}

#[test]
fn a_damaged_database_ends_with_7_and_nothing_is_deleted() {
    let (lab, id) = used();
    let file = lab.path("state").join(DATABASE);
    let whole = std::fs::read(&file).unwrap();
    let noise: Vec<u8> = (0..whole.len()).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect();
    let short = whole[..whole.len() / 2].to_vec();
    let mut holed = whole.clone();
    // Its first page alone is whole.
    holed[4096..].iter_mut().for_each(|byte| *byte = 0x5a);
    for bytes in [noise, short, holed] {
        std::fs::write(&file, bytes).unwrap();
        for command in users(&id) {
            lab.refuses(&command, 7, &["state/lastgood.db", "restore it from a copy", "move it"]);
        }
        lab.refuses(&["status"], 3, &["state/lastgood.db", "restore it from a copy"]);
    }
    std::fs::write(&file, whole).unwrap();
    lab.run(&["run"]).ends_with(0);
}

#[test]
fn a_newer_database_ends_with_7_and_stays_as_it_is() {
    let (lab, id) = used();
    let file = lab.path("state").join(DATABASE);
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&file).unwrap();
    for command in users(&id) {
        lab.refuses(&command, 7, &["state", "newer lastgood", "99", "upgrade lastgood"]);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn garbage_after_a_kill_in_the_log_of_the_database_deletes_nothing_and_doubles_nothing() {
    let (lab, _) = used();
    // The log as kill -9 leaves it, then overwritten from its middle on.
    let store = Store::beside_or_new(&lab.path("state")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.set_fact("test", Some("x".repeat(9000)))).unwrap();
    let log = lab.path("state/lastgood.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let database = std::fs::read(lab.path("state").join(DATABASE)).unwrap();
    drop(store);
    let half = bytes.len() / 2;
    bytes[half..].iter_mut().for_each(|byte| *byte = 0x5a);
    std::fs::write(lab.path("state").join(DATABASE), database).unwrap();
    std::fs::write(&log, bytes).unwrap();
    lab.run(&["plan"]).ends_with(0);
    assert_eq!(lab.provider.tally().1, 2);
    lab.run(&["run"]).ends_with(0);
    every_point_is_in_the_history(&lab, "web-server-01", &[]);
}

#[test]
fn a_folder_without_permission_ends_with_7() {
    let (lab, id) = used();
    for (mode, path) in [("000", "state"), ("500", "state"), ("000", "state/lastgood.db")] {
        chmod(&lab, mode, path);
        for command in users(&id) {
            // One that only looks, or writes into the file alone, may do so in a folder that is read-only.
            let writes = ["run", "daemon"].contains(&command[0]) || mode == "000";
            let before = lab.provider.tally();
            let done = unprivileged(&lab, &command);
            if writes {
                let done = done.ends_with(7);
                let sentence = done.sentence();
                assert!(sentence.contains("state") && sentence.contains("writable for this user"), "{sentence}");
                assert_eq!(lab.provider.tally(), before, "{command:?}");
            }
            if before != lab.provider.tally() {
                break; // A delete by hand was carried out, as it was asked for.
            }
        }
        chmod(&lab, if path == "state" { "700" } else { "600" }, path);
    }
}

fn chmod(lab: &Lab, mode: &str, path: &str) {
    assert!(Command::new("chmod").args([mode, path]).current_dir(lab.folder.path()).status().unwrap().success());
}

/// Runs the program as a user whom modes stop: root without its privilege to pass them by, or whoever we are.
fn unprivileged(lab: &Lab, arguments: &[&str]) -> Done {
    if !is_root() {
        return lab.run(arguments);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--", LASTGOOD]).args(arguments);
    finish(command.current_dir(lab.folder.path()).env("HOME", lab.folder.path()).stdin(Stdio::null()))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim() == "0"
}

/// The program in the lab's folder, under a limit on how large a file may become: what is beyond it fails as it does on
/// a full disk.
fn limited(lab: &Lab, bytes: u64, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512);
    command.args(["-c", &script, LASTGOOD]).args(arguments).current_dir(lab.folder.path());
    command.env_clear().env("HOME", lab.folder.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null());
    command
}

fn server_status(lab: &Lab, server: &str) -> String {
    let state = lab.provider.control("GET", "state", &Value::Null);
    let servers = state["servers"].as_array().unwrap();
    let found = servers.iter().find(|one| one["spec"]["name"] == server).unwrap();
    found["status"].as_str().unwrap().to_owned()
}

/// Until the server runs: starting takes its time at the provider.
#[track_caller]
fn runs_again(lab: &Lab, server: &str, context: &str) {
    let seen = (0..2000).map(|_| server_status(lab, server)).find(|status| status == "active");
    assert!(seen.is_some(), "{context}: {server} stands still: {}", server_status(lab, server));
}

fn points_of(lab: &Lab, server: &str) -> Vec<String> {
    let state = lab.provider.control("GET", "state", &Value::Null);
    let of = |point: &&Value| point["server_name"] == server;
    let mut ids: Vec<String> =
        state["snapshots"].as_array().unwrap().iter().filter(of).map(|point| point["id"].to_string()).collect();
    ids.sort();
    ids
}

/// What the provider has of ours is what the journal says it made and did not delete: nothing lost, nothing doubled.
#[track_caller]
fn every_point_is_in_the_history(lab: &Lab, server: &str, flags: &[&str]) -> Value {
    let history = lab.run(&[&["history", "--json", "--limit", "1000"], flags].concat()).ends_with(0).json();
    let runs = history["runs"].as_array().unwrap();
    let ids = |value: &Value| value.as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    let deleted: Vec<String> = runs.iter().flat_map(|run| ids(&run["deleted"])).collect();
    let made = runs.iter().filter(|run| !run["created"].is_null()).map(|run| run["created"].to_string());
    let mut left: Vec<String> = made.filter(|id| !deleted.contains(id)).collect();
    left.sort();
    assert_eq!(points_of(lab, server), left, "{history:#}");
    history
}

/// How large the sweep's files may become: each size lets another write of the run be the first that fails.
const SIZES: std::ops::Range<u64> = 0..36;

#[test]
fn a_disk_that_fills_up_at_any_write_of_a_run_loses_nothing() {
    let lab = Lab::new(&["--servers", &SIZES.end.to_string(), "--power", "20ms"]);
    let next = std::sync::atomic::AtomicU64::new(SIZES.start);
    let ended = std::sync::Mutex::new(BTreeMap::new());
    // Most of the time is waiting, so six of them wait at once.
    std::thread::scope(|threads| {
        for _ in 0..6 {
            threads.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                    .filter(|number| SIZES.contains(number))
                {
                    let code = fills_up(&lab, number);
                    ended.lock().unwrap().insert(number, code);
                }
            });
        }
    });
    let ended = ended.into_inner().unwrap();
    let failed = ended.values().filter(|code| **code == 7).count();
    assert!(failed >= 10, "few writes failed: {ended:?}");
    assert!(ended.values().rev().take(2).all(|code| *code == 0), "the largest files were too small: {ended:?}");
    let record = lab.provider.control("GET", "record", &Value::Null).to_string();
    assert!(record.contains("\"action\":\"stop\""), "no server was stopped");
}

/// Stops a server, makes a snapshot and starts it again under a limit; then once more without one. Returns how the first
/// ended.
fn fills_up(lab: &Lab, number: u64) -> i32 {
    let server = format!("web-server-{:02}", number + 1);
    let (state, file) = (format!("state-{number}"), format!("policy-{number}.toml"));
    let text = std::fs::read_to_string(lab.path("policy.toml")).unwrap();
    // What was on its way when the journal failed is waited for: briefly.
    let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
    let text = text.replace("dir = \"state\"", &format!("dir = \"{state}\""));
    lab.write_private(&file, &text.replace("retries = 0", "retries = 0\nstop_server = true"));
    drop(Store::beside_or_new(&lab.path(&state)).unwrap());
    let bytes = 32_768 + 6144 * number;
    let run = ["run", "--server", &server, "--config", &file];
    let done = finish(&mut limited(lab, bytes, &run));
    let context = format!("{bytes} bytes: {done:#?}");
    if done.code != 0 {
        assert_eq!(done.code, 7, "{context}");
        assert!(done.stderr.contains(&format!("{state}/{DATABASE}")), "{context}");
        assert!(done.stderr.contains("look whether its disk is full"), "{context}");
    }
    // Of all that was sent, the stop alone must be undone at once.
    runs_again(lab, &server, &context);
    assert!(points_of(lab, &server).len() <= 1, "{context}");
    // Room again.
    lab.run(&run).ends_with(0);
    let history = every_point_is_in_the_history(lab, &server, &["--config", &file]);
    let runs = history["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["outcome"] == "succeeded"), "{context}: {history:#}");
    assert!((1..=2).contains(&runs.len()), "{context}: {history:#}");
    runs_again(lab, &server, &context);
    done.code
}

#[test]
fn a_disk_that_fills_up_under_several_runs_leaves_no_server_standing() {
    let (mut stops, mut full) = (0, 0);
    for bytes in [300_000, 380_000, 460_000] {
        let lab = Lab::new(&["--servers", "6", "--power", "20ms"]);
        let text = std::fs::read_to_string(lab.path("policy.toml")).unwrap();
        let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
        lab.write_private("policy.toml", &text.replace("retries = 0", "retries = 0\nstop_server = true"));
        drop(Store::beside_or_new(&lab.path("state")).unwrap());
        let done = finish(&mut limited(&lab, bytes, &["run"]));
        let context = format!("{bytes} bytes: {done:#?}");
        assert!([0, 7].contains(&done.code), "{context}");
        full += usize::from(done.code == 7);
        let record = lab.provider.control("GET", "record", &Value::Null).to_string();
        stops += record.matches("\"action\":\"stop\"").count();
        for number in 1..=6 {
            runs_again(&lab, &format!("web-server-{number:02}"), &context);
        }
        // The cut-off runs are taken up; what is left of the policy is one point each, or two.
        let done = lab.run(&["run", "--json"]).ends_with(0);
        assert!(done.json()["runs"].as_array().unwrap().iter().all(|run| run["outcome"] == "succeeded"), "{done:#?}");
        for number in 1..=6 {
            let server = format!("web-server-{number:02}");
            every_point_is_in_the_history(&lab, &server, &["--server", &server]);
            runs_again(&lab, &server, &context);
        }
    }
    assert!(full > 0 && stops >= 3, "{full} met the full disk, {stops} servers were stopped");
}

/// `lastgood daemon` as a child, whose log is read line by line.
pub struct Service {
    child: Child,
    log: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Service {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log }
    }

    /// Reads its log up to a line with these words.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let said = self.log.by_ref().map(Result::unwrap).find(|line| line.contains(words));
        assert!(said.is_some(), "it ended without: {words}");
    }

    fn end(mut self) -> (i32, String) {
        let rest: Vec<String> = self.log.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code().unwrap(), rest.join("\n"))
    }

    pub fn terminate(self) -> (i32, String) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.end()
    }
}

#[test]
fn two_daemons_on_one_folder_are_one() {
    let lab = Lab::new(&["--servers", "1"]);
    lab.policy("schedule = \"* * * * * *\"");
    let mut service = Service::start(&mut lab.command(&["daemon"]));
    service.says("succeeded");
    for command in [["daemon"].as_slice(), &["run"], &["run", "--json"]] {
        let done = lab.run(command).ends_with(6);
        assert!(done.sentence().contains("another lastgood is using the state folder"), "{done:#?}");
        assert!(done.sentence().contains("[state] dir"), "{done:#?}");
    }
    lab.run(&["history"]).ends_with(0);
    assert_eq!(service.terminate().0, 0);
    every_point_is_in_the_history(&lab, "web-server-01", &[]);
}

#[test]
fn a_disk_that_fills_up_under_the_daemon_ends_it_with_7_and_the_next_start_goes_on() {
    let lab = Lab::new(&["--servers", "1", "--power", "20ms"]);
    lab.policy("schedule = \"* * * * * *\"");
    let text = std::fs::read_to_string(lab.path("policy.toml")).unwrap();
    let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
    lab.write_private("policy.toml", &text.replace("retries = 0", "retries = 0\nstop_server = true"));
    for round in 0..3 {
        let bytes = 150_000 + round * 50_000;
        let (code, rest) = Service::start(&mut limited(&lab, bytes, &["daemon"])).end();
        assert_eq!(code, 7, "{rest}");
        assert!(rest.contains("state/lastgood.db") && rest.contains("look whether its disk is full"), "{rest}");
        runs_again(&lab, "web-server-01", &rest);
    }
    let mut service = Service::start(&mut lab.command(&["daemon"]));
    service.says("succeeded");
    service.says("succeeded");
    let (code, rest) = service.terminate();
    assert_eq!(code, 0, "{rest}");
    // What the way out has left open is taken up, so that the history is whole.
    lab.run(&["run"]).ends_with(0);
    let history = every_point_is_in_the_history(&lab, "web-server-01", &[]);
    let runs = history["runs"].as_array().unwrap();
    let mut due: Vec<&str> = runs.iter().filter_map(|run| run["due"].as_str()).collect();
    let all = due.len();
    due.dedup();
    assert_eq!(due.len(), all, "a due time came twice: {history:#}");
}

/// A file system of its own on a folder of the lab, until it is dropped. Only root can have one: what needs one is left
/// out for everybody else.
struct Small<'a>(&'a Lab);

impl<'a> Small<'a> {
    fn new(lab: &'a Lab, size: &str) -> Option<Self> {
        std::fs::create_dir(lab.path("state")).unwrap();
        std::fs::set_permissions(lab.path("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let options = format!("size={size},mode=700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(lab.path("state"))
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(lab))
    }

    fn remount(&self, options: &str) {
        let path = self.0.path("state");
        assert!(Command::new("mount").args(["-o", options]).arg(path).status().unwrap().success());
    }

    /// Leaves so much room.
    fn fill(&self, left: usize) {
        let filler = self.0.path("state/filler");
        let _ = std::fs::remove_file(&filler);
        let mut size = 4 << 20;
        while size > 0 && std::fs::write(&filler, vec![0; size]).is_err() {
            size -= 4096;
        }
        std::fs::write(&filler, vec![0; size.saturating_sub(left)]).unwrap();
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.path("state/filler")).unwrap();
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // Lazily: a child that a failed test has left may still be in it.
        let _ = Command::new("umount").arg("-l").arg(self.0.path("state")).status();
    }
}

#[test]
fn a_disk_that_is_full_ends_with_7_and_what_to_do_and_goes_on_when_there_is_room() {
    let lab = Lab::new(&["--servers", "1"]);
    let Some(disk) = Small::new(&lab, "1m") else { return };
    disk.fill(0);
    for command in [["run"].as_slice(), &["daemon"]] {
        lab.refuses(command, 7, &["state", "make room on its disk"]);
    }
    disk.empty();
    let mut full = 0;
    for left in (0..20).map(|step| step * 16_384) {
        disk.fill(left);
        let done = lab.run(&["run"]);
        if done.code != 0 {
            full += 1;
            let done = done.ends_with(7);
            let advice = ["make room on its disk", "look whether its disk is full"];
            assert!(advice.iter().any(|words| done.stderr.contains(words)), "{left}: {done:#?}");
            assert!(done.stderr.contains("state"), "{left}: {done:#?}");
        }
        disk.empty();
        lab.run(&["run"]).ends_with(0);
        let history = every_point_is_in_the_history(&lab, "web-server-01", &[]);
        assert!(history["runs"].as_array().unwrap().iter().all(|run| run["outcome"] == "succeeded"), "{history:#}");
        // The run that was cut off and the new one may each have counted without the other's point.
        assert!(points_of(&lab, "web-server-01").len() <= 3, "{history:#}");
    }
    assert!(full >= 3, "{full} of 20 met the full disk");
    lab.run(&["run"]).ends_with(0);
    assert_eq!(points_of(&lab, "web-server-01").len(), 2);
}

#[test]
fn a_server_that_stands_still_is_started_though_the_disk_is_full_at_the_next_start() {
    let lab = Lab::new(&["--servers", "1", "--power", "20ms"]);
    let Some(disk) = Small::new(&lab, "2m") else { return };
    let text = std::fs::read_to_string(lab.path("policy.toml")).unwrap();
    let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
    lab.write_private("policy.toml", &text.replace("retries = 0", "retries = 0\nstop_server = true"));
    for command in [&["run"], &["daemon"]] {
        // The stop is let through, every start fails.
        let fault = json!({ "call": "power", "skip": 1, "effect": { "do": "status", "code": 500 } });
        lab.provider.control("POST", "faults", &fault);
        let mut run = Service::start(&mut lab.command(&["run"]));
        run.says("could not be started again yet");
        run.child.kill().unwrap();
        run.child.wait().unwrap();
        assert_eq!(server_status(&lab, "web-server-01"), "stopped");
        lab.provider.control("DELETE", "faults", &Value::Null);
        disk.fill(0);
        let done = lab.run(command).ends_with(7);
        assert!(done.stderr.contains("make room on its disk"), "{done:#?}");
        runs_again(&lab, "web-server-01", &format!("{command:?}"));
        disk.empty();
        lab.run(&["run"]).ends_with(0);
        every_point_is_in_the_history(&lab, "web-server-01", &[]);
        runs_again(&lab, "web-server-01", "at the end");
    }
}

#[test]
fn a_read_only_disk_ends_with_7() {
    let lab = Lab::new(&["--servers", "1"]);
    let Some(disk) = Small::new(&lab, "4m") else { return };
    disk.remount("remount,ro");
    for command in [["run"].as_slice(), &["daemon"], &["hold", "server", "web-server-01"]] {
        lab.refuses(command, 7, &["state", "writable for this user"]);
    }
    lab.run(&["plan"]).ends_with(0);
    disk.remount("remount,rw");
    let id = lab.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    disk.remount("remount,ro");
    for command in users(&id) {
        lab.refuses(&command, 7, &["state", "writable for this user", "[state] dir"]);
    }
    disk.remount("remount,rw");
    lab.run(&["run"]).ends_with(0);
    assert_eq!(points_of(&lab, "web-server-01").len(), 2);
    assert_eq!(json!(lab.provider.tally().1), json!(2));
}
