//! Rule 6 in runs: the start that is owed to a server we stopped outlives the run that stopped it.

use std::time::Duration;

use lastgood::seams::journal::notice::{Class, Topic};
use lastgood::seams::policy::inventory::{Kind, ServerId};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::{RunError, Task, drive, watch_debts};
use lastgood::simulator::{Call, Effect, Options, PersonAction, Rule};

use crate::cut_off::cut_off_when;
use crate::support::simulated_world::{SimulatedWorld, policy};

const SERVER: &str = "web-server-01";
const MINUTE: Duration = Duration::from_secs(60);

fn status(sim: &SimulatedWorld) -> String {
    sim.simulator.account().server(SERVER).unwrap().status.clone()
}

fn powers(sim: &SimulatedWorld) -> Vec<String> {
    let account = sim.simulator.account();
    let sent = account.record().requests().filter(|it| it.path.ends_with("/power/"));
    sent.map(|it| it.body["action"].as_str().unwrap().to_owned()).collect()
}

async fn owes(sim: &SimulatedWorld) -> bool {
    sim.world.store.debt(ServerId::Number(12345)).await.unwrap().is_some()
}

async fn cold(sim: &SimulatedWorld, name: &str) -> Task {
    let name = PolicyName::new(name).unwrap();
    sim.task(Policy { name, stop_server: true, retries: 0, ..policy(Kind::Backup, 3) }).await
}

fn slow(shutdown: Duration) -> Options {
    Options { slow_shutdown: shutdown, start_ignored_while_stopping: true, ..Options::default() }
}

