//! A run that must wait for the end of a bucket: it holds up nobody, survives a crash, and ends at the right moment.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::journal::errand::ManualCommand;
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::{Lease, Task, drive};
use lastgood::simulator::{self, Call, Effect, Options, Rule, StatusEffect};

use crate::support::simulated_world::{SimulatedWorld, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;

/// Five daily points fill the slots, and it is 23:59 of the sixth day.
async fn full() -> (SimulatedWorld, Task, Timestamp) {
    let sim = SimulatedWorld::new(Options::default());
    let keep = Keep { counts: vec![(KeepRule::Daily, Count::Number(5))], ..Keep::default() };
    let task = sim.task(Policy { keep, ..policy(Kind::Snapshot, 1) }).await;
    let mut due: Timestamp = "2026-11-21T23:59:00Z".parse().unwrap();
    for _ in 0..5 {
        let wait = Duration::try_from(sim.clock.now().duration_until(due)).unwrap();
        tokio::time::advance(wait).await;
        let run = sim.open(&task, Some(due)).await;
        assert_eq!(drive(&sim.world, &task, run).await.unwrap().outcome.as_str(), "succeeded");
        due += SignedDuration::from_hours(24);
    }
    let wait = Duration::try_from(sim.clock.now().duration_until(due)).unwrap();
    tokio::time::advance(wait).await;
    (sim, task, due)
}

/// The same, where this day has its point already: the next run waits for midnight.
async fn waiting_for_midnight() -> (SimulatedWorld, Task, Timestamp) {
    let (sim, task, due) = full().await;
    let early = due - SignedDuration::from_secs(1);
    let run = sim.open(&task, Some(early)).await;
    // Its point belongs to the day that ends in a minute.
    assert_eq!(drive(&sim.world, &task, run).await.unwrap().outcome.as_str(), "succeeded");
    (sim, task, due)
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_end_of_a_bucket_keeps_neither_permit_nor_server_from_others() {
    let (sim, task, due) = waiting_for_midnight().await;
    let run = sim.open(&task, Some(due)).await;
    let mut driven = pin!(drive(&sim.world, &task, run));
    assert!(tokio::time::timeout(Duration::from_secs(20), &mut driven).await.is_err(), "it waits");
    assert_eq!(sim.world.run_permits.available_permits(), 8);
    let command = ManualCommand::Restore { kind: Kind::Snapshot, id: PointId::Number(1) };
    let beside = Lease::try_beside(&sim.beside(5), &task.server.reference.id, command).await.unwrap();
    beside.expect("the server is free").end().await.unwrap();
    let run = driven.await.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("succeeded", 1, 1), "{run:?}");
    let midnight: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
    let newest = sim.simulator.account().points_of(SNAPSHOT, "web-server-01").last().unwrap().created_at;
    assert!(newest >= midnight && newest < midnight + SignedDuration::from_secs(10), "{newest}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_wait_for_the_end_of_a_bucket_continues_after_the_crash() {
    let mut pauses = vec![Duration::ZERO, Duration::from_secs(10), Duration::from_hours(3)];
    while let Some(pause) = pauses.pop() {
        let (sim, task, due) = waiting_for_midnight().await;
        let run = sim.open(&task, Some(due)).await;
        let cut_off = tokio::time::timeout(Duration::from_secs(20), drive(&sim.world, &task, run)).await;
        assert!(cut_off.is_err(), "it waits");
        let sim = sim.restart().await;
        tokio::time::advance(pause).await;
        let [run] = sim.world.store.unfinished().await.unwrap().try_into().unwrap();
        let run = drive(&sim.world, &task, run).await.unwrap();
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{pause:?}: {run:?}");
        let account = sim.simulator.account();
        let points = account.points_of(SNAPSHOT, "web-server-01");
        let newest = points.last().unwrap().created_at.to_string();
        assert!(points.len() == 5 && newest.starts_with("2026-11-27T"), "{newest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_during_the_wait_makes_it_neither_longer_nor_shorter() {
    for jump in [-6 * 3600, -30, 30, 3000] {
        let (sim, task, due) = waiting_for_midnight().await;
        let began = tokio::time::Instant::now();
        let run = sim.open(&task, Some(due)).await;
        let set = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            sim.clock.jump(jump);
            // The provider's clock is its own.
            sim.simulator.set_clock_skew(-jump);
        };
        let (run, ()) = tokio::join!(drive(&sim.world, &task, run), set);
        assert!(began.elapsed() < Duration::from_secs(100), "{jump}: {:?}", began.elapsed());
        let run = run.unwrap();
        // Clocks that differ by hours stop deletes, including evictions.
        let expected = if jump == -6 * 3600 { "failed" } else { "succeeded" };
        assert_eq!(run.outcome.as_str(), expected, "{jump}: {run:?}");
        let ids: Vec<PointId> = sim.ids(SNAPSHOT);
        assert_eq!(ids.len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_does_not_end_the_wait_for_a_bucket() {
    let (sim, task, due) = waiting_for_midnight().await;
    let run = sim.open(&task, Some(due)).await;
    let cut_off = tokio::time::timeout(Duration::from_secs(20), drive(&sim.world, &task, run)).await;
    assert!(cut_off.is_err(), "it waits");
    let sim = sim.restart().await;
    // The client tries four times.
    sim.simulator.add_fault(Rule::new(Effect::Status(StatusEffect::new(503))).call(Call::List).times(4));
    let [run] = sim.world.store.unfinished().await.unwrap().try_into().unwrap();
    let run = drive(&sim.world, &task, run).await.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("succeeded", 1, 1), "{run:?}");
    let newest = sim.simulator.account().points_of(SNAPSHOT, "web-server-01").last().unwrap().created_at;
    assert!(newest >= "2026-11-27T00:00:00Z".parse().unwrap(), "{newest}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_meets_the_end_of_another_bucket_waits_for_that_one_too() {
    let (sim, task, due) = waiting_for_midnight().await;
    let retry_after = Duration::from_secs(86_400 - 100);
    let patient = Policy { retries: 1, retry_after, max_deletes: Some(9), ..(*task.policy).clone() };
    let patient = Task { policy: Arc::new(patient), ..task.clone() };
    // The first attempt waits for midnight and fails. A day later that day has a point, and it is late again.
    let fails = serde_json::json!({ "call": "create", "times": 1, "effect": { "do": "create_as", "fate": "fails" } });
    sim.simulator.add_fault(serde_json::from_value(fails).unwrap());
    let run = sim.open(&patient, Some(due)).await;
    let beside = async {
        tokio::time::sleep(Duration::from_hours(12)).await;
        assert_eq!(sim.run(&task).await.outcome.as_str(), "succeeded");
    };
    let (run, ()) = tokio::join!(drive(&sim.world, &patient, run), beside);
    let run = run.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    let newest = sim.simulator.account().points_of(SNAPSHOT, "web-server-01").last().unwrap().created_at;
    assert!(newest >= "2026-11-28T00:00:00Z".parse().unwrap(), "{newest}");
}
