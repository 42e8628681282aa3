//! Decide late: what was decided earlier is an upper bound, and every fact is looked at again when it is used. Holds and
//! reloads that come while a run is in progress, slow evictions, and a wait for a bucket's end that is cut off.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::journal::errand::Command;
use lastgood::policy::inventory::{Id, Kind};
use lastgood::policy::keep::{Count, Keep, Rule as KeepRule};
use lastgood::policy::policy::{Policy, PolicyName, Prune};
use lastgood::policy::selector::Pattern;
use lastgood::run::{Lease, Task, by_hand, drive};
use lastgood::simulator::{self, Act, Call, Effect, Options, PointSpec, RetryAfter, Rule, StatusEffect, What};
use lastgood::store::holds::{Hold, HoldTarget};

use crate::stage::{Stage, ours, policy};

const SNAPSHOT: simulator::Kind = simulator::Kind::Snapshot;

/// Four points of `nightly`, of which `last = 2` drops three once a new one is there.
fn four() -> Options {
    Options { foreign: (1..=4).rev().map(|days| ours(SNAPSHOT, days)).collect(), ..Options::default() }
}

fn prunes_three() -> Policy {
    Policy { max_deletes: Some(5), ..policy(Kind::Snapshot, 2) }
}

async fn hold(stage: &Stage, what: HoldTarget) {
    let since = stage.world.clock.now();
    stage.world.store.hold(Hold { what, reason: "audit".to_owned(), since, until: None }).await.unwrap();
}

/// The first delete is answered 429 once; its turn comes again in 20 seconds.
fn first_delete_waits(stage: &Stage) {
    let busy = StatusEffect { retry_after: Some(RetryAfter::Seconds(20)), ..StatusEffect::new(429) };
    stage.simulator.add_fault(Rule::new(Effect::Status(busy)).call(Call::Delete).times(1));
}

fn deletes(stage: &Stage) -> usize {
    stage.simulator.account().record().requests().filter(|request| request.method == "DELETE").count()
}

