//! When something looks wrong, deletes stop, it is reported, and `accept` resumes them. Real client, real store; the
//! provider's own record says what was deleted.

use std::sync::Arc;
use std::time::Duration;

use lastgood::seams::daemon::brake_changed_retention;
use lastgood::seams::journal::notice::Topic;
use lastgood::seams::policy::brake::BrakeCause;
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::policy::keep::{Count, Keep, KeepRule};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::policy::selector::Pattern;
use lastgood::seams::run::{Task, inspect, inspect_and_record};
use lastgood::seams::store::holds::{Hold, HoldTarget};
use lastgood::simulator::{self, Altered, Call, Effect, Options, PersonAction, Pick, Rule};

use crate::support::simulated_world::{SimulatedWorld, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;
const SERVER: &str = "web-server-01";

fn by_id(id: &PointId) -> Pick {
    let PointId::Number(id) = id else { panic!("{id}") };
    Pick { kind: SNAPSHOT, id: Some((*id).into()), server: None, oldest: false }
}

async fn full(sim: &SimulatedWorld, last: u32) -> Task {
    let task = sim.task(policy(Kind::Snapshot, last)).await;
    for _ in 0..last {
        assert_eq!(sim.run(&task).await.outcome.as_str(), "succeeded");
    }
    task
}

async fn causes(sim: &SimulatedWorld, task: &Task) -> Vec<BrakeCause> {
    sim.plan(task).await.brakes.iter().map(|brake| brake.cause).collect()
}

async fn incidents(sim: &SimulatedWorld) -> Vec<(Topic, String)> {
    let open = sim.world.store.incidents().await.unwrap();
    open.into_iter().map(|incident| (incident.topic, incident.text)).collect()
}

async fn accept_all(sim: &SimulatedWorld, task: &Task) {
    let server = task.server.reference.clone();
    let held = sim.world.store.brakes(server.id.clone()).await.unwrap();
    assert!(sim.world.store.accept(server, held, sim.world.clock.now()).await.unwrap());
}

fn keeping(task: &Task, last: u32) -> Task {
    let keep = Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() };
    Task { policy: Arc::new(Policy { keep, ..(*task.policy).clone() }), ..task.clone() }
}

