//! Whose files are trusted, and who may read ours: the state folder, the policy file, files with secrets. What needs
//! other users is skipped where the tests do not run as root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use lastgood::seams::store::DATABASE;
use serde_json::json;

use crate::support::folder::LASTGOOD;
use crate::support::host::Host;
use crate::support::program::{Done, TOKEN, finish};

/// A user who does not exist on this machine.
const STRANGER: u32 = 12_345;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The modes of a folder and of every file in it.
fn modes(dir: &Path) -> Vec<(String, u32)> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut modes: Vec<_> = files.map(|path| (path.display().to_string(), mode(&path))).collect();
    modes.push((dir.display().to_string(), mode(dir)));
    modes
}

#[track_caller]
fn is_private(dir: &Path) {
    for (path, mode) in modes(dir) {
        assert_eq!(mode & 0o077, 0, "others may use {path}: mode {mode:o}");
        assert_eq!(mode & 0o600, 0o600, "{path}: mode {mode:o}");
    }
}

/// Gives a folder and everything in it to this user.
fn give(path: &Path, user: u32) {
    let id = format!("{user}:{user}");
    assert!(Command::new("chown").args(["-hR", &id]).arg(path).status().unwrap().success());
}

/// The program as another user, in the host's folder.
fn as_stranger(host: &Host, arguments: &[&str]) -> Done {
    let id = STRANGER.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--", LASTGOOD]).args(arguments);
    command.env_remove("LASTGOOD_CONFIG").current_dir(host.folder.root()).stdin(Stdio::null());
    finish(command.env("HOME", host.folder.root()))
}

#[test]
fn an_open_state_folder_becomes_private_when_it_is_empty_or_holds_our_state() {
    for wide in [0o755, 0o777, 0o1777, 0o2770] {
        let host = Host::new(&["--servers", "1"]);
        let state = host.path("state");
        fs::create_dir(&state).unwrap();
        set_mode(&state, wide);
        host.run(&["run"]).ends_with(0);
        is_private(&state);
        for command in [["history"].as_slice(), &["run"], &["hold", "server", "web-server-01"], &["plan"]] {
            set_mode(&state, wide);
            for entry in fs::read_dir(&state).unwrap() {
                set_mode(&entry.unwrap().path(), 0o666);
            }
            host.run(command).ends_with(0);
            is_private(&state);
        }
    }
}

#[test]
fn whatever_the_umask_the_state_is_for_its_user_alone() {
    for umask in ["000", "022", "277"] {
        let host = Host::new(&["--servers", "1"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), LASTGOOD, "run"]);
        command.current_dir(host.folder.root()).env("HOME", host.folder.root()).stdin(Stdio::null());
        finish(&mut command).ends_with(0);
        is_private(&host.path("state"));
    }
}

#[test]
fn a_folder_of_other_files_that_others_may_use_is_refused_and_left_as_it_is() {
    let host = Host::new(&["--servers", "1"]);
    let state = host.path("state");
    fs::create_dir(&state).unwrap();
    fs::write(state.join("notes.txt"), "not ours").unwrap();
    // The name alone does not make it our state.
    for planted in [None, Some("not a database")] {
        if let Some(text) = planted {
            fs::write(state.join(DATABASE), text).unwrap();
        }
        set_mode(&state, 0o755);
        let before = modes(&state);
        for command in [["run"].as_slice(), &["daemon"], &["hold", "server", "web-server-01"]] {
            host.refuses(command, 7, &["state", "mode 755", "chmod 700", "[state] dir"]);
        }
        assert_eq!(modes(&state), before);
    }
    fs::remove_file(state.join(DATABASE)).unwrap();
    // Once it is private it is like any other folder.
    set_mode(&state, 0o700);
    host.run(&["run"]).ends_with(0);
    // A new file system contains this folder.
    let host = Host::new(&["--servers", "1"]);
    fs::create_dir_all(host.path("state/lost+found")).unwrap();
    host.run(&["run"]).ends_with(0);
}

