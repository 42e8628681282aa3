//! Rules 1 to 6 against a provider that loses answers, lags, changes texts, gives ids again and lets points fail, get
//! stuck and vanish, while people make and delete points of their own.

use std::sync::Arc;
use std::time::Duration;

use lastgood::journal::notice::{Class, Fact, Topic};
use lastgood::journal::summary::RunSummary;
use lastgood::policy::inventory::{Id, Kind};
use lastgood::policy::policy::{Policy, PolicyName};
use lastgood::run::{Task, drive};
use lastgood::simulator::{self, Act, Altered, Call, Edit, Effect, Fate, Options, Pick, PointSpec, Rule};
use tokio::sync::Semaphore;

use crate::crashes::cut_off_when;
use crate::stage::{Stage, ours, policy};

const SNAPSHOT: simulator::Kind = simulator::Kind::Snapshot;
const BACKUP: simulator::Kind = simulator::Kind::Backup;
const SERVER: &str = "web-server-01";

fn full() -> Options {
    Options { foreign: (1..=5).map(|day| ours(SNAPSHOT, day)).collect(), ..Options::default() }
}

fn lost(call: Call, carried_out: bool) -> Rule {
    Rule::new(Effect::Reset { carried_out }).call(call).times(1)
}

fn sent(stage: &Stage, method: &str, path: &str) -> usize {
    let account = stage.simulator.account();
    account.record().requests().filter(|request| request.method == method && request.path.starts_with(path)).count()
}