#[tokio::test(start_paused = true)]
async fn a_point_that_a_person_deleted_stops_our_deletes_until_it_is_accepted() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 3).await;
    let ids = sim.ids(SNAPSHOT);
    sim.simulator.act(&PersonAction::DeletePoint(by_id(&ids[1]))).unwrap();
    assert_eq!(causes(&sim, &task).await, [BrakeCause::Gone]);
    for made in 1..=2 {
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
        assert_eq!(sim.ids(SNAPSHOT).len(), 2 + made);
    }
    let reported = incidents(&sim).await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].0 == Topic::Brake && reported[0].1.contains(&ids[1].to_string()), "{reported:?}");
    accept_all(&sim, &task).await;
    assert_eq!((causes(&sim, &task).await, incidents(&sim).await), (vec![], vec![]));
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_before_any_run_can_be_accepted() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 3).await;
    tokio::time::advance(sim.world.settings().settle * 2).await;
    sim.simulator.act(&PersonAction::DeletePoint(by_id(&sim.ids(SNAPSHOT)[1]))).unwrap();
    let shown = inspect_and_record(&sim.world, &task).await.unwrap().memory.brakes;
    assert_eq!(shown.iter().map(|held| held.brake.cause).collect::<Vec<_>>(), [BrakeCause::Gone]);
    accept_all(&sim, &task).await;
    assert_eq!((causes(&sim, &task).await, incidents(&sim).await), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_brake_outlives_a_crash_right_after_it_was_seen() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 3).await;
    let ids = sim.ids(SNAPSHOT);
    sim.simulator.act(&PersonAction::DeletePoint(by_id(&ids[1]))).unwrap();
    sim.run(&task).await;
    let sim = sim.restart().await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn what_lastgood_deletes_itself_sets_no_brake_though_the_answer_is_lost() {
    for carried_out in [true, false] {
        let sim = SimulatedWorld::new(Options::default());
        let task = full(&sim, 5).await;
        sim.simulator.add_fault(Rule::new(Effect::Reset { carried_out }).call(Call::Delete).times(1));
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
        assert_eq!((causes(&sim, &task).await, incidents(&sim).await), (vec![], vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_new_point_stops_the_deletes_of_the_run_that_made_it() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 3).await;
    let empty = Altered { size_mb: Some(0), ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(empty)).call(Call::Create).times(1));
    let run = sim.run(&task).await;
    let sizes: Vec<_> = sim.simulator.account().points_of(SNAPSHOT, SERVER).iter().map(|point| point.size_mb).collect();
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?} {sizes:?}");
    assert_eq!(causes(&sim, &task).await, [BrakeCause::Small], "{sizes:?}");
    assert_eq!(incidents(&sim).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clocks_apart_stop_deletes_and_clocks_that_agree_again_let_them_go_on() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 3).await;
    sim.simulator.set_clock_skew(2 * 3600);
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    sim.simulator.set_clock_skew(0);
    tokio::time::advance(Duration::from_secs(3 * 3600)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
    assert_eq!(incidents(&sim).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_keeps_less_names_what_it_would_drop_and_evictions_still_make_room() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 5).await;
    let ids = sim.ids(SNAPSHOT);
    let less = keeping(&task, 2);
    let requests = sim.simulator.account().record().requests().count();
    brake_changed_retention(&sim.world, std::slice::from_ref(&less), sim.world.clock.now()).await.unwrap();
    assert_eq!(sim.simulator.account().record().requests().count(), requests, "the provider is not asked");
    let reported = incidents(&sim).await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    for id in &ids[..3] {
        assert!(reported[0].1.contains(&id.to_string()), "{id} is not named: {reported:?}");
    }
    let run = sim.run(&less).await;
    assert_eq!((run.outcome.as_str(), &run.deleted[..]), ("succeeded", &ids[..1]), "the eviction alone");
    assert_eq!(incidents(&sim).await.len(), 1, "it is reported once");
    accept_all(&sim, &less).await;
    let run = sim.run(&less).await;
    assert_eq!(run.deleted.len(), 2, "max_deletes is the next brake: {run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_changed_back_waits_for_nobody() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 5).await;
    let less = keeping(&task, 2);
    brake_changed_retention(&sim.world, std::slice::from_ref(&less), sim.world.clock.now()).await.unwrap();
    assert_eq!(causes(&sim, &less).await, [BrakeCause::Retention]);
    brake_changed_retention(&sim.world, std::slice::from_ref(&task), sim.world.clock.now()).await.unwrap();
    assert_eq!((causes(&sim, &task).await, incidents(&sim).await), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_run_by_hand_with_a_changed_file_sets_the_same_brake_without_the_daemon() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 4).await;
    let less = keeping(&task, 2);
    assert_eq!(causes(&sim, &less).await, [BrakeCause::Retention], "plan shows it");
    assert_eq!(incidents(&sim).await, [], "and changes nothing");
    let run = sim.run(&less).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    assert_eq!(incidents(&sim).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_lastgoods_points_are_ours_once_they_are_accepted() {
    let sim = SimulatedWorld::new(Options::default());
    let task = full(&sim, 3).await;
    // Its mark is of this instance, and no run of this journal created it.
    let stray = crate::support::simulated_world::ours(SNAPSHOT, 1);
    sim.simulator.act(&PersonAction::CreatePoint(stray)).unwrap();
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    let reported = incidents(&sim).await;
    assert!(reported.len() == 1 && reported[0].0 == Topic::SecondLastgood, "{reported:?}");
    // The other kind of the server is stopped too.
    let backups = sim.task(policy(Kind::Backup, 1)).await;
    assert_eq!(causes(&sim, &backups).await, [BrakeCause::SecondLastgood]);
    accept_all(&sim, &task).await;
    let seen = inspect(&sim.world, &task).await.unwrap();
    assert!(seen.evidence(&sim.world, &task).stray().is_none());
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
    let reported = incidents(&sim).await;
    assert!(reported.iter().all(|(topic, _)| *topic == Topic::Attention), "max_deletes alone: {reported:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_short_first_list_lacked_is_reported_with_that_cause_and_accepted() {
    let foreign = (1..=4).map(|day| crate::support::simulated_world::ours(SNAPSHOT, day)).collect();
    let sim = SimulatedWorld::new(Options { foreign, ..Options::default() });
    // A new journal; its first list shows two of four, with that count.
    sim.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 2 }).call(Call::List));
    let task = sim.task(policy(Kind::Snapshot, 4)).await;
    let seen = inspect_and_record(&sim.world, &task).await.unwrap();
    assert_eq!(seen.inventory.points.len(), 2);
    sim.simulator.clear_faults();
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    let brakes = sim.plan(&task).await.brakes;
    assert_eq!(brakes.iter().map(|brake| brake.cause).collect::<Vec<_>>(), [BrakeCause::SecondLastgood]);
    let reported = incidents(&sim).await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    for text in [&brakes[0].text, &reported[0].1] {
        for words in ["is a second lastgood running", "the first list", "`lastgood accept` accepts"] {
            assert!(text.contains(words), "`{words}` is not in: {text}");
        }
    }
    accept_all(&sim, &task).await;
    assert_eq!(causes(&sim, &task).await, []);
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
}

/// `nightly` keeps the last three and `weekly` one of five slots; `nightly` has four points, the oldest of them on hold.
async fn one_extra(sim: &SimulatedWorld) -> [Task; 2] {
    let tasks = sim.tasks(sharing()).await;
    let [nightly, _] = &tasks;
    for _ in 0..3 {
        assert_eq!(sim.run(nightly).await.outcome.as_str(), "succeeded");
    }
    hold(sim, &sim.ids(SNAPSHOT)[0]).await;
    let run = sim.run(nightly).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len(), sim.ids(SNAPSHOT).len()), ("succeeded", 0, 4), "{run:?}");
    tasks
}

