//! What a run does when nothing goes wrong, and when there is no room.

use std::time::Duration;

use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::drive;
use lastgood::simulator::{self, Call, Effect, Options, PointSpec, Rule, StatusEffect, What};

use crate::support::simulated_world::{SimulatedWorld, policy};

fn requests(sim: &SimulatedWorld) -> Vec<String> {
    let account = sim.simulator.account();
    let shown = account.record().requests().map(|request| format!("{} {}", request.method, request.path));
    shown.collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_makes_a_point_and_waits_until_it_is_completed() {
    for kind in Kind::ALL {
        let sim = SimulatedWorld::new(Options::default());
        let task = sim.task(policy(kind, 3)).await;
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.error), ("succeeded", None));
        let account = sim.simulator.account();
        let theirs = if kind == Kind::Backup { simulator::PointKind::Backup } else { simulator::PointKind::Snapshot };
        let points = account.points_of(theirs, "web-server-01");
        assert_eq!(points.len(), 1);
        assert!(points[0].description.starts_with("lg-"), "{}", points[0].description);
    }
}

#[tokio::test(start_paused = true)]
async fn plan_and_run_agree_and_the_oldest_goes_after_the_new_one_is_completed() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    for _ in 0..3 {
        sim.run(&task).await;
    }
    let oldest = sim.ids(simulator::PointKind::Snapshot)[0].clone();
    let plan = sim.plan(&task).await;
    assert_eq!(plan.evictions().count(), 0, "two slots are free");
    assert_eq!(plan.prunes().map(|delete| delete.id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&oldest));
    let run = sim.run(&task).await;
    assert_eq!(run.deleted, std::slice::from_ref(&oldest));
    let record = sim.simulator.account();
    let last_delete = record
        .record()
        .entries()
        .iter()
        .rposition(|entry| matches!(&entry.what, What::Request(request) if request.method == "DELETE"));
    let completed = record.record().entries().iter().rposition(
        |entry| matches!(&entry.what, What::Change(change) if format!("{:?}", change.kind).contains("ompleted")),
    );
    assert!(completed < last_delete, "good before gone: {completed:?} {last_delete:?}");
}

#[tokio::test(start_paused = true)]
async fn with_every_slot_taken_one_point_is_evicted_first_and_no_more() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    for _ in 0..5 {
        assert_eq!(sim.run(&task).await.deleted, []);
    }
    let oldest = sim.ids(simulator::PointKind::Snapshot)[0].clone();
    let plan = sim.plan(&task).await;
    assert_eq!(plan.evictions().map(|delete| delete.id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&oldest));
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted), ("succeeded", vec![oldest]));
    assert_eq!(sim.ids(simulator::PointKind::Snapshot).len(), 5);
    let refused = sim.simulator.account().record().requests().any(|request| request.status == Some(400));
    assert!(!refused, "the provider's limit error is never met");
}

