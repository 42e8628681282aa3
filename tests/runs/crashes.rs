//! Rule 8: a stop at any moment, then a start. Each kind of run is cut off at each of its awaits (which are its journal
//! writes, its requests before and after the provider acts on them, and its pauses), counted by the run itself, so that
//! a new step cannot be forgotten; then it is resumed and must end as if nothing had happened.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::{RunError, drive};
use lastgood::simulator::{self, AccountChange, Altered, Call, ChangeKind, Effect, Options, PointFate, Rule};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::crash_cases::{Case, DUE, cases, more_cases, silent_cases, stops_its_server};
use crate::cut_off::{CountedBy, cut_off, cut_off_after, cut_off_when};
use crate::support::simulated_world::{SimulatedWorld, policy};

/// Whether the server began to start while a point of the due time was in progress.
fn was_started_early<'a>(changes: impl Iterator<Item = &'a AccountChange>) -> bool {
    let mut making = false;
    changes.filter(|change| change.server == "web-server-01").any(|change| {
        let of_due = change.point.as_ref().is_some_and(|point| point.description.contains(DUE));
        match change.change {
            ChangeKind::PointCreated => making |= of_due,
            ChangeKind::PointCompleted | ChangeKind::PointFailed => making &= !of_due,
            ChangeKind::ServerStatus => return making && change.detail["to"] == "starting",
            _ => {}
        }
        false
    })
}

/// Whether the report of the success says so.
async fn says_started_early(sim: &SimulatedWorld) -> bool {
    let reported = sim.world.store.waiting().await.unwrap();
    reported
        .iter()
        .any(|waiting| waiting.notice.to_string().contains("was started before the point was seen to be completed"))
}

