//! A hold costs its policy a point when the slots do not suffice, and stops no policy.

use std::sync::Arc;

use lastgood::seams::policy::inventory::{Kind, PointId, ServerRef};
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::policy::selector::Pattern;
use lastgood::seams::run::Task;
use lastgood::seams::store::holds::{Hold, HoldTarget};
use lastgood::simulator::{self, Options};

use crate::support::simulated_world::{SimulatedWorld, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;

fn called(name: &str, last: u32) -> Policy {
    let keep = Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() };
    Policy { name: PolicyName::new(name).unwrap(), keep, ..policy(Kind::Snapshot, last) }
}

async fn hold(sim: &SimulatedWorld, what: HoldTarget, until: Option<&str>) {
    let until = until.map(|until| until.parse().unwrap());
    let hold = Hold { what, reason: "audit".to_owned(), since: sim.world.clock.now(), until };
    sim.world.store.hold(hold).await.unwrap();
}

async fn hold_points(sim: &SimulatedWorld, ids: &[PointId]) {
    for id in ids {
        hold(sim, HoldTarget::Point(Kind::Snapshot, id.clone()), None).await;
    }
}

async fn release(sim: &SimulatedWorld, id: &PointId) {
    assert!(sim.world.store.release(HoldTarget::Point(Kind::Snapshot, id.clone())).await.unwrap());
}

/// A run that must succeed within the slots.
async fn succeeds(sim: &SimulatedWorld, task: &Task) -> Vec<PointId> {
    let run = sim.run(task).await;
    assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
    assert!(sim.ids(SNAPSHOT).len() <= 5);
    let refused = sim.simulator.account().record().requests().any(|request| request.status == Some(400));
    assert!(!refused, "the provider's limit is never met");
    run.deleted
}

