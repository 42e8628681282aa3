//! A disk that is full, fills up during a run, or is read-only: the documented exit code, no restore point deleted, none
//! created that is not recorded, no server left stopped. Full disks are played by the kernel: a limit on the size of files,
//! and (for root) a small file system.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use lastgood::seams::store::{DATABASE, Store};
use serde_json::json;

use crate::account::{every_point_is_in_the_history, points_of, runs_again, server_status};
use crate::running::Running;
use crate::state::users;
use crate::support::folder::LASTGOOD;
use crate::support::host::Host;
use crate::support::program::finish;

/// The program in the host's folder, under a limit on how large a file may become: what is beyond it fails as it does on
/// a full disk.
fn limited(host: &Host, bytes: u64, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512);
    command.args(["-c", &script, LASTGOOD]).args(arguments).current_dir(host.folder.root());
    command.env_clear().env("HOME", host.folder.root()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null());
    command
}

/// How large the sweep's files may become: each size lets another write of the run be the first that fails.
const SIZES: std::ops::Range<u64> = 0..36;

#[test]
fn a_disk_that_fills_up_at_any_write_of_a_run_loses_nothing() {
    let host = Host::new(&["--servers", &SIZES.end.to_string(), "--power", "20ms"]);
    let next = std::sync::atomic::AtomicU64::new(SIZES.start);
    let ended = std::sync::Mutex::new(BTreeMap::new());
    // Most of the time is waiting, so six of them wait at once.
    std::thread::scope(|threads| {
        for _ in 0..6 {
            threads.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                    .filter(|number| SIZES.contains(number))
                {
                    let code = fills_up(&host, number);
                    ended.lock().unwrap().insert(number, code);
                }
            });
        }
    });
    let ended = ended.into_inner().unwrap();
    let failed = ended.values().filter(|code| **code == 7).count();
    assert!(failed >= 10, "few writes failed: {ended:?}");
    assert!(ended.values().rev().take(2).all(|code| *code == 0), "the largest files were too small: {ended:?}");
    let record = host.provider.record().to_string();
    assert!(record.contains("\"action\":\"stop\""), "no server was stopped");
}

