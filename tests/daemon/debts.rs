//! Rule 6 over the daemon's life: a server that lastgood stopped is started again, whatever the provider shows meanwhile
//! and whatever happens to the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastgood::simulator::{Altered, Call, Effect, Options, PersonAction, PointFate, Rule, StatusEffect};

use crate::simulated_daemon::SimulatedDaemon;

const SERVER: &str = "web-server-01";
const MINUTE: Duration = Duration::from_secs(60);

/// A policy that stops its server at 02:30, with these extra lines.
pub fn cold(more: &str) -> String {
    format!(
        "[policy.cold]\nkind = \"snapshot\"\nservers = [\"web-server-01\"]\nschedule = \"30 2 * * *\"\n\
         keep = {{ last = 3 }}\nstop_server = true\n{more}\n"
    )
}

pub fn status(daemon: &SimulatedDaemon) -> String {
    daemon.simulator.account().server(SERVER).unwrap().status.clone()
}

async fn is_open(daemon: &SimulatedDaemon, topic: &str) -> bool {
    daemon.store.incidents().await.unwrap().iter().any(|incident| incident.topic.to_string() == topic)
}

/// Waits until the condition holds, checking every second of simulated time.
async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..86_400 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_longer_than_we_wait_is_started_when_it_is_down() {
    for ignored in [true, false] {
        let slow = Options { slow_shutdown: 20 * MINUTE, start_ignored_while_stopping: ignored, ..Options::default() };
        let daemon = SimulatedDaemon::new(slow, &cold("retries = 0"));
        daemon.run_for(45 * MINUTE).await;
        assert!(is_open(&daemon, "server_stopped").await, "a server that does not obey is reported");
        assert_eq!(status(&daemon), "stopping");
        daemon.run_for(30 * MINUTE).await;
        assert_eq!(status(&daemon), "active", "ignored: {ignored}");
        assert!(!is_open(&daemon, "server_stopped").await, "it runs again");
        let mails = daemon.mails().join("\n");
        assert!(mails.contains("release debt web-server-01"), "{mails}");
        assert!(mails.contains("[lastgood] RECOVERED"), "{mails}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_stop_had_no_answer_is_started_however_late_it_goes_down() {
    for minutes in [2, 10, 25] {
        let daemon = SimulatedDaemon::new(
            Options { slow_shutdown: minutes * MINUTE, start_ignored_while_stopping: true, ..Options::default() },
            &cold("retries = 0"),
        );
        daemon.simulator.add_fault(Rule::new(Effect::Reset { carried_out: true }).call(Call::Power).times(3));
        daemon.run_for(120 * MINUTE).await;
        assert_eq!(status(&daemon), "active", "{minutes} min");
    }
}

#[tokio::test(start_paused = true)]
async fn one_404_and_one_empty_list_make_no_server_gone() {
    let daemon = SimulatedDaemon::new(Options::default(), &cold("retries = 0"));
    daemon.simulator.add_fault(Rule::new(Effect::status(503)).call(Call::Power).skip(1).times(3));
    let wrong = async {
        until("it is stopped", || status(&daemon) == "stopped").await;
        daemon.simulator.add_fault(Rule::new(Effect::status(404)).call(Call::Server).times(2));
        daemon.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 0 }).call(Call::Servers).times(1));
    };
    tokio::join!(daemon.run_for(90 * MINUTE), wrong);
    assert_eq!(status(&daemon), "active");
    assert!(!is_open(&daemon, "server_gone").await);
}

