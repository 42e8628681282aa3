//! Rule 8 for what people type: `delete` and `restore` are cut off after each of their writes and each of their requests,
//! counted by the command itself. Then the same is typed again, at once or an hour later, or the daemon comes by. The
//! provider's own record says what was done.

use std::sync::Mutex;
use std::time::Duration;

use lastgood::journal::notice::{Class, Topic};
use lastgood::policy::inventory::{Id, Kind};
use lastgood::run::{World, by_hand, drive, look_after, take_stock};
use lastgood::simulator::{self, By, Call, ChangeKind, Effect, Options, PointSpec, Rule};
use lastgood::store::leases::Leased;
use lastgood::store::notices::Waiting;

use crate::crashes::{Count, cut_off_after};
use crate::stage::{Stage, ours, policy};

const DUE: &str = "2026-11-21T02:30:00Z";
const SNAPSHOT: simulator::Kind = simulator::Kind::Snapshot;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    Delete,
    Restore,
}

/// What is typed, and how the provider behaves.
#[derive(Clone, Copy, Debug)]
struct Scene {
    typed: Typed,
    /// The provider acts, and its first answer is lost.
    lost: bool,
    /// How long a deleted point is listed.
    delete: Duration,
}

const SCENES: [Scene; 5] = [
    Scene { typed: Typed::Delete, lost: false, delete: Duration::ZERO },
    Scene { typed: Typed::Delete, lost: true, delete: Duration::ZERO },
    Scene { typed: Typed::Delete, lost: false, delete: Duration::from_secs(9) },
    Scene { typed: Typed::Restore, lost: false, delete: Duration::ZERO },
    Scene { typed: Typed::Restore, lost: true, delete: Duration::ZERO },
];

/// What the command came to, and what it said.
#[derive(Debug)]
struct Said {
    done: Result<(), String>,
    notes: Vec<String>,
}

impl Scene {
    /// Two snapshots of the policy and one of a person, all known to the journal; the command is about the policy's oldest.
    async fn stage(&self) -> (Stage, Id) {
        let person = PointSpec::aged(SNAPSHOT, "web-server-01", 3_600);
        let foreign = vec![ours(SNAPSHOT, 2), ours(SNAPSHOT, 1), person];
        let (latency, restore) = (Duration::from_millis(200), Duration::from_secs(20));
        let stage = Stage::new(Options { foreign, latency, restore, delete: self.delete, ..Options::default() });
        stage.world.settings.change(|settings| settings.settle = Duration::from_secs(4));
        stage.world.settings.change(|settings| settings.timeout = Duration::from_secs(4));
        if self.lost {
            let call = if self.typed == Typed::Delete { Call::Delete } else { Call::Restore };
            stage.simulator.add_fault(Rule::new(Effect::Reset { carried_out: true }).call(call).times(1));
        }
        stage.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 0.2 }));
        let task = stage.task(policy(Kind::Snapshot, 4)).await;
        take_stock(&stage.world, &task).await.unwrap().unwrap();
        let id = stage.ids(SNAPSHOT)[0].clone();
        (stage, id)
    }

    /// The command, as the command line carries it out; a restore that may have been carried out is done again.
    async fn type_it(&self, world: &World, id: &Id) -> Said {
        self.type_with(world, id, true).await
    }

    /// The command, with or without `--again`.
    async fn type_with(&self, world: &World, id: &Id, again: bool) -> Said {
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

    /// Cuts the command off; false when it came to its end.
    async fn cut_off(&self, (stage, id): (&Stage, &Id), what: Count, last: usize) -> bool {
        let world = stage.beside(1);
        let (seen, cut_off) = cut_off_after(self.type_it(&world, id), stage, what, last).await;
        let fewest = if self.typed == Typed::Delete { 2 } else { 3 };
        assert!(cut_off || seen >= fewest, "{self:?}: {what:?}: {seen}");
        cut_off
    }

    /// How often the provider has begun to do what was typed.
    fn carried_out(&self, stage: &Stage, id: &Id) -> usize {
        let asked = if self.typed == Typed::Delete { ChangeKind::PointDeleted } else { ChangeKind::RestoreStarted };
        let account = stage.simulator.account();
        let of = |change: &&simulator::Change| change.change == asked && change.by == By::Client;
        let done: Vec<_> = account.record().changes().filter(of).collect();
        for change in &done {
            assert_eq!(change.id, Some(serde_json::json!(id)), "another point: {change:?}");
        }
        done.len()
    }

    /// What must be so whatever happened: nothing twice, nothing to other points, the server runs, nobody is waited for.
    async fn check(&self, stage: &Stage, id: &Id, how: &str) {
        let account = stage.simulator.account();
        let how = format!("{how}: {:#?}", account.record().entries());
        let Id::Number(oldest) = id else { panic!("{how}") };
        for other in [oldest + 1, oldest + 2] {
            assert!(account.point(SNAPSHOT, other).is_some_and(|point| !point.deleting), "{other}, {how}");
        }
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{how}");
        let refused = account.record().requests().any(|request| request.account_status == Some(400));
        assert!(!refused, "{how}");
        assert_eq!(stage.world.store.leases().await.unwrap(), [], "{how}");
    }
}