async fn error(sim: &SimulatedWorld, task: &Task) -> String {
    let run = sim.run(task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("failed", 0), "{run:?}");
    run.error.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_fills_its_slots_continues_alongside_a_hold_with_one_point_fewer() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(called("nightly", 5)).await;
    for _ in 0..5 {
        assert_eq!(succeeds(&sim, &task).await, []);
    }
    let held = sim.ids(SNAPSHOT)[0].clone();
    hold_points(&sim, std::slice::from_ref(&held)).await;
    for night in 0..9 {
        let ids = sim.ids(SNAPSHOT);
        assert_eq!(succeeds(&sim, &task).await, [ids[1].clone()], "night {night}: the oldest that nobody holds");
        assert_eq!((sim.ids(SNAPSHOT).len(), &sim.ids(SNAPSHOT)[0]), (5, &held));
    }
    release(&sim, &held).await;
    assert_eq!(succeeds(&sim, &task).await, [held], "a point like any other again");
    assert_eq!(sim.ids(SNAPSHOT).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_ends_by_itself_gives_the_place_back() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(called("nightly", 5)).await;
    for _ in 0..5 {
        succeeds(&sim, &task).await;
    }
    let held = sim.ids(SNAPSHOT)[0].clone();
    hold(&sim, HoldTarget::Point(Kind::Snapshot, held.clone()), Some("2026-11-21T02:38:00Z")).await;
    assert_ne!(succeeds(&sim, &task).await, std::slice::from_ref(&held));
    assert_ne!(succeeds(&sim, &task).await, std::slice::from_ref(&held));
    tokio::time::advance(std::time::Duration::from_secs(300)).await;
    assert_eq!(succeeds(&sim, &task).await, [held]);
}

#[tokio::test(start_paused = true)]
async fn what_protect_keeps_counts_as_what_a_hold_keeps() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(called("nightly", 5)).await;
    for _ in 0..5 {
        succeeds(&sim, &task).await;
    }
    let first = sim.simulator.account().points_of(SNAPSHOT, "web-server-01")[0].name.clone();
    let id = sim.ids(SNAPSHOT)[0].clone();
    let policy = Policy { protect: vec![Pattern::new(&first)], ..(*task.policy).clone() };
    let task = Task { policy: Arc::new(policy), ..task };
    for _ in 0..6 {
        assert_eq!(succeeds(&sim, &task).await.len(), 1);
        assert_eq!((sim.ids(SNAPSHOT).len(), &sim.ids(SNAPSHOT)[0]), (5, &id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_one_policy_stops_no_other_and_the_other_pays_nothing() {
    let sim = SimulatedWorld::new(Options::default());
    let [hourly, daily] = sim.tasks([called("hourly", 3), called("daily", 2)]).await;
    for task in [&hourly, &hourly, &hourly, &daily, &daily] {
        succeeds(&sim, task).await;
    }
    let (held, its) = (sim.ids(SNAPSHOT)[0].clone(), sim.ids(SNAPSHOT)[3..].to_vec());
    hold_points(&sim, std::slice::from_ref(&held)).await;
    let of_daily = |sim: &SimulatedWorld| {
        let account = sim.simulator.account();
        account.points_of(SNAPSHOT, "web-server-01").iter().filter(|point| point.description.contains("daily")).count()
    };
    for _ in 0..3 {
        assert_eq!(succeeds(&sim, &hourly).await.len(), 1);
        assert_eq!(of_daily(&sim), 2);
    }
    assert_eq!(succeeds(&sim, &daily).await, its[..1], "its own oldest, as always");
    for _ in 0..3 {
        succeeds(&sim, &daily).await;
        succeeds(&sim, &hourly).await;
        assert_eq!((sim.ids(SNAPSHOT).len(), of_daily(&sim)), (5, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_full_yet_gives_its_slot_to_another_as_soon_as_it_must() {
    let sim = SimulatedWorld::new(Options::default());
    let [hourly, daily] = sim.tasks([called("hourly", 3), called("daily", 2)]).await;
    for task in [&daily, &hourly, &hourly, &hourly] {
        succeeds(&sim, task).await;
    }
    // The oldest of `hourly` is held, and a slot of `daily` is still free: it must not be taken for good.
    hold_points(&sim, &sim.ids(SNAPSHOT)[1..2]).await;
    for _ in 0..3 {
        succeeds(&sim, &hourly).await;
        succeeds(&sim, &daily).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_slots_enough_a_hold_costs_nothing() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(called("nightly", 3)).await;
    for _ in 0..3 {
        succeeds(&sim, &task).await;
    }
    hold_points(&sim, &sim.ids(SNAPSHOT)[..2]).await;
    for night in 1..7 {
        succeeds(&sim, &task).await;
        assert_eq!(sim.ids(SNAPSHOT).len(), 3 + night.min(2), "three of its own beside what is held");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_may_go_the_failure_names_the_holds_and_how_they_end() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(called("nightly", 5)).await;
    for _ in 0..5 {
        succeeds(&sim, &task).await;
    }
    let ids = sim.ids(SNAPSHOT);
    hold_points(&sim, &ids[..3]).await;
    hold(&sim, HoldTarget::Point(Kind::Snapshot, ids[3].clone()), Some("2027-01-01T00:00:00Z")).await;
    let error = error(&sim, &task).await;
    for part in [
        format!("snapshot {}", ids[0]),
        format!("snapshot {}", ids[3]),
        "audit".to_owned(),
        "until 2027-01-01T00:00:00Z".to_owned(),
        format!("lastgood release snapshot {}", ids[0]),
    ] {
        assert!(error.contains(&part), "`{part}` is not in: {error}");
    }
    release(&sim, &ids[1]).await;
    assert_eq!(succeeds(&sim, &task).await, [ids[1].clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_held_server_without_room_fails_and_says_which_hold_it_is() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(called("nightly", 5)).await;
    for _ in 0..5 {
        succeeds(&sim, &task).await;
    }
    let server: ServerRef = task.server.reference.clone();
    hold(&sim, HoldTarget::Server(server.clone()), Some("2027-01-01T00:00:00Z")).await;
    let error = error(&sim, &task).await;
    for part in ["the server is on hold", "audit", "2027-01-01T00:00:00Z", "lastgood release server web-server-01"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(sim.world.store.release(HoldTarget::Server(server)).await.unwrap());
    let oldest = sim.ids(SNAPSHOT)[0].clone();
    assert_eq!(succeeds(&sim, &task).await, [oldest]);
}
