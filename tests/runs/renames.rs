//! A policy that is renamed by `formerly` drops nothing that its predecessors kept until a person accepts that.

use std::sync::Arc;

use lastgood::seams::daemon::brake_changed_retention;
use lastgood::seams::journal::notice::Topic;
use lastgood::seams::policy::brake::BrakeCause;
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::Task;
use lastgood::simulator::{self, Options};

use crate::support::simulated_world::{SimulatedWorld, policy};

const BACKUP: simulator::PointKind = simulator::PointKind::Backup;

fn name(text: &str) -> PolicyName {
    PolicyName::new(text).unwrap()
}

fn last(count: u32) -> Keep {
    Keep { counts: vec![(KeepRule::Last, Count::Number(count))], ..Keep::default() }
}

/// The task of a file that renames the policy and keeps the last `count`.
fn renamed(task: &Task, new: &str, formerly: &[&str], count: u32) -> Task {
    let formerly = formerly.iter().map(|former| name(former)).collect();
    let policy = Policy { name: name(new), formerly, keep: last(count), ..(*task.policy).clone() };
    Task { policy: Arc::new(policy), ..task.clone() }
}

/// A policy that keeps the last `count` backups, and that many backups of it.
async fn full(sim: &SimulatedWorld, count: u32) -> Task {
    let task = sim.task(policy(Kind::Backup, count)).await;
    for _ in 0..count {
        assert_eq!(sim.run(&task).await.outcome.as_str(), "succeeded");
    }
    task
}

async fn causes(sim: &SimulatedWorld, task: &Task) -> Vec<BrakeCause> {
    sim.plan(task).await.brakes.iter().map(|brake| brake.cause).collect()
}

async fn accept_all(sim: &SimulatedWorld, task: &Task) {
    let server = task.server.reference.clone();
    let held = sim.world.store.brakes(server.id.clone()).await.unwrap();
    assert!(!held.is_empty());
    assert!(sim.world.store.accept(server, held, sim.world.clock.now()).await.unwrap());
}

async fn reload(sim: &SimulatedWorld, task: &Task) {
    brake_changed_retention(&sim.world, std::slice::from_ref(task), sim.world.clock.now()).await.unwrap();
}

/// The points of `before` that still exist.
fn left(sim: &SimulatedWorld, before: &[PointId]) -> usize {
    let now = sim.ids(BACKUP);
    before.iter().filter(|id| now.contains(id)).count()
}

#[tokio::test(start_paused = true)]
async fn a_new_name_that_keeps_less_drops_nothing_before_it_is_accepted_reloaded_or_not() {
    for reloads in [false, true] {
        let sim = SimulatedWorld::new(Options::default());
        let task = full(&sim, 6).await;
        let before = sim.ids(BACKUP);
        let less = renamed(&task, "daily", &["nightly"], 1);
        if reloads {
            reload(&sim, &less).await;
            let reported = sim.world.store.incidents().await.unwrap();
            assert!(reported.len() == 1 && reported[0].topic == Topic::Brake, "{reported:?}");
        }
        for _ in 0..4 {
            let run = sim.run(&less).await;
            assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
        }
        assert_eq!(left(&sim, &before), 6, "reloaded: {reloads}");
        assert_eq!(causes(&sim, &less).await, [BrakeCause::Retention]);
        // The slots are full: the evicted point is deleted, and no other.
        let run = sim.run(&less).await;
        assert_eq!((run.outcome.as_str(), &run.deleted[..]), ("succeeded", &before[..1]), "{run:?}");
        accept_all(&sim, &less).await;
        assert_eq!(sim.run(&less).await.deleted.len(), 2, "max_deletes is the next brake");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_name_that_keeps_the_same_waits_for_nobody_back_and_forth() {
    let sim = SimulatedWorld::new(Options::default());
    let mut task = full(&sim, 3).await;
    for (new, formerly) in
        [("daily", &["nightly"][..]), ("nightly", &["daily"]), ("daily", &["nightly"]), ("late", &["daily", "nightly"])]
    {
        task = renamed(&task, new, formerly, 3);
        reload(&sim, &task).await;
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{new}: {run:?}");
        assert_eq!(causes(&sim, &task).await, [], "{new}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_brake_that_waits_for_a_person_is_not_left_behind_by_the_next_name() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 6).await;
    let before = sim.ids(BACKUP);
    let first = renamed(&task, "daily", &["nightly"], 1);
    reload(&sim, &first).await;
    let second = renamed(&task, "late", &["daily", "nightly"], 1);
    reload(&sim, &second).await;
    for _ in 0..3 {
        assert_eq!(sim.run(&second).await.deleted, []);
    }
    assert_eq!(left(&sim, &before), 6);
    assert_eq!(causes(&sim, &second).await, [BrakeCause::Retention]);
    // Renamed and kept as before, there is nothing left to wait for.
    let more = renamed(&task, "nightly", &["daily", "late"], 9);
    reload(&sim, &more).await;
    assert_eq!(causes(&sim, &more).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_takes_over_the_points_of_two_others_drops_none_of_them_unaccepted() {
    let sim = SimulatedWorld::new(Options::default());
    let first = full(&sim, 3).await;
    let second = renamed(&first, "weekly", &[], 3);
    for _ in 0..3 {
        assert_eq!(sim.run(&second).await.outcome.as_str(), "succeeded");
    }
    let before = sim.ids(BACKUP);
    let both = renamed(&first, "all", &["nightly", "weekly"], 3);
    for _ in 0..3 {
        assert_eq!(sim.run(&both).await.deleted, []);
    }
    assert_eq!(left(&sim, &before), 6);
    let grown = renamed(&first, "weekly", &["nightly"], 3);
    assert_eq!(
        causes(&sim, &grown).await,
        [BrakeCause::Retention],
        "nor does one of the two that takes over the other"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_takes_over_points_that_no_policy_kept_drops_none_of_them_unaccepted() {
    let foreign = (1..=4).map(|day| crate::support::simulated_world::ours(BACKUP, day)).collect();
    let sim = SimulatedWorld::new(Options { foreign, ..Options::default() });
    // The points of `nightly` are those of a former policy to the file that is in force first.
    let other = renamed(&sim.task(policy(Kind::Backup, 2)).await, "weekly", &[], 2);
    assert_eq!(sim.run(&other).await.outcome.as_str(), "succeeded");
    let before = sim.ids(BACKUP);
    let again = renamed(&other, "nightly", &[], 2);
    for _ in 0..3 {
        assert_eq!(sim.run(&again).await.deleted, []);
    }
    assert_eq!(left(&sim, &before), 5);
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_list_does_not_let_a_changed_file_pass() {
    use lastgood::simulator::{Call, Effect, Rule};
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 6).await;
    let before = sim.ids(BACKUP);
    let less = renamed(&task, "nightly", &[], 1);
    let fields = serde_json::json!({ "created_at": "yesterday" }).as_object().unwrap().clone();
    sim.simulator.add_fault(Rule::new(Effect::Show { fields, first: Some(1) }).call(Call::List));
    let run = sim.run(&less).await;
    assert!(run.error.as_ref().is_some_and(|error| error.contains("doubtful")), "{run:?}");
    sim.simulator.clear_faults();
    let run = sim.run(&less).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    assert_eq!(left(&sim, &before), 6);
}