fn sharing() -> [Policy; 2] {
    let weekly = Policy { name: PolicyName::new("weekly").unwrap(), ..policy(Kind::Snapshot, 1) };
    [Policy { max_deletes: Some(9), ..policy(Kind::Snapshot, 3) }, weekly]
}

async fn hold(sim: &SimulatedWorld, id: &PointId) {
    let (what, since) = (HoldTarget::Point(Kind::Snapshot, id.clone()), sim.world.clock.now());
    sim.world.store.hold(Hold { what, reason: "audit".to_owned(), since, until: None }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_changed_file_makes_a_policy_give_up_waits_for_accept() {
    type FileChange = fn(&mut [Policy; 2], &str);
    let changes: [(&str, FileChange); 4] = [
        ("another's count", |[_, weekly], _| weekly.keep.counts[0].1 = Count::Number(2)),
        ("another's reserve", |[_, weekly], _| weekly.reserve = 1),
        ("its reserve", |[nightly, _], _| nightly.reserve = 1),
        ("protect", |[nightly, _], name| nightly.protect = vec![Pattern::new(name)]),
    ];
    for (what, change) in changes {
        let sim = SimulatedWorld::new(Options::default());
        one_extra(&sim).await;
        let displaced = sim.simulator.account().points_of(SNAPSHOT, SERVER)[1].name.clone();
        // A new point displaces the one before it anyway.
        let given_up = sim.ids(SNAPSHOT)[2].clone();
        let mut policies = sharing();
        change(&mut policies, &displaced);
        let tasks = sim.tasks(policies).await;
        brake_changed_retention(&sim.world, &tasks, sim.world.clock.now()).await.unwrap();
        assert_eq!(incidents(&sim).await.len(), 1, "{what}");
        let run = sim.run(&tasks[0]).await;
        assert!(run.outcome.as_str() == "succeeded" && !run.deleted.contains(&given_up), "{what}: {run:?}");
        assert_eq!(incidents(&sim).await.len(), 1, "{what}: it is reported once");
        accept_all(&sim, &tasks[0]).await;
        assert_eq!(causes(&sim, &tasks[0]).await, [], "{what}");
        let run = sim.run(&tasks[0]).await;
        assert!(run.outcome.as_str() == "succeeded" && run.deleted.contains(&given_up), "{what}: {run:?}");
    }
}