#[test]
fn what_is_planted_in_place_of_a_file_of_the_state_is_neither_followed_nor_waited_for() {
    for name in ["lock", DATABASE, "lastgood.db-wal", "lastgood.db-shm"] {
        for fifo in [false, true] {
            let host = Host::new(&["--servers", "1"]);
            host.run(&["run"]).ends_with(0);
            let (planted, victim) = (host.path("state").join(name), host.path("victim"));
            fs::write(&victim, "precious").unwrap();
            set_mode(&victim, 0o644);
            // Some of the files do not exist now.
            let _ = fs::remove_file(&planted);
            if fifo {
                assert!(Command::new("mkfifo").arg(&planted).status().unwrap().success());
            } else {
                symlink(&victim, &planted).unwrap();
            }
            host.refuses(&["run"], 7, &["state", name, "move it away"]);
            assert_eq!((fs::read_to_string(&victim).unwrap().as_str(), mode(&victim)), ("precious", 0o644), "{name}");
        }
    }
}

#[test]
fn a_state_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let host = Host::new(&["--servers", "1"]);
    host.run(&["run"]).ends_with(0);
    let state = host.path("state");
    give(&state, STRANGER);
    for command in [["run"].as_slice(), &["daemon"]] {
        host.refuses(command, 7, &["state", "user 12345", "user 0"]);
    }
    // Our folder with a database or a lock of somebody else.
    give(&state, 0);
    for name in [DATABASE, "lock"] {
        chown(state.join(name), Some(STRANGER), None).unwrap();
        host.refuses(&["run"], 7, &["state", name, "user 12345"]);
        give(&state, 0);
    }
    host.run(&["run"]).ends_with(0);
    // A stranger may not use root's state, even if its modes allow it.
    give(host.folder.root(), STRANGER);
    give(&state, 0);
    set_mode(&state, 0o777);
    set_mode(&state.join(DATABASE), 0o666);
    let done = as_stranger(&host, &["run"]).ends_with(7);
    assert!(done.sentence().contains("its mode cannot be changed"), "{done:#?}");
}

#[test]
fn root_may_look_at_the_state_of_a_service_and_leaves_its_files_to_it() {
    if !is_root() {
        return;
    }
    let host = Host::new(&["--servers", "1"]);
    give(host.folder.root(), STRANGER);
    as_stranger(&host, &["run"]).ends_with(0);
    // Root uses only files that it can trust.
    give(&host.path("policy.toml"), 0);
    set_mode(&host.path("policy.toml"), 0o644);
    let state = host.path("state");
    for command in [["status"].as_slice(), &["history"], &["hold", "server", "web-server-01"], &["plan"]] {
        host.run(command).ends_with(0);
    }
    for (path, mode) in modes(&state) {
        assert_eq!((fs::metadata(&path).unwrap().uid(), mode & 0o077), (STRANGER, 0), "{path}");
    }
    as_stranger(&host, &["run"]).ends_with(0);
    // Not where others could have written.
    set_mode(&state, 0o770);
    host.refuses(&["history"], 7, &["state", "user 12345"]);
}

#[test]
fn a_policy_file_that_a_stranger_could_have_written_is_refused_before_any_request() {
    let host = Host::new(&["--servers", "1"]);
    let (file, text) = (host.path("policy.toml"), "policy.toml");
    let before = host.provider.record();
    let commands = [["list", "servers"].as_slice(), &["check"], &["plan"], &["run"], &["daemon"], &["status"]];
    let refused = |host: &Host, flags: &[&str], words: &[&str]| {
        for command in commands {
            let command = [command, flags].concat();
            let done = host.run(&command).ends_with(3);
            for word in words.iter().chain(&[text]) {
                assert!(done.stderr.contains(word), "`{word}` is not in: {done:#?}");
            }
        }
    };
    set_mode(&file, 0o666);
    refused(&host, &[], &["everyone may write to it", "mode 666", "chmod o-w"]);
    if is_root() {
        refused(&host, &["--config", "policy.toml"], &["everyone may write to it"]);
        set_mode(&file, 0o600);
        give(&file, STRANGER);
        refused(&host, &[], &["user 12345", "user 0", "chown"]);
        refused(&host, &["--config", "policy.toml"], &["user 12345", "chown"]);
    }
    assert_eq!(host.provider.record(), before, "the provider was asked");
    assert!(!host.path("state").exists());
    let done = host.run(&["check", "--json"]).ends_with(3);
    assert_eq!(done.json()["valid"], false, "{done:#?}");
}

