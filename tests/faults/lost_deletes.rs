//! Lost answers to deletes and to power calls, and deletes that the provider accepts and does not carry out.

use std::time::Duration;

use lastgood::seams::policy::policy::Policy;
use lastgood::simulator::{Call, Effect, Options, PersonAction, Pick, PointKind, Rule};
use serde_json::json;

use crate::checked_world::{CheckedWorld, Ended, SERVER};
use crate::lost::{run_of, ways};

#[tokio::test(start_paused = true)]
async fn a_lost_delete_that_takes_time_is_waited_for_whatever_its_answer_says() {
    for (name, way) in ways() {
        for minutes in [0, 5] {
            let delete = Duration::from_secs(60 * minutes);
            let mut checked = CheckedWorld::new(Options { delete, ..Options::default() });
            checked.sim.simulator.add_fault(Rule::new(way.clone()).call(Call::Delete).times(1));
            let run = run_of(&mut checked, CheckedWorld::policy()).await;
            let broken = checked.broken();
            assert!(broken.is_empty(), "{name} / {minutes}: {broken:?}\n{run:?}");
            assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 3), "{name} / {minutes}: {run:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_stop_or_start_leaves_the_server_running_in_the_end() {
    for (name, way) in ways() {
        for skip in [0, 1] {
            for power in [1, 100] {
                let mut checked =
                    CheckedWorld::new(Options { power: Duration::from_secs(power), ..Options::default() });
                let rule = Rule::new(way.clone()).call(Call::Power).skip(skip).times(2);
                checked.sim.simulator.add_fault(rule);
                let run = run_of(&mut checked, CheckedWorld::policy()).await;
                let broken = checked.broken();
                assert!(broken.is_empty(), "{name} / {skip} / {power}: {broken:?}\n{run:?}");
                assert_eq!(run.outcome.as_str(), "succeeded", "{name} / {skip} / {power}: {run:?}");
                let account = checked.sim.simulator.account();
                assert_eq!(account.server(SERVER).unwrap().status, "active", "{name} / {skip} / {power}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_the_provider_says_it_knows_nothing_of_is_judged_by_the_list() {
    // Evictions and retention deletes alike; once, and always.
    for times in [1, 2, 100] {
        for skip in [0, 1] {
            let mut checked = CheckedWorld::new(Options::default());
            let not_found = Rule::new(Effect::status(404)).call(Call::Delete).skip(skip).times(times);
            checked.sim.simulator.add_fault(not_found);
            let run = run_of(&mut checked, Policy { retries: 0, ..CheckedWorld::policy() }).await;
            let broken = checked.broken();
            assert!(broken.is_empty(), "{times} / {skip}: {broken:?}\n{run:?}");
            if times == 1 {
                assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 3), "{run:?}");
            } else {
                assert!(run.error.is_some_and(|error| error.contains("knows no point")), "{times} / {skip}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_was_accepted_and_not_carried_out_does_not_stop_the_policy_for_ever() {
    let mut checked = CheckedWorld::new(Options { delete: Duration::from_secs(30 * 86_400), ..Options::default() });
    let run = run_of(&mut checked, Policy { retries: 0, ..CheckedWorld::policy() }).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("failed", 1), "{run:?}");
    assert!(run.error.is_some_and(|error| error.contains("still lists it")));
    // At last a person deletes the point.
    let pick = Pick { kind: PointKind::Snapshot, id: Some(json!(805)), server: None, oldest: false };
    checked.sim.simulator.act(&PersonAction::DeletePoint(pick)).unwrap();
    checked.sim.simulator.set_options(|options| options.delete = Duration::ZERO);
    let due = "2026-11-22T02:30:00Z".parse().unwrap();
    checked.wait_until(due).await;
    let Ended::Run(run, false) = checked.run(CheckedWorld::policy(), due).await else { panic!("it ends by itself") };
    assert_eq!(run.outcome.as_str(), "succeeded", "{run:?}");
    assert_eq!(checked.broken(), []);
}
