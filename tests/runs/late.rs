//! Decide late: what was decided earlier is an upper bound, and every fact is checked again when it is used. Holds and
//! reloads that come while a run is in progress, and slow evictions.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::{Policy, Prune};
use lastgood::seams::policy::selector::Pattern;
use lastgood::seams::run::{Task, by_hand};
use lastgood::seams::store::holds::{Hold, HoldTarget};
use lastgood::simulator::{self, Call, Effect, Options, PersonAction, PointSpec, RetryAfter, Rule, StatusEffect, What};

use crate::support::simulated_world::{SimulatedWorld, ours, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;

/// Four points of `nightly`, of which `last = 2` drops three once a new one is there.
fn four() -> Options {
    Options { foreign: (1..=4).rev().map(|days| ours(SNAPSHOT, days)).collect(), ..Options::default() }
}

fn prunes_three() -> Policy {
    Policy { max_deletes: Some(5), ..policy(Kind::Snapshot, 2) }
}

async fn hold(sim: &SimulatedWorld, what: HoldTarget) {
    let since = sim.world.clock.now();
    sim.world.store.hold(Hold { what, reason: "audit".to_owned(), since, until: None }).await.unwrap();
}

/// The first delete is answered with 429 once, and is due again in 20 seconds.
fn first_delete_waits(sim: &SimulatedWorld) {
    let busy = StatusEffect { retry_after: Some(RetryAfter::Seconds(20)), ..StatusEffect::new(429) };
    sim.simulator.add_fault(Rule::new(Effect::Status(busy)).call(Call::Delete).times(1));
}

fn deletes(sim: &SimulatedWorld) -> usize {
    sim.simulator.account().record().requests().filter(|request| request.method == "DELETE").count()
}

/// Waits, in simulated time, until the provider has seen this many deletes.
async fn had_deletes(sim: &SimulatedWorld, count: usize) {
    while deletes(sim) < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_while_a_run_prunes_keeps_its_point() {
    for whole_server in [false, true] {
        let sim = SimulatedWorld::new(Options { latency: Duration::from_millis(100), ..four() });
        let task = sim.task(prunes_three()).await;
        let ids = sim.ids(SNAPSHOT);
        let held = if whole_server {
            HoldTarget::Server(task.server.reference.clone())
        } else {
            HoldTarget::Point(Kind::Snapshot, ids[2].clone())
        };
        let placed = async {
            had_deletes(&sim, 1).await;
            hold(&sim, held).await;
        };
        let (run, ()) = tokio::join!(sim.run(&task), placed);
        assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
        assert!(!run.deleted.contains(&ids[2]) && sim.ids(SNAPSHOT).contains(&ids[2]), "{run:?}");
        assert!(run.deleted.contains(&ids[0]), "what was deleted before the hold: {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_while_a_delete_waits_for_its_turn_keeps_its_point() {
    for whole_server in [false, true] {
        let sim = SimulatedWorld::new(four());
        let task = sim.task(prunes_three()).await;
        let oldest = sim.ids(SNAPSHOT)[0].clone();
        first_delete_waits(&sim);
        let held = if whole_server {
            HoldTarget::Server(task.server.reference.clone())
        } else {
            HoldTarget::Point(Kind::Snapshot, oldest.clone())
        };
        let placed = async {
            had_deletes(&sim, 1).await;
            hold(&sim, held).await;
        };
        let (run, ()) = tokio::join!(sim.run(&task), placed);
        assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
        assert!(sim.ids(SNAPSHOT).contains(&oldest), "{run:?}");
        assert_eq!(run.deleted.len(), if whole_server { 0 } else { 2 }, "{run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_whose_turn_comes_minutes_later_is_decided_by_a_new_list() {
    let sim = SimulatedWorld::new(four());
    let task = sim.task(prunes_three()).await;
    let oldest = sim.ids(SNAPSHOT)[0].clone();
    let busy = StatusEffect { retry_after: Some(RetryAfter::Seconds(60)), ..StatusEffect::new(429) };
    sim.simulator.add_fault(Rule::new(Effect::Status(busy)).call(Call::Delete).times(2));
    let edited = async {
        had_deletes(&sim, 1).await;
        let PointId::Number(id) = &oldest else { panic!("{oldest}") };
        let description = "the last one before the migration: keep";
        let edit = serde_json::json!({ "act": "edit_point", "kind": "snapshot", "id": id, "description": description });
        let act = serde_json::from_value(edit).unwrap_or_else(|error| panic!("{error}"));
        sim.simulator.act(&act).unwrap();
    };
    let (run, ()) = tokio::join!(sim.run(&task), edited);
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
    assert!(sim.ids(SNAPSHOT).contains(&oldest));
}

#[tokio::test(start_paused = true)]
async fn a_hold_on_the_point_that_was_to_make_room_lets_another_go_or_names_itself() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    for _ in 0..5 {
        sim.run(&task).await;
    }
    let oldest = sim.ids(SNAPSHOT)[0].clone();
    first_delete_waits(&sim);
    let placed = async {
        had_deletes(&sim, 1).await;
        hold(&sim, HoldTarget::Point(Kind::Snapshot, oldest.clone())).await;
    };
    let (run, ()) = tokio::join!(sim.run(&task), placed);
    let there = sim.ids(SNAPSHOT);
    assert!(there.contains(&oldest), "{run:?}");
    let made_room = run.outcome.as_str() == "succeeded" && run.deleted.len() == 1 && there.len() == 5;
    let reported = run.outcome.as_str() == "failed" && run.deleted.is_empty();
    assert!(made_room || reported, "{run:?}");
    assert!(!run.error.unwrap_or_default().contains("taken now"), "no slot was free before");
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_while_a_delete_by_hand_waits_for_its_turn_keeps_its_point() {
    let sim = SimulatedWorld::new(four());
    let account = sim.world.client.records(Kind::Snapshot, None, None).await.unwrap().items;
    let point = account.into_iter().map(|(point, _)| point).min_by_key(|point| point.created_at).unwrap();
    first_delete_waits(&sim);
    let placed = async {
        had_deletes(&sim, 1).await;
        hold(&sim, HoldTarget::Point(Kind::Snapshot, point.id.clone())).await;
    };
    let (done, ()) = tokio::join!(by_hand::delete(&sim.world, &point, &|_| {}), placed);
    let error = done.unwrap_err().to_string();
    assert!(error.contains("not deleted") && error.contains("audit"), "{error}");
    // Typed again, it is refused before anything is sent.
    let error = by_hand::delete(&sim.world, &point, &|_| {}).await.unwrap_err().to_string();
    assert!(error.contains("audit"), "{error}");
    assert!(sim.ids(SNAPSHOT).contains(&point.id));
    assert_eq!(deletes(&sim), 1);
}

/// What a reload turns the policy into while a run of it is in progress, and how many of three deletes are then sent.
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
        let sim = SimulatedWorld::new(four());
        let task = sim.task(prunes_three()).await;
        let tasks = in_force.map(|policy| Task { policy: Arc::new(policy), ..task.clone() });
        sim.world.in_force.set(tasks.as_slice());
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", deleted), "{what}: {run:?}");
    }
}

/// The tasks of `nightly`, which keeps three points with this `reserve`, and of `weekly`, which keeps `weekly` points.
async fn sharing(sim: &SimulatedWorld, weekly: u32, reserve: u32) -> [Task; 2] {
    let weekly = Policy { name: PolicyName::new("weekly").unwrap(), ..policy(Kind::Snapshot, weekly) };
    sim.tasks([Policy { reserve, ..policy(Kind::Snapshot, 3) }, weekly]).await
}

#[tokio::test(start_paused = true)]
async fn what_the_policies_share_now_decides_too_what_is_given_up() {
    // What the run began with, what a reload has brought since, and how many points are given up because of one on hold.
    let table = [
        ("the same", (2, 0), (2, 0), 1),
        ("another's count is lower", (2, 0), (1, 0), 0),
        ("another's count is higher", (1, 0), (2, 0), 0),
        ("reserve is lower", (1, 1), (1, 0), 0),
        ("reserve is higher", (1, 0), (1, 1), 0),
    ];
    for (what, began, now, given_up) in table {
        let sim = SimulatedWorld::new(Options::default());
        let [nightly, _] = sharing(&sim, began.0, began.1).await;
        for _ in 0..3 {
            sim.run(&nightly).await;
        }
        hold(&sim, HoldTarget::Point(Kind::Snapshot, sim.ids(SNAPSHOT)[0].clone())).await;
        // The run has planned and its delete waits for its turn when the file is read.
        first_delete_waits(&sim);
        let reloaded = async {
            if given_up > 0 || began > now {
                had_deletes(&sim, 1).await;
            }
            sim.world.in_force.set(&sharing(&sim, now.0, now.1).await);
        };
        let (run, ()) = tokio::join!(sim.run(&nightly), reloaded);
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", given_up), "{what}: {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reserve_that_is_lower_now_spares_the_eviction() {
    let sim = SimulatedWorld::new(Options::default());
    let [nightly, _] = sharing(&sim, 1, 2).await;
    for _ in 0..3 {
        sim.run(&nightly).await;
    }
    drop(sim.simulator.take_record());
    first_delete_waits(&sim);
    let reloaded = async {
        had_deletes(&sim, 1).await;
        sim.world.in_force.set(&sharing(&sim, 1, 1).await);
    };
    let (run, ()) = tokio::join!(sim.run(&nightly), reloaded);
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    let account = sim.simulator.account();
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
    let sim = SimulatedWorld::new(four());
    let task = sim.task(prunes_three()).await;
    first_delete_waits(&sim);
    let reloaded = async {
        had_deletes(&sim, 1).await;
        sim.world.in_force.set(&[]);
    };
    let (run, ()) = tokio::join!(sim.run(&task), reloaded);
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_point_of_ours_goes_though_its_policy_has_left_the_file() {
    let sim = SimulatedWorld::new(Options::default());
    let fails = serde_json::json!({ "call": "create", "times": 1, "effect": { "do": "create_as", "fate": "fails" } });
    sim.simulator.add_fault(serde_json::from_value(fails).unwrap());
    let task = sim.task(policy(Kind::Snapshot, 2)).await;
    sim.world.in_force.set(&[]);
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, sim.ids(SNAPSHOT).len()), ("succeeded", 2, 1), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn the_server_is_down_no_longer_than_its_point_needs_though_an_eviction_takes_an_hour() {
    let sim = SimulatedWorld::new(Options { delete: Duration::from_mins(59), ..Options::default() });
    let task = sim.task(Policy { stop_server: true, ..policy(Kind::Snapshot, 5) }).await;
    for _ in 0..5 {
        sim.run(&task).await;
    }
    drop(sim.simulator.take_record());
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
    let account = sim.simulator.account();
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

#[tokio::test(start_paused = true)]
async fn an_eviction_that_the_file_in_force_refuses_is_named_with_the_guard_and_what_to_do() {
    let table = [
        (Some(policy(Kind::Snapshot, 6)), "by the policy file now in force, last"),
        (None, "the policy is no longer in the file; put it back; delete a snapshot that is not needed"),
    ];
    for (in_force, words) in table {
        let sim = SimulatedWorld::new(Options::default());
        let task = sim.task(policy(Kind::Snapshot, 5)).await;
        for _ in 0..5 {
            sim.run(&task).await;
        }
        let oldest = sim.ids(SNAPSHOT)[0].clone();
        let tasks = in_force.map(|policy| Task { policy: Arc::new(policy), ..task.clone() });
        sim.world.in_force.set(tasks.as_slice());
        let run = sim.run(&task).await;
        let error = run.error.unwrap_or_default();
        let named = format!("snapshot {oldest} was to make room and stays");
        assert!(run.outcome.as_str() == "failed" && run.deleted.is_empty(), "{error}");
        assert!(error.contains(&named) && error.contains(words) && !error.contains("taken now"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_taken_at_the_last_look_is_reported_with_the_holds_in_the_way() {
    let sim = SimulatedWorld::new(Options::default());
    let stops = Policy { stop_server: true, ..policy(Kind::Snapshot, 3) };
    let task = sim.task(stops).await;
    for _ in 0..3 {
        sim.run(&task).await;
    }
    let oldest = sim.ids(SNAPSHOT)[0].clone();
    hold(&sim, HoldTarget::Point(Kind::Snapshot, oldest.clone())).await;
    sim.run(&task).await;
    // While the server stops, a person takes the last slot.
    let stopping = async {
        while !sim.simulator.account().record().requests().any(|request| request.path.ends_with("/power/")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sim.simulator.act(&PersonAction::CreatePoint(PointSpec::aged(SNAPSHOT, "web-server-01", 0))).unwrap();
    };
    drop(sim.simulator.take_record());
    let (run, ()) = tokio::join!(sim.run(&task), stopping);
    let error = run.error.unwrap_or_default();
    let named = format!("snapshot {oldest} is on hold (audit; until it is released)");
    assert!(error.contains("taken now") && error.contains(&named), "{error}");
}
