//! Each rule of the checker is shown a record that breaks it, and one close to it that does not. The records are the
//! simulator's own, made by a client that knows no rules.

mod deletes;
mod keeps;
mod power;
mod runs;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http;
use jiff::Timestamp;
use lastgood::simulator::{BackupType, Edit, Options, PersonAction, Pick, PointKind, PointSpec, Simulator};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{CheckedPolicy, Facts, Invariant, ReportedRun, Truth};

const SERVER: &str = "web-server-01";

/// A client without rules.
struct Wild {
    simulator: Simulator,
    time: Arc<Mutex<Timestamp>>,
    facts: Facts,
}

impl Wild {
    fn new(options: Options) -> Self {
        let time = Arc::new(Mutex::new("2026-11-21T02:30:00Z".parse().unwrap()));
        let shared = Arc::clone(&time);
        let simulator = Simulator::new(options, Arc::new(move || *shared.lock().unwrap()));
        let mut facts = Facts::default();
        facts.add("*", "nightly", CheckedPolicy { min_keep: 1, ..CheckedPolicy::new(PointKind::Snapshot) });
        Self { simulator, time, facts }
    }

    /// This many points of ours from earlier days, the oldest with the lowest id (801).
    fn with_ours(days: i64) -> Self {
        Self::new(Options { foreign: (1..=days).rev().map(|day| ours(day, "main", "nightly")).collect(), ..free() })
    }

    fn policy(mut self, change: impl FnOnce(&mut CheckedPolicy)) -> Self {
        change(&mut self.facts.policies.get_mut("*").unwrap()[0].1);
        self
    }

    fn wait(&self, seconds: u64) {
        *self.time.lock().unwrap() += Duration::from_secs(seconds);
        let _ = self.simulator.account();
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> u16 {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:1/api/v1{path}"))
            .header("authorization", "Bearer vps_test")
            .header("content-type", "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.simulator.router().oneshot(request.body(body).unwrap()).await.unwrap().status().as_u16()
    }

    async fn list(&self) {
        assert_eq!(self.send("GET", "/snapshots/?server_id=12345", Value::Null).await, 200);
    }

    async fn delete(&self, id: i64) {
        self.send("DELETE", &format!("/snapshots/{id}/"), Value::Null).await;
    }

    async fn create(&self, token: &str, due: &str) -> u16 {
        let description = format!("lg-{token} main nightly {due} made by lastgood");
        let body = json!({ "server_id": 12345, "name": "lg", "description": description });
        self.send("POST", "/snapshots/", body).await
    }

    async fn power(&self, action: &str) {
        self.send("POST", "/servers/12345/power/", json!({ "action": action })).await;
    }

    fn act(&self, act: PersonAction) {
        self.simulator.act(&act).unwrap();
    }

    /// The broken rules when nothing is in progress any more.
    fn broken(&self) -> Vec<Invariant> {
        self.after(|_| {})
    }

    fn after(&self, last: impl FnOnce(&mut Truth)) -> Vec<Invariant> {
        let mut truth = Truth::new(self.facts.clone());
        truth.feed(self.simulator.account().record().entries());
        last(&mut truth);
        truth.quiet();
        truth.violations().iter().map(|violation| violation.rule).collect()
    }
}

fn free() -> Options {
    Options::default()
}

fn ours(day: i64, instance: &str, policy: &str) -> PointSpec {
    let text = format!("lg-abcdef{day:02} {instance} {policy} 2026-11-{:02}T02:30:00Z made by lastgood", 21 - day);
    PointSpec { description: text, ..PointSpec::aged(PointKind::Snapshot, SERVER, day * 86_400) }
}

fn pick(id: i64) -> Pick {
    Pick { kind: PointKind::Snapshot, id: Some(json!(id)), server: None, oldest: false }
}

const TODAY: &str = "2026-11-21T02:30:00Z";

#[tokio::test]
async fn a_create_without_a_free_slot_is_flagged() {
    for (points, broken) in [(5, vec![Invariant::RoomFirst]), (4, vec![])] {
        let wild = Wild::with_ours(points);
        wild.list().await;
        wild.create("aaaaaaaa", TODAY).await;
        assert_eq!(wild.broken(), broken, "{points}");
    }
}

#[tokio::test]
async fn a_slot_that_a_person_took_since_the_last_list_is_nobodys_fault() {
    for (read_again, broken) in [(true, vec![Invariant::RoomFirst]), (false, vec![])] {
        let wild = Wild::with_ours(4);
        wild.list().await;
        wild.act(PersonAction::CreatePoint(PointSpec::aged(PointKind::Snapshot, SERVER, 0)));
        if read_again {
            wild.list().await;
        }
        wild.create("aaaaaaaa", TODAY).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn a_create_sent_twice_for_one_due_time_is_flagged_and_the_two_points_too() {
    for (read_between, broken) in
        [(true, vec![Invariant::SentTwice, Invariant::OnePointADueTime]), (false, vec![Invariant::OnePointADueTime])]
    {
        let wild = Wild::with_ours(1);
        wild.create("aaaaaaaa", TODAY).await;
        if read_between {
            wild.list().await;
        }
        wild.create("bbbbbbbb", TODAY).await;
        assert_eq!(wild.broken(), broken);
    }
    let wild = Wild::with_ours(1);
    wild.create("aaaaaaaa", TODAY).await;
    wild.list().await;
    wild.create("bbbbbbbb", "2026-11-22T02:30:00Z").await;
    assert_eq!(wild.broken(), []);
}

#[tokio::test]
async fn the_younger_of_two_points_may_go_though_it_is_the_newest_once_the_older_is_completed() {
    for (wait, broken) in [(3, vec![]), (1, vec![Invariant::InProgress])] {
        let wild = Wild::new(free());
        wild.create("aaaaaaaa", TODAY).await;
        wild.create("aaaaaaaa", TODAY).await;
        wild.wait(wait);
        wild.delete(802).await;
        wild.wait(3);
        assert_eq!(wild.broken(), broken, "{wait}");
    }
}
