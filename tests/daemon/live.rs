//! A reload reaches the runs in progress. While the provider cannot be reached, retries write nothing to the state.

use std::sync::Arc;
use std::time::Duration;

use lastgood::seams::clock::Clock;
use lastgood::seams::daemon::Wake;
use lastgood::simulator::{Options, PointKind, Style};
use tokio::sync::mpsc::unbounded_channel;

use crate::simulated_daemon::{SimulatedDaemon, at};
use crate::support::in_process::client;

const COLD: &str = "[policy.cold]\nkind = \"backup\"\nservers = [\"*\"]\nschedule = \"30 2 * * *\"\n\
                    keep = { last = 3 }\nstop_server = true\nretries = 0\n";

/// Rows of what is written when something happens: notices, events, mails.
fn rows(daemon: &SimulatedDaemon) -> i64 {
    let database = rusqlite::Connection::open(daemon.store.dir().join("lastgood.db")).unwrap();
    let count = "SELECT (SELECT count(*) FROM notice) + (SELECT count(*) FROM event) + (SELECT count(*) FROM outbox)";
    database.query_row(count, [], |row| row.get(0)).unwrap()
}

fn is_running(daemon: &SimulatedDaemon) -> bool {
    daemon.simulator.with_account(|account| account.servers().iter().all(|server| server.status == "active"))
}

#[tokio::test(start_paused = true)]
async fn a_new_token_reaches_the_run_in_progress_and_its_server_is_started() {
    let options = Options { completion: Duration::from_secs(600), ..Options::with_servers(1, Style::Integer) };
    let daemon = SimulatedDaemon::new(options, COLD);
    let renewed = client(&Clock::Virtual(daemon.clock.clone()), daemon.simulator.router(), "vps_renewed");
    let config = Arc::clone(&daemon.config);
    let service = daemon.service(move || Ok((Arc::clone(&config), renewed.clone())));
    let (wake, mut wakes) = unbounded_channel();
    let serving = service.run(async || wakes.recv().await.unwrap_or(Wake::Tick), std::future::pending::<()>());
    let acting = async {
        let seconds = async |seconds: u64| {
            for _ in 0..seconds {
                tokio::time::sleep(Duration::from_secs(1)).await;
                wake.send(Wake::Tick).unwrap();
            }
        };
        // Half past two, the server is stopped and the backup is being made.
        seconds(1860).await;
        assert!(!is_running(&daemon));
        assert_eq!(daemon.simulator.account().points(PointKind::Backup).count(), 1);
        daemon.simulator.set_options(|options| options.token = Some("vps_renewed".to_owned()));
        seconds(1800).await;
        let before = rows(&daemon);
        seconds(4 * 3600).await;
        let written = rows(&daemon) - before;
        assert!(!is_running(&daemon), "nobody can start it without a good token");
        assert!(written <= 3 * 5, "{written} rows in four hours of nothing new");
        wake.send(Wake::Reload).unwrap();
        seconds(120).await;
        assert!(is_running(&daemon), "the reload brings the token to the run in progress");
        let run = daemon.store.history(None, 10).await.unwrap().remove(0);
        assert_eq!(
            (run.summary.due, run.summary.outcome.to_string().as_str()),
            (Some(at("02:30:00")), "failed"),
            "{run:?}"
        );
        assert!(daemon.store.leases().await.unwrap().is_empty());
    };
    tokio::select! {
        biased;
        served = serving => panic!("{:?}", served.err()),
        () = acting => {}
    }
}
