//! Many servers due at one moment: each is recorded at once, and the provider is called at exactly the rate that is
//! allowed, only for servers whose place among `parallel_runs` has come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lastgood::simulator::{Options, ServerSpec, Style, What};

use crate::simulated_daemon::{SimulatedDaemon, at};
use crate::support::policy_text::policy;

/// Debug builds take a second for a thousand; `scale` measures ten thousand in a release build.
const SERVERS: usize = 1_000;

/// `parallel_runs` of the simulated daemon.
const AT_ONCE: usize = 3;

const PER_SECOND: u32 = 2;

#[tokio::test(start_paused = true)]
async fn a_thousand_runs_due_together_are_recorded_at_once_and_called_for_one_after_another() {
    let options = Options {
        servers: ServerSpec::numbered(SERVERS, Style::Integer),
        // One run after another gets its place, so that there is always something to call for.
        completion: Duration::ZERO,
        paged: true,
        ..Options::default()
    };
    let daemon = SimulatedDaemon::new(options, &policy("nightly", "snapshot", "1 2 * * *", "")).at_rate(PER_SECOND);
    daemon.run_for(Duration::from_secs(60 + 45)).await;
    let runs = daemon.store.history(None, u32::MAX).await.unwrap();
    assert_eq!(runs.len(), SERVERS);
    let due = at("02:01:00");
    assert!(runs.iter().all(|run| run.summary.due == Some(due)));
    let (mut by_second, mut called, mut made) = (BTreeMap::<i64, u32>::new(), BTreeSet::new(), 0);
    for entry in daemon.simulator.account().record().entries().iter().filter(|entry| entry.at >= due) {
        let What::Request(request) = &entry.what else { continue };
        *by_second.entry(entry.at.as_second() - due.as_second()).or_default() += 1;
        made += usize::from(request.method == "POST");
        let server = request.query.split('&').find_map(|part| part.strip_prefix("server_id="));
        called
            .extend(server.map(str::to_owned).or_else(|| request.body["server_id"].as_i64().map(|id| id.to_string())));
    }
    // The first and the last second are cut off by the tick and by the end.
    let whole = 1..by_second.keys().next_back().copied().unwrap_or_default();
    assert!(whole.end > 40, "{by_second:?}");
    for second in whole {
        assert_eq!(by_second.get(&second), Some(&PER_SECOND), "second {second}: {by_second:?}");
    }
    assert!(called.len() <= made + AT_ONCE, "{} servers were called for, and {made} points made", called.len());
    assert!(made > 10, "{made}");
}