async fn leases(stage: &Stage) -> Vec<Leased> {
    stage.world.store.leases().await.unwrap()
}

fn is_accepted(lease: &Leased) -> bool {
    lease.holder.errand().is_some_and(|errand| errand.accepted)
}

/// Each scene, cut off after each write and each request, in turn.
async fn cut_off_everywhere(mut then: impl AsyncFnMut(Scene, Stage, Id, String)) {
    for scene in SCENES {
        for what in [Count::Writes, Count::Requests] {
            for last in 1.. {
                let (stage, id) = scene.stage().await;
                let cut_off = scene.cut_off((&stage, &id), what, last).await;
                then(scene, stage, id, format!("{scene:?}, cut off after {last} of {what:?}")).await;
                if !cut_off {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_cut_off_and_is_typed_again_does_nothing_twice() {
    cut_off_everywhere(async |scene, stage, id, how| {
        // One that had come to its end is not typed again.
        if scene.carried_out(&stage, &id) == 0 || !leases(&stage).await.is_empty() {
            let again = scene.type_it(&stage.beside(2), &id).await;
            let gone = scene.typed == Typed::Delete && again.done == Err("there is no such point".to_owned());
            let says_so =
                scene.lost && again.done.as_ref().is_err_and(|text| text.contains("may have been carried out"));
            assert!(again.done.is_ok() || gone || says_so, "{how}: {again:?}");
            // Told by the daemon: a command about a point that is not there asks for nothing.
            assert!(!gone || leases(&stage).await.len() == 1, "{how}: {again:?}");
        }
        assert_eq!(scene.carried_out(&stage, &id), 1, "{how}");
        look_after(&stage.world).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        scene.check(&stage, &id, &how).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_was_accepted_is_not_sent_again_hours_later_and_one_that_may_have_been_is_called_so() {
    cut_off_everywhere(async |scene, stage, id, how| {
        if scene.typed == Typed::Delete || leases(&stage).await.is_empty() {
            return;
        }
        let accepted = is_accepted(&leases(&stage).await[0]);
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        let before = scene.carried_out(&stage, &id);
        let again = scene.type_it(&stage.beside(2), &id).await;
        assert_eq!(again.done, Ok(()), "{how}");
        if accepted {
            assert_eq!(scene.carried_out(&stage, &id), 1, "{how}: {again:?}");
        } else {
            assert_eq!(scene.carried_out(&stage, &id), before + 1, "{how}: {again:?}");
            let unknown = again.notes[0].contains("it is unknown whether it was carried out");
            assert!(unknown, "{how}: {again:?}");
        }
        scene.check(&stage, &id, &how).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_may_have_been_carried_out_is_said_to_be_so_and_is_not_repeated_unless_somebody_asks_for_it() {
    let mut asked = 0;
    cut_off_everywhere(async |scene, stage, id, how| {
        let left = leases(&stage).await;
        if scene.typed == Typed::Delete || left.is_empty() {
            return;
        }
        let sent = || stage.simulator.account().record().requests().filter(|it| it.path.contains("restore")).count();
        let (before, requests) = (scene.carried_out(&stage, &id), sent());
        let refused = async |seed: u64| {
            let again = scene.type_with(&stage.beside(seed), &id, false).await;
            let text = again.done.as_ref().expect_err(&how).clone();
            assert!(text.contains("was cut off") && text.contains("add --again"), "{how}: {again:?}");
            assert!(again.notes.len() == 1 && text.starts_with(&again.notes[0]), "{how}: {again:?}");
            assert_eq!((scene.carried_out(&stage, &id), sent()), (before, requests), "{how}: {again:?}");
        };
        if !is_accepted(&left[0]) {
            asked += 1;
            // However often it is typed, what was cut off is neither repeated nor forgotten.
            refused(2).await;
            refused(3).await;
            assert_eq!(leases(&stage).await, left, "{how}");
        }
        // The daemon has told people and given the server back, which makes it no more certain.
        look_after(&stage.world).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(leases(&stage).await, [], "{how}");
        refused(4).await;
        let again = scene.type_with(&stage.beside(5), &id, true).await;
        assert_eq!(again.done, Ok(()), "{how}: {again:?}");
        assert_eq!(scene.carried_out(&stage, &id), before + 1, "{how}: {again:?}");
        // Who came to an end knows how it ended.
        assert_eq!(scene.type_with(&stage.beside(6), &id, false).await.done, Ok(()), "{how}");
        scene.check(&stage, &id, &how).await;
    })
    .await;
    assert!(asked >= 4, "{asked} were cut off before an answer");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_takes_no_server_from_a_run_or_a_command_that_lives() {
    let scene = Scene { typed: Typed::Restore, lost: false, delete: Duration::ZERO };
    // A command beside the owner.
    let (stage, id) = scene.stage().await;
    stage.simulator.set_options(|options| options.restore = Duration::from_secs(4 * 3600));
    let (first, second) = (stage.beside(1), stage.beside(2));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.clock.jump(3 * 3600);
        look_after(&stage.world).await.unwrap();
        let other = scene.type_with(&second, &id, true).await;
        assert!(other.done.as_ref().is_err_and(|text| text.contains("at work on web-server-01")), "{other:?}");
        tokio::time::sleep(Duration::from_secs(300)).await;
        let waiting = stage.world.store.waiting().await.unwrap();
        assert!(!waiting.iter().any(|it| it.notice.to_string().contains("was cut off")), "{waiting:#?}");
        assert_eq!(leases(&stage).await.len(), 1);
    };
    let (done, ()) = tokio::join!(scene.type_it(&first, &id), meanwhile);
    assert_eq!(done.done, Ok(()));
    scene.check(&stage, &id, "a command").await;
    // A run of the owner.
    let (stage, id) = scene.stage().await;
    stage.simulator.set_options(|options| options.completion = Duration::from_secs(3600));
    let task = stage.task(policy(Kind::Snapshot, 4)).await;
    let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
    let beside = stage.beside(1);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.clock.jump(20 * 60);
        for scene in [scene, Scene { typed: Typed::Delete, ..scene }] {
            let other = scene.type_it(&beside, &id).await;
            assert!(other.done.as_ref().is_err_and(|text| text.contains("at work on web-server-01")), "{other:?}");
        }
    };
    let (run, ()) = tokio::join!(drive(&stage.world, &task, run), meanwhile);
    assert_eq!(run.unwrap().outcome.as_str(), "succeeded");
    assert_eq!(scene.carried_out(&stage, &id), 0);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_after_a_command_that_was_cut_off_tells_it_repeats_nothing_and_makes_its_point() {
    cut_off_everywhere(async |scene, stage, id, how| {
        let left = leases(&stage).await;
        let (accepted, left) = (left.iter().any(is_accepted), left.len());
        let before = scene.carried_out(&stage, &id);
        let stage = stage.restart().await;
        let task = stage.task(policy(Kind::Snapshot, 4)).await;
        let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
        let run = drive(&stage.world, &task, run).await.unwrap();
        assert_eq!((run.outcome.as_str(), &run.deleted[..]), ("succeeded", &[][..]), "{how}: {run:?}");
        assert_eq!(scene.carried_out(&stage, &id), before, "{how}");
        scene.check(&stage, &id, &how).await;
        let waiting = stage.world.store.waiting().await.unwrap();
        let failed = |it: &&Waiting| it.notice.class() == Class::Failure && it.notice.topic() != Topic::NewJournal;
        let failures: Vec<_> = waiting.iter().filter(failed).collect();
        let told = failures.iter().filter(|it| it.notice.to_string().contains("was cut off")).count();
        assert_eq!((told, failures.len()), (left, left), "{how}: {failures:#?}");
        let said_accepted =
            failures.iter().any(|it| it.notice.to_string().contains("after the provider had accepted it"));
        assert_eq!(said_accepted, accepted, "{how}: {failures:#?}");
        let braked = stage.world.store.incidents().await.unwrap();
        assert!(!braked.iter().any(|incident| incident.topic == Topic::Brake), "{how}: {braked:#?}");
    })
    .await;
}