/// Resumes the unfinished runs, as a start of the process does.
async fn go_on(sim: &SimulatedWorld, policy: &Policy) {
    let task = sim.task(policy.clone()).await;
    for run in sim.world.store.unfinished().await.unwrap() {
        drive(&sim.world, &task, run).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_at_any_await_ends_as_if_it_were_not() {
    cut_off_everywhere(|case| !case.stop_server).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stops_its_server_and_is_cut_off_at_any_await_ends_as_if_it_were_not() {
    cut_off_everywhere(|case| case.stop_server).await;
}

async fn cut_off_everywhere(which: impl Fn(&Case) -> bool) {
    for case in cases().into_iter().filter(which) {
        for polls in 1.. {
            let sim = case.set_up().await;
            let task = sim.task(case.policy()).await;
            let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
            let over = cut_off(drive(&sim.world, &task, run), polls).await;
            let sim = sim.restart().await;
            go_on(&sim, &case.policy()).await;
            case.check(&sim, &format!("cut off at await {polls}")).await;
            if over.is_some() {
                assert!(polls > 15, "{} has few awaits: {polls}", case.name);
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_after_any_write_or_request_ends_as_if_it_were_not() {
    for case in cases().into_iter().chain(more_cases()) {
        for what in [CountedBy::Writes, CountedBy::Requests] {
            for last in 1.. {
                let sim = case.set_up().await;
                let task = sim.task(case.policy()).await;
                let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
                let (seen, cut_off) = cut_off_after(drive(&sim.world, &task, run), &sim, what, last).await;
                let sim = sim.restart().await;
                go_on(&sim, &case.policy()).await;
                case.check(&sim, &format!("cut off after {last} of {what:?}")).await;
                if !cut_off {
                    assert!(seen > 5, "{}: {what:?}: {seen}", case.name);
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_again_and_again_ends_as_if_it_were_not() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        for case in cases() {
            let mut sim = case.set_up().await;
            let task = sim.task(case.policy()).await;
            sim.open(&task, Some(DUE.parse().unwrap())).await;
            for _ in 0..random.random_range(1..6) {
                for run in sim.world.store.unfinished().await.unwrap() {
                    cut_off(drive(&sim.world, &task, run), random.random_range(1..40)).await;
                }
                sim = sim.restart().await;
            }
            go_on(&sim, &case.policy()).await;
            case.check(&sim, &format!("seed {seed}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_any_await_leaves_the_server_started_and_the_run_to_the_next_start() {
    stopped_everywhere(cases().into_iter().filter(|case| case.stop_server)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_create_hangs_makes_no_point_of_a_starting_server_or_says_so() {
    stopped_everywhere(silent_cases().filter(|case| case.name.starts_with("create"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_delete_hangs_makes_no_point_of_a_starting_server_or_says_so() {
    stopped_everywhere(silent_cases().filter(|case| case.name.starts_with("delete"))).await;
}

async fn stopped_everywhere(cases: impl Iterator<Item = Case>) {
    let mut seen_early = 0;
    for case in cases {
        for polls in 1.. {
            let sim = case.set_up().await;
            let task = sim.task(case.policy()).await;
            let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
            let mut left = polls;
            let over = {
                let mut work = pin!(drive(&sim.world, &task, run));
                let mut asked = None;
                let over = poll_fn(|context| {
                    left = u32::saturating_sub(left, 1);
                    if left == 0 && asked.is_none() {
                        asked = Some(tokio::time::Instant::now());
                        sim.stop.send_replace(true);
                    }
                    work.as_mut().poll(context)
                })
                .await;
                let took = asked.map_or(Duration::ZERO, |at| at.elapsed());
                assert!(took < Duration::from_secs(10), "{}: {polls}: {took:?}", case.name);
                over
            };
            // Requests still on their way arrive; a start that takes longer is in progress. A server whose shutdown takes
            // longer than there is time for is started by the next process.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let status = sim.simulator.account().server("web-server-01").unwrap().status.clone();
            let starts = status == "active"
                || (status == "starting" && case.power > Duration::from_secs(3))
                || (case.power > Duration::from_secs(7) && ["stopping", "stopped"].contains(&status.as_str()));
            assert!(starts, "{}: {status}: stopped at await {polls}", case.name);
            if over.is_ok() {
                assert!(polls > 15);
                assert!(!says_started_early(&sim).await, "{}: nothing was started early", case.name);
                break;
            }
            assert!(matches!(over, Err(RunError::Stopped)), "{over:?}");
            assert_eq!(sim.world.store.unfinished().await.unwrap().len(), 1);
            let sim = sim.restart().await;
            go_on(&sim, &case.policy()).await;
            case.check(&sim, &format!("stopped at await {polls}")).await;
            let early = was_started_early(sim.simulator.account().record().changes());
            assert!(!early || says_started_early(&sim).await, "{}: stopped at await {polls}", case.name);
            seen_early += usize::from(early);
        }
    }
    assert!(seen_early > 5, "{seen_early}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_a_second_attempt_stops_again_is_started_again_at_once() {
    let sim = SimulatedWorld::new(Options::default());
    let fails = Altered { fate: PointFate::Fails, ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(fails)).times(1));
    let policy = Policy { stop_server: true, retry_after: Duration::from_secs(1), ..policy(Kind::Backup, 3) };
    let task = sim.task(policy).await;
    let began = tokio::time::Instant::now();
    let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
    let run = drive(&sim.world, &task, run).await.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_started_at_shutdown_is_stopped_once_more_for_its_point() {
    for polls in 1.. {
        let case = stops_its_server("stopped again");
        let sim = case.set_up().await;
        let task = sim.task(Policy { retries: 0, ..case.policy() }).await;
        let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
        let mut left = polls;
        let mut work = Box::pin(drive(&sim.world, &task, run));
        let over = poll_fn(|context| {
            left = u32::saturating_sub(left, 1);
            sim.stop.send_if_modified(|stop| left == 0 && !std::mem::replace(stop, true));
            work.as_mut().poll(context)
        })
        .await;
        drop(work);
        if over.is_ok() {
            break;
        }
        let sim = sim.restart().await;
        let began = tokio::time::Instant::now();
        for run in sim.world.store.unfinished().await.unwrap() {
            drive(&sim.world, &task, run).await.unwrap();
        }
        let took = began.elapsed();
        // No attempt is left: the first one must succeed.
        case.check(&sim, &format!("ended at await {polls}")).await;
        assert!(took < Duration::from_secs(100), "ended at await {polls}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_lost_at_shutdown_is_sent_again() {
    let sim = SimulatedWorld::new(Options::default());
    let lost = Rule::new(Effect::Reset { carried_out: false }).call(Call::Power);
    sim.simulator.add_fault(lost.skip(1).times(2));
    let task = sim.task(Policy { stop_server: true, ..policy(Kind::Backup, 3) }).await;
    let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
    let stopped = || sim.simulator.account().server("web-server-01").unwrap().status == "stopped";
    let mut work = Box::pin(drive(&sim.world, &task, run));
    let over = poll_fn(|context| {
        sim.stop.send_if_modified(|stop| stopped() && !std::mem::replace(stop, true));
        work.as_mut().poll(context)
    })
    .await;
    assert!(matches!(over, Err(RunError::Stopped)), "{over:?}");
    assert_eq!(sim.simulator.account().server("web-server-01").unwrap().status, "starting");
}

#[tokio::test(start_paused = true)]
async fn a_point_that_was_completed_during_an_outage_of_ours_is_not_called_stuck() {
    let sim = SimulatedWorld::new(Options::default());
    let task = sim.task(Policy { retries: 0, ..policy(Kind::Backup, 3) }).await;
    let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
    let made = || sim.simulator.account().points(simulator::PointKind::Backup).count() == 1;
    assert!(cut_off_when(drive(&sim.world, &task, run), made).await.is_none());
    tokio::time::advance(Duration::from_secs(5 * 3600)).await;
    let sim = sim.restart().await;
    let began = tokio::time::Instant::now();
    let run = sim.world.store.unfinished().await.unwrap().remove(0);
    let run = drive(&sim.world, &task, run).await.unwrap();
    assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
