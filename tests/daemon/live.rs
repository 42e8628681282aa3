//! A reload reaches the runs in progress; and while nothing can be seen of the provider, nothing is written each time that
//! is tried.

use std::sync::Arc;
use std::time::Duration;

use lastgood::clock::Clock;
use lastgood::daemon::Wake;
use lastgood::provider::{Client, ClientSettings};
use lastgood::simulator::{Kind, Options, Style};
use tokio::sync::mpsc::unbounded_channel;

use crate::stage::{Theatre, at};

const COLD: &str = "[policy.cold]\nkind = \"backup\"\nservers = [\"*\"]\nschedule = \"30 2 * * *\"\n\
                    keep = { last = 3 }\nstop_server = true\nretries = 0\n";

fn client(theatre: &Theatre, token: &str) -> Client {
    let provider = &theatre.config.provider;
    let settings = ClientSettings {
        url: provider.url.clone(),
        token: token.to_owned().into(),
        timeout: provider.timeout,
        requests_per_second: provider.requests_per_second,
        poll: provider.poll,
        ca_file: None,
    };
    Client::in_process(settings, Clock::Virtual(theatre.clock.clone()), theatre.simulator.router()).unwrap()
}

/// Rows of what is written when something happens: notices, events, mails.
fn rows(theatre: &Theatre) -> i64 {
    let database = rusqlite::Connection::open(theatre.store.dir().join("lastgood.db")).unwrap();
    let count = "SELECT (SELECT count(*) FROM notice) + (SELECT count(*) FROM event) + (SELECT count(*) FROM outbox)";
    database.query_row(count, [], |row| row.get(0)).unwrap()
}

fn is_running(theatre: &Theatre) -> bool {
    theatre.simulator.with_account(|account| account.servers().iter().all(|server| server.status == "active"))
}

#[tokio::test(start_paused = true)]
async fn a_new_token_reaches_the_run_in_progress_and_its_server_is_started() {
    let options = Options { completion: Duration::from_secs(600), ..Options::with_servers(1, Style::Integer) };
    let theatre = Theatre::new(options, COLD);
    let renewed = client(&theatre, "vps_renewed");
    let config = Arc::clone(&theatre.config);
    let service = theatre.service(move || Ok((Arc::clone(&config), renewed.clone())));
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
        assert!(!is_running(&theatre));
        assert_eq!(theatre.simulator.account().points(Kind::Backup).count(), 1);
        theatre.simulator.set_options(|options| options.token = Some("vps_renewed".to_owned()));
        seconds(1800).await;
        let before = rows(&theatre);
        seconds(4 * 3600).await;
        let written = rows(&theatre) - before;
        assert!(!is_running(&theatre), "nobody can start it without a good token");
        assert!(written <= 3 * 5, "{written} rows in four hours of nothing new");
        wake.send(Wake::Reload).unwrap();
        seconds(120).await;
        assert!(is_running(&theatre), "the reload brings the token to the run in progress");
        let run = theatre.store.history(None, 10).await.unwrap().remove(0);
        assert_eq!(
            (run.summary.due, run.summary.outcome.to_string().as_str()),
            (Some(at("02:30:00")), "failed"),
            "{run:?}"
        );
        assert!(theatre.store.leases().await.unwrap().is_empty());
    };
    tokio::select! {
        biased;
        served = serving => panic!("{:?}", served.err()),
        () = acting => {}
    }
}