fn limit_met(stage: &Stage) -> bool {
    stage.simulator.account().record().requests().any(|request| request.account_status == Some(400))
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_is_adopted_by_whatever_is_left_of_its_text() {
    let cases: [(Option<usize>, Option<&str>, Option<&str>); 6] = [
        (None, None, None),
        (Some(11), Some("snapshot-1"), None),
        (Some(8), Some("snapshot-1"), None),
        (Some(0), None, None),
        (None, None, Some("made by the provider")),
        (Some(24), Some("lg-"), None),
    ];
    for (truncate, name, description) in cases {
        for lag in [0, 20] {
            let list_lag = Duration::from_secs(lag);
            let stage = Stage::new(Options { list_lag, truncate_description: truncate, ..full() });
            stage.simulator.add_fault(lost(Call::Create, true));
            if name.is_some() || description.is_some() {
                let (name, description) = (name.map(str::to_owned), description.map(str::to_owned));
                let pick = Pick { kind: SNAPSHOT, id: None, server: Some(SERVER.into()), oldest: false };
                let edit = Edit { pick, name, description, status: None, created_at: None, size_mb: None };
                let act = Effect::Meanwhile { acts: vec![Act::EditPoint(edit)], after: true };
                stage.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
            }
            let task = stage.task(policy(Kind::Snapshot, 5)).await;
            let run = stage.run(&task).await;
            let case = format!("{truncate:?} {name:?} {description:?} lag {lag}: {run:?}");
            assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 1), "{case}");
            assert_eq!(sent(&stage, "POST", "/snapshots/"), 1, "{case}");
            assert_eq!(stage.ids(SNAPSHOT).len(), 5, "{case}");
            assert!(!limit_met(&stage), "{case}");
            let next = stage.run(&task).await;
            assert_eq!((next.outcome.as_str(), next.deleted.len()), ("succeeded", 1), "ours from then on, {case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_point_without_any_text_of_ours_is_not_adopted_and_the_run_ends_as_unknown() {
    for stop_server in [false, true] {
        let stage = Stage::new(Options::default());
        stage.simulator.add_fault(lost(Call::Create, false));
        let bare = PointSpec { description: String::new(), ..PointSpec::aged(BACKUP, SERVER, 0) };
        let act = Effect::Meanwhile { acts: vec![Act::CreatePoint(bare)], after: true };
        stage.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
        let task = stage.task(Policy { stop_server, ..policy(Kind::Backup, 3) }).await;
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.created.clone(), run.attempts), ("unknown", None, 1), "{run:?}");
        assert!(run.error.as_ref().is_some_and(|error| error.contains("look at it")), "{run:?}");
        assert_eq!((stage.ids(BACKUP).len(), sent(&stage, "POST", "/backups/")), (1, 1));
        assert_eq!(stage.server().await.status.to_string(), "active", "a server that we stopped is started again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_persons_point_is_never_adopted_in_place_of_a_lost_one() {
    let stage = Stage::new(Options::default());
    stage.simulator.add_fault(lost(Call::Create, false));
    let theirs = PointSpec::aged(SNAPSHOT, SERVER, 0);
    let act = Effect::Meanwhile { acts: vec![Act::CreatePoint(theirs)], after: true };
    stage.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
    let task = stage.task(policy(Kind::Snapshot, 3)).await;
    let run = stage.run(&task).await;
    assert_eq!(run.outcome, "succeeded");
    let account = stage.simulator.account();
    let points = account.points_of(SNAPSHOT, SERVER);
    assert_eq!(points.len(), 2);
    let created = points.iter().find(|point| Some(Id::Number(point.id)) == run.created).unwrap();
    assert!(created.description.starts_with("lg-"), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_points_with_one_token_the_older_is_adopted_and_the_younger_goes_once_the_older_is_completed() {
    // The list shows the first one only after it was given up; the second one is shown at once, or late as well.
    for lag_of_second in [0, 100] {
        let (completion, list_lag) = (Duration::from_secs(300), Duration::from_secs(100));
        let stage = Stage::new(Options { completion, list_lag, ..Options::default() });
        stage.simulator.add_fault(lost(Call::Create, true));
        let task = stage.task(policy(Kind::Backup, 3)).await;
        let change = async {
            tokio::time::sleep(Duration::from_secs(90)).await;
            stage.simulator.set_options(|options| options.list_lag = Duration::from_secs(lag_of_second));
        };
        let (run, ()) = tokio::join!(stage.run(&task), change);
        check_twins(&stage, &run);
    }
}

fn check_twins(stage: &Stage, run: &RunSummary) {
    assert_eq!((sent(stage, "POST", "/backups/"), run.outcome.as_str()), (2, "succeeded"), "{run:?}");
    assert_eq!(stage.ids(BACKUP), [Id::Number(501)], "{run:?}");
    assert_eq!((&run.created, run.deleted.as_slice()), (&Some(Id::Number(501)), &[Id::Number(502)][..]));
    let account = stage.simulator.account();
    let completed = |change: &simulator::Change| change.change == simulator::ChangeKind::PointCompleted;
    let deleted = |change: &simulator::Change| change.change == simulator::ChangeKind::PointDeleted;
    let changes: Vec<_> = account.record().changes().collect();
    assert!(changes.iter().position(|it| completed(it)) < changes.iter().position(|it| deleted(it)));
}

/// The younger of two points with one token is deleted by no plan: what refuses it at the last moment is all there is.
#[tokio::test(start_paused = true)]
async fn the_younger_twin_stays_when_the_older_is_good_no_more_or_its_id_is_another_points() {
    let edit = |id: i64| {
        let pick = Pick { kind: BACKUP, id: Some(id.into()), server: None, oldest: false };
        Edit { pick, name: None, description: None, status: None, created_at: None, size_mb: None }
    };
    let moment = "2026-11-21T02:29:00Z".parse().unwrap();
    for changed in
        [Edit { status: Some("failed".to_owned()), ..edit(501) }, Edit { created_at: Some(moment), ..edit(502) }]
    {
        let (completion, list_lag) = (Duration::from_secs(300), Duration::from_secs(100));
        let stage = Stage::new(Options { completion, list_lag, ..Options::default() });
        stage.simulator.add_fault(lost(Call::Create, true));
        let task = stage.task(policy(Kind::Backup, 3)).await;
        let change = async {
            // The second one takes an hour.
            tokio::time::sleep(Duration::from_secs(30)).await;
            let slow = Altered { after_seconds: Some(3600.0), ..Altered::default() };
            stage.simulator.add_fault(Rule::new(Effect::CreateAs(slow)).call(Call::Create).times(1));
            tokio::time::sleep(Duration::from_secs(60)).await;
            stage.simulator.set_options(|options| options.list_lag = Duration::ZERO);
            tokio::time::sleep(Duration::from_secs(1800)).await;
            stage.simulator.act(&Act::EditPoint(changed.clone())).unwrap();
        };
        let (run, ()) = tokio::join!(stage.run(&task), change);
        assert_eq!(sent(&stage, "POST", "/backups/"), 2, "{run:?}");
        assert_eq!((sent(&stage, "DELETE", "/backups/"), stage.ids(BACKUP).len()), (0, 2), "{changed:?} {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_put_off_the_next_attempt() {
    let stage = Stage::new(Options::default());
    let fate = Altered { fate: Fate::Fails, ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = stage.task(policy(Kind::Snapshot, 3)).await;
    let began = tokio::time::Instant::now();
    let set_back = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        stage.clock.jump(-86_400);
    };
    let (run, ()) = tokio::join!(stage.run(&task), set_back);
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(3600), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn max_deletes_holds_for_a_failed_point_of_the_runs_own_too() {
    let stage = Stage::new(Options::default());
    let fate = Altered { fate: Fate::Fails, ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = stage.task(Policy { max_deletes: Some(0), retries: 0, ..policy(Kind::Snapshot, 3) }).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len(), stage.ids(SNAPSHOT).len()), ("failed", 0, 1), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_delete_is_repeated_only_when_the_list_still_shows_that_very_point() {
    for (carried_out, deletes) in [(true, 1), (false, 2)] {
        let stage = Stage::new(full());
        stage.simulator.add_fault(lost(Call::Delete, carried_out));
        let task = stage.task(policy(Kind::Snapshot, 5)).await;
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
        assert_eq!(sent(&stage, "DELETE", "/snapshots/"), deletes);
        assert!(!limit_met(&stage));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_takes_time_is_waited_for_and_no_second_one_goes_in_its_place() {
    for word in [None, Some("deleting".to_owned())] {
        let delete = Duration::from_secs(600);
        let stage = Stage::new(Options { delete, deleting_word: word, ..full() });
        let task = stage.task(policy(Kind::Snapshot, 5)).await;
        let run = stage.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
        assert_eq!(sent(&stage, "DELETE", "/snapshots/"), 1);
        assert!(!limit_met(&stage), "its slot was taken until it was gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_short_torn_or_refused_never_leads_to_a_delete() {
    let faults = [
        Effect::ShortCount { by: 1 },
        Effect::MissingItems { items: 2 },
        Effect::TruncatedJson {},
        Effect::BrokenBody {},
        Effect::status(500),
        Effect::status(401),
        Effect::status(404),
        Effect::Refuse {},
        Effect::Silence { seconds: None, carried_out: false },
        Effect::DuplicateItems { items: 1, counted: true },
    ];
    for fault in faults {
        let stage = Stage::new(Options { paged: true, ..full() });
        stage.simulator.add_fault(Rule::new(fault.clone()).call(Call::List));
        let task = stage.task(Policy { retries: 0, ..policy(Kind::Snapshot, 2) }).await;
        let run = stage.run(&task).await;
        let harmless = matches!(fault, Effect::DuplicateItems { .. });
        assert!(run.outcome == "failed" || harmless, "{fault:?}: {run:?}");
        if !harmless {
            assert_eq!((run.deleted.len(), sent(&stage, "DELETE", "/")), (0, 0), "{fault:?}");
            assert_eq!(sent(&stage, "POST", "/"), 0, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn points_of_another_server_in_the_list_are_left_alone() {
    let foreign = (1..=3).map(|day| ours(SNAPSHOT, day));
    let elsewhere = (4..=8).map(|day| PointSpec { server: Some("web-server-02".into()), ..ours(SNAPSHOT, day) });
    let foreign = foreign.chain(elsewhere).collect();
    let stage = Stage::new(Options { foreign, ignore_filters: true, ..Options::default() });
    let task = stage.task(policy(Kind::Snapshot, 3)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted), ("succeeded", vec![Id::Number(803)]));
    assert_eq!(stage.simulator.account().points_of(SNAPSHOT, "web-server-02").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_limit_error_in_spite_of_a_free_slot_is_final_and_deletes_nothing() {
    let stage = Stage::new(Options { foreign: vec![ours(SNAPSHOT, 1)], ..Options::default() });
    stage.simulator.add_fault(Rule::new(Effect::status(400)).call(Call::Create));
    let task = stage.task(policy(Kind::Snapshot, 3)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("failed", 1, 0), "{run:?}");
    assert_eq!((sent(&stage, "POST", "/snapshots/"), sent(&stage, "DELETE", "/")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_point_is_left_alone_told_and_no_second_one_is_made_for_its_due_time() {
    let stage = Stage::new(full());
    let fate = Altered { fate: Fate::NeverFinishes, ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = stage.task(policy(Kind::Snapshot, 5)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("failed", 1));
    assert!(run.error.as_ref().is_some_and(|error| error.contains("stuck")), "{run:?}");
    assert_eq!(run.deleted.len(), 1, "what was evicted, and nothing by retention");
    // The next run looks at it again, finds no slot, and no good point that retention would drop.
    let next = stage.run(&task).await;
    assert_eq!((next.outcome.as_str(), next.deleted.len()), ("failed", 0), "{next:?}");
    assert!(next.error.as_ref().is_some_and(|error| error.contains("limit reached (5 own, 0 foreign)")), "{next:?}");
    let told = stage.world.store.waiting().await.unwrap();
    assert!(told.iter().any(|waiting| waiting.notice.to_string().contains("is stuck: still in progress")), "{told:?}");
    assert_eq!(stage.ids(SNAPSHOT).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_vanishes_while_it_is_awaited_is_made_again_by_the_next_attempt() {
    let stage = Stage::new(full());
    let fate = Altered { fate: Fate::Vanishes, after_seconds: Some(1.5), ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = stage.task(policy(Kind::Snapshot, 5)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("succeeded", 2, 1), "{run:?}");
    assert_eq!(stage.ids(SNAPSHOT).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_one_list_lacks_is_not_taken_for_gone() {
    let stage = Stage::new(Options { paged: true, completion: Duration::from_secs(120), ..Options::default() });
    let short = Rule::new(Effect::OnlyItems { items: 0 }).call(Call::List);
    stage.simulator.add_fault(Rule { skip: 3, times: Some(2), ..short });
    let task = stage.task(policy(Kind::Snapshot, 3)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 1), "{run:?}");
    assert_eq!(sent(&stage, "POST", "/snapshots/"), 1);
}

#[tokio::test(start_paused = true)]
async fn ids_that_come_again_are_told_apart_by_their_time() {
    for stop_server in [false, true] {
        let stage = Stage::new(Options { reuse_ids: true, ..full() });
        let task = stage.task(Policy { stop_server, ..policy(Kind::Snapshot, 5) }).await;
        for round in 0..6 {
            let run = stage.run(&task).await;
            assert_eq!(run.outcome, "succeeded", "{round}: {run:?}");
            assert_eq!((run.deleted.len(), stage.ids(SNAPSHOT).len()), (1, 5), "{round}: {run:?}");
        }
        let told = stage.world.store.incidents().await.unwrap();
        assert!(told.is_empty(), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_point_with_an_id_that_came_again_is_cleared_away() {
    let stage = Stage::new(Options { reuse_ids: true, ..full() });
    let fate = Altered { fate: Fate::Fails, ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = stage.task(policy(Kind::Snapshot, 5)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    let account = stage.simulator.account();
    assert!(account.points_of(SNAPSHOT, SERVER).iter().all(|point| point.status == "completed"));
}

#[tokio::test(start_paused = true)]
async fn a_person_who_makes_room_meanwhile_saves_the_point_that_was_to_be_evicted() {
    let stage = Stage::new(full());
    let pick = Pick { kind: SNAPSHOT, id: None, server: Some(SERVER.into()), oldest: false };
    let act = Effect::Meanwhile { acts: vec![Act::DeletePoint(pick)], after: true };
    // The eviction is lost, and by the time that this is known another slot is free.
    stage.simulator.add_fault(Rule::new(act).call(Call::Delete).times(1));
    stage.simulator.add_fault(Rule::new(Effect::Reset { carried_out: false }).call(Call::Delete).times(1));
    let task = stage.task(policy(Kind::Snapshot, 5)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_takes_the_evicted_slot_ends_the_run_without_the_limit_error() {
    let stage = Stage::new(full());
    let act = Effect::Meanwhile { acts: vec![Act::CreatePoint(PointSpec::aged(SNAPSHOT, SERVER, 0))], after: true };
    stage.simulator.add_fault(Rule::new(act).call(Call::Delete).times(1));
    let task = stage.task(policy(Kind::Snapshot, 5)).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("failed", 1, 1), "{run:?}");
    assert_eq!(sent(&stage, "POST", "/snapshots/"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hold_set_during_the_run_saves_the_point() {
    let stage = Stage::new(Options { foreign: (1..=3).map(|day| ours(SNAPSHOT, day)).collect(), ..Options::default() });
    let task = stage.task(policy(Kind::Snapshot, 3)).await;
    let oldest = stage.plan(&task).await.prunes().next().unwrap().id.clone();
    let run = stage.open(&task, None).await;
    let posted = || sent(&stage, "POST", "/snapshots/") == 1;
    assert!(crate::crashes::cut_off_when(drive(&stage.world, &task, run), posted).await.is_none());
    let hold = lastgood::store::holds::Hold {
        what: lastgood::store::holds::HoldTarget::Point(Kind::Snapshot, oldest),
        reason: "audit".to_owned(),
        since: stage.clock.now(),
        until: None,
    };
    stage.world.store.hold(hold).await.unwrap();
    let stage = stage.restart().await;
    let open = stage.world.store.unfinished().await.unwrap().remove(0);
    let run = drive(&stage.world, &task, open).await.unwrap();
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_found_stopped_is_left_stopped() {
    let stage = Stage::new(Options::default());
    let stop = Act::SetStatus { server: SERVER.into(), status: "stopped".to_owned() };
    stage.simulator.act(&stop).unwrap();
    let task = stage.task(Policy { stop_server: true, ..policy(Kind::Backup, 3) }).await;
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), sent(&stage, "POST", "/servers/")), ("succeeded", 0));
    assert_eq!(stage.server().await.status.to_string(), "stopped");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_we_stopped_is_started_however_the_making_ends_and_however_often_it_must_be_tried() {
    let refused = Rule::new(Effect::status(403)).call(Call::Create);
    let fails = Altered { fate: Fate::Fails, ..Altered::default() };
    let never = Altered { fate: Fate::NeverFinishes, ..Altered::default() };
    for fault in [
        refused,
        Rule::new(Effect::CreateAs(fails)).call(Call::Create),
        Rule::new(Effect::CreateAs(never)).call(Call::Create),
        Rule::new(Effect::status(500)).call(Call::List).skip(1).times(8),
    ] {
        let stage = Stage::new(Options::default());
        stage.simulator.add_fault(fault.clone());
        // The first power call stops it; the next ones are to start it.
        stage.simulator.add_fault(Rule::new(Effect::status(503)).call(Call::Power).skip(1).times(4));
        let task = stage.task(Policy { stop_server: true, retries: 0, ..policy(Kind::Backup, 3) }).await;
        let run = stage.run(&task).await;
        assert_eq!(stage.server().await.status.to_string(), "active", "{fault:?}: {run:?}");
        let account = stage.simulator.account();
        let asked: Vec<_> = account.record().requests().filter(|it| it.path.ends_with("/power/")).collect();
        assert!(asked.iter().all(|it| it.body["action"] != "hard_stop"), "{fault:?}");
        assert!(asked.len() >= 6, "{fault:?}: {}", asked.len());
        let told = stage.world.store.waiting().await.unwrap();
        assert!(told.iter().any(|waiting| waiting.notice.to_string().contains("could not be started")), "{fault:?}");
        let started = told.iter().map(|waiting| &waiting.notice).filter(|notice| notice.class() == Class::Recovery);
        let started: Vec<_> = started.filter(|notice| notice.topic() == Topic::ServerStopped).collect();
        assert!(
            started.len() == 1 && matches!(&started[0].fact, Fact::Recovered(recovered) if recovered.since.is_some()),
            "whoever was told hears the end of it: {told:?}"
        );
        let open = stage.world.store.incidents().await.unwrap();
        assert!(open.iter().all(|incident| incident.topic.to_string() != "server_stopped"), "{open:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_can_never_be_read_again_leave_no_server_stopped_and_end_the_run() {
    for (stop_server, restarts) in [(false, false), (true, false), (true, true)] {
        let mut stage = Stage::new(Options::default());
        // The plan and the create have their lists; no look ever has one.
        stage.simulator.add_fault(Rule::new(Effect::status(401)).call(Call::List).skip(1 + u64::from(stop_server)));
        let task = stage.task(Policy { stop_server, ..policy(Kind::Snapshot, 3) }).await;
        let mut run = stage.open(&task, None).await;
        if restarts {
            let made = || stage.simulator.account().points(SNAPSHOT).count() == 1;
            assert!(cut_off_when(drive(&stage.world, &task, run), made).await.is_none());
            stage = stage.restart().await;
            run = stage.world.store.unfinished().await.unwrap().remove(0);
        }
        let done = tokio::time::timeout(Duration::from_secs(86_400), drive(&stage.world, &task, run)).await;
        let run = done.expect("the run ends").unwrap();
        assert_eq!((run.outcome.as_str(), run.attempts), ("failed", 1), "{run:?}");
        assert!(run.error.as_ref().is_some_and(|error| error.contains("refused the token")), "{run:?}");
        assert_eq!(stage.server().await.status.to_string(), "active");
        assert_eq!((sent(&stage, "POST", "/snapshots/"), sent(&stage, "DELETE", "/")), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_started_keeps_no_place_from_other_runs() {
    let mut stage = Stage::new(Options::default());
    stage.world.places = Arc::new(Semaphore::new(1));
    let never = Rule::new(Effect::status(503)).call(Call::Power).server(SERVER).skip(1);
    stage.simulator.add_fault(never);
    let servers = stage.world.client.servers().await.unwrap().items;
    let policy = Arc::new(Policy { stop_server: true, ..policy(Kind::Backup, 3) });
    let task = |server| Task { server, policy: Arc::clone(&policy), reserve: 0, others: Vec::new() };
    let tasks = servers.into_iter().map(task);
    let tasks: Vec<Task> = tasks.collect();
    let (first, second) = (stage.open(&tasks[0], None).await, stage.open(&tasks[1], None).await);
    let (first, second) = (drive(&stage.world, &tasks[0], first), drive(&stage.world, &tasks[1], second));
    tokio::select! {
        biased;
        run = first => panic!("its server never starts: {run:?}"),
        run = second => assert_eq!(run.unwrap().outcome, "succeeded"),
        () = tokio::time::sleep(Duration::from_secs(86_400)) => panic!("the other run has no place"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_to_start_when_the_server_has_left_the_account() {
    let stage = Stage::new(Options::default());
    let act = Effect::Meanwhile { acts: vec![Act::RemoveServer { server: SERVER.into() }], after: true };
    stage.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
    let task = stage.task(Policy { stop_server: true, retries: 0, ..policy(Kind::Snapshot, 3) }).await;
    let run = tokio::time::timeout(Duration::from_secs(86_400), stage.run(&task)).await.unwrap();
    assert_eq!(run.outcome, "failed");
}

#[tokio::test(start_paused = true)]
async fn two_policies_of_one_server_never_run_at_once() {
    let stage = Stage::new(Options { completion: Duration::from_secs(30), ..Options::default() });
    let one = stage.task(policy(Kind::Snapshot, 3)).await;
    let other = Policy { name: PolicyName::new("hourly").unwrap(), ..policy(Kind::Backup, 3) };
    let other = stage.task(other).await;
    let (first, second) = (stage.open(&one, None).await, stage.open(&other, None).await);
    let both = tokio::join!(drive(&stage.world, &one, first), drive(&stage.world, &other, second));
    assert_eq!((both.0.unwrap().outcome.as_str(), both.1.unwrap().outcome.as_str()), ("succeeded", "succeeded"));
    let account = stage.simulator.account();
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
    let stage = Stage::new(Options { completion: Duration::from_secs(600), ..Options::default() });
    let task = stage.task(policy(Kind::Backup, 3)).await;
    drop(stage.simulator.take_record());
    let run = stage.run(&task).await;
    assert_eq!((run.outcome.as_str(), sent(&stage, "POST", "/")), ("succeeded", 1));
    let gets = sent(&stage, "GET", "/");
    assert!((2..=30).contains(&gets), "{gets}");
    drop(stage.simulator.take_record());
    let run = stage.run(&task).await;
    let later = sent(&stage, "GET", "/");
    assert!(run.outcome == "succeeded" && later < gets && later <= 10, "it is known how long it takes: {later}");
    assert_eq!(sent(&stage, "POST", "/") + sent(&stage, "DELETE", "/"), 1);
}
