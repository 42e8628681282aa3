//! Rule 8 for commands: `delete` and `restore` are cut off after each of their writes and each of their requests,
//! counted by the command itself. Then the command is repeated, at once or an hour later, or the daemon finds it. The
//! provider's own record says what was done.

use std::sync::Mutex;
use std::time::Duration;

use lastgood::seams::journal::notice::{Class, Topic};
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::run::{World, by_hand, drive, inspect_and_record, look_after};
use lastgood::seams::store::leases::Leased;
use lastgood::seams::store::notices::Waiting;
use lastgood::simulator::{self, By, Call, ChangeKind, Effect, Options, PointSpec, Rule};

use crate::cut_off::{CountedBy, cut_off_after};
use crate::support::simulated_world::{SimulatedWorld, ours, policy};

const DUE: &str = "2026-11-21T02:30:00Z";
const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    Delete,
    Restore,
}

/// What is typed, and how the provider behaves.
#[derive(Clone, Copy, Debug)]
struct Case {
    typed: Typed,
    /// The provider acts, and its first answer is lost.
    lost: bool,
    /// How long a deleted point is listed.
    delete: Duration,
}

const CASES: [Case; 5] = [
    Case { typed: Typed::Delete, lost: false, delete: Duration::ZERO },
    Case { typed: Typed::Delete, lost: true, delete: Duration::ZERO },
    Case { typed: Typed::Delete, lost: false, delete: Duration::from_secs(9) },
    Case { typed: Typed::Restore, lost: false, delete: Duration::ZERO },
    Case { typed: Typed::Restore, lost: true, delete: Duration::ZERO },
];

/// How the command ended, and what it printed.
#[derive(Debug)]
struct Said {
    done: Result<(), String>,
    notes: Vec<String>,
}

impl Case {
    /// Two snapshots of the policy and one of a person, all known to the journal; the command is about the policy's oldest.
    async fn set_up(&self) -> (SimulatedWorld, PointId) {
        let person = PointSpec::aged(SNAPSHOT, "web-server-01", 3_600);
        let foreign = vec![ours(SNAPSHOT, 2), ours(SNAPSHOT, 1), person];
        let (latency, restore) = (Duration::from_millis(200), Duration::from_secs(20));
        let sim = SimulatedWorld::new(Options { foreign, latency, restore, delete: self.delete, ..Options::default() });
        sim.world.settings.change(|settings| settings.settle = Duration::from_secs(4));
        sim.world.settings.change(|settings| settings.timeout = Duration::from_secs(4));
        if self.lost {
            let call = if self.typed == Typed::Delete { Call::Delete } else { Call::Restore };
            sim.simulator.add_fault(Rule::new(Effect::Reset { carried_out: true }).call(call).times(1));
        }
        sim.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 0.2 }));
        let task = sim.task(policy(Kind::Snapshot, 4)).await;
        inspect_and_record(&sim.world, &task).await.unwrap();
        let id = sim.ids(SNAPSHOT)[0].clone();
        (sim, id)
    }

    /// The command as the command line runs it. A restore with unknown outcome is repeated.
    async fn type_it(&self, world: &World, id: &PointId) -> Said {
        self.type_with(world, id, true).await
    }

    /// The command, with or without `--again`.
    async fn type_with(&self, world: &World, id: &PointId, again: bool) -> Said {
        let notes = Mutex::new(Vec::new());
        let say = |text: String| notes.lock().unwrap().push(text);
        let listed = world.client.records(Kind::Snapshot, None, None).await.unwrap().items;
        let point = listed.into_iter().map(|(point, _)| point).find(|point| point.id == *id);
        let done = match (point, self.typed) {
            (None, _) => Err("there is no such point".to_owned()),
            (Some(point), Typed::Delete) => {
                by_hand::delete(world, &point, &say).await.map(drop).map_err(|e| e.to_string())
            }
            (Some(point), Typed::Restore) => {
                if let Some(before) = by_hand::cut_off(world, &point).await.unwrap() {
                    say(before.to_string());
                }
                by_hand::restore(world, &point, again, &say).await.map_err(|e| e.to_string())
            }
        };
        Said { done, notes: notes.into_inner().unwrap() }
    }

    /// Cuts the command off. `false` if it came to its end.
    async fn cut_off(&self, (sim, id): (&SimulatedWorld, &PointId), what: CountedBy, last: usize) -> bool {
        let world = sim.beside(1);
        let (seen, cut_off) = cut_off_after(self.type_it(&world, id), sim, what, last).await;
        let fewest = if self.typed == Typed::Delete { 2 } else { 3 };
        assert!(cut_off || seen >= fewest, "{self:?}: {what:?}: {seen}");
        cut_off
    }

    /// How often the provider has begun to do what was typed.
    fn carried_out(&self, sim: &SimulatedWorld, id: &PointId) -> usize {
        let asked = if self.typed == Typed::Delete { ChangeKind::PointDeleted } else { ChangeKind::RestoreStarted };
        let account = sim.simulator.account();
        let of = |change: &&simulator::AccountChange| change.change == asked && change.by == By::Client;
        let done: Vec<_> = account.record().changes().filter(of).collect();
        for change in &done {
            assert_eq!(change.id, Some(serde_json::json!(id)), "another point: {change:?}");
        }
        done.len()
    }

    /// What must hold whatever happened: nothing twice, nothing to other points, the server runs, no lease is left.
    async fn check(&self, sim: &SimulatedWorld, id: &PointId, how: &str) {
        let account = sim.simulator.account();
        let how = format!("{how}: {:#?}", account.record().entries());
        let PointId::Number(oldest) = id else { panic!("{how}") };
        for other in [oldest + 1, oldest + 2] {
            assert!(account.point(SNAPSHOT, other).is_some_and(|point| !point.deleting), "{other}, {how}");
        }
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{how}");
        let refused = account.record().requests().any(|request| request.account_status == Some(400));
        assert!(!refused, "{how}");
        assert_eq!(sim.world.store.leases().await.unwrap(), [], "{how}");
    }
}

