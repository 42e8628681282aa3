//! Rules 1 to 6 against a provider that loses answers, lags, changes texts, reuses ids and lets points fail, get
//! stuck and vanish, while people create and delete points of their own.

use std::time::Duration;

use lastgood::seams::journal::summary::RunSummary;
use lastgood::seams::policy::inventory::{Kind, PointId};
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::run::drive;
use lastgood::simulator::{self, Altered, Call, Edit, Effect, Options, PersonAction, Pick, PointFate, PointSpec, Rule};

use crate::cut_off::cut_off_when;
use crate::support::simulated_world::{SimulatedWorld, ours, policy};

const SNAPSHOT: simulator::PointKind = simulator::PointKind::Snapshot;
const BACKUP: simulator::PointKind = simulator::PointKind::Backup;
const SERVER: &str = "web-server-01";

fn full() -> Options {
    Options { foreign: (1..=5).map(|day| ours(SNAPSHOT, day)).collect(), ..Options::default() }
}

fn lost(call: Call, carried_out: bool) -> Rule {
    Rule::new(Effect::Reset { carried_out }).call(call).times(1)
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
            let sim = SimulatedWorld::new(Options { list_lag, truncate_description: truncate, ..full() });
            sim.simulator.add_fault(lost(Call::Create, true));
            if name.is_some() || description.is_some() {
                let (name, description) = (name.map(str::to_owned), description.map(str::to_owned));
                let pick = Pick { kind: SNAPSHOT, id: None, server: Some(SERVER.into()), oldest: false };
                let edit = Edit { pick, name, description, status: None, created_at: None, size_mb: None };
                let act = Effect::Meanwhile { acts: vec![PersonAction::EditPoint(edit)], after: true };
                sim.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
            }
            let task = sim.task(policy(Kind::Snapshot, 5)).await;
            let run = sim.run(&task).await;
            let case = format!("{truncate:?} {name:?} {description:?} lag {lag}: {run:?}");
            assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 1), "{case}");
            assert_eq!(sim.sent("POST", "/snapshots/"), 1, "{case}");
            assert_eq!(sim.ids(SNAPSHOT).len(), 5, "{case}");
            assert!(!sim.limit_met(), "{case}");
            let next = sim.run(&task).await;
            assert_eq!((next.outcome.as_str(), next.deleted.len()), ("succeeded", 1), "ours from then on, {case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_point_without_any_text_of_ours_is_not_adopted_and_the_run_ends_as_unknown() {
    for stop_server in [false, true] {
        let sim = SimulatedWorld::new(Options::default());
        sim.simulator.add_fault(lost(Call::Create, false));
        let bare = PointSpec { description: String::new(), ..PointSpec::aged(BACKUP, SERVER, 0) };
        let act = Effect::Meanwhile { acts: vec![PersonAction::CreatePoint(bare)], after: true };
        sim.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
        let task = sim.task(Policy { stop_server, ..policy(Kind::Backup, 3) }).await;
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.created.clone(), run.attempts), ("unknown", None, 1), "{run:?}");
        assert!(run.error.as_ref().is_some_and(|error| error.contains("look at it")), "{run:?}");
        assert_eq!((sim.ids(BACKUP).len(), sim.sent("POST", "/backups/")), (1, 1));
        assert_eq!(sim.server().await.status.to_string(), "active", "a server that we stopped is started again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_persons_point_is_never_adopted_in_place_of_a_lost_one() {
    let sim = SimulatedWorld::new(Options::default());
    sim.simulator.add_fault(lost(Call::Create, false));
    let theirs = PointSpec::aged(SNAPSHOT, SERVER, 0);
    let act = Effect::Meanwhile { acts: vec![PersonAction::CreatePoint(theirs)], after: true };
    sim.simulator.add_fault(Rule::new(act).call(Call::Create).times(1));
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!(run.outcome.as_str(), "succeeded");
    let account = sim.simulator.account();
    let points = account.points_of(SNAPSHOT, SERVER);
    assert_eq!(points.len(), 2);
    let created = points.iter().find(|point| Some(PointId::Number(point.id)) == run.created).unwrap();
    assert!(created.description.starts_with("lg-"), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_points_with_one_token_the_older_is_adopted() {
    // The first one is listed only after it was given up; the second one at once, or late as well.
    for lag_of_second in [0, 100] {
        let (completion, list_lag) = (Duration::from_secs(300), Duration::from_secs(100));
        let sim = SimulatedWorld::new(Options { completion, list_lag, ..Options::default() });
        sim.simulator.add_fault(lost(Call::Create, true));
        let task = sim.task(policy(Kind::Backup, 3)).await;
        let change = async {
            tokio::time::sleep(Duration::from_secs(90)).await;
            sim.simulator.set_options(|options| options.list_lag = Duration::from_secs(lag_of_second));
        };
        let (run, ()) = tokio::join!(sim.run(&task), change);
        check_twins(&sim, &run);
    }
}

fn check_twins(sim: &SimulatedWorld, run: &RunSummary) {
    assert_eq!((sim.sent("POST", "/backups/"), run.outcome.as_str()), (2, "succeeded"), "{run:?}");
    assert_eq!(sim.ids(BACKUP), [PointId::Number(501)], "{run:?}");
    assert_eq!((&run.created, run.deleted.as_slice()), (&Some(PointId::Number(501)), &[PointId::Number(502)][..]));
    let account = sim.simulator.account();
    let completed = |change: &simulator::AccountChange| change.change == simulator::ChangeKind::PointCompleted;
    let deleted = |change: &simulator::AccountChange| change.change == simulator::ChangeKind::PointDeleted;
    let changes: Vec<_> = account.record().changes().collect();
    assert!(changes.iter().position(|it| completed(it)) < changes.iter().position(|it| deleted(it)));
}

/// No plan deletes the younger of two points with one token: only the check before sending can refuse it.
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
        let sim = SimulatedWorld::new(Options { completion, list_lag, ..Options::default() });
        sim.simulator.add_fault(lost(Call::Create, true));
        let task = sim.task(policy(Kind::Backup, 3)).await;
        let change = async {
            // The second one takes an hour.
            tokio::time::sleep(Duration::from_secs(30)).await;
            let slow = Altered { after_seconds: Some(3600.0), ..Altered::default() };
            sim.simulator.add_fault(Rule::new(Effect::CreateAs(slow)).call(Call::Create).times(1));
            tokio::time::sleep(Duration::from_secs(60)).await;
            sim.simulator.set_options(|options| options.list_lag = Duration::ZERO);
            tokio::time::sleep(Duration::from_secs(1800)).await;
            sim.simulator.act(&PersonAction::EditPoint(changed.clone())).unwrap();
        };
        let (run, ()) = tokio::join!(sim.run(&task), change);
        assert_eq!(sim.sent("POST", "/backups/"), 2, "{run:?}");
        assert_eq!((sim.sent("DELETE", "/backups/"), sim.ids(BACKUP).len()), (0, 2), "{changed:?} {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_put_off_the_next_attempt() {
    let sim = SimulatedWorld::new(Options::default());
    let fate = Altered { fate: PointFate::Fails, ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let began = tokio::time::Instant::now();
    let set_back = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        sim.clock.jump(-86_400);
    };
    let (run, ()) = tokio::join!(sim.run(&task), set_back);
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(3600), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn max_deletes_holds_for_a_failed_point_of_the_runs_own_too() {
    let sim = SimulatedWorld::new(Options::default());
    let fate = Altered { fate: PointFate::Fails, ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = sim.task(Policy { max_deletes: Some(0), retries: 0, ..policy(Kind::Snapshot, 3) }).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len(), sim.ids(SNAPSHOT).len()), ("failed", 0, 1), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_delete_is_repeated_only_when_the_list_still_shows_that_very_point() {
    for (carried_out, deletes) in [(true, 1), (false, 2)] {
        let sim = SimulatedWorld::new(full());
        sim.simulator.add_fault(lost(Call::Delete, carried_out));
        let task = sim.task(policy(Kind::Snapshot, 5)).await;
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
        assert_eq!(sim.sent("DELETE", "/snapshots/"), deletes);
        assert!(!sim.limit_met());
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_takes_time_is_waited_for_and_no_second_one_goes_in_its_place() {
    for word in [None, Some("deleting".to_owned())] {
        let delete = Duration::from_secs(600);
        let sim = SimulatedWorld::new(Options { delete, deleting_word: word, ..full() });
        let task = sim.task(policy(Kind::Snapshot, 5)).await;
        let run = sim.run(&task).await;
        assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 1), "{run:?}");
        assert_eq!(sim.sent("DELETE", "/snapshots/"), 1);
        assert!(!sim.limit_met(), "its slot was taken until it was gone");
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
        let sim = SimulatedWorld::new(Options { paged: true, ..full() });
        sim.simulator.add_fault(Rule::new(fault.clone()).call(Call::List));
        let task = sim.task(Policy { retries: 0, ..policy(Kind::Snapshot, 2) }).await;
        let run = sim.run(&task).await;
        let harmless = matches!(fault, Effect::DuplicateItems { .. });
        assert!(run.outcome.as_str() == "failed" || harmless, "{fault:?}: {run:?}");
        if !harmless {
            assert_eq!((run.deleted.len(), sim.sent("DELETE", "/")), (0, 0), "{fault:?}");
            assert_eq!(sim.sent("POST", "/"), 0, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn points_of_another_server_in_the_list_are_left_alone() {
    let foreign = (1..=3).map(|day| ours(SNAPSHOT, day));
    let elsewhere = (4..=8).map(|day| PointSpec { server: Some("web-server-02".into()), ..ours(SNAPSHOT, day) });
    let foreign = foreign.chain(elsewhere).collect();
    let sim = SimulatedWorld::new(Options { foreign, ignore_filters: true, ..Options::default() });
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted), ("succeeded", vec![PointId::Number(803)]));
    assert_eq!(sim.simulator.account().points_of(SNAPSHOT, "web-server-02").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_limit_error_in_spite_of_a_free_slot_is_final_and_deletes_nothing() {
    let sim = SimulatedWorld::new(Options { foreign: vec![ours(SNAPSHOT, 1)], ..Options::default() });
    sim.simulator.add_fault(Rule::new(Effect::status(400)).call(Call::Create));
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("failed", 1, 0), "{run:?}");
    assert_eq!((sim.sent("POST", "/snapshots/"), sim.sent("DELETE", "/")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_point_is_left_alone_and_reported_and_its_due_time_gets_no_second_one() {
    let sim = SimulatedWorld::new(full());
    let fate = Altered { fate: PointFate::NeverFinishes, ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("failed", 1));
    assert!(run.error.as_ref().is_some_and(|error| error.contains("stuck")), "{run:?}");
    assert_eq!(run.deleted.len(), 1, "what was evicted, and nothing by retention");
    // The next run finds it again, no free slot, and no good point that retention would drop.
    let next = sim.run(&task).await;
    assert_eq!((next.outcome.as_str(), next.deleted.len()), ("failed", 0), "{next:?}");
    assert!(next.error.as_ref().is_some_and(|error| error.contains("limit reached (5 own, 0 foreign)")), "{next:?}");
    let reported = sim.world.store.waiting().await.unwrap();
    assert!(
        reported.iter().any(|waiting| waiting.notice.to_string().contains("is stuck: still in progress")),
        "{reported:?}"
    );
    assert_eq!(sim.ids(SNAPSHOT).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_vanishes_while_it_is_awaited_is_made_again_by_the_next_attempt() {
    let sim = SimulatedWorld::new(full());
    let fate = Altered { fate: PointFate::Vanishes, after_seconds: Some(1.5), ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("succeeded", 2, 1), "{run:?}");
    assert_eq!(sim.ids(SNAPSHOT).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_point_missing_from_one_list_does_not_count_as_gone() {
    let sim = SimulatedWorld::new(Options { paged: true, completion: Duration::from_secs(120), ..Options::default() });
    let short = Rule::new(Effect::OnlyItems { items: 0 }).call(Call::List);
    sim.simulator.add_fault(Rule { skip: 3, times: Some(2), ..short });
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 1), "{run:?}");
    assert_eq!(sim.sent("POST", "/snapshots/"), 1);
}

#[tokio::test(start_paused = true)]
async fn reused_ids_are_distinguished_by_their_time() {
    for stop_server in [false, true] {
        let sim = SimulatedWorld::new(Options { reuse_ids: true, ..full() });
        let task = sim.task(Policy { stop_server, ..policy(Kind::Snapshot, 5) }).await;
        for round in 0..6 {
            let run = sim.run(&task).await;
            assert_eq!(run.outcome.as_str(), "succeeded", "{round}: {run:?}");
            assert_eq!((run.deleted.len(), sim.ids(SNAPSHOT).len()), (1, 5), "{round}: {run:?}");
        }
        let reported = sim.world.store.incidents().await.unwrap();
        assert!(reported.is_empty(), "{reported:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_point_with_an_id_that_came_again_is_cleared_away() {
    let sim = SimulatedWorld::new(Options { reuse_ids: true, ..full() });
    let fate = Altered { fate: PointFate::Fails, ..Altered::default() };
    sim.simulator.add_fault(Rule::new(Effect::CreateAs(fate)).call(Call::Create).times(1));
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    let account = sim.simulator.account();
    assert!(account.points_of(SNAPSHOT, SERVER).iter().all(|point| point.status == "completed"));
}

#[tokio::test(start_paused = true)]
async fn a_person_who_makes_room_meanwhile_saves_the_point_that_was_to_be_evicted() {
    let sim = SimulatedWorld::new(full());
    let pick = Pick { kind: SNAPSHOT, id: None, server: Some(SERVER.into()), oldest: false };
    let act = Effect::Meanwhile { acts: vec![PersonAction::DeletePoint(pick)], after: true };
    // The eviction is lost, and when that is known another slot is free.
    sim.simulator.add_fault(Rule::new(act).call(Call::Delete).times(1));
    sim.simulator.add_fault(Rule::new(Effect::Reset { carried_out: false }).call(Call::Delete).times(1));
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_takes_the_evicted_slot_ends_the_run_without_the_limit_error() {
    let sim = SimulatedWorld::new(full());
    let act =
        Effect::Meanwhile { acts: vec![PersonAction::CreatePoint(PointSpec::aged(SNAPSHOT, SERVER, 0))], after: true };
    sim.simulator.add_fault(Rule::new(act).call(Call::Delete).times(1));
    let task = sim.task(policy(Kind::Snapshot, 5)).await;
    let run = sim.run(&task).await;
    assert_eq!((run.outcome.as_str(), run.attempts, run.deleted.len()), ("failed", 1, 1), "{run:?}");
    assert_eq!(sim.sent("POST", "/snapshots/"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hold_set_during_the_run_saves_the_point() {
    let sim = SimulatedWorld::new(Options {
        foreign: (1..=3).map(|day| ours(SNAPSHOT, day)).collect(),
        ..Options::default()
    });
    let task = sim.task(policy(Kind::Snapshot, 3)).await;
    let oldest = sim.plan(&task).await.prunes().next().unwrap().id.clone();
    let run = sim.open(&task, None).await;
    let posted = || sim.sent("POST", "/snapshots/") == 1;
    assert!(cut_off_when(drive(&sim.world, &task, run), posted).await.is_none());
    let hold = lastgood::seams::store::holds::Hold {
        what: lastgood::seams::store::holds::HoldTarget::Point(Kind::Snapshot, oldest),
        reason: "audit".to_owned(),
        since: sim.clock.now(),
        until: None,
    };
    sim.world.store.hold(hold).await.unwrap();
    let sim = sim.restart().await;
    let open = sim.world.store.unfinished().await.unwrap().remove(0);
    let run = drive(&sim.world, &task, open).await.unwrap();
    assert_eq!((run.outcome.as_str(), run.deleted.len()), ("succeeded", 0), "{run:?}");
}
