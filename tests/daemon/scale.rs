//! Ten thousand servers: what the daemon costs while nothing is due, and how soon their runs start when all are due at once.
//!
//! Ignored, since it takes minutes and the numbers mean something in a release build alone (docs/architecture.md has
//! them): `cargo build --release && LASTGOOD_MEASURED=target/release/lastgood cargo test --test daemon -- --ignored
//! ten_thousand --nocapture`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::clock::Clock;
use tokio::time::Instant;

use crate::process::{Daemon, eventually, mail_with, requests, write_policy};
use crate::support::folder::LASTGOOD;
use crate::support::host::Host;
use crate::support::policy_text::policy;
use crate::support::provider_control::Provider;

/// The servers.
const SERVERS: i64 = 10_000;

pub fn measured() -> PathBuf {
    std::env::var_os("LASTGOOD_MEASURED")
        .map_or_else(|| PathBuf::from(LASTGOOD), |path| std::fs::canonicalize(path).unwrap())
}

#[expect(clippy::print_stderr, reason = "it is requested with --nocapture, and nothing else shows the numbers")]
pub fn say(what: &str, number: impl std::fmt::Display) {
    eprintln!("{what}: {number}");
}

/// CPU seconds of a process so far.
fn cpu(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, in hundredths of a second on every common Linux.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Resident memory of a process in MB.
fn memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

fn count(host: &Host, query: &str) -> Option<i64> {
    let state = rusqlite::Connection::open(host.path("state").join("lastgood.db")).ok()?;
    state.busy_timeout(Duration::from_secs(5)).ok()?;
    state.query_row(query, [], |row| row.get(0)).ok()
}

pub fn now() -> Timestamp {
    Clock::System.now()
}

/// A schedule that is due once, this many seconds from now, and that time.
fn soon(seconds: i64) -> (String, Timestamp) {
    let due = now() + SignedDuration::from_secs(seconds);
    let due = Timestamp::from_second(due.as_second()).unwrap();
    (due.strftime("%S %M %H %d %m *").to_string(), due)
}

fn start(host: &Host) -> (Daemon, Duration) {
    let begun = Instant::now();
    let daemon = Daemon::start_as(host, &measured(), &[], None);
    daemon.hears("READY=1");
    (daemon, begun.elapsed())
}

#[test]
#[ignore = "it takes minutes, and measures a release build"]
fn ten_thousand_servers_cost_little_and_their_runs_start_within_two_seconds() {
    // The provider is not measured, but the release build makes it quicker, too.
    let host = Host::with_provider(Provider::start_as(&measured(), &["--servers", "10000", "--paged"]));
    let digest = "[report.daily]\nto = [\"ops@example.com\"]\ndigest = \"0 0 1 1 *\"\n";
    write_policy(&host, &(policy("nightly", "snapshot", "0 0 1 1 *", "") + digest));
    let (daemon, ready) = start(&host);
    say("ready after, at a first start", format_args!("{ready:?}"));
    let begun = Instant::now();
    eventually("all are followed", || (count(&host, "SELECT count(*) FROM due_time") == Some(SERVERS)).then_some(()));
    say("listed and followed after", format_args!("{:?}", begun.elapsed()));
    say("requests for the list", requests(&host, "GET", "/").len());
    // Idle.
    let (before, asked) = (cpu(daemon.id()), requests(&host, "GET", "/").len());
    daemon.heard_for(Duration::from_secs(60));
    let idle = cpu(daemon.id()) - before;
    say("idle: CPU seconds in a minute", format_args!("{idle:.2}"));
    say("idle: resident MB", memory(daemon.id()));
    say("idle: requests in a minute", requests(&host, "GET", "/").len() - asked);
    assert!(idle < 3.0, "{idle} CPU seconds in a minute");
    // Due, all of them.
    let (schedule, due) = soon(25);
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    let text = text.replace("schedule = \"0 0 1 1 *\"", &format!("schedule = \"{schedule}\""));
    host.write_private("policy.toml", &text.replace("requests_per_second = 1000", "requests_per_second = 5"));
    let begun = Instant::now();
    daemon.signal("HUP");
    daemon.hears("READY=1");
    say("a reload takes", format_args!("{:?}", begun.elapsed()));
    let before = cpu(daemon.id());
    eventually("all are recorded", || (count(&host, "SELECT count(*) FROM run") == Some(SERVERS)).then_some(()));
    let last = count(&host, "SELECT max(opened_at) FROM run").unwrap();
    let seen = now();
    say("due: recorded at most so long after", format_args!("{:#}", due.duration_until(seen)));
    let last = Timestamp::from_nanosecond(last.into()).unwrap();
    // The alarm comes every second; the rest is the evaluator's and the store's.
    let recorded = seen - last;
    say("due: recorded so long after it was seen", format_args!("{recorded:#}"));
    if std::env::var_os("LASTGOOD_MEASURED").is_some() {
        assert!(recorded.total(jiff::Unit::Second).unwrap() < 1.0, "{recorded:#}");
    }
    say("due: looked at so long after", format_args!("{:#}", due.duration_until(last)));
    let asked = eventually("the first is requested", || requests(&host, "GET", "/snapshots").into_iter().next());
    let asked: Timestamp = asked["at"].as_str().unwrap().parse().unwrap();
    say("due: the first request so long after", format_args!("{:#}", due.duration_until(asked)));
    say("due: CPU seconds for it", format_args!("{:.2}", cpu(daemon.id()) - before));
    say("due: resident MB with 10,000 runs waiting", memory(daemon.id()));
    assert!(due.duration_until(asked) < SignedDuration::from_secs(2), "started within two seconds");
    let before = cpu(daemon.id());
    daemon.heard_for(Duration::from_secs(30));
    say("working at 5 requests a second: CPU seconds in 30 s", format_args!("{:.2}", cpu(daemon.id()) - before));
    // Shutdown, and the next start with every run interrupted.
    let begun = Instant::now();
    daemon.stops();
    say("shutdown", format_args!("{:?}", begun.elapsed()));
    let (daemon, ready) = start(&host);
    say("ready after, with 10,000 runs cut off", format_args!("{ready:?}"));
    let begun = Instant::now();
    let done = Command::new(measured()).args(["status", "--json"]).current_dir(host.folder.root()).output().unwrap();
    say("status beside it takes", format_args!("{:?}", begun.elapsed()));
    assert!(done.stdout.len() > 100_000);
    // A digest of all.
    let (schedule, due) = soon(10);
    let text = std::fs::read_to_string(host.path("policy.toml")).unwrap();
    host.write_private("policy.toml", &text.replace("digest = \"0 0 1 1 *\"", &format!("digest = \"{schedule}\"")));
    daemon.signal("HUP");
    daemon.hears("READY=1");
    mail_with(&host, &["Subject: [lastgood] digest"]);
    say("a digest is there after", format_args!("{:#}", due.duration_until(now())));
    daemon.stops();
}
