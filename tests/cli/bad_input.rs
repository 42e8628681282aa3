//! Bad input: one clear sentence with the file, the key or the server, the cause and what to do; the documented exit
//! code; nothing made or deleted.

use lastgood::seams::store::Store;

use crate::commands::readers;
use crate::support::folder::Folder;
use crate::support::host::Host;
use crate::support::program::BAD_TOKEN;

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, more].concat()
}

#[test]
fn a_missing_policy_file_ends_with_3() {
    let host = Host::new(&[]);
    for command in readers() {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        host.refuses(&with(&command, &["--config", "nowhere.toml"]), 3, &["nowhere.toml", "--config"]);
    }
}

#[test]
fn without_any_policy_file_every_place_is_named() {
    let done = Folder::new().run(&["plan"]).ends_with(3);
    assert!(done.sentence().contains("/etc/lastgood/policy.toml, then policy.toml"), "{done:?}");
}

#[test]
fn an_unreadable_policy_file_ends_with_3() {
    let host = Host::new(&[]);
    // A folder cannot be read as a file, not even by root.
    std::fs::create_dir(host.path("folder.toml")).unwrap();
    for command in readers() {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        host.refuses(&with(&command, &["--config", "folder.toml"]), 3, &["folder.toml", "cannot be read", "--config"]);
    }
}

#[test]
fn an_invalid_policy_file_ends_with_3_and_every_mistake_is_named() {
    let host = Host::new(&[]);
    host.write_private("bad.toml", "[policy.x]\nkind = \"tape\"\nshedule = \"0 * * * *\"\n");
    for command in [&["check"], &["plan"], &["run"], &["daemon"]] {
        let done = host.run(&with(command, &["--config", "bad.toml"])).ends_with(3);
        for word in ["bad.toml", "tape", "shedule", "schedule"] {
            assert!(done.stderr.contains(word), "`{word}`: {done:#?}");
        }
    }
    assert_eq!(host.provider.tally().2, 0);
}

#[test]
fn a_missing_token_ends_with_3() {
    let host = Host::new(&[]);
    host.replace_line("token_file = \"elsewhere\"");
    for command in [&["plan"], &["run"], &["daemon"]] {
        host.refuses(command, 3, &["provider.token_file", "elsewhere", "cannot be read"]);
    }
    // The file itself is right: `check` says what will be missing.
    let check = host.run(&["check"]).ends_with(0);
    assert!(check.stderr.contains("provider.token_file names") && check.stderr.contains("elsewhere"), "{check:#?}");
    host.replace_line("token_file = ");
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap().replace("token_file = ", "");
    host.write_private("policy.toml", &text);
    host.refuses(&["plan"], 3, &["there is no API token", "provider.token_file", "VPS_API_TOKEN"]);
}

#[test]
fn an_empty_token_file_ends_with_3() {
    let host = Host::new(&[]);
    host.write_private("token", "\n");
    host.refuses(&["plan"], 3, &["provider.token_file", "token", "does not hold exactly one word"]);
}

#[test]
fn a_refused_token_ends_with_4() {
    let host = Host::new(&[]);
    host.write_private("token", BAD_TOKEN);
    for command in [
        ["plan"].as_slice(),
        &["run"],
        &["run", "--dry-run"],
        &["list", "backups"],
        &["delete", "snapshot", "1", "--yes"],
        &["restore", "snapshot", "1", "--yes"],
        &["hold", "snapshot", "1"],
        &["check", "--online"],
    ] {
        host.refuses(
            command,
            4,
            &["refused the token", "401", "provider.token_file", "nothing was created or deleted"],
        );
    }
}

#[test]
fn a_provider_that_is_down_ends_with_4() {
    let host = Host::new(&[]);
    // Port 9 (discard) on loopback: nobody listens there.
    host.replace_line("url = \"http://127.0.0.1:9/api/v1\"");
    for command in [["plan"].as_slice(), &["run"], &["list", "servers"], &["check", "--online"]] {
        host.refuses(command, 4, &["no connection to the provider", "provider.url", "nothing was created or deleted"]);
    }
}

#[test]
fn a_token_without_permission_is_reported_by_check() {
    let host = Host::new(&["--permission", "servers:read"]);
    let done = host.run(&["check", "--online"]).ends_with(3);
    assert!(done.stdout.contains("the token may not write"), "{done:#?}");
}

