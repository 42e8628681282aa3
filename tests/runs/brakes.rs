//! When something looks wrong, deletes stop, people are told, and `accept` lets them go on. Real client, real store; the
//! provider's own record says what was deleted.

use std::sync::Arc;
use std::time::Duration;

use lastgood::daemon::brake_changed_retention;
use lastgood::journal::notice::Topic;
use lastgood::policy::brake::BrakeCause;
use lastgood::policy::inventory::{Id, Kind};
use lastgood::policy::keep::{Count, Keep, KeepRule};
use lastgood::policy::policy::{Policy, PolicyName};
use lastgood::policy::selector::Pattern;
use lastgood::run::{Task, inspect, take_stock};
use lastgood::simulator::{self, Act, Altered, Call, Effect, Options, Pick, Rule};
use lastgood::store::holds::{Held, Hold};

use crate::stage::{Stage, policy};

const SNAPSHOT: simulator::Kind = simulator::Kind::Snapshot;
const SERVER: &str = "web-server-01";

fn by_id(id: &Id) -> Pick {
    let Id::Number(id) = id else { panic!("{id}") };
    Pick { kind: SNAPSHOT, id: Some((*id).into()), server: None, oldest: false }
}

async fn full(stage: &Stage, last: u32) -> Task {
    let task = stage.task(policy(Kind::Snapshot, last)).await;
    for _ in 0..last {
        assert_eq!(stage.run(&task).await.outcome, "succeeded");
    }
    task
}

async fn causes(stage: &Stage, task: &Task) -> Vec<BrakeCause> {
    stage.plan(task).await.brakes.iter().map(|brake| brake.cause).collect()
}

async fn incidents(stage: &Stage) -> Vec<(Topic, String)> {
    let open = stage.world.store.incidents().await.unwrap();
    open.into_iter().map(|incident| (incident.topic, incident.text)).collect()
}

async fn accept_all(stage: &Stage, task: &Task) {
    let server = task.server.reference.clone();
    let held = stage.world.store.brakes(server.id.clone()).await.unwrap();
    assert!(stage.world.store.accept(server, held, stage.world.clock.now()).await.unwrap());
}

fn keeping(task: &Task, last: u32) -> Task {
    let keep = Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() };
    Task { policy: Arc::new(Policy { keep, ..(*task.policy).clone() }), ..task.clone() }
}

