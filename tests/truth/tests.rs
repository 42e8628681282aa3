//! Each rule of the checker is shown a record that breaks it, and one close to it that does not. The records are the
//! simulator's own: a client that knows no rules is let loose on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http;
use jiff::Timestamp;
use lastgood::simulator::{Act, BackupType, Edit, Kind, Options, Pick, PointSpec, Simulator};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Facts, PolicyFacts, Rule, Told, Truth};

const SERVER: &str = "web-server-01";

/// A client that does what it likes.
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
        facts.add("*", "nightly", PolicyFacts { min_keep: 1, ..PolicyFacts::new(Kind::Snapshot) });
        Self { simulator, time, facts }
    }

    /// So many points of ours from days before, the oldest with the lowest id (801).
    fn with_ours(days: i64) -> Self {
        Self::new(Options { foreign: (1..=days).rev().map(|day| ours(day, "main", "nightly")).collect(), ..free() })
    }

    fn policy(mut self, change: impl FnOnce(&mut PolicyFacts)) -> Self {
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

    fn act(&self, act: Act) {
        self.simulator.act(&act).unwrap();
    }

    /// The rules that are broken when nothing is under way any more.
    fn broken(&self) -> Vec<Rule> {
        self.after(|_| {})
    }

    fn after(&self, last: impl FnOnce(&mut Truth)) -> Vec<Rule> {
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
    PointSpec { description: text, ..PointSpec::aged(Kind::Snapshot, SERVER, day * 86_400) }
}

fn pick(id: i64) -> Pick {
    Pick { kind: Kind::Snapshot, id: Some(json!(id)), server: None, oldest: false }
}

const TODAY: &str = "2026-11-21T02:30:00Z";

#[tokio::test]
async fn a_create_without_a_free_slot_is_flagged() {
    for (points, broken) in [(5, vec![Rule::RoomFirst]), (4, vec![])] {
        let wild = Wild::with_ours(points);
        wild.list().await;
        wild.create("aaaaaaaa", TODAY).await;
        assert_eq!(wild.broken(), broken, "{points}");
    }
}

#[tokio::test]
async fn a_slot_that_a_person_took_since_the_last_list_is_nobodys_fault() {
    for (read_again, broken) in [(true, vec![Rule::RoomFirst]), (false, vec![])] {
        let wild = Wild::with_ours(4);
        wild.list().await;
        wild.act(Act::CreatePoint(PointSpec::aged(Kind::Snapshot, SERVER, 0)));
        if read_again {
            wild.list().await;
        }
        wild.create("aaaaaaaa", TODAY).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn the_delete_of_a_point_that_is_not_ours_is_flagged() {
    let theirs = PointSpec::aged(Kind::Snapshot, SERVER, 9 * 86_400);
    let cases = [
        (theirs.clone(), vec![Rule::Foreign]),
        (ours(9, "other", "nightly"), vec![Rule::Foreign]),
        (ours(9, "main", "weekly"), vec![Rule::OtherPolicy]),
        (PointSpec { status: Some("in_progress".into()), ..ours(9, "main", "nightly") }, vec![Rule::InProgress]),
        (PointSpec { status: Some("archiving".into()), ..ours(9, "main", "nightly") }, vec![Rule::InProgress]),
        (PointSpec { age_seconds: -900, ..ours(9, "main", "nightly") }, vec![Rule::Future]),
        (ours(9, "main", "nightly"), vec![]),
    ];
    for (spec, broken) in cases {
        let others = (1..=4).map(|day| ours(day, "main", "nightly"));
        let options = Options { foreign: std::iter::once(spec.clone()).chain(others).collect(), ..free() };
        let wild = Wild::new(options);
        wild.list().await;
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken, "{spec:?}");
    }
    let wild =
        Wild::new(Options { foreign: vec![theirs.clone(), theirs.clone(), theirs], snapshot_slots: 3, ..free() });
    let mut wild = wild.policy(|policy| policy.prune_all = true);
    wild.facts.slots = [10, 3];
    wild.list().await;
    wild.delete(801).await;
    assert_eq!(wild.broken(), [], "prune = all");
}

#[tokio::test]
async fn the_delete_of_an_automatic_backup_is_flagged() {
    let mut wild = Wild::new(Options { automatic_backups: 3, ..free() });
    wild.facts.add("*", "weekly", PolicyFacts { prune_all: true, ..PolicyFacts::new(Kind::Backup) });
    let automatic = wild.simulator.account().points(Kind::Backup).next().unwrap().clone();
    assert_eq!(automatic.backup_type, BackupType::Automatic);
    wild.send("DELETE", &format!("/backups/{}/", automatic.id), Value::Null).await;
    assert_eq!(wild.broken(), [Rule::Automatic]);
}

#[tokio::test]
async fn the_delete_of_a_held_or_protected_point_is_flagged() {
    let mut wild = Wild::with_ours(5);
    wild.facts.held.insert((Kind::Snapshot, "801".to_owned()));
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Rule::Held]);
    let mut wild = Wild::with_ours(5);
    wild.facts.held_servers.insert(SERVER.to_owned());
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Rule::Held]);
    let wild = Wild::with_ours(5).policy(|policy| policy.protect = vec!["lg-*T02:3?:00Z *".to_owned()]);
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Rule::Protected]);
    let wild = Wild::with_ours(5).policy(|policy| policy.prune_none = true);
    wild.delete(801).await;
    assert_eq!(wild.broken(), [Rule::OtherPolicy]);
}