/// Stops a server, makes a snapshot and starts it again under a limit; then once more without one. Returns how the first
/// ended.
fn fills_up(host: &Host, number: u64) -> i32 {
    let server = format!("web-server-{:02}", number + 1);
    let (state, file) = (format!("state-{number}"), format!("policy-{number}.toml"));
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    // What was on its way when the journal failed is waited for: briefly.
    let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
    let text = text.replace("dir = \"state\"", &format!("dir = \"{state}\""));
    host.write_private(&file, &text.replace("retries = 0", "retries = 0\nstop_server = true"));
    drop(Store::beside_or_new(&host.path(&state)).unwrap());
    let bytes = 32_768 + 6144 * number;
    let run = ["run", "--server", &server, "--config", &file];
    let done = finish(&mut limited(host, bytes, &run));
    let context = format!("{bytes} bytes: {done:#?}");
    if done.code != 0 {
        assert_eq!(done.code, 7, "{context}");
        assert!(done.stderr.contains(&format!("{state}/{DATABASE}")), "{context}");
        assert!(done.stderr.contains("check whether its disk is full"), "{context}");
    }
    // Of all that was sent, the stop alone must be undone at once.
    runs_again(host, &server, &context);
    assert!(points_of(host, &server).len() <= 1, "{context}");
    // Room again.
    host.run(&run).ends_with(0);
    let history = every_point_is_in_the_history(host, &server, &["--config", &file]);
    let runs = history["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["outcome"] == "succeeded"), "{context}: {history:#}");
    assert!((1..=2).contains(&runs.len()), "{context}: {history:#}");
    runs_again(host, &server, &context);
    done.code
}

#[test]
fn a_disk_that_fills_up_under_several_runs_leaves_no_server_stopped() {
    let (mut stops, mut full) = (0, 0);
    for bytes in [300_000, 380_000, 460_000] {
        let host = Host::new(&["--servers", "6", "--power", "20ms"]);
        let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
        let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
        host.write_private("policy.toml", &text.replace("retries = 0", "retries = 0\nstop_server = true"));
        drop(Store::beside_or_new(&host.path("state")).unwrap());
        let done = finish(&mut limited(&host, bytes, &["run"]));
        let context = format!("{bytes} bytes: {done:#?}");
        assert!([0, 7].contains(&done.code), "{context}");
        full += usize::from(done.code == 7);
        let record = host.provider.record().to_string();
        stops += record.matches("\"action\":\"stop\"").count();
        for number in 1..=6 {
            runs_again(&host, &format!("web-server-{number:02}"), &context);
        }
        // The interrupted runs are resumed; each server is left with one point, or two.
        let done = host.run(&["run", "--json"]).ends_with(0);
        assert!(done.json()["runs"].as_array().unwrap().iter().all(|run| run["outcome"] == "succeeded"), "{done:#?}");
        for number in 1..=6 {
            let server = format!("web-server-{number:02}");
            every_point_is_in_the_history(&host, &server, &["--server", &server]);
            runs_again(&host, &server, &context);
        }
    }
    assert!(full > 0 && stops >= 3, "{full} met the full disk, {stops} servers were stopped");
}

#[test]
fn a_disk_that_fills_up_ends_the_daemon_with_7_and_the_next_start_continues() {
    let host = Host::new(&["--servers", "1", "--power", "20ms"]);
    host.replace_line("schedule = \"* * * * * *\"");
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
    host.write_private("policy.toml", &text.replace("retries = 0", "retries = 0\nstop_server = true"));
    for round in 0..3 {
        let bytes = 150_000 + round * 50_000;
        let (code, rest) = Running::start(&mut limited(&host, bytes, &["daemon"])).end();
        assert_eq!(code, 7, "{rest}");
        assert!(rest.contains("state/lastgood.db") && rest.contains("check whether its disk is full"), "{rest}");
        runs_again(&host, "web-server-01", &rest);
    }
    let mut service = Running::start(&mut host.command(&["daemon"]));
    service.says("succeeded");
    service.says("succeeded");
    let (code, rest) = service.terminate();
    assert_eq!(code, 0, "{rest}");
    // What shutdown has left unfinished is resumed, so that the history is complete.
    host.run(&["run"]).ends_with(0);
    let history = every_point_is_in_the_history(&host, "web-server-01", &[]);
    let runs = history["runs"].as_array().unwrap();
    let mut due: Vec<&str> = runs.iter().filter_map(|run| run["due"].as_str()).collect();
    let all = due.len();
    due.dedup();
    assert_eq!(due.len(), all, "a due time came twice: {history:#}");
}

/// A file system of its own on a folder of the host, until it is dropped. Only root can have one: what needs one is left
/// out for everybody else.
struct Small<'a>(&'a Host);

impl<'a> Small<'a> {
    fn new(host: &'a Host, size: &str) -> Option<Self> {
        std::fs::create_dir(host.path("state")).unwrap();
        std::fs::set_permissions(host.path("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let options = format!("size={size},mode=700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(host.path("state"))
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(host))
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
fn a_full_disk_ends_with_7_and_advice_and_the_next_start_continues_when_there_is_room() {
    let host = Host::new(&["--servers", "1"]);
    let Some(disk) = Small::new(&host, "1m") else { return };
    disk.fill(0);
    for command in [["run"].as_slice(), &["daemon"]] {
        host.refuses(command, 7, &["state", "make room on its disk"]);
    }
    disk.empty();
    let mut full = 0;
    for left in (0..20).map(|step| step * 16_384) {
        disk.fill(left);
        let done = host.run(&["run"]);
        if done.code != 0 {
            full += 1;
            let done = done.ends_with(7);
            let advice = ["make room on its disk", "check whether its disk is full"];
            assert!(advice.iter().any(|words| done.stderr.contains(words)), "{left}: {done:#?}");
            assert!(done.stderr.contains("state"), "{left}: {done:#?}");
        }
        disk.empty();
        host.run(&["run"]).ends_with(0);
        let history = every_point_is_in_the_history(&host, "web-server-01", &[]);
        assert!(history["runs"].as_array().unwrap().iter().all(|run| run["outcome"] == "succeeded"), "{history:#}");
        // The run that was cut off and the new one may each have counted without the other's point.
        assert!(points_of(&host, "web-server-01").len() <= 3, "{history:#}");
    }
    assert!(full >= 3, "{full} of 20 met the full disk");
    host.run(&["run"]).ends_with(0);
    assert_eq!(points_of(&host, "web-server-01").len(), 2);
}

#[test]
fn a_stopped_server_is_started_though_the_disk_is_full_at_the_next_start() {
    let host = Host::new(&["--servers", "1", "--power", "20ms"]);
    let Some(disk) = Small::new(&host, "2m") else { return };
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    let text = text.replace("settle = \"500ms\"", "settle = \"500ms\"\ntimeout = \"1s\"");
    host.write_private("policy.toml", &text.replace("retries = 0", "retries = 0\nstop_server = true"));
    for command in [&["run"], &["daemon"]] {
        // The stop is let through, every start fails.
        let fault = json!({ "call": "power", "skip": 1, "effect": { "do": "status", "code": 500 } });
        host.provider.fault(&fault);
        let mut run = Running::start(&mut host.command(&["run"]));
        run.says("could not be started again yet");
        run.kill();
        assert_eq!(server_status(&host, "web-server-01"), "stopped");
        host.provider.no_faults();
        disk.fill(0);
        let done = host.run(command).ends_with(7);
        assert!(done.stderr.contains("make room on its disk"), "{done:#?}");
        runs_again(&host, "web-server-01", &format!("{command:?}"));
        disk.empty();
        host.run(&["run"]).ends_with(0);
        every_point_is_in_the_history(&host, "web-server-01", &[]);
        runs_again(&host, "web-server-01", "at the end");
    }
}

#[test]
fn a_read_only_disk_ends_with_7() {
    let host = Host::new(&["--servers", "1"]);
    let Some(disk) = Small::new(&host, "4m") else { return };
    disk.remount("remount,ro");
    for command in [["run"].as_slice(), &["daemon"], &["hold", "server", "web-server-01"]] {
        host.refuses(command, 7, &["state", "writable for this user"]);
    }
    host.run(&["plan"]).ends_with(0);
    disk.remount("remount,rw");
    let id = host.run(&["run", "--json"]).ends_with(0).json()["runs"][0]["created"].to_string();
    disk.remount("remount,ro");
    for command in users(&id) {
        host.refuses(&command, 7, &["state", "writable for this user", "[state] dir"]);
    }
    disk.remount("remount,rw");
    host.run(&["run"]).ends_with(0);
    assert_eq!(points_of(&host, "web-server-01").len(), 2);
    assert_eq!(json!(host.provider.tally().1), json!(2));
}
