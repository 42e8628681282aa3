//! `lastgood init`: whatever the account holds, the file passes `check`, and nothing that exists is overwritten.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::program::{BAD_TOKEN, Done, TOKEN, finish};
use crate::support::provider_control::Provider;
use crate::terminal::Terminal;

/// A folder without a policy file, and an account.
struct NewHost {
    folder: Folder,
    provider: Provider,
}

impl NewHost {
    fn new(flags: &[&str]) -> Self {
        let host = Self { folder: Folder::new(), provider: Provider::start(flags) };
        host.folder.write_private("token", TOKEN);
        host
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(arguments);
        command.env("VPS_API_URL", format!("{}/api/v1", self.provider.origin));
        command.env("STATE_DIRECTORY", self.folder.path("state")).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Done {
        finish(&mut self.command(arguments))
    }

    /// `init` with the token file and these flags; then `check --online` of what it wrote.
    #[track_caller]
    fn init(&self, flags: &[&str]) -> (Done, String) {
        let done = self.run(&[&["init", "--token-file", "token"], flags].concat()).ends_with(0);
        let text = fs::read_to_string(self.folder.path("policy.toml")).unwrap();
        self.run(&["check", "--online"]).ends_with(0);
        (done, text)
    }

    fn person_makes_backups(&self, server: &str, count: i64) {
        for number in 1..=count {
            let act =
                json!({ "act": "create_point", "kind": "backup", "server": server, "age_seconds": number * 86_400 });
            self.provider.control("POST", "act", &act);
        }
    }

    #[track_caller]
    fn has_no_policy_file(&self) {
        assert!(!self.folder.path("policy.toml").exists());
    }
}

#[test]
fn an_empty_account_gets_a_policy_for_servers_to_come() {
    let host = NewHost::new(&["--servers", "0"]);
    let (done, text) = host.init(&[]);
    assert!(text.contains("servers = [\"*\"]") && text.contains("token_file = \"token\""), "{text}");
    assert!(text.contains("keep = { daily = 4, weekly = 3 }") && text.contains("\"30 2 * * *\""), "{text}");
    assert!(
        done.stderr.contains("nobody receives failure reports") && done.stdout.contains("check --online"),
        "{done:#?}"
    );
}

#[test]
fn retention_fits_the_slots_beside_peoples_points() {
    let host = NewHost::new(&["--servers", "4", "--automatic", "3"]);
    host.person_makes_backups("web-server-02", 6);
    host.person_makes_backups("web-server-03", 10);
    let (done, text) = host.init(&[]);
    assert!(text.contains("keep = { daily = 4, weekly = 3 }"), "{text}");
    assert!(text.contains("# web-server-02: other points take 6 of its 10 slots.\n[server.12346.daily]\nkeep = { daily = 2, weekly = 1 }"), "{text}");
    assert!(text.contains("[server.12347.daily]\nkeep = { daily = 1 }"), "{text}");
    assert!(!text.contains("[server.12345") && !text.contains("[server.12348"), "{text}");
    assert!(done.stderr.contains("10 of the 10 slots for backups of web-server-03"), "{done:#?}");
    let plans = host.run(&["plan", "--json"]).ends_with(0).json();
    let refused = |name: &str| {
        let plans = plans["plans"].as_array().unwrap();
        plans.iter().find(|plan| plan["server"]["name"] == name).unwrap()["refused"].clone()
    };
    assert_eq!([refused("web-server-01"), refused("web-server-02")], [Value::Null, Value::Null]);
    assert!(refused("web-server-03").is_string(), "its slots are full: {plans:#}");
}

#[test]
fn two_hundred_servers_are_all_named_by_id() {
    let host = NewHost::new(&["--servers", "200", "--paged"]);
    let (done, text) = host.init(&[]);
    for number in 0..200 {
        let line = format!("    {},", 12_345 + number);
        assert!(
            text.lines().any(|other| other.starts_with(&line) && other.contains("# web-server-")),
            "{line}\n{text}"
        );
    }
    assert!(done.stdout.contains("200 servers"), "{done:#?}");
}

#[test]
fn every_flag_reaches_the_file() {
    let host = NewHost::new(&["--servers", "3", "--uuid"]);
    let (_, text) = host.init(&[
        "--server",
        "web-server-01",
        "--server",
        "web-server-03",
        "--kind",
        "snapshot",
        "--at",
        "4:05",
        "--timezone",
        "Europe/Istanbul",
        "--keep",
        "last=2,within=1d",
        "--mail-to",
        "On call <oncall@example.com>",
        "--smtp-host",
        "smtp.example.com",
        "--yes",
    ]);
    for line in [
        "kind = \"snapshot\"",
        "schedule = \"5 4 * * *\"",
        "timezone = \"Europe/Istanbul\"",
        "keep = { last = 2, within = \"1d\" }",
        "host = \"smtp.example.com\"",
        "from = \"lastgood <lastgood@example.com>\"",
        "to = [\"On call <oncall@example.com>\"]",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("# web-server-01") && !text.contains("web-server-02"), "{text}");
    let policies = host.run(&["check", "--json"]).ends_with(0).json()["policies"].clone();
    assert_eq!(policies[0]["servers"].as_array().unwrap().len(), 2, "{policies:#}");
}

#[test]
fn answers_that_make_no_sense_end_with_2_and_write_nothing() {
    let host = NewHost::new(&["--servers", "1"]);
    for (flags, word) in [
        (["--server", "db-9"], "db-9"),
        (["--at", "25:00"], "25:00"),
        (["--timezone", "Istanbul"], "Europe/Istanbul"),
        (["--keep", "dayly=4"], "dayly"),
        (["--keep", "last=all"], "last=all"),
        (["--keep", "daily=11"], "11"),
        (["--keep", "within=3y"], "within"),
        (["--keep", "daily=5,within=9d"], "more slots"),
        (["--mail-to", "oncall"], "oncall"),
        (["--kind", "volume"], "volume"),
        (["--output", "nowhere/policy.toml"], "nowhere"),
        (["--token-file", "no-token"], "no-token"),
    ] {
        let token: &[&str] = if flags[0] == "--token-file" { &[] } else { &["--token-file", "token"] };
        let done = host.run(&[&["init"], token, &flags].concat()).ends_with(2);
        assert!(done.stderr.contains(word), "{flags:?}: {done:#?}");
        host.has_no_policy_file();
    }
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let host = NewHost::new(&["--servers", "1"]);
    fs::write(host.folder.path("policy.toml"), "mine").unwrap();
    symlink("missing", host.folder.path("link.toml")).unwrap();
    for flags in [[].as_slice(), &["--output", "policy.toml", "--yes"], &["--output", "link.toml"], &["--output", "."]]
    {
        let done = host.run(&[&["init", "--token-file", "token"], flags].concat()).ends_with(2);
        assert_eq!(done.stderr.lines().count(), 1, "{done:#?}");
    }
    assert_eq!(fs::read_to_string(host.folder.path("policy.toml")).unwrap(), "mine");
    assert!(!host.folder.path("missing").exists());
}

#[test]
fn a_wrong_token_ends_with_4_and_no_token_with_2() {
    let host = NewHost::new(&["--servers", "1"]);
    host.folder.write_private("bad", BAD_TOKEN);
    let done = host.run(&["init", "--token-file", "bad"]).ends_with(4);
    assert!(done.stderr.contains("401") || done.stderr.contains("token"), "{done:#?}");
    let done = host.run(&["init"]).ends_with(2);
    assert!(done.sentence().contains("token exists, so use it with --token-file"), "{done:#?}");
    fs::remove_file(host.folder.path("token")).unwrap();
    let done = host.run(&["init"]).ends_with(2);
    assert!(done.sentence().contains("--token-file") && done.sentence().contains("VPS_API_TOKEN"), "{done:#?}");
    host.has_no_policy_file();
}

#[test]
fn a_token_in_the_environment_is_used_and_not_written() {
    let host = NewHost::new(&["--servers", "1"]);
    fs::remove_file(host.folder.path("token")).unwrap();
    let with_token = |arguments: &[&str]| finish(host.command(arguments).env("VPS_API_TOKEN", TOKEN)).ends_with(0);
    with_token(&["init"]);
    let text = fs::read_to_string(host.folder.path("policy.toml")).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains("\ntoken_file"), "{text}");
    assert!(!host.folder.path("token").exists());
    with_token(&["check", "--online"]);
}