#[tokio::test(start_paused = true)]
async fn one_empty_list_of_servers_makes_none_gone() {
    let daemon = SimulatedDaemon::new(Options::default(), &cold(""));
    daemon.run_for(MINUTE).await;
    daemon.simulator.add_fault(Rule::new(Effect::OnlyItems { items: 0 }).call(Call::Servers).times(1));
    daemon.run_for(MINUTE).await;
    assert!(daemon.mails().is_empty(), "{:?}", daemon.mails());
    assert!(daemon.store.servers().await.unwrap().iter().all(|known| known.gone_at.is_none()));
    daemon.simulator.act(&PersonAction::RemoveServer { server: "web-server-01".into() }).unwrap();
    daemon.run_for(5 * MINUTE).await;
    assert!(is_open(&daemon, "server_gone").await, "one that stays away is gone");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_keeps_no_server_stopped() {
    // The first start is accepted and has no effect.
    let lost = Effect::Status(StatusEffect { body: Some(serde_json::json!({})), ..StatusEffect::new(200) });
    let daemon = SimulatedDaemon::new(Options::default(), &cold("retries = 0"));
    daemon.simulator.add_fault(Rule::new(lost).call(Call::Power).skip(1).times(1));
    let set_back = async {
        until("a start is requested", || {
            let asked = |account: &lastgood::simulator::Account| {
                account.record().requests().filter(|it| it.path.ends_with("/power/")).count() == 2
            };
            daemon.simulator.with_account(asked)
        })
        .await;
        daemon.clock.jump(-6 * 3600);
    };
    tokio::join!(daemon.run_for(60 * MINUTE), set_back);
    assert_eq!(status(&daemon), "active");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_stretches_no_wait_for_a_stuck_point() {
    let never = Altered { fate: PointFate::NeverFinishes, ..Altered::default() };
    let daemon = SimulatedDaemon::new(Options::default(), &cold("retries = 0\nstuck_after = \"30m\""));
    daemon.simulator.add_fault(Rule::new(Effect::CreateAs(never)).call(Call::Create).times(1));
    let set_back = async {
        let made = |account: &lastgood::simulator::Account| {
            account.points(lastgood::simulator::PointKind::Snapshot).count() == 1
        };
        until("a point is requested", || daemon.simulator.with_account(made)).await;
        tokio::time::sleep(5 * MINUTE).await;
        daemon.clock.jump(-24 * 3600);
    };
    tokio::join!(daemon.run_for(120 * MINUTE), set_back);
    assert_eq!(status(&daemon), "active");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_bug_has_cut_off_is_driven_on_after_a_pause_and_its_server_started() {
    // The provider is in this process: a panic in it happens in the run that asks.
    let panics = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&panics);
    let daemon = SimulatedDaemon::with_provider_time(Options::default(), &cold(""), move |now| {
        assert!(!theirs.load(Ordering::SeqCst), "a bug");
        now
    });
    let bug = async {
        until("it is stopped", || status(&daemon) == "stopped").await;
        panics.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(3)).await;
        panics.store(false, Ordering::SeqCst);
    };
    tokio::join!(daemon.run_for(60 * MINUTE), bug);
    assert_eq!(status(&daemon), "active");
    let history = daemon.store.history(None, 9).await.unwrap();
    assert_eq!((history.len(), history[0].summary.outcome.as_str()), (1, "succeeded"), "{history:#?}");
    assert!(daemon.mails().iter().any(|mail| mail.contains("bug in lastgood")), "{:?}", daemon.mails());
}

/// Writes an event that no lastgood of this version writes.
fn spoil(daemon: &SimulatedDaemon, body: &str) {
    let state = rusqlite::Connection::open(daemon.folder.path().join("state/lastgood.db")).unwrap();
    let sql = "INSERT INTO event (run, seq, at, body) SELECT max(run), max(seq) + 1, max(at), ?1 FROM event";
    assert_eq!(state.execute(sql, [body]).unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_read_is_set_aside_and_its_server_started() {
    for body in [
        r#"{"teleported":{"server":1}}"#,
        r#"{"answered":{"step":77,"answer":"already_gone"}}"#,
        "no JSON at all",
        r#"{"planned":{}}"#,
    ] {
        let daemon = SimulatedDaemon::new(Options { completion: 60 * MINUTE, ..Options::default() }, &cold(""));
        // The process dies in the middle of the run.
        let service = daemon.service(|| Err("there is no other file".to_owned()));
        let made = || {
            daemon
                .simulator
                .with_account(|account| account.points(lastgood::simulator::PointKind::Snapshot).count() == 1)
        };
        tokio::select! {
            _ = service.run(async || std::future::pending().await, std::future::pending()) => panic!("it goes on"),
            () = until("a point is requested", made) => {}
        }
        spoil(&daemon, body);
        daemon.run_for(10 * MINUTE).await;
        assert_eq!(status(&daemon), "active", "{body}");
        let history = daemon.store.history(None, 9).await.unwrap();
        assert_eq!(history[0].summary.outcome.as_str(), "unknown", "{body}: {history:#?}");
        assert!(history[0].summary.error.as_ref().is_some_and(|error| error.contains("set aside")), "{history:#?}");
        assert!(daemon.mails().iter().any(|mail| mail.contains("set aside")), "{body}: {:?}", daemon.mails());
        daemon.run_for(Duration::from_secs(26 * 3600)).await;
        let history = daemon.store.history(None, 9).await.unwrap();
        assert_eq!(history[0].summary.outcome.as_str(), "succeeded", "the next due time is as any: {history:#?}");
    }
}
