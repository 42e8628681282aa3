//! The service in this process under virtual time: run permits, one run at a time on a server, no due time is lost, and
//! what happens when ticks stay away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lastgood::simulator::{
    Altered, Call, ChangeKind, Effect, Options, PointFate, PointKind, Rule, StatusEffect, Style,
};
use tokio::sync::Notify;

use crate::simulated_daemon::{SimulatedDaemon, at};

fn two_policies(schedule: &str) -> String {
    let policy = |name: &str, kind: &str| {
        format!(
            "[policy.{name}]\nkind = \"{kind}\"\nservers = [\"*\"]\nkeep = {{ last = 2 }}\nschedule = \"{schedule}\"\n"
        )
    };
    policy("backups", "backup") + &policy("snapshots", "snapshot")
}

/// The greatest number of points in progress at once: on all servers, and on one.
fn most_at_once(daemon: &SimulatedDaemon) -> (usize, usize) {
    let mut making: BTreeSet<(String, String)> = BTreeSet::new();
    let (mut most, mut most_of_one) = (0, 0);
    for change in daemon.simulator.account().record().changes() {
        let point = (change.server.clone(), format!("{:?} {:?}", change.kind, change.id));
        match change.change {
            ChangeKind::PointCreated => {
                making.insert(point);
            }
            ChangeKind::PointCompleted | ChangeKind::PointFailed => {
                making.remove(&point);
            }
            _ => {}
        }
        most = most.max(making.len());
        let mut of_one: BTreeMap<&str, usize> = BTreeMap::new();
        for (server, _) in &making {
            *of_one.entry(server).or_default() += 1;
        }
        most_of_one = most_of_one.max(of_one.into_values().max().unwrap_or_default());
    }
    (most, most_of_one)
}

#[tokio::test(start_paused = true)]
async fn due_runs_all_happen_within_their_permits_and_one_at_a_time_on_a_server() {
    let options = Options { completion: Duration::from_secs(60), ..Options::with_servers(10, Style::Integer) };
    let daemon = SimulatedDaemon::new(options, &two_policies("0,30 * * * *"));
    daemon.run_for(Duration::from_secs(2 * 3600 + 1500)).await;
    let history = daemon.store.history(None, 1000).await.unwrap();
    let done: BTreeSet<_> = history
        .iter()
        .map(|run| {
            assert_eq!(run.summary.outcome.to_string(), "succeeded", "{run:?}");
            (run.summary.server.name.clone(), run.summary.policy.clone(), run.summary.due)
        })
        .collect();
    // 02:30, 03:00, 03:30 and 04:00.
    assert_eq!((history.len(), done.len()), (80, 80));
    let (most, most_of_one) = most_at_once(&daemon);
    assert_eq!(most, 3, "parallel_runs is 3, and all of it is used");
    assert_eq!(most_of_one, 1, "one run a server at a time");
}