#[test]
fn a_policy_file_that_was_named_or_that_a_group_may_write_is_a_warning() {
    let host = Host::new(&["--servers", "1"]);
    let file = host.path("policy.toml");
    set_mode(&file, 0o660);
    let done = host.run(&["check"]).ends_with(0);
    assert!(done.stderr.contains("its group may write to it") && done.stderr.contains("chmod g-w"), "{done:#?}");
    let reported = host.run(&["plan"]).ends_with(0);
    assert!(reported.stderr.contains("its group may write to it"), "{reported:#?}");
    if !is_root() {
        return;
    }
    // Named explicitly by a user who is not root, as in a container, where it belongs to a user outside.
    give(host.folder.root(), STRANGER);
    give(&file, STRANGER + 1);
    for (mode, words) in [(0o644, "user 12346"), (0o646, "everyone may write to it")] {
        set_mode(&file, mode);
        let done = as_stranger(&host, &["check", "--config", "policy.toml"]).ends_with(0);
        assert!(done.stderr.contains("warning") && done.stderr.contains(words), "{done:#?}");
        as_stranger(&host, &["check"]).ends_with(3);
    }
    give(&file, 0);
    set_mode(&file, 0o644);
    let done = as_stranger(&host, &["check"]).ends_with(0);
    assert!(!done.stderr.contains("user"), "{done:#?}");
}

/// Paths of what is not a small regular file.
fn odd_files(host: &Host) -> Vec<(String, &'static str)> {
    let path = |name: &str| host.path(name).display().to_string();
    assert!(Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
    set_mode(&host.path("fifo"), 0o600);
    fs::create_dir(path("folder")).unwrap();
    host.write_private("large", &"x".repeat(4097));
    vec![
        (path("fifo"), "a FIFO"),
        (path("folder"), "a folder"),
        ("/dev/zero".to_owned(), "a device"),
        (path("large"), "4096 bytes"),
    ]
}

#[test]
fn a_secret_that_is_in_no_small_regular_file_is_an_error_with_its_place() {
    let host = Host::new(&["--servers", "1"]);
    let odd = odd_files(&host);
    let usual = fs::read_to_string(host.path("policy.toml")).unwrap();
    for (path, words) in &odd {
        let of_token = usual.replace("token_file = \"token\"", &format!("token_file = \"{path}\""));
        let of_password = usual.replace("[smtp]", &format!("[smtp]\nusername = \"u\"\npassword_file = \"{path}\""));
        for (text, key, line) in [(of_token, "provider.token_file", 3), (of_password, "smtp.password_file", 17)] {
            host.write_private("policy.toml", &text);
            for command in [["check"].as_slice(), &["list", "servers"], &["run"]] {
                let done = host.run(command).ends_with(3);
                let place = format!("policy.toml:{line}:");
                for word in [key, words, &place, path] {
                    assert!(done.stderr.contains(word), "`{word}` is not in: {done:#?}");
                }
            }
            let found = host.run(&["check", "--json"]).ends_with(3).json()["findings"][0].clone();
            assert_eq!((&found["key"], &found["line"]), (&json!(key), &json!(line)), "{found:#}");
        }
    }
    // Two mistakes are both reported.
    let (path, words) = &odd[0];
    let both = usual.replace("token_file = \"token\"", &format!("token_file = \"{path}\"\nbad = 1"));
    host.write_private("policy.toml", &both);
    let done = host.run(&["check"]).ends_with(3);
    assert!(done.stderr.contains(words) && done.stderr.contains("unknown key `bad`"), "{done:#?}");
    host.write_private("token", &format!("{}\n", TOKEN));
    host.write_private("policy.toml", &usual);
    host.run(&["list", "servers"]).ends_with(0);
}

#[test]
fn a_policy_file_is_a_regular_file_of_a_sane_size() {
    let host = Host::new(&["--servers", "1"]);
    for (path, words) in odd_files(&host).into_iter().take(3) {
        host.refuses(&["check", "--config", &path], 3, &[&path, words]);
    }
    host.write_private("huge.toml", &"#".repeat(9 << 20));
    host.refuses(&["check", "--config", "huge.toml"], 3, &["huge.toml", "8388608 bytes"]);
}