#[tokio::test(start_paused = true)]
async fn a_point_that_a_person_deleted_stops_our_deletes_until_it_is_accepted() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 3).await;
    let ids = stage.ids(SNAPSHOT);
    stage.simulator.act(&Act::DeletePoint(by_id(&ids[1]))).unwrap();
    assert_eq!(causes(&stage, &task).await, [BrakeCause::Gone]);
    for made in 1..=2 {
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
        assert_eq!(stage.ids(SNAPSHOT).len(), 2 + made);
    }
    let told = incidents(&stage).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == Topic::Brake && told[0].1.contains(&ids[1].to_string()), "{told:?}");
    accept_all(&stage, &task).await;
    assert_eq!((causes(&stage, &task).await, incidents(&stage).await), (vec![], vec![]));
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_before_any_run_can_be_accepted() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 3).await;
    tokio::time::advance(stage.world.settings().settle * 2).await;
    stage.simulator.act(&Act::DeletePoint(by_id(&stage.ids(SNAPSHOT)[1]))).unwrap();
    let shown = take_stock(&stage.world, &task).await.unwrap().unwrap().memory.brakes;
    assert_eq!(shown.iter().map(|held| held.brake.cause).collect::<Vec<_>>(), [BrakeCause::Gone]);
    accept_all(&stage, &task).await;
    assert_eq!((causes(&stage, &task).await, incidents(&stage).await), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_brake_outlives_a_crash_right_after_it_was_seen() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 3).await;
    let ids = stage.ids(SNAPSHOT);
    stage.simulator.act(&Act::DeletePoint(by_id(&ids[1]))).unwrap();
    stage.run(&task).await;
    let stage = stage.restart().await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn what_lastgood_deletes_itself_sets_no_brake_though_the_answer_is_lost() {
    for carried_out in [true, false] {
        let stage = Stage::new(Options::default());
        let task = full(&stage, 5).await;
        stage.simulator.add_fault(Rule::new(Effect::Reset { carried_out }).call(Call::Delete).times(1));
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
        assert_eq!((causes(&stage, &task).await, incidents(&stage).await), (vec![], vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_new_point_stops_the_deletes_of_the_run_that_made_it() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 3).await;
    let empty = Altered { size_mb: Some(0), ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(empty)).call(Call::Create).times(1));
    let run = stage.run(&task).await;
    let sizes: Vec<_> =
        stage.simulator.account().points_of(SNAPSHOT, SERVER).iter().map(|point| point.size_mb).collect();
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?} {sizes:?}");
    assert_eq!(causes(&stage, &task).await, [BrakeCause::Small], "{sizes:?}");
    assert_eq!(incidents(&stage).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clocks_apart_stop_deletes_and_clocks_that_agree_again_let_them_go_on() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 3).await;
    stage.simulator.set_clock_skew(2 * 3600);
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    stage.simulator.set_clock_skew(0);
    tokio::time::advance(Duration::from_secs(3 * 3600)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
    assert_eq!(incidents(&stage).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_keeps_less_names_what_it_would_drop_before_any_run_and_evictions_still_make_room() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 5).await;
    let ids = stage.ids(SNAPSHOT);
    let less = keeping(&task, 2);
    let requests = stage.simulator.account().record().requests().count();
    brake_changed_retention(&stage.world, std::slice::from_ref(&less), stage.world.clock.now()).await.unwrap();
    assert_eq!(stage.simulator.account().record().requests().count(), requests, "the provider is not asked");
    let told = incidents(&stage).await;
    assert_eq!(told.len(), 1, "{told:?}");
    for id in &ids[..3] {
        assert!(told[0].1.contains(&id.to_string()), "{id} is not named: {told:?}");
    }
    let run = stage.run(&less).await;
    assert_eq!((run.outcome.as_str(), &run.deleted[..]), ("succeeded", &ids[..1]), "the eviction alone");
    assert_eq!(incidents(&stage).await.len(), 1, "it is told once");
    accept_all(&stage, &less).await;
    let run = stage.run(&less).await;
    assert_eq!(run.deleted.len(), 2, "max_deletes is the next brake: {run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_changed_back_waits_for_nobody() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 5).await;
    let less = keeping(&task, 2);
    brake_changed_retention(&stage.world, std::slice::from_ref(&less), stage.world.clock.now()).await.unwrap();
    assert_eq!(causes(&stage, &less).await, [BrakeCause::Retention]);
    brake_changed_retention(&stage.world, std::slice::from_ref(&task), stage.world.clock.now()).await.unwrap();
    assert_eq!((causes(&stage, &task).await, incidents(&stage).await), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_run_by_hand_with_a_changed_file_sets_the_same_brake_without_the_daemon() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 4).await;
    let less = keeping(&task, 2);
    assert_eq!(causes(&stage, &less).await, [BrakeCause::Retention], "plan shows it");
    assert_eq!(incidents(&stage).await, [], "and changes nothing");
    let run = stage.run(&less).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    assert_eq!(incidents(&stage).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_lastgoods_points_are_ours_once_they_are_accepted() {
    let stage = Stage::new(Options::default());
    let task = full(&stage, 3).await;
    // Its mark is of this instance, and no run of this journal made it.
    let stray = crate::stage::ours(SNAPSHOT, 1);
    stage.simulator.act(&Act::CreatePoint(stray)).unwrap();
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    let told = incidents(&stage).await;
    assert!(told.len() == 1 && told[0].0 == Topic::SecondLastgood, "{told:?}");
    // The other kind of the server is stopped too.
    let backups = stage.task(policy(Kind::Backup, 1)).await;
    assert_eq!(causes(&stage, &backups).await, [BrakeCause::SecondLastgood]);
    accept_all(&stage, &task).await;
    let seen = inspect(&stage.world, &task).await.unwrap().unwrap();
    assert!(seen.evidence(&stage.world, &task).stray().is_none());
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
    let told = incidents(&stage).await;
    assert!(told.iter().all(|(topic, _)| *topic == Topic::Attention), "max_deletes alone: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_short_first_list_lacked_is_told_with_that_cause_and_accepted() {
    let foreign = (1..=4).map(|day| crate::stage::ours(SNAPSHOT, day)).collect();
    let stage = Stage::new(Options { foreign, ..Options::default() });
    // A new journal; its first list shows two of four, and counts so.
    stage.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 2 }).call(Call::List));
    let task = stage.task(policy(Kind::Snapshot, 4)).await;
    let seen = take_stock(&stage.world, &task).await.unwrap().unwrap();
    assert_eq!(seen.inventory.points.len(), 2);
    stage.simulator.clear_faults();
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
    let brakes = stage.plan(&task).await.brakes;
    assert_eq!(brakes.iter().map(|brake| brake.cause).collect::<Vec<_>>(), [BrakeCause::SecondLastgood]);
    let told = incidents(&stage).await;
    assert_eq!(told.len(), 1, "{told:?}");
    for text in [&brakes[0].text, &told[0].1] {
        for words in ["is a second lastgood at work", "the first list", "`lastgood accept` takes"] {
            assert!(text.contains(words), "`{words}` is not in: {text}");
        }
    }
    accept_all(&stage, &task).await;
    assert_eq!(causes(&stage, &task).await, []);
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 2), "{run:?}");
}