#[tokio::test(start_paused = true)]
async fn without_any_tick_due_times_still_start_their_runs() {
    let daemon = SimulatedDaemon::new(Options::with_servers(2, Style::Integer), &two_policies("30 2 * * *"));
    daemon.run_woken_by(Arc::new(Notify::new()), Duration::from_secs(3600)).await;
    let history = daemon.store.history(None, 100).await.unwrap();
    assert_eq!(history.len(), 4);
    for run in &history {
        assert_eq!(run.summary.outcome.to_string(), "succeeded", "{run:?}");
        assert!(run.started < at("02:31:00"), "not missed: {run:?}");
    }
    assert!(daemon.mails().is_empty(), "nothing was missed: {:?}", daemon.mails());
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_ticks_makes_nothing_twice() {
    let daemon = SimulatedDaemon::new(Options::with_servers(2, Style::Integer), &two_policies("30 2 * * *"));
    let wake = Arc::new(Notify::new());
    let ring = Arc::clone(&wake);
    let bell = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            ring.notify_one();
            tokio::task::yield_now().await;
            ring.notify_one();
        }
    });
    daemon.run_woken_by(wake, Duration::from_secs(2400)).await;
    bell.abort();
    let account = daemon.simulator.account();
    assert_eq!(account.points(PointKind::Backup).count(), 2);
    assert_eq!(account.points(PointKind::Snapshot).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_asleep_catches_up_on_the_last_due_time_and_mails_the_missed_ones() {
    let daemon = SimulatedDaemon::new(Options::with_servers(1, Style::Integer), &two_policies("0 * * * *"));
    let clock = daemon.clock.clone();
    let asleep = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        clock.jump(5 * 3600);
    });
    daemon.run_for(Duration::from_secs(1800)).await;
    asleep.await.unwrap();
    let history = daemon.store.history(None, 100).await.unwrap();
    let dues: BTreeSet<_> = history.iter().map(|run| run.summary.due.unwrap()).collect();
    assert_eq!(dues.into_iter().collect::<Vec<_>>(), [at("07:00:00")]);
    assert_eq!(history.len(), 2, "one for each policy");
    let mails = daemon.mails();
    assert!(mails.iter().any(|mail| mail.contains("Missed: 4 due times, from 2026-11-21 03:00 UTC")), "{mails:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_a_stopped_server_waits_for_no_permit_behind_others() {
    let options = Options { completion: Duration::from_secs(2000), ..Options::with_servers(5, Style::Integer) };
    let cold = "[policy.cold]\nkind = \"backup\"\nservers = [\"*\"]\nschedule = \"30 2 * * *\"\nkeep = { last = 3 }\n\
                [server.web-server-05.cold]\nstop_server = true\n";
    let daemon = SimulatedDaemon::new(options, cold);
    // Four runs fail at first and retry after a quarter of an hour; the fifth is in progress by then.
    for server in 1..=4 {
        let fails = Altered { fate: PointFate::Fails, after_seconds: Some(1.0), ..Altered::default() };
        let rule = Rule::new(Effect::CreateAs(fails)).call(Call::Create).times(1);
        daemon.simulator.add_fault(rule.server(&format!("web-server-0{server}")));
    }
    let killed = tokio::time::timeout(Duration::from_secs(3600), daemon.run_for(Duration::from_secs(86_400))).await;
    assert!(killed.is_err());
    let status = || daemon.simulator.account().server("web-server-05").map(|server| server.status.clone()).unwrap();
    assert_eq!(status(), "stopped");
    // Its point is completed at 03:04, those of the other four not before 03:19.
    daemon.run_for(Duration::from_secs(420)).await;
    assert_eq!(status(), "active");
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_of_servers_holds_up_no_due_time() {
    let daemon = SimulatedDaemon::new(Options::with_servers(3, Style::Integer), &two_policies("*/10 * * * *"));
    daemon.run_for(Duration::from_secs(60)).await;
    // From now on the account's list is silent; single servers and points are not.
    daemon.simulator.add_fault(Rule::new(Effect::Silence { seconds: None, carried_out: false }).call(Call::Servers));
    daemon.run_for(Duration::from_secs(1500)).await;
    let history = daemon.store.history(None, 100).await.unwrap();
    assert_eq!(history.len(), 12, "02:10 and 02:20");
    for run in &history {
        let due = run.summary.due.unwrap();
        assert!(due.duration_until(run.started).as_secs() <= 2, "started within two seconds: {run:?}");
        assert_eq!(run.summary.outcome.to_string(), "succeeded");
    }
    let mails = daemon.mails();
    assert!(mails.iter().any(|mail| mail.contains("the account's servers cannot be listed")), "{mails:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_joins_the_account_is_followed_and_one_that_leaves_is_reported() {
    use lastgood::simulator::{PersonAction, ServerSpec};
    let daemon = SimulatedDaemon::new(Options::with_servers(2, Style::Integer), &two_policies("30 * * * *"));
    let simulator = daemon.simulator.clone();
    let people = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2400)).await;
        let mut new = ServerSpec::numbered(3, Style::Integer);
        simulator.act(&PersonAction::AddServer(new.remove(2))).unwrap();
        simulator.act(&PersonAction::RemoveServer { server: "web-server-01".into() }).unwrap();
    });
    daemon.run_for(Duration::from_secs(2 * 3600)).await;
    people.await.unwrap();
    let account = daemon.simulator.account();
    assert_eq!(account.points_of(PointKind::Backup, "web-server-03").len(), 1, "03:30 alone");
    assert_eq!(account.points_of(PointKind::Backup, "web-server-02").len(), 2);
    let mails = daemon.mails();
    assert!(mails.iter().any(|mail| mail.contains("web-server-01: gone from the account")), "{mails:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_the_list_shows_unreadably_is_not_taken_for_gone() {
    let daemon = SimulatedDaemon::new(Options::with_servers(2, Style::Integer), &two_policies("30 * * * *"));
    daemon.run_for(Duration::from_secs(60)).await;
    let fields = [("id".to_owned(), serde_json::Value::Null)].into_iter().collect();
    daemon.simulator.add_fault(Rule::new(Effect::Show { fields, first: Some(1) }).call(Call::Servers));
    daemon.run_for(Duration::from_secs(2 * 3600)).await;
    let account = daemon.simulator.account();
    assert_eq!(account.points_of(PointKind::Backup, "web-server-01").len(), 2, "02:30 and 03:30");
    assert!(daemon.mails().iter().all(|mail| !mail.contains("gone from the account")), "{:?}", daemon.mails());
}

#[tokio::test(start_paused = true)]
async fn staleness_is_reported_once_however_many_runs_fail_after_it() {
    let policy = "[policy.snapshots]\nkind = \"snapshot\"\nservers = [\"*\"]\nkeep = { last = 2 }\nretries = 0\n\
                  schedule = \"*/10 * * * *\"\nmax_age = \"30m\"\n";
    let daemon = SimulatedDaemon::new(Options::with_servers(1, Style::Integer), policy);
    daemon.run_for(Duration::from_secs(900)).await;
    let full = StatusEffect { body: Some("Snapshot limit reached.".into()), ..StatusEffect::new(400) };
    daemon.simulator.add_fault(Rule::new(Effect::Status(full)).call(Call::Create));
    daemon.run_for(Duration::from_secs(3 * 3600)).await;
    let reported = |fact: &'static str| {
        let query = format!("SELECT count(*) FROM notice WHERE json_type(body, '$.fact.{fact}') IS NOT NULL");
        daemon.store.transact(move |tx| Ok(tx.query_row(&query, [], |row| row.get::<_, i64>(0))?))
    };
    assert!(reported("failed").await.unwrap() > 10, "many runs failed");
    assert_eq!(reported("stale").await.unwrap(), 1);
}
