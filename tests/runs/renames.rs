//! A policy that is renamed by `formerly` drops nothing that its predecessors kept until a person has accepted it.

use std::sync::Arc;

use lastgood::daemon::brake_changed_retention;
use lastgood::journal::notice::Topic;
use lastgood::policy::brake::BrakeCause;
use lastgood::policy::inventory::{Id, Kind};
use lastgood::policy::keep::{Count, Keep, KeepRule};
use lastgood::policy::policy::{Policy, PolicyName};
use lastgood::run::Task;
use lastgood::simulator::{self, Options};

use crate::stage::{Stage, policy};

const BACKUP: simulator::Kind = simulator::Kind::Backup;

fn name(text: &str) -> PolicyName {
    PolicyName::new(text).unwrap()
}

fn last(count: u32) -> Keep {
    Keep { counts: vec![(KeepRule::Last, Count::Number(count))], ..Keep::default() }
}

/// The task as a file would have it that renames its policy and lets it keep the last `count`.
fn renamed(task: &Task, new: &str, formerly: &[&str], count: u32) -> Task {
    let formerly = formerly.iter().map(|former| name(former)).collect();
    let policy = Policy { name: name(new), formerly, keep: last(count), ..(*task.policy).clone() };
    Task { policy: Arc::new(policy), ..task.clone() }
}

/// Backups of a policy that keeps the last `count`, as many as it keeps.
async fn full(stage: &Stage, count: u32) -> Task {
    let task = stage.task(policy(Kind::Backup, count)).await;
    for _ in 0..count {
        assert_eq!(stage.run(&task).await.outcome, "succeeded");
    }
    task
}

async fn causes(stage: &Stage, task: &Task) -> Vec<BrakeCause> {
    stage.plan(task).await.brakes.iter().map(|brake| brake.cause).collect()
}

async fn accept_all(stage: &Stage, task: &Task) {
    let server = task.server.reference.clone();
    let held = stage.world.store.brakes(server.id.clone()).await.unwrap();
    assert!(!held.is_empty());
    assert!(stage.world.store.accept(server, held, stage.world.clock.now()).await.unwrap());
}

async fn reload(stage: &Stage, task: &Task) {
    brake_changed_retention(&stage.world, std::slice::from_ref(task), stage.world.clock.now()).await.unwrap();
}

/// The points of `before` that are still there.
fn left(stage: &Stage, before: &[Id]) -> usize {
    let now = stage.ids(BACKUP);
    before.iter().filter(|id| now.contains(id)).count()
}

#[tokio::test(start_paused = true)]
async fn a_new_name_that_keeps_less_drops_nothing_before_it_is_accepted_reloaded_or_not() {
    for reloads in [false, true] {
        let stage = Stage::new(Options::default());
        let task = full(&stage, 6).await;
        let before = stage.ids(BACKUP);
        let less = renamed(&task, "daily", &["nightly"], 1);
        if reloads {
            reload(&stage, &less).await;
            let told = stage.world.store.incidents().await.unwrap();
            assert!(told.len() == 1 && told[0].topic == Topic::Brake, "{told:?}");
        }
        for _ in 0..4 {
            let run = stage.run(&less).await;
            assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
        }
        assert_eq!(left(&stage, &before), 6, "reloaded: {reloads}");
        assert_eq!(causes(&stage, &less).await, [BrakeCause::Retention]);
        // The slots are full: what makes room goes, and no more.
        let run = stage.run(&less).await;
        assert_eq!((run.outcome.as_str(), &run.deleted[..]), ("succeeded", &before[..1]), "{run:?}");
        accept_all(&stage, &less).await;
        assert_eq!(stage.run(&less).await.deleted.len(), 2, "max_deletes is the next brake");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_name_that_keeps_the_same_waits_for_nobody_back_and_forth() {
    let stage = Stage::new(Options::default());
    let mut task = full(&stage, 3).await;
    for (new, formerly) in
        [("daily", &["nightly"][..]), ("nightly", &["daily"]), ("daily", &["nightly"]), ("late", &["daily", "nightly"])]
    {
        task = renamed(&task, new, formerly, 3);
        reload(&stage, &task).await;
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{new}: {run:?}");
        assert_eq!(causes(&stage, &task).await, [], "{new}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_brake_that_waits_for_a_person_is_not_left_behind_by_the_next_name() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 6).await;
    let before = stage.ids(BACKUP);
    let first = renamed(&task, "daily", &["nightly"], 1);
    reload(&stage, &first).await;
    let second = renamed(&task, "late", &["daily", "nightly"], 1);
    reload(&stage, &second).await;
    for _ in 0..3 {
        assert_eq!(stage.run(&second).await.deleted, []);
    }
    assert_eq!(left(&stage, &before), 6);
    assert_eq!(causes(&stage, &second).await, [BrakeCause::Retention]);
    // Renamed and kept as before, there is nothing left to wait for.
    let more = renamed(&task, "nightly", &["daily", "late"], 9);
    reload(&stage, &more).await;
    assert_eq!(causes(&stage, &more).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_takes_over_the_points_of_two_others_drops_none_of_them_unaccepted() {
    let stage = Stage::new(Options::default());
    let first = full(&stage, 3).await;
    let second = renamed(&first, "weekly", &[], 3);
    for _ in 0..3 {
        assert_eq!(stage.run(&second).await.outcome, "succeeded");
    }
    let before = stage.ids(BACKUP);
    let both = renamed(&first, "all", &["nightly", "weekly"], 3);
    for _ in 0..3 {
        assert_eq!(stage.run(&both).await.deleted, []);
    }
    assert_eq!(left(&stage, &before), 6);
    let grown = renamed(&first, "weekly", &["nightly"], 3);
    assert_eq!(
        causes(&stage, &grown).await,
        [BrakeCause::Retention],
        "nor does one of the two that takes over the other"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_takes_over_points_that_no_policy_kept_drops_none_of_them_unaccepted() {
    let foreign = (1..=4).map(|day| crate::stage::ours(BACKUP, day)).collect();
    let stage = Stage::new(Options { foreign, ..Options::default() });
    // The points of `nightly` are those of a former policy to the file that is in force first.
    let other = renamed(&stage.task(policy(Kind::Backup, 2)).await, "weekly", &[], 2);
    assert_eq!(stage.run(&other).await.outcome, "succeeded");
    let before = stage.ids(BACKUP);
    let again = renamed(&other, "nightly", &[], 2);
    for _ in 0..3 {
        assert_eq!(stage.run(&again).await.deleted, []);
    }
    assert_eq!(left(&stage, &before), 5);
}

#[tokio::test(start_paused = true)]
async fn a_list_in_doubt_does_not_let_a_changed_file_pass() {
    use lastgood::simulator::{Call, Effect, Rule};
    let stage = Stage::new(Options::default());
    let task = full(&stage, 6).await;
    let before = stage.ids(BACKUP);
    let less = renamed(&task, "nightly", &[], 1);
    let fields = serde_json::json!({ "created_at": "yesterday" }).as_object().unwrap().clone();
    stage.simulator.add_fault(Rule::new(Effect::Show { fields, first: Some(1) }).call(Call::List));
    let run = stage.run(&less).await;
    assert!(run.error.as_ref().is_some_and(|error| error.contains("in doubt")), "{run:?}");
    stage.simulator.clear_faults();
    let run = stage.run(&less).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    assert_eq!(left(&stage, &before), 6);
}