#[test]
fn a_server_or_policy_that_does_not_exist_ends_with_2() {
    let host = Host::new(&[]);
    for command in [["plan"].as_slice(), &["run"], &["run", "--dry-run"], &["list", "servers"], &["list", "snapshots"]]
    {
        host.refuses(&with(command, &["--server", "db-9"]), 2, &["db-9", "lastgood list servers"]);
    }
    for command in [&["plan"], &["run"]] {
        host.refuses(&with(command, &["--policy", "weekly"]), 2, &["weekly", "hourly"]);
    }
    host.refuses(&["hold", "server", "db-9"], 2, &["db-9"]);
    host.refuses(&["history", "--server", "db-9"], 2, &["db-9"]);
    host.refuses(&["delete", "snapshot", "99", "--yes"], 2, &["snapshot 99", "lastgood list snapshots"]);
    host.refuses(&["restore", "backup", "99", "--yes"], 2, &["backup 99", "lastgood list backups"]);
    host.refuses(&["hold", "backup", "99"], 2, &["backup 99"]);
}

#[test]
fn a_named_server_that_does_not_exist_is_named() {
    let host = Host::new(&[]);
    host.replace_line("servers = [\"db-9\"]");
    host.refuses(&["run"], 2, &["db-9", "hourly"]);
    let done = host.run(&["check", "--online"]).ends_with(3);
    assert_eq!(done.stdout.matches("db-9`").count(), 1, "{done:#?}");
}

#[test]
fn a_state_folder_that_cannot_be_used_ends_with_7() {
    let host = Host::new(&[]);
    // A file in its place: modes do not stop root.
    host.write_private("occupied", "");
    host.replace_line("dir = \"occupied\"");
    for command in
        [["plan"].as_slice(), &["run"], &["daemon"], &["list", "servers"], &["history"], &["hold", "snapshot", "1"]]
    {
        host.refuses(command, 7, &["occupied", "[state] dir"]);
    }
    host.refuses(&["status"], 3, &["occupied", "[state] dir"]);
}

#[test]
fn history_and_release_without_a_state_say_so() {
    let host = Host::new(&[]);
    host.refuses(&["history"], 7, &["there is no state in"]);
    host.refuses(&["release", "snapshot", "1"], 7, &["there is no state in"]);
}

#[test]
fn a_second_owner_ends_with_6() {
    let host = Host::new(&[]);
    let owner = Store::own(&host.path("state")).unwrap();
    for command in [&["run"], &["daemon"]] {
        host.refuses(command, 6, &["another lastgood", "state"]);
    }
    // Beside it one may look.
    host.run(&["plan"]).ends_with(0);
    let status = host.run(&["status"]).ends_with(1);
    assert!(status.stdout.contains("no server is known"), "{status:#?}");
    drop(owner);
    host.run(&["run", "--server", "web-server-01"]).ends_with(0);
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let host = Host::new(&[]);
    for command in [
        ["plan", "--polcy", "x"].as_slice(),
        &["list", "volumes"],
        &["delete", "backup"],
        &["schedule", "0 0 30 2 *"],
        &["retention", "--keep", "dayly=3", "-"],
        &["hold", "snapshot", "1", "--until", "tomorrow"],
        &["hold", "snapshot", "1", "--until", "2020-01-01T00:00:00Z"],
        &["history", "--limit", "0"],
        &["volumes"],
    ] {
        let done = host.run(command).ends_with(2);
        assert!(done.stdout.is_empty() && !done.stderr.is_empty(), "{done:#?}");
    }
}

#[test]
fn a_simulator_whose_port_is_taken_says_so() {
    let host = Host::new(&[]);
    let port = host.provider.origin.rsplit(':').next().unwrap().to_owned();
    let done = host.run(&["simulator", "--port", &port]);
    assert!(done.code != 0 && done.sentence().contains(&port), "{done:#?}");
}

#[test]
fn a_port_that_is_taken_is_a_usage_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = Folder::new().run(&["simulator", "--port", &port]).ends_with(2);
    assert!(done.sentence().contains(&port) && done.sentence().contains("another --port"), "{done:#?}");
}