/// Waits, in the simulated time, until the provider has had so many deletes.
async fn had_deletes(stage: &Stage, count: usize) {
    while deletes(stage) < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_while_a_run_prunes_keeps_its_point() {
    for whole_server in [false, true] {
        let stage = Stage::new(Options { latency: Duration::from_millis(100), ..four() });
        let task = stage.task(prunes_three()).await;
        let ids = stage.ids(SNAPSHOT);
        let held = if whole_server {
            HoldTarget::Server(task.server.reference.clone())
        } else {
            HoldTarget::Point(Kind::Snapshot, ids[2].clone())
        };
        let placed = async {
            had_deletes(&stage, 1).await;
            hold(&stage, held).await;
        };
        let (run, ()) = tokio::join!(stage.run(&task), placed);
        assert_eq!(run.outcome, "succeeded", "{run:?}");
        assert!(!run.deleted.contains(&ids[2]) && stage.ids(SNAPSHOT).contains(&ids[2]), "{run:?}");
        assert!(run.deleted.contains(&ids[0]), "what was deleted before the hold: {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_while_a_delete_waits_for_its_turn_keeps_its_point() {
    for whole_server in [false, true] {
        let stage = Stage::new(four());
        let task = stage.task(prunes_three()).await;
        let oldest = stage.ids(SNAPSHOT)[0].clone();
        first_delete_waits(&stage);
        let held = if whole_server {
            HoldTarget::Server(task.server.reference.clone())
        } else {
            HoldTarget::Point(Kind::Snapshot, oldest.clone())
        };
        let placed = async {
            had_deletes(&stage, 1).await;
            hold(&stage, held).await;
        };
        let (run, ()) = tokio::join!(stage.run(&task), placed);
        assert_eq!(run.outcome, "succeeded", "{run:?}");
        assert!(stage.ids(SNAPSHOT).contains(&oldest), "{run:?}");
        assert_eq!(run.deleted.len(), if whole_server { 0 } else { 2 }, "{run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_whose_turn_comes_minutes_later_is_decided_by_a_new_list() {
    let stage = Stage::new(four());
    let task = stage.task(prunes_three()).await;
    let oldest = stage.ids(SNAPSHOT)[0].clone();
    let busy = StatusEffect { retry_after: Some(RetryAfter::Seconds(60)), ..StatusEffect::new(429) };
    stage.simulator.add_fault(Rule::new(Effect::Status(busy)).call(Call::Delete).times(2));
    let edited = async {
        had_deletes(&stage, 1).await;
        let Id::Number(id) = &oldest else { panic!("{oldest}") };
        let description = "the last one before the migration: keep";
        let edit = serde_json::json!({ "act": "edit_point", "kind": "snapshot", "id": id, "description": description });
        let act = serde_json::from_value(edit).unwrap_or_else(|error| panic!("{error}"));
        stage.simulator.act(&act).unwrap();
    };
    let (run, ()) = tokio::join!(stage.run(&task), edited);
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
    assert!(stage.ids(SNAPSHOT).contains(&oldest));
}

#[tokio::test(start_paused = true)]
async fn a_hold_on_the_point_that_was_to_make_room_lets_another_go_or_names_itself() {
    let stage = Stage::new(Options::default());
    let task = stage.task(policy(Kind::Snapshot, 5)).await;
    for _ in 0..5 {
        stage.run(&task).await;
    }
    let oldest = stage.ids(SNAPSHOT)[0].clone();
    first_delete_waits(&stage);
    let placed = async {
        had_deletes(&stage, 1).await;
        hold(&stage, HoldTarget::Point(Kind::Snapshot, oldest.clone())).await;
    };
    let (run, ()) = tokio::join!(stage.run(&task), placed);
    let there = stage.ids(SNAPSHOT);
    assert!(there.contains(&oldest), "{run:?}");
    let made_room = run.outcome == "succeeded" && run.deleted.len() == 1 && there.len() == 5;
    let told = run.outcome == "failed" && run.deleted.is_empty();
    assert!(made_room || told, "{run:?}");
    assert!(!run.error.unwrap_or_default().contains("taken now"), "no slot was free before");
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_while_a_delete_by_hand_waits_for_its_turn_keeps_its_point() {
    let stage = Stage::new(four());
    let account = stage.world.client.records(Kind::Snapshot, None, None).await.unwrap().items;
    let point = account.into_iter().map(|(point, _)| point).min_by_key(|point| point.created_at).unwrap();
    first_delete_waits(&stage);
    let placed = async {
        had_deletes(&stage, 1).await;
        hold(&stage, HoldTarget::Point(Kind::Snapshot, point.id.clone())).await;
    };
    let (done, ()) = tokio::join!(by_hand::delete(&stage.world, &point, &|_| {}), placed);
    let error = done.unwrap_err().to_string();
    assert!(error.contains("not deleted") && error.contains("audit"), "{error}");
    // Typed again, it is refused before anything is sent.
    let error = by_hand::delete(&stage.world, &point, &|_| {}).await.unwrap_err().to_string();
    assert!(error.contains("audit"), "{error}");
    assert!(stage.ids(SNAPSHOT).contains(&point.id));
    assert_eq!(deletes(&stage), 1);
}

/// What a reload makes of the policy while a run of it is in progress, and how many of three deletes are sent then.
type Reloads = Vec<(&'static str, Option<Policy>, usize)>;

fn reloads() -> Reloads {
    let renamed = |keep| Policy {
        formerly: vec![PolicyName::new("nightly").unwrap()],
        ..Policy { name: PolicyName::new("late").unwrap(), max_deletes: Some(5), ..policy(Kind::Snapshot, keep) }
    };
    vec![
        ("the same", Some(prunes_three()), 3),
        ("protect", Some(Policy { protect: vec![Pattern::new("lg-*")], ..prunes_three() }), 0),
        ("prune = none", Some(Policy { prune: Prune::None, ..prunes_three() }), 0),
        ("a larger keep", Some(policy(Kind::Snapshot, 4)), 1),
        ("a smaller keep", Some(policy(Kind::Snapshot, 1)), 3),
        ("a larger min_keep", Some(Policy { min_keep: 4, ..prunes_three() }), 1),
        ("renamed", Some(renamed(2)), 3),
        ("renamed, a larger keep", Some(renamed(4)), 1),
        ("another kind", Some(policy(Kind::Backup, 2)), 0),
        ("no longer in the file", None, 0),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_run_in_progress_deletes_nothing_that_the_policy_in_force_keeps() {
    for (what, in_force, deleted) in reloads() {
        let stage = Stage::new(four());
        let task = stage.task(prunes_three()).await;
        let tasks = in_force.map(|policy| Task { policy: Arc::new(policy), ..task.clone() });
        stage.world.in_force.set(tasks.as_slice());
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", deleted), "{what}: {run:?}");
    }
}

/// `nightly` keeps three of five slots with this `reserve`, `weekly` so many, as they apply to the server.
async fn sharing(stage: &Stage, weekly: u32, reserve: u32) -> [Task; 2] {
    let weekly = Policy { name: PolicyName::new("weekly").unwrap(), ..policy(Kind::Snapshot, weekly) };
    stage.tasks([Policy { reserve, ..policy(Kind::Snapshot, 3) }, weekly]).await
}

#[tokio::test(start_paused = true)]
async fn what_the_policies_share_now_decides_too_what_is_given_up() {
    // What a run began with, what a reload has brought since, and how many points are given up beside one on hold.
    let table = [
        ("the same", (2, 0), (2, 0), 1),
        ("another's count is lower", (2, 0), (1, 0), 0),
        ("another's count is higher", (1, 0), (2, 0), 0),
        ("reserve is lower", (1, 1), (1, 0), 0),
        ("reserve is higher", (1, 0), (1, 1), 0),
    ];
    for (what, began, now, given_up) in table {
        let stage = Stage::new(Options::default());
        let [nightly, _] = sharing(&stage, began.0, began.1).await;
        for _ in 0..3 {
            stage.run(&nightly).await;
        }
        hold(&stage, HoldTarget::Point(Kind::Snapshot, stage.ids(SNAPSHOT)[0].clone())).await;
        // The run has planned and its delete waits for its turn when the file is read.
        first_delete_waits(&stage);
        let reloaded = async {
            if given_up > 0 || began > now {
                had_deletes(&stage, 1).await;
            }
            stage.world.in_force.set(&sharing(&stage, now.0, now.1).await);
        };
        let (run, ()) = tokio::join!(stage.run(&nightly), reloaded);
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", given_up), "{what}: {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reserve_that_is_lower_now_spares_the_eviction() {
    let stage = Stage::new(Options::default());
    let [nightly, _] = sharing(&stage, 1, 2).await;
    for _ in 0..3 {
        stage.run(&nightly).await;
    }
    drop(stage.simulator.take_record());
    first_delete_waits(&stage);
    let reloaded = async {
        had_deletes(&stage, 1).await;
        stage.world.in_force.set(&sharing(&stage, 1, 1).await);
    };
    let (run, ()) = tokio::join!(stage.run(&nightly), reloaded);
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    let account = stage.simulator.account();
    let entries = account.record().entries().iter();
    let sent =
        entries.filter_map(|entry| if let What::Request(request) = &entry.what { Some(&request.method) } else { None });
    let sent: Vec<&str> = sent.map(|method| method.as_str()).filter(|method| *method != "GET").collect();
    assert_eq!(
        sent,
        ["DELETE", "POST"],
        "the first was answered 429 and not sent again; the point is for a later plan"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_comes_while_a_run_prunes_keeps_what_is_left() {
    let stage = Stage::new(four());
    let task = stage.task(prunes_three()).await;
    first_delete_waits(&stage);
    let reloaded = async {
        had_deletes(&stage, 1).await;
        stage.world.in_force.set(&[]);
    };
    let (run, ()) = tokio::join!(stage.run(&task), reloaded);
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_point_of_ours_goes_though_its_policy_has_left_the_file() {
    let stage = Stage::new(Options::default());
    let fails = serde_json::json!({ "call": "create", "times": 1, "effect": { "do": "create_as", "fate": "fails" } });
    stage.simulator.add_fault(serde_json::from_value(fails).unwrap());
    let task = stage.task(policy(Kind::Snapshot, 2)).await;
    stage.world.in_force.set(&[]);
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, stage.ids(SNAPSHOT).len()), ("succeeded", 2, 1), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn the_server_is_down_no_longer_than_its_point_needs_though_an_eviction_takes_an_hour() {
    let stage = Stage::new(Options { delete: Duration::from_mins(59), ..Options::default() });
    let task = stage.task(Policy { stop_server: true, ..policy(Kind::Snapshot, 5) }).await;
    for _ in 0..5 {
        stage.run(&task).await;
    }
    drop(stage.simulator.take_record());
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
    let account = stage.simulator.account();
    let mut sent: Vec<(Timestamp, String)> = Vec::new();
    for entry in account.record().entries() {
        if let What::Request(request) = &entry.what
            && request.method != "GET"
        {
            sent.push((entry.at, format!("{} {}", request.method, request.path)));
        }
    }
    let words: Vec<&str> = sent.iter().map(|(_, what)| what.split(['/', ' ']).next().unwrap()).collect();
    assert_eq!(words, ["DELETE", "POST", "POST", "POST"], "evict, stop, create, start: {sent:?}");
    let down = sent[1].0.duration_until(sent[3].0);
    assert!(down < SignedDuration::from_mins(1), "{down}");
}

/// Five daily points fill the slots, and it is 23:59 of the sixth day.
async fn full() -> (Stage, Task, Timestamp) {
    let stage = Stage::new(Options::default());
    let keep = Keep { counts: vec![(KeepRule::Daily, Count::Number(5))], ..Keep::default() };
    let task = stage.task(Policy { keep, ..policy(Kind::Snapshot, 1) }).await;
    let mut due: Timestamp = "2026-11-21T23:59:00Z".parse().unwrap();
    for _ in 0..5 {
        let wait = Duration::try_from(stage.clock.now().duration_until(due)).unwrap();
        tokio::time::advance(wait).await;
        let run = stage.open(&task, Some(due)).await;
        assert_eq!(drive(&stage.world, &task, run).await.unwrap().outcome, "succeeded");
        due += SignedDuration::from_hours(24);
    }
    let wait = Duration::try_from(stage.clock.now().duration_until(due)).unwrap();
    tokio::time::advance(wait).await;
    (stage, task, due)
}

/// The same, where this day has its point already: the next run waits for midnight.
async fn waiting_for_midnight() -> (Stage, Task, Timestamp) {
    let (stage, task, due) = full().await;
    let early = due - SignedDuration::from_secs(1);
    let run = stage.open(&task, Some(early)).await;
    // Its point is of the day that ends in a minute.
    assert_eq!(drive(&stage.world, &task, run).await.unwrap().outcome, "succeeded");
    (stage, task, due)
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_end_of_a_bucket_keeps_neither_place_nor_server_from_others() {
    let (stage, task, due) = waiting_for_midnight().await;
    let run = stage.open(&task, Some(due)).await;
    let mut driven = pin!(drive(&stage.world, &task, run));
    assert!(tokio::time::timeout(Duration::from_secs(20), &mut driven).await.is_err(), "it waits");
    assert_eq!(stage.world.places.available_permits(), 8);
    let command = Command::Restore { kind: Kind::Snapshot, id: Id::Number(1) };
    let beside = Lease::try_beside(&stage.beside(5), &task.server.reference.id, command).await.unwrap();
    beside.expect("the server is free").end().await.unwrap();
    let run = driven.await.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("succeeded", 1, 1), "{run:?}");
    let midnight: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
    let newest = stage.simulator.account().points_of(SNAPSHOT, "web-server-01").last().unwrap().created_at;
    assert!(newest >= midnight && newest < midnight + SignedDuration::from_secs(10), "{newest}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_end_of_a_bucket_that_is_cut_off_goes_on_after_the_crash() {
    let mut pauses = vec![Duration::ZERO, Duration::from_secs(10), Duration::from_hours(3)];
    while let Some(pause) = pauses.pop() {
        let (stage, task, due) = waiting_for_midnight().await;
        let run = stage.open(&task, Some(due)).await;
        let cut_off = tokio::time::timeout(Duration::from_secs(20), drive(&stage.world, &task, run)).await;
        assert!(cut_off.is_err(), "it waits");
        let stage = stage.restart().await;
        tokio::time::advance(pause).await;
        let [run] = stage.world.store.unfinished().await.unwrap().try_into().unwrap();
        let run = drive(&stage.world, &task, run).await.unwrap();
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{pause:?}: {run:?}");
        let account = stage.simulator.account();
        let points = account.points_of(SNAPSHOT, "web-server-01");
        let newest = points.last().unwrap().created_at.to_string();
        assert!(points.len() == 5 && newest.starts_with("2026-11-27T"), "{newest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_during_the_wait_makes_it_neither_longer_nor_shorter() {
    for jump in [-6 * 3600, -30, 30, 3000] {
        let (stage, task, due) = waiting_for_midnight().await;
        let began = tokio::time::Instant::now();
        let run = stage.open(&task, Some(due)).await;
        let set = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            stage.clock.jump(jump);
            // The provider's clock is its own.
            stage.simulator.set_clock_skew(-jump);
        };
        let (run, ()) = tokio::join!(drive(&stage.world, &task, run), set);
        assert!(began.elapsed() < Duration::from_secs(100), "{jump}: {:?}", began.elapsed());
        let run = run.unwrap();
        // Clocks that are hours apart stop deletes, evictions too.
        let expected = if jump == -6 * 3600 { "failed" } else { "succeeded" };
        assert_eq!(run.outcome, expected, "{jump}: {run:?}");
        let ids: Vec<Id> = stage.ids(SNAPSHOT);
        assert_eq!(ids.len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_does_not_end_the_wait_for_a_bucket() {
    let (stage, task, due) = waiting_for_midnight().await;
    let run = stage.open(&task, Some(due)).await;
    let cut_off = tokio::time::timeout(Duration::from_secs(20), drive(&stage.world, &task, run)).await;
    assert!(cut_off.is_err(), "it waits");
    let stage = stage.restart().await;
    // One look of the client is four tries.
    stage.simulator.add_fault(Rule::new(Effect::Status(StatusEffect::new(503))).call(Call::List).times(4));
    let [run] = stage.world.store.unfinished().await.unwrap().try_into().unwrap();
    let run = drive(&stage.world, &task, run).await.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("succeeded", 1, 1), "{run:?}");
    let newest = stage.simulator.account().points_of(SNAPSHOT, "web-server-01").last().unwrap().created_at;
    assert!(newest >= "2026-11-27T00:00:00Z".parse().unwrap(), "{newest}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_meets_the_end_of_another_bucket_waits_for_that_one_too() {
    let (stage, task, due) = waiting_for_midnight().await;
    let retry_after = Duration::from_secs(86_400 - 100);
    let patient = Policy { retries: 1, retry_after, max_deletes: Some(9), ..(*task.policy).clone() };
    let patient = Task { policy: Arc::new(patient), ..task.clone() };
    // The first attempt waits for midnight and fails. A day later there is a point of that day, and it is late again.
    let fails = serde_json::json!({ "call": "create", "times": 1, "effect": { "do": "create_as", "fate": "fails" } });
    stage.simulator.add_fault(serde_json::from_value(fails).unwrap());
    let run = stage.open(&patient, Some(due)).await;
    let beside = async {
        tokio::time::sleep(Duration::from_hours(12)).await;
        assert_eq!(stage.run(&task).await.outcome, "succeeded");
    };
    let (run, ()) = tokio::join!(drive(&stage.world, &patient, run), beside);
    let run = run.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    let newest = stage.simulator.account().points_of(SNAPSHOT, "web-server-01").last().unwrap().created_at;
    assert!(newest >= "2026-11-28T00:00:00Z".parse().unwrap(), "{newest}");
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_the_file_in_force_refuses_is_named_with_the_guard_and_what_to_do() {
    let table = [
        (Some(policy(Kind::Snapshot, 6)), "by the policy file now in force, last"),
        (None, "the policy is no longer in the file; put it back; delete a snapshot that is not needed"),
    ];
    for (in_force, words) in table {
        let stage = Stage::new(Options::default());
        let task = stage.task(policy(Kind::Snapshot, 5)).await;
        for _ in 0..5 {
            stage.run(&task).await;
        }
        let oldest = stage.ids(SNAPSHOT)[0].clone();
        let tasks = in_force.map(|policy| Task { policy: Arc::new(policy), ..task.clone() });
        stage.world.in_force.set(tasks.as_slice());
        let run = stage.run(&task).await;
        let error = run.error.unwrap_or_default();
        let named = format!("snapshot {oldest} was to make room and stays");
        assert!(run.outcome == "failed" && run.deleted.is_empty(), "{error}");
        assert!(error.contains(&named) && error.contains(words) && !error.contains("taken now"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_taken_at_the_last_look_is_told_with_the_holds_in_the_way() {
    let stage = Stage::new(Options::default());
    let stops = Policy { stop_server: true, ..policy(Kind::Snapshot, 3) };
    let task = stage.task(stops).await;
    for _ in 0..3 {
        stage.run(&task).await;
    }
    let oldest = stage.ids(SNAPSHOT)[0].clone();
    hold(&stage, HoldTarget::Point(Kind::Snapshot, oldest.clone())).await;
    stage.run(&task).await;
    // While the server stops, a person takes the last slot.
    let stopping = async {
        while !stage.simulator.account().record().requests().any(|request| request.path.ends_with("/power/")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stage.simulator.act(&Act::CreatePoint(PointSpec::aged(SNAPSHOT, "web-server-01", 0))).unwrap();
    };
    drop(stage.simulator.take_record());
    let (run, ()) = tokio::join!(stage.run(&task), stopping);
    let error = run.error.unwrap_or_default();
    let named = format!("snapshot {oldest} is on hold (audit; until it is released)");
    assert!(error.contains("taken now") && error.contains(&named), "{error}");
}
