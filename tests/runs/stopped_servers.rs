//! Rule 6: a server that a run stopped is started again, whatever the provider does; one that it found stopped is left so.

use std::sync::Arc;
use std::time::Duration;

use lastgood::seams::journal::notice::{Class, Fact, Topic};
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::{Task, drive};
use lastgood::simulator::{self, Altered, Call, Effect, Options, PersonAction, PointFate, Rule};
use tokio::sync::Semaphore;

use crate::cut_off::cut_off_when;
use crate::support::simulated_world::{SimulatedWorld, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;
const SERVER: &str = "web-server-01";

#[tokio::test(start_paused = true)]
async fn a_server_found_stopped_is_left_stopped() {
    let sim = SimulatedWorld::new(Options::default());
    let stop = PersonAction::SetStatus { server: SERVER.into(), status: "stopped".to_owned() };
    sim.simulator.act(&stop).unwrap();
    let task = sim.task(Policy { stop_server: true, ..policy(Kind::Backup, 3) }).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), sim.sent("POST", "/servers/")), ("succeeded", 0));
    assert_eq!(sim.server().await.status.to_string(), "stopped");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_a_run_stopped_is_started_whatever_becomes_of_the_create_and_the_start() {
    let refused = Rule::new(Effect::status(403)).call(Call::Create);
    let fails = Altered { fate: PointFate::Fails, ..Altered::default() };
    let never = Altered { fate: PointFate::NeverFinishes, ..Altered::default() };
    for fault in [
        refused,
        Rule::new(Effect::CreateAs(fails)).call(Call::Create),
        Rule::new(Effect::CreateAs(never)).call(Call::Create),
        Rule::new(Effect::status(500)).call(Call::List).skip(1).times(8),
    ] {
        let sim = SimulatedWorld::new(Options::default());
        sim.simulator.add_fault(fault.clone());
        // The first power call stops it; the next ones are to start it.
        sim.simulator.add_fault(Rule::new(Effect::status(503)).call(Call::Power).skip(1).times(4));
        let task = sim.task(Policy { stop_server: true, retries: 0, ..policy(Kind::Backup, 3) }).await;
        let run = sim.run(&task).await;
        assert_eq!(sim.server().await.status.to_string(), "active", "{fault:?}: {run:?}");
        let account = sim.simulator.account();
        let asked: Vec<_> = account.record().requests().filter(|it| it.path.ends_with("/power/")).collect();
        assert!(asked.iter().all(|it| it.body["action"] != "hard_stop"), "{fault:?}");
        assert!(asked.len() >= 6, "{fault:?}: {}", asked.len());
        let reported = sim.world.store.waiting().await.unwrap();
        assert!(
            reported.iter().any(|waiting| waiting.notice.to_string().contains("could not be started")),
            "{fault:?}"
        );
        let started = reported.iter().map(|waiting| &waiting.notice).filter(|notice| notice.class() == Class::Recovery);
        let started: Vec<_> = started.filter(|notice| notice.topic() == Topic::ServerStopped).collect();
        assert!(
            started.len() == 1 && matches!(&started[0].fact, Fact::Recovered(recovered) if recovered.since.is_some()),
            "the end is reported as well: {reported:?}"
        );
        let open = sim.world.store.incidents().await.unwrap();
        assert!(open.iter().all(|incident| incident.topic.to_string() != "server_stopped"), "{open:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_can_never_be_read_again_leave_no_server_stopped_and_end_the_run() {
    for (stop_server, restarts) in [(false, false), (true, false), (true, true)] {
        let mut sim = SimulatedWorld::new(Options::default());
        // The plan and the create have their lists; no look ever has one.
        sim.simulator.add_fault(Rule::new(Effect::status(401)).call(Call::List).skip(1 + u64::from(stop_server)));
        let task = sim.task(Policy { stop_server, ..policy(Kind::Snapshot, 3) }).await;
        let mut run = sim.open(&task, None).await;
        if restarts {
            let made = || sim.simulator.account().points(SNAPSHOT).count() == 1;
            assert!(cut_off_when(drive(&sim.world, &task, run), made).await.is_none());
            sim = sim.restart().await;
            run = sim.world.store.unfinished().await.unwrap().remove(0);
        }
        let done = tokio::time::timeout(Duration::from_secs(86_400), drive(&sim.world, &task, run)).await;
        let run = done.expect("the run ends").unwrap();
        assert_eq!((run.outcome.as_str(), run.attempts), ("failed", 1), "{run:?}");
        assert!(run.error.as_ref().is_some_and(|error| error.contains("refused the token")), "{run:?}");
        assert_eq!(sim.server().await.status.to_string(), "active");
        assert_eq!((sim.sent("POST", "/snapshots/"), sim.sent("DELETE", "/")), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_started_keeps_no_permit_from_other_runs() {
    let mut sim = SimulatedWorld::new(Options::default());
    sim.world.run_permits = Arc::new(Semaphore::new(1));
    let never = Rule::new(Effect::status(503)).call(Call::Power).server(SERVER).skip(1);
    sim.simulator.add_fault(never);
    let servers = sim.world.client.servers().await.unwrap().items;
    let policy = Arc::new(Policy { stop_server: true, ..policy(Kind::Backup, 3) });
    let task = |server| Task { server, policy: Arc::clone(&policy), reserve: 0, others: Vec::new() };
    let tasks = servers.into_iter().map(task);
    let tasks: Vec<Task> = tasks.collect();
    let (first, second) = (sim.open(&tasks[0], None).await, sim.open(&tasks[1], None).await);
    let (first, second) = (drive(&sim.world, &tasks[0], first), drive(&sim.world, &tasks[1], second));
    tokio::select! {
        biased;
        run = first => panic!("its server never starts: {run:?}"),
        run = second => assert_eq!(run.unwrap().outcome.as_str(), "succeeded"),
        () = tokio::time::sleep(Duration::from_secs(86_400)) => panic!("the other run has no place"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_to_start_when_the_server_has_left_the_account() {
    let sim = SimulatedWorld::new(Options::default());
    let act = Effect::Meanwhile { acts: vec![PersonAction::RemoveServer { server: SERVER.into() }], after: true };
    sim.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
    let task = sim.task(Policy { stop_server: true, retries: 0, ..policy(Kind::Snapshot, 3) }).await;
    let run = tokio::time::timeout(Duration::from_secs(86_400), sim.run(&task)).await.unwrap();
    assert_eq!(run.outcome.as_str(), "failed");
}