#[tokio::test]
async fn the_delete_of_a_point_whose_text_a_person_changed_is_flagged_once_the_client_could_know() {
    for (read_before, read_after, broken) in
        [(true, true, vec![Rule::Foreign]), (true, false, vec![]), (false, true, vec![])]
    {
        let wild = Wild::with_ours(5);
        if read_before {
            wild.list().await;
        }
        let name = Some("keep this one".to_owned());
        let edit = Edit { pick: pick(801), name, description: None, status: None, created_at: None, size_mb: None };
        wild.act(Act::EditPoint(edit));
        if read_after {
            wild.list().await;
        }
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn a_point_with_our_mark_that_came_later_is_anothers() {
    let wild = Wild::with_ours(4);
    wild.list().await;
    wild.act(Act::CreatePoint(ours(8, "main", "nightly")));
    wild.list().await;
    wild.delete(801).await;
    wild.delete(805).await;
    assert_eq!(wild.broken(), [Rule::SecondLastgood, Rule::Foreign]);
}

#[tokio::test]
async fn the_delete_of_the_newest_is_flagged() {
    let wild = Wild::with_ours(5);
    wild.delete(805).await;
    assert_eq!(wild.broken(), [Rule::NewestOfServer]);
    let newer = PointSpec::aged(Kind::Snapshot, SERVER, 60);
    let foreign = (1..=4).rev().map(|day| ours(day, "main", "nightly")).chain([newer]).collect();
    let wild = Wild::new(Options { foreign, ..free() });
    wild.delete(804).await;
    assert_eq!(wild.broken(), [Rule::NewestOfPolicy]);
}

#[tokio::test]
async fn a_person_who_deletes_a_newer_point_makes_an_older_one_the_newest_only_once_it_is_known() {
    for (read_again, broken) in [(true, vec![Rule::NewestOfServer]), (false, vec![])] {
        let mut wild = Wild::with_ours(2);
        wild.facts.slots = [10, 2];
        wild.list().await;
        wild.act(Act::DeletePoint(pick(802)));
        if read_again {
            wild.facts.slots = [10, 1];
            wild.list().await;
        }
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn leaving_less_than_min_keep_is_flagged() {
    for (min_keep, broken) in [(5, vec![Rule::MinKeep]), (4, vec![])] {
        let wild = Wild::with_ours(5).policy(|policy| policy.min_keep = min_keep);
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn a_completed_point_that_goes_before_the_new_one_is_completed_is_flagged_unless_no_slot_is_free() {
    for (points, wait, broken) in
        [(4, 0, vec![Rule::EvictedWithRoom]), (4, 1, vec![Rule::EvictedWithRoom]), (4, 5, vec![]), (5, 0, vec![])]
    {
        let wild = Wild::with_ours(points);
        wild.list().await;
        if points == 4 {
            wild.create("aaaaaaaa", TODAY).await;
            wild.act(Act::DeletePoint(pick(802)));
            wild.wait(wait);
            wild.list().await;
        }
        wild.delete(801).await;
        assert_eq!(wild.broken(), broken, "{points} {wait}");
    }
}

#[tokio::test]
async fn a_slot_may_be_kept_for_people() {
    let wild = Wild::with_ours(4).policy(|policy| policy.reserve = 1);
    wild.delete(801).await;
    assert_eq!(wild.broken(), []);
}

#[tokio::test]
async fn two_evictions_before_a_new_point_is_completed_are_flagged() {
    for (completed_between, broken) in [(false, vec![Rule::EvictedTwice]), (true, vec![])] {
        let wild = Wild::with_ours(5);
        wild.list().await;
        wild.delete(801).await;
        wild.create("aaaaaaaa", TODAY).await;
        if completed_between {
            wild.wait(5);
        }
        wild.list().await;
        wild.delete(802).await;
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn more_deletes_than_the_brake_allows_are_flagged_within_an_announced_run() {
    for (most, broken) in [(1, vec![Rule::MaxDeletes]), (2, vec![])] {
        let wild = Wild::with_ours(4).policy(|policy| policy.max_deletes = Some(most));
        let mut truth = Truth::new(wild.facts.clone());
        truth.feed(&wild.simulator.take_record());
        truth.run_began(SERVER, "nightly");
        wild.create("aaaaaaaa", TODAY).await;
        wild.wait(5);
        wild.delete(801).await;
        wild.delete(802).await;
        truth.feed(&wild.simulator.take_record());
        let rules: Vec<Rule> = truth.violations().iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, broken, "{most}");
    }
}

#[tokio::test]
async fn a_delete_of_another_policys_point_is_flagged_within_an_announced_run() {
    let mut wild = Wild::with_ours(5);
    wild.facts.add("*", "weekly", PolicyFacts::new(Kind::Snapshot));
    let mut truth = Truth::new(wild.facts.clone());
    truth.feed(&wild.simulator.take_record());
    truth.run_began(SERVER, "weekly");
    wild.delete(801).await;
    truth.feed(&wild.simulator.take_record());
    assert_eq!(truth.violations()[0].rule, Rule::OtherPolicy);
    assert!(truth.violations()[0].to_string().contains("801 on web-server-01"), "{}", truth.violations()[0]);
}

#[tokio::test]
async fn a_create_sent_twice_for_one_due_time_is_flagged_and_the_two_points_too() {
    for (read_between, broken) in
        [(true, vec![Rule::SentTwice, Rule::OnePointADueTime]), (false, vec![Rule::OnePointADueTime])]
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
    for (wait, broken) in [(3, vec![]), (1, vec![Rule::InProgress])] {
        let wild = Wild::new(free());
        wild.create("aaaaaaaa", TODAY).await;
        wild.create("aaaaaaaa", TODAY).await;
        wild.wait(wait);
        wild.delete(802).await;
        wild.wait(3);
        assert_eq!(wild.broken(), broken, "{wait}");
    }
}

#[tokio::test]
async fn a_server_that_stays_stopped_is_flagged() {
    for (start, broken) in [(false, vec![Rule::LeftStopped]), (true, vec![])] {
        let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(5);
        if start {
            wild.power("start").await;
            wild.wait(5);
        }
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn a_create_while_the_server_is_on_its_way_up_again_is_flagged() {
    for (start, broken) in [(true, vec![Rule::MadeRunning]), (false, vec![])] {
        let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(5);
        if start {
            wild.power("start").await;
        }
        wild.create("aaaaaaaa", TODAY).await;
        if !start {
            wild.power("start").await;
        }
        wild.wait(5);
        assert_eq!(wild.broken(), broken);
    }
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.power("stop").await;
    wild.wait(5);
    wild.act(Act::SetStatus { server: json!(SERVER), status: "active".to_owned() });
    wild.create("aaaaaaaa", TODAY).await;
    assert_eq!(wild.broken(), [], "a person started it just now");
}

#[tokio::test]
async fn power_that_nobody_asked_for_is_flagged() {
    let wild = Wild::new(free());
    wild.power("stop").await;
    wild.power("start").await;
    wild.wait(5);
    assert_eq!(wild.broken(), [Rule::PowerUnasked]);
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.act(Act::SetStatus { server: json!(SERVER), status: "stopped".to_owned() });
    wild.power("start").await;
    assert_eq!(wild.broken(), [Rule::PowerUnasked], "a person stopped it");
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.power("hard_stop").await;
    wild.power("start").await;
    wild.wait(5);
    assert_eq!(wild.broken(), [Rule::HardStop]);
}

fn told<'a>(outcome: &'a str, created: Option<&str>, deleted: &[&str]) -> Told<'a> {
    let deleted = deleted.iter().map(|id| (*id).to_owned()).collect();
    let created = created.map(str::to_owned);
    Told { server: SERVER, policy: "nightly", kind: Kind::Snapshot, outcome, created, deleted }
}

#[tokio::test]
async fn a_run_that_tells_what_did_not_happen_is_flagged() {
    let wild = Wild::with_ours(3);
    wild.create("aaaaaaaa", TODAY).await;
    for (said, broken) in [
        (told("succeeded", Some("804"), &[]), vec![Rule::Told]),
        (told("succeeded", None, &[]), vec![Rule::Told]),
        (told("failed", Some("804"), &["801"]), vec![Rule::Told]),
        (told("failed", Some("803"), &[]), vec![Rule::Adopted]),
        (told("failed", Some("804"), &[]), vec![]),
        (told("unknown", None, &[]), vec![]),
    ] {
        assert_eq!(wild.after(|truth| truth.run_ended(&said)), broken, "{said:?}");
    }
    wild.wait(5);
    assert_eq!(wild.after(|truth| truth.run_ended(&told("succeeded", Some("804"), &[]))), []);
    let another = Told { policy: "weekly", ..told("succeeded", Some("804"), &[]) };
    assert_eq!(wild.after(|truth| truth.run_ended(&another)), [Rule::Adopted]);
}

#[tokio::test]
async fn a_delete_that_a_run_keeps_to_itself_is_flagged() {
    let wild = Wild::with_ours(5);
    let mut truth = Truth::new(wild.facts.clone());
    truth.feed(&wild.simulator.take_record());
    truth.run_began(SERVER, "nightly");
    wild.delete(801).await;
    truth.feed(&wild.simulator.take_record());
    truth.run_ended(&told("failed", None, &[]));
    assert_eq!(truth.violations()[0].rule, Rule::Told);
}

#[tokio::test]
async fn without_reads_in_the_record_a_run_may_lag_behind_people_by_the_grace() {
    for (seconds, broken) in [(599, vec![]), (601, vec![Rule::RoomFirst])] {
        let mut wild =
            Wild::new(Options { record_reads: false, ..Wild::with_ours(4).simulator.account().options().clone() });
        wild.facts.reads = false;
        wild.act(Act::CreatePoint(PointSpec::aged(Kind::Snapshot, SERVER, 0)));
        wild.wait(seconds);
        wild.create("aaaaaaaa", TODAY).await;
        assert_eq!(wild.broken(), broken, "{seconds}");
    }
}

#[tokio::test]
async fn a_list_that_lied_and_could_not_be_seen_through_excuses_what_was_done_on_it() {
    let wild = Wild::with_ours(5);
    let lie = lastgood::simulator::Effect::OnlyItems { items: 2 };
    wild.simulator.add_fault(lastgood::simulator::Rule::new(lie));
    wild.list().await;
    wild.create("aaaaaaaa", TODAY).await;
    assert_eq!(wild.broken(), []);
    wild.simulator.clear_faults();
    wild.list().await;
    wild.create("aaaaaaaa", TODAY).await;
    assert_eq!(wild.broken(), [Rule::RoomFirst]);
}
