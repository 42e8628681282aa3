//! What a night costs in real time: the program against a simulated provider over loopback. `tests/runs/calls.rs` asserts
//! the same in virtual time, where the disk and the processor cost nothing.
//!
//! Ignored, since the numbers depend on the machine: `LASTGOOD_MEASURED=PROGRAM cargo test --test daemon -- --ignored
//! a_night --nocapture` (docs/performance.md has them). LASTGOOD_BACKUP_SECONDS is how long a backup takes.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::mark::{Mark, Token};
use serde_json::{Value, json};

use crate::scale::{measured, now, say};
use crate::support::host::Host;
use crate::support::policy_text::MAIL_TO_FILES;
use crate::support::provider_control::Provider;

const SERVERS: u64 = 100;
const SLOTS: u64 = 10;

/// Points of ours in every slot of every server, and answers that take 20 ms.
fn options() -> Value {
    let point = |server: u64, days: u64| {
        let hours = i64::try_from(days * 24).unwrap();
        let mark = Mark {
            token: Token::from_random(server * 1_000_003 + days * 10_007),
            instance: "main".to_owned(),
            policy: "nightly".parse().unwrap(),
            due: now() - SignedDuration::from_hours(hours),
        };
        let name = format!("web-server-{server:02}");
        json!({"kind": "backup", "server": name, "description": mark.description(), "age_seconds": hours * 3_600})
    };
    let points: Vec<Value> =
        (1..=SERVERS).flat_map(|server| (1..=SLOTS).map(move |days| point(server, days))).collect();
    json!({"paged": true, "foreign": points, "latency": 0.02})
}

/// The requests since the one with this number, by sort, and the time from the first to the last of them.
fn requests_since(host: &Host, seq: u64) -> (BTreeMap<String, usize>, f64, u64) {
    let record = host.provider.record();
    let entries = record["entries"].as_array().expect("the record");
    let all = entries.iter().filter(|entry| entry["request"].is_object() && entry["seq"].as_u64() > Some(seq));
    let mut sorts = BTreeMap::new();
    let mut times: Vec<Timestamp> = Vec::new();
    for entry in all {
        let text = |key: &str| entry["request"][key].as_str().unwrap_or_default().to_owned();
        let list = if text("query").contains("server_id=") { " of a server" } else { "" };
        let path = text("path").split('/').nth(1).unwrap_or_default().to_owned();
        if path == "servers" || path == "account" {
            continue;
        }
        times.push(entry["at"].as_str().unwrap().parse().unwrap());
        *sorts.entry(format!("{} {path}{list}", text("method"))).or_default() += 1;
    }
    let took = times
        .iter()
        .max()
        .zip(times.iter().min())
        .map_or(0.0, |(last, first)| (*last - *first).total(jiff::Unit::Second).unwrap());
    (sorts, took, entries.last().and_then(|entry| entry["seq"].as_u64()).unwrap_or_default())
}

#[test]
#[ignore = "it measures real time on this machine"]
fn a_night_of_a_hundred_servers_in_real_time() {
    let seconds: f64 = std::env::var("LASTGOOD_BACKUP_SECONDS").map_or(5.0, |text| text.parse().unwrap());
    let folder = crate::support::folder::Folder::new();
    folder.write_private("options.json", &options().to_string());
    let file = folder.path("options.json");
    let host = Host::with_provider(Provider::start_as(
        &measured(),
        &["--servers", "100", "--options", file.to_str().unwrap()],
    ));
    host.provider.points_take(seconds);
    let text = host.policy_text(
        "[policy.nightly]\nkind = \"backup\"\nservers = [\"*\"]\nschedule = \"0 0 1 1 *\"\nkeep = { last = 10 }\n",
    );
    let pauses = format!("poll = \"{}ms\"\nparallel_runs = 50", (seconds * 50.0).round());
    let text = text.replace("poll = \"50ms\"", &pauses).replace("settle = \"500ms\"", "settle = \"60s\"");
    host.write_private("policy.toml", &(text + MAIL_TO_FILES + "[report.oncall]\nto = [\"oncall@example.com\"]\n"));
    let mut seq = 0;
    for night in 1..=3 {
        let mut command = Command::new(measured());
        let command = command.args(["run", "--policy", "nightly"]).current_dir(host.folder.root()).stdin(Stdio::null());
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let (sorts, took, last) = requests_since(&host, seq);
        seq = last;
        let calls = sorts.values().sum::<usize>() as f64 / SERVERS as f64;
        let limit = 2.0 * (seconds + 5.0 * 0.02);
        say(
            &format!("night {night}"),
            format_args!("{calls:.2} calls a run, {took:.2} s, {:.3} of the limit, {sorts:?}", took / limit),
        );
    }
}