async fn leases(sim: &SimulatedWorld) -> Vec<Leased> {
    sim.world.store.leases().await.unwrap()
}

fn is_accepted(lease: &Leased) -> bool {
    lease.holder.errand().is_some_and(|errand| errand.accepted)
}

/// Each case, cut off after each write and each request, in turn.
async fn cut_off_everywhere(mut then: impl AsyncFnMut(Case, SimulatedWorld, PointId, String)) {
    for case in CASES {
        for what in [CountedBy::Writes, CountedBy::Requests] {
            for last in 1.. {
                let (sim, id) = case.set_up().await;
                let cut_off = case.cut_off((&sim, &id), what, last).await;
                then(case, sim, id, format!("{case:?}, cut off after {last} of {what:?}")).await;
                if !cut_off {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_cut_off_and_is_typed_again_does_nothing_twice() {
    cut_off_everywhere(async |case, sim, id, how| {
        // A command that came to its end is not repeated.
        if case.carried_out(&sim, &id) == 0 || !leases(&sim).await.is_empty() {
            let again = case.type_it(&sim.beside(2), &id).await;
            let gone = case.typed == Typed::Delete && again.done == Err("there is no such point".to_owned());
            let says_so =
                case.lost && again.done.as_ref().is_err_and(|text| text.contains("may have been carried out"));
            assert!(again.done.is_ok() || gone || says_so, "{how}: {again:?}");
            // The daemon reports it: a command about a point that does not exist sends nothing.
            assert!(!gone || leases(&sim).await.len() == 1, "{how}: {again:?}");
        }
        assert_eq!(case.carried_out(&sim, &id), 1, "{how}");
        look_after(&sim.world).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        case.check(&sim, &id, &how).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_not_sent_again_hours_later() {
    cut_off_everywhere(async |case, sim, id, how| {
        if case.typed == Typed::Delete || leases(&sim).await.is_empty() {
            return;
        }
        let accepted = is_accepted(&leases(&sim).await[0]);
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        let before = case.carried_out(&sim, &id);
        let again = case.type_it(&sim.beside(2), &id).await;
        assert_eq!(again.done, Ok(()), "{how}");
        if accepted {
            assert_eq!(case.carried_out(&sim, &id), 1, "{how}: {again:?}");
        } else {
            assert_eq!(case.carried_out(&sim, &id), before + 1, "{how}: {again:?}");
            let unknown = again.notes[0].contains("it is unknown whether it was carried out");
            assert!(unknown, "{how}: {again:?}");
        }
        case.check(&sim, &id, &how).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_with_unknown_outcome_is_repeated_only_on_demand() {
    let mut asked = 0;
    cut_off_everywhere(async |case, sim, id, how| {
        let left = leases(&sim).await;
        if case.typed == Typed::Delete || left.is_empty() {
            return;
        }
        let sent = || sim.simulator.account().record().requests().filter(|it| it.path.contains("restore")).count();
        let (before, requests) = (case.carried_out(&sim, &id), sent());
        let refused = async |seed: u64| {
            let again = case.type_with(&sim.beside(seed), &id, false).await;
            let text = again.done.as_ref().expect_err(&how).clone();
            assert!(text.contains("was cut off") && text.contains("add --again"), "{how}: {again:?}");
            assert!(again.notes.len() == 1 && text.starts_with(&again.notes[0]), "{how}: {again:?}");
            assert_eq!((case.carried_out(&sim, &id), sent()), (before, requests), "{how}: {again:?}");
        };
        if !is_accepted(&left[0]) {
            asked += 1;
            // However often it is typed, the interrupted one is neither repeated nor forgotten.
            refused(2).await;
            refused(3).await;
            assert_eq!(leases(&sim).await, left, "{how}");
        }
        // The daemon has reported it and released the server, which makes the outcome no more certain.
        look_after(&sim.world).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(leases(&sim).await, [], "{how}");
        refused(4).await;
        let again = case.type_with(&sim.beside(5), &id, true).await;
        assert_eq!(again.done, Ok(()), "{how}: {again:?}");
        assert_eq!(case.carried_out(&sim, &id), before + 1, "{how}: {again:?}");
        // A command that came to its end knows the outcome.
        assert_eq!(case.type_with(&sim.beside(6), &id, false).await.done, Ok(()), "{how}");
        case.check(&sim, &id, &how).await;
    })
    .await;
    assert!(asked >= 4, "{asked} were cut off before an answer");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_takes_no_server_from_a_run_or_a_command_that_lives() {
    let case = Case { typed: Typed::Restore, lost: false, delete: Duration::ZERO };
    // A command beside the owner.
    let (sim, id) = case.set_up().await;
    sim.simulator.set_options(|options| options.restore = Duration::from_secs(4 * 3600));
    let (first, second) = (sim.beside(1), sim.beside(2));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        sim.clock.jump(3 * 3600);
        look_after(&sim.world).await.unwrap();
        let other = case.type_with(&second, &id, true).await;
        assert!(other.done.as_ref().is_err_and(|text| text.contains("working on web-server-01")), "{other:?}");
        tokio::time::sleep(Duration::from_secs(300)).await;
        let waiting = sim.world.store.waiting().await.unwrap();
        assert!(!waiting.iter().any(|it| it.notice.to_string().contains("was cut off")), "{waiting:#?}");
        assert_eq!(leases(&sim).await.len(), 1);
    };
    let (done, ()) = tokio::join!(case.type_it(&first, &id), meanwhile);
    assert_eq!(done.done, Ok(()));
    case.check(&sim, &id, "a command").await;
    // A run of the owner.
    let (sim, id) = case.set_up().await;
    sim.simulator.set_options(|options| options.completion = Duration::from_secs(3600));
    let task = sim.task(policy(Kind::Snapshot, 4)).await;
    let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
    let beside = sim.beside(1);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        sim.clock.jump(20 * 60);
        for case in [case, Case { typed: Typed::Delete, ..case }] {
            let other = case.type_it(&beside, &id).await;
            assert!(other.done.as_ref().is_err_and(|text| text.contains("working on web-server-01")), "{other:?}");
        }
    };
    let (run, ()) = tokio::join!(drive(&sim.world, &task, run), meanwhile);
    assert_eq!(run.unwrap().outcome.as_str(), "succeeded");
    assert_eq!(case.carried_out(&sim, &id), 0);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_reports_an_interrupted_command_repeats_nothing_and_creates_its_point() {
    cut_off_everywhere(async |case, sim, id, how| {
        let left = leases(&sim).await;
        let (accepted, left) = (left.iter().any(is_accepted), left.len());
        let before = case.carried_out(&sim, &id);
        let sim = sim.restart().await;
        let task = sim.task(policy(Kind::Snapshot, 4)).await;
        let run = sim.open(&task, Some(DUE.parse().unwrap())).await;
        let run = drive(&sim.world, &task, run).await.unwrap();
        assert_eq!((run.outcome.as_str(), &run.deleted[..]), ("succeeded", &[][..]), "{how}: {run:?}");
        assert_eq!(case.carried_out(&sim, &id), before, "{how}");
        case.check(&sim, &id, &how).await;
        let waiting = sim.world.store.waiting().await.unwrap();
        let failed = |it: &&Waiting| it.notice.class() == Class::Failure && it.notice.topic() != Topic::NewJournal;
        let failures: Vec<_> = waiting.iter().filter(failed).collect();
        let reported = failures.iter().filter(|it| it.notice.to_string().contains("was cut off")).count();
        assert_eq!((reported, failures.len()), (left, left), "{how}: {failures:#?}");
        let said_accepted =
            failures.iter().any(|it| it.notice.to_string().contains("after the provider had accepted it"));
        assert_eq!(said_accepted, accepted, "{how}: {failures:#?}");
        let braked = sim.world.store.incidents().await.unwrap();
        assert!(!braked.iter().any(|incident| incident.topic == Topic::Brake), "{how}: {braked:#?}");
    })
    .await;
}