#[tokio::test(start_paused = true)]
async fn foreign_points_are_never_deleted_and_are_named_when_they_leave_no_room() {
    let foreign = (1..=5).map(|days| PointSpec::aged(simulator::PointKind::Snapshot, "web-server-01", days * 86_400));
    let sim = SimulatedWorld::new(Options { foreign: foreign.collect(), ..Options::default() });
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!(run.outcome.as_str(), "failed");
    assert!(run.error.as_ref().is_some_and(|error| error.contains("5 foreign")), "{run:?}");
    assert_eq!(run.attempts, 1, "no room is final for the run");
    let writes = requests(&sim).into_iter().filter(|request| !request.starts_with("GET")).count();
    assert_eq!(writes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_point_is_deleted_and_the_run_is_tried_again() {
    let sim = SimulatedWorld::new(Options::default());
    sim.simulator.add_fault(
        serde_json::from_value(serde_json::json!({
            "call": "create", "times": 1, "effect": { "do": "create_as", "fate": "fails" }
        }))
        .unwrap_or_else(|error| panic!("{error}")),
    );
    let task = sim.task(policy(Kind::Backup, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2));
    assert_eq!(sim.ids(simulator::PointKind::Backup).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_the_mark_and_nothing_is_made_twice() {
    for carried_out in [true, false] {
        let sim = SimulatedWorld::new(Options::default());
        sim.simulator.add_fault(Rule { times: Some(1), ..Rule::new(Effect::Reset { carried_out }).call(Call::Create) });
        let task = sim.task(policy(Kind::Backup, 3)).await;
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 1), "{run:?}");
        assert_eq!(sim.ids(simulator::PointKind::Backup).len(), 1, "carried out: {carried_out}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_to_a_create_is_final_for_the_run() {
    let sim = SimulatedWorld::new(Options::default());
    let refusal = StatusEffect::new(403);
    sim.simulator.add_fault(Rule::new(Effect::Status(refusal)).call(Call::Create));
    let task = sim.task(policy(Kind::Backup, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("failed", 1), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn the_mark_alone_proves_points_ours_when_the_state_is_lost() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    for _ in 0..3 {
        sim.run(&task).await;
    }
    let oldest = sim.ids(simulator::PointKind::Snapshot)[0].clone();
    let sim = sim.lose_the_state();
    let run = sim.run(&task).await;
    assert_eq!(run.deleted, [oldest]);
    let reported = sim.world.store.waiting().await.unwrap();
    assert!(reported.iter().any(|waiting| waiting.notice.to_string().contains("journal is new")), "{reported:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_is_stopped_for_its_point_and_started_again() {
    let sim = SimulatedWorld::new(Options::default());
    let task =
        sim.task(lastgood::seams::policy::policy::Policy { stop_server: true, ..policy(Kind::Snapshot, 3) }).await;
    let run = sim.run(&task).await;
    assert_eq!(run.outcome.as_str(), "succeeded");
    let sent: Vec<String> = requests(&sim).into_iter().filter(|request| !request.starts_with("GET")).collect();
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(sent[0].contains("power") && sent[1].contains("snapshots") && sent[2].contains("power"), "{sent:?}");
    assert_eq!(sim.server().await.status.to_string(), "active");
}

#[tokio::test(start_paused = true)]
async fn two_policies_of_one_server_never_run_at_once() {
    let sim = SimulatedWorld::new(Options { completion: Duration::from_secs(30), ..Options::default() });
    let one = sim.task(policy(Kind::Snapshot, 3)).await;
    let other = Policy { name: PolicyName::new("hourly").unwrap(), ..policy(Kind::Backup, 3) };
    let other = sim.task(other).await;
    let (first, second) = (sim.open(&one, None).await, sim.open(&other, None).await);
    let both = tokio::join!(drive(&sim.world, &one, first), drive(&sim.world, &other, second));
    assert_eq!((both.0.unwrap().outcome.as_str(), both.1.unwrap().outcome.as_str()), ("succeeded", "succeeded"));
    let account = sim.simulator.account();
    let mut busy = 0_i32;
    for change in account.record().changes() {
        busy += match change.change {
            simulator::ChangeKind::PointCreated => 1,
            simulator::ChangeKind::PointCompleted => -1,
            _ => 0,
        };
        assert!(busy <= 1, "{change:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_run_costs_one_list_one_create_and_a_few_looks() {
    let sim = SimulatedWorld::new(Options { completion: Duration::from_secs(600), ..Options::default() });
    let task = sim.task(policy(Kind::Backup, 3)).await;
    drop(sim.simulator.take_record());
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), sim.sent("POST", "/")), ("succeeded", 1));
    let gets = sim.sent("GET", "/");
    assert!((2..=30).contains(&gets), "{gets}");
    drop(sim.simulator.take_record());
    let run = sim.run(&task).await;
    let later = sim.sent("GET", "/");
    assert!(
        run.outcome.as_str() == "succeeded" && later < gets && later <= 10,
        "it is known how long it takes: {later}"
    );
    assert_eq!(sim.sent("POST", "/") + sim.sent("DELETE", "/"), 1);
}
