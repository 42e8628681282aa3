//! The text, whole, for a small installation.

use std::time::Duration;

use super::*;
use crate::journal::notice::Good;
use crate::policy::inventory::{PointId, ServerRef};
use crate::policy::slots::Slots;
use crate::status::process_counters::ProcessCounters;
use crate::status::value::{IncidentStatus, Level, OpenRuns, OutboxStatus, PolicyFileStatus};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn policy(server: &str, policy: &str, kind: Kind, state: PolicyState) -> PolicyStatus {
    let made = state != PolicyState::Never;
    let last_good = made.then(|| Good { id: PointId::Number(801), created_at: at("2026-11-21T02:30:00Z") });
    PolicyStatus {
        server: ServerRef { id: ServerId::Number(12345), name: server.to_owned() },
        policy: policy.parse().unwrap(),
        kind,
        last_good,
        size_mb: made.then_some(4523),
        age_seconds: made.then_some(3600),
        max_age_seconds: 93_600,
        next_due: Some(at("2026-11-22T02:30:00.250Z")),
        slots: Slots { limit: 5, used: 4, own: 3, foreign: 1, held: 2 },
        state,
    }
}

fn status() -> Status {
    let incident = IncidentStatus {
        server: None,
        policy: None,
        topic: "brake".to_owned(),
        text: "deletes wait".to_owned(),
        since: at("2026-11-21T02:00:00Z"),
    };
    Status {
        at: at("2026-11-21T03:30:00Z"),
        level: Level::Warning,
        policies: vec![
            policy("a \"quoted\"\\\nname", "hourly", Kind::Snapshot, PolicyState::Ok),
            policy("a \"quoted\"\\\nname", "weekly", Kind::Snapshot, PolicyState::Never),
            policy("a \"quoted\"\\\nname", "nightly", Kind::Backup, PolicyState::Stale),
        ],
        unprotected: Vec::new(),
        incidents: vec![incident.clone(), incident],
        debts: Vec::new(),
        outbox: OutboxStatus { waiting: 1, oldest: Some(at("2026-11-21T03:00:00Z")), refused: 0 },
        runs: OpenRuns { active: 1, waiting: 2 },
        policy_file: PolicyFileStatus { loaded_at: Some(at("2026-11-20T00:00:00Z")), refused: true },
        last_evaluation: Some(at("2026-11-21T03:29:50Z")),
        warnings: Vec::new(),
    }
}

fn metrics() -> String {
    let counted = |counter, subject: &str, detail: &str, value| CounterValue {
        counter,
        subject: subject.to_owned(),
        detail: detail.to_owned(),
        value,
    };
    let counters = [
        counted(Counter::Runs, "hourly", "succeeded", 41),
        counted(Counter::Runs, "removed", "failed", 2),
        counted(Counter::PointsCreated, "hourly", "", 41),
        counted(Counter::PointsDeleted, "hourly", "eviction", 38),
        counted(Counter::DueTimesMissed, "hourly", "", 3),
        counted(Counter::Messages, "mail", "sent", 7),
    ];
    let process = ProcessCounters::default();
    process.run_ended("hourly", Duration::from_millis(7_500));
    process.request_ended("create", Some(201), Duration::from_millis(40));
    process.request_ended("create", None, Duration::from_secs(31));
    process.request_ended("snapshots", Some(429), Duration::from_millis(100));
    let usage =
        ProcessUsage { resident_bytes: Some(12_345_678), cpu_seconds: 1.25, started: at("2026-11-20T00:00:00Z") };
    let process = process.counts();
    text(&Metrics { status: &status(), counters: &counters, process: &process, usage: &usage })
}

#[test]
fn the_whole_text() {
    insta::with_settings!({ filters => vec![(env!("CARGO_PKG_VERSION"), "VERSION")] }, {
        insta::assert_snapshot!(metrics());
    });
}

#[test]
fn every_sample_belongs_to_a_family_that_was_announced_once() {
    let text = metrics();
    let mut families = std::collections::HashSet::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            current = rest.split(' ').next().unwrap();
            assert!(families.insert(current), "{current} comes twice");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(name == current || base == current, "{name} under {current}");
        }
    }
    assert_eq!(families.len(), 29, "{families:?}");
}