/// Watches debts for this long, as the daemon does.
async fn watched(sim: &SimulatedWorld, time: Duration) {
    let watch = watch_debts(sim.world.clone());
    tokio::select! {
        biased;
        done = watch => panic!("it goes on: {done:?}"),
        () = tokio::time::sleep(time) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_not_obeyed_in_time_fails_the_run_and_leaves_the_start_owed() {
    let sim = SimulatedWorld::new(slow(20 * MINUTE));
    let task = cold(&sim, "nightly").await;
    let run = sim.run(&task).await;
    assert_eq!(run.outcome.as_str(), "failed", "{run:?}");
    assert_eq!(powers(&sim), ["stop"], "a server that reads active is asked nothing");
    assert!(owes(&sim).await);
    let reported = sim.world.store.waiting().await.unwrap();
    let reported: Vec<_> = reported.iter().filter(|waiting| waiting.notice.topic() == Topic::ServerStopped).collect();
    assert!(
        reported.len() == 1 && reported[0].notice.to_string().contains("`lastgood release debt web-server-01`"),
        "{reported:?}"
    );
    watched(&sim, 30 * MINUTE).await;
    assert_eq!((status(&sim).as_str(), owes(&sim).await), ("active", false));
    assert_eq!(powers(&sim), ["stop", "start"]);
    let reported = sim.world.store.waiting().await.unwrap();
    assert!(reported.iter().any(|waiting| waiting.notice.class() == Class::Recovery), "{reported:?}");
}

#[tokio::test(start_paused = true)]
async fn the_next_run_takes_a_server_that_is_stopped_by_us_for_ours_and_starts_it() {
    for name in ["nightly", "weekly"] {
        let sim = SimulatedWorld::new(slow(20 * MINUTE));
        let task = cold(&sim, "nightly").await;
        sim.run(&task).await;
        // Nobody watches meanwhile.
        tokio::time::advance(30 * MINUTE).await;
        assert_eq!(status(&sim), "stopped");
        sim.simulator.set_options(|options| options.slow_shutdown = Duration::ZERO);
        let next = cold(&sim, name).await;
        let run = sim.run(&next).await;
        assert_eq!((run.outcome.as_str(), status(&sim).as_str()), ("succeeded", "active"), "{run:?}");
        assert_eq!((powers(&sim), owes(&sim).await), (vec!["stop".to_owned(), "start".to_owned()], false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stops_no_server_makes_its_point_beside_the_watch() {
    let sim = SimulatedWorld::new(slow(20 * MINUTE));
    sim.run(&cold(&sim, "nightly").await).await;
    sim.simulator.set_options(|options| options.completion = 60 * MINUTE);
    let warm = sim.task(policy(Kind::Snapshot, 3)).await;
    let both = async {
        let run = sim.run(&warm).await;
        assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
    };
    let status_meanwhile = async {
        tokio::time::sleep(30 * MINUTE).await;
        assert_eq!(status(&sim), "active", "a run that is working there keeps no server stopped");
    };
    let all = async { tokio::join!(both, status_meanwhile) };
    tokio::select! {
        biased;
        done = watch_debts(sim.world.clone()) => panic!("it goes on: {done:?}"),
        _ = all => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_debt_is_paid_is_a_persons_and_stands() {
    let sim = SimulatedWorld::new(Options::default());
    let task = cold(&sim, "nightly").await;
    assert_eq!(sim.run(&task).await.outcome.as_str(), "succeeded");
    assert!(!owes(&sim).await);
    let stop = PersonAction::SetStatus { server: SERVER.into(), status: "stopped".to_owned() };
    sim.simulator.act(&stop).unwrap();
    watched(&sim, 30 * MINUTE).await;
    assert_eq!(sim.run(&task).await.outcome.as_str(), "succeeded");
    watched(&sim, 30 * MINUTE).await;
    assert_eq!((status(&sim).as_str(), powers(&sim)), ("stopped", vec!["stop".to_owned(), "start".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_certainly_refused_opens_no_debt() {
    let sim = SimulatedWorld::new(Options::default());
    sim.simulator.add_fault(Rule::new(Effect::status(403)).call(Call::Power));
    let run = sim.run(&cold(&sim, "nightly").await).await;
    assert_eq!((run.outcome.as_str(), owes(&sim).await), ("failed", false), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_waits_for_a_server_on_its_way_down_and_starts_it() {
    for (shutdown, then) in [(Duration::from_secs(4), "active"), (5 * MINUTE, "stopped")] {
        let sim = SimulatedWorld::new(slow(shutdown));
        let task = cold(&sim, "nightly").await;
        let run = sim.open(&task, None).await;
        let asked = async {
            while powers(&sim).is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            sim.stop.send_replace(true);
            tokio::time::Instant::now()
        };
        let (ended, asked) = tokio::join!(drive(&sim.world, &task, run), asked);
        assert!(matches!(ended, Err(RunError::Stopped)), "{ended:?}");
        assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
        tokio::time::sleep(10 * MINUTE).await;
        assert_eq!(status(&sim), then);
        assert!(owes(&sim).await, "nobody has seen it run");
        // The next start of the process resumes it.
        let sim = sim.restart().await;
        let runs = sim.world.store.unfinished().await.unwrap();
        sim.simulator.set_options(|options| options.slow_shutdown = Duration::ZERO);
        for run in runs {
            assert_eq!(drive(&sim.world, &task, run).await.unwrap().outcome.as_str(), "succeeded");
        }
        assert_eq!((status(&sim).as_str(), owes(&sim).await), ("active", false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_vanishes_keeps_its_debt_until_it_was_gone_for_a_day() {
    for (hours, is_owed) in [(20, true), (27, false)] {
        let sim = SimulatedWorld::new(Options::default());
        let task = cold(&sim, "nightly").await;
        let run = sim.open(&task, None).await;
        let stopped = || status(&sim) == "stopped";
        assert!(cut_off_when(drive(&sim.world, &task, run), stopped).await.is_none());
        let sim = sim.restart().await;
        sim.simulator.act(&PersonAction::RemoveServer { server: SERVER.into() }).unwrap();
        for run in sim.world.store.unfinished().await.unwrap() {
            let run = drive(&sim.world, &task, run).await.unwrap();
            assert_eq!(run.outcome.as_str(), "failed", "{run:?}");
        }
        watched(&sim, Duration::from_secs(hours * 3600)).await;
        assert_eq!(owes(&sim).await, is_owed, "{hours} h");
        let open = sim.world.store.incidents().await.unwrap();
        assert_eq!(open.iter().any(|incident| incident.topic == Topic::ServerStopped), is_owed, "{open:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_listed_again_after_hours_is_started() {
    let sim = SimulatedWorld::new(Options::default());
    let task = cold(&sim, "nightly").await;
    sim.simulator.add_fault(Rule::new(Effect::status(503)).call(Call::Power).skip(1).times(1));
    let gone = Rule::new(Effect::status(404)).call(Call::Server).skip(2).times(400);
    sim.simulator.add_fault(gone);
    sim.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 0 }).call(Call::Servers).skip(0).times(400));
    let run = sim.open(&task, None).await;
    let run = drive(&sim.world, &task, run).await.unwrap();
    assert!(owes(&sim).await, "{run:?}");
    watched(&sim, Duration::from_secs(12 * 3600)).await;
    assert_eq!((status(&sim).as_str(), owes(&sim).await), ("active", false));
}

#[tokio::test(start_paused = true)]
async fn a_debt_that_a_person_releases_is_paid_no_more() {
    let sim = SimulatedWorld::new(slow(20 * MINUTE));
    sim.run(&cold(&sim, "nightly").await).await;
    let released = sim.world.store.release_debt(ServerId::Number(12345), sim.clock.now()).await.unwrap();
    assert!(released.is_some() && !owes(&sim).await);
    watched(&sim, 60 * MINUTE).await;
    assert_eq!((status(&sim).as_str(), powers(&sim)), ("stopped", vec!["stop".to_owned()]));
    let open = sim.world.store.incidents().await.unwrap();
    assert!(open.iter().all(|incident| incident.topic != Topic::ServerStopped), "{open:?}");
}