#[test]
fn a_hostile_name_stays_in_its_comment() {
    let names = ["web\n[state]\ndir = \"/tmp\"", "\u{1b}[2J\u{202e}gnp", "a\r\nb\u{2028}c", "#\"'\\"];
    let servers: Vec<Value> = (1..).zip(names).map(|(id, name)| json!({ "id": id, "name": name })).collect();
    let folder = Folder::new();
    folder.write_private("options", &json!({ "servers": servers }).to_string());
    let host = NewHost::new(&["--options", folder.path("options").to_str().unwrap()]);
    let (done, text) = host.init(&[]);
    for shown in [&text, &done.stderr, &done.stdout] {
        assert!(
            !shown.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}' || c == '\u{2028}')),
            "{shown:?}"
        );
    }
    assert!(!text.contains("\n[state]"), "{text}");
}

#[test]
fn on_a_terminal_it_asks_and_a_typed_token_is_neither_shown_nor_readable_by_others() {
    let host = NewHost::new(&["--servers", "3"]);
    fs::remove_file(host.folder.path("token")).unwrap();
    let mut terminal = Terminal::start(&host.command(&["init"]));
    terminal.says("(not shown): ");
    terminal.types(&format!("{BAD_TOKEN}\r"));
    terminal.says("(not shown): ");
    terminal.types(&format!("wrong\u{15}{TOKEN}\r"));
    for (question, answer) in [
        ("Servers to protect", "db-9\r"),
        ("there is no server db-9", "web-server-01, web-server-03\r"),
        ("What to create", "snapshots\r"),
        ("When, every day", "\r"),
        ("Time zone", "Istanbul\r"),
        ("is not an IANA zone name", "Europe/Istanbul\r"),
        ("What to keep [daily=3,weekly=1]", "daily=6\r"),
        ("but a server has 5 slots", "\r"),
        ("Mail address", "oncall@example.com\r"),
        ("Mail server", "smtp.example.com\r"),
        ("Sender of the mail", "\r"),
        ("Write this to ./policy.toml?", "y\r"),
    ] {
        terminal.says(question);
        terminal.types(answer);
    }
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains(BAD_TOKEN), "{shown}");
    let token = host.folder.path("token");
    assert_eq!(fs::read_to_string(&token).unwrap().trim(), TOKEN);
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let done = host.run(&["check", "--online", "--json"]).ends_with(0).json();
    assert_eq!((&done["findings"], &done["policies"][0]["kind"]), (&json!([]), &json!("snapshot")), "{done:#}");
}

#[test]
fn on_a_terminal_no_leaves_nothing_behind_and_ctrl_c_ends_it() {
    let host = NewHost::new(&["--servers", "1"]);
    let mut terminal = Terminal::start(&host.command(&["init", "--token-file", "token"]));
    for question in ["Servers", "What to create", "When", "Time zone", "What to keep", "Mail address"] {
        terminal.says(question);
        terminal.types("\r");
    }
    terminal.says("Write this to ./policy.toml? [Y/n] ");
    terminal.types("n\r");
    let (code, shown) = terminal.end();
    assert!(code == 2 && shown.contains("nothing was written"), "{code}: {shown}");
    fs::remove_file(host.folder.path("token")).unwrap();
    let mut terminal = Terminal::start(&host.command(&["init"]));
    terminal.says("(not shown): ");
    terminal.types("vps_\u{3}");
    let (code, shown) = terminal.end();
    assert!(code == 2 && shown.contains("nothing was written"), "{code}: {shown}");
    assert!(!host.folder.path("token").exists());
    host.has_no_policy_file();
}