/// `nightly` keeps the last three and `weekly` one of five slots; `nightly` has four points, the oldest of them on hold.
async fn one_extra(stage: &Stage) -> [Task; 2] {
    let tasks = stage.tasks(sharing()).await;
    let [nightly, _] = &tasks;
    for _ in 0..3 {
        assert_eq!(stage.run(nightly).await.outcome, "succeeded");
    }
    hold(stage, &stage.ids(SNAPSHOT)[0]).await;
    let run = stage.run(nightly).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len(), stage.ids(SNAPSHOT).len()), ("succeeded", 0, 4), "{run:?}");
    tasks
}

fn sharing() -> [Policy; 2] {
    let weekly = Policy { name: PolicyName::new("weekly").unwrap(), ..policy(Kind::Snapshot, 1) };
    [Policy { max_deletes: Some(9), ..policy(Kind::Snapshot, 3) }, weekly]
}

async fn hold(stage: &Stage, id: &Id) {
    let (what, since) = (Held::Point(Kind::Snapshot, id.clone()), stage.world.clock.now());
    stage.world.store.hold(Hold { what, reason: "audit".to_owned(), since, until: None }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_changed_file_makes_a_policy_give_up_waits_for_accept() {
    type Change = fn(&mut [Policy; 2], &str);
    let changes: [(&str, Change); 4] = [
        ("another's count", |[_, weekly], _| weekly.keep.counts[0].1 = Count::Number(2)),
        ("another's reserve", |[_, weekly], _| weekly.reserve = 1),
        ("its reserve", |[nightly, _], _| nightly.reserve = 1),
        ("protect", |[nightly, _], name| nightly.protect = vec![Pattern::new(name)]),
    ];
    for (what, change) in changes {
        let stage = Stage::new(Options::default());
        one_extra(&stage).await;
        let displaced = stage.simulator.account().points_of(SNAPSHOT, SERVER)[1].name.clone();
        // The one before it a new point displaces anyway.
        let given_up = stage.ids(SNAPSHOT)[2].clone();
        let mut policies = sharing();
        change(&mut policies, &displaced);
        let tasks = stage.tasks(policies).await;
        brake_changed_retention(&stage.world, &tasks, stage.world.clock.now()).await.unwrap();
        assert_eq!(incidents(&stage).await.len(), 1, "{what}");
        let run = stage.run(&tasks[0]).await;
        assert!(run.outcome == "succeeded" && !run.deleted.contains(&given_up), "{what}: {run:?}");
        assert_eq!(incidents(&stage).await.len(), 1, "{what}: it is told once");
        accept_all(&stage, &tasks[0]).await;
        assert_eq!(causes(&stage, &tasks[0]).await, [], "{what}");
        let run = stage.run(&tasks[0]).await;
        assert!(run.outcome == "succeeded" && run.deleted.contains(&given_up), "{what}: {run:?}");
    }
}
