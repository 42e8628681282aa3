//! A power loss takes nothing that was acted upon, and a killed process leaves nothing that the next one must wait for.

use std::time::Duration;

use lastgood::seams::policy::inventory::Kind;
use lastgood::simulator::{Effect, Options, Rule, ServerSpec, Style};

use crate::cases::cases;
use crate::gate::{Moment, Stop};
use crate::gated_host::RUNTIME;
use crate::support::policy_text::policy;

#[test]
fn what_is_written_is_on_the_disk_before_it_is_acted_upon() {
    let case = &cases()[0];
    let host = case.host();
    host.record_due(case.kind);
    for store in [host.store(), host.own_store()] {
        let pragma = |name: &'static str| {
            RUNTIME.block_on(
                store.transact(move |tx| Ok(tx.pragma_query_value(None, name, |row| row.get::<_, String>(0)))),
            )
        };
        let number = |name: &'static str| {
            RUNTIME
                .block_on(store.transact(move |tx| Ok(tx.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?)))
        };
        assert_eq!(pragma("journal_mode").unwrap().unwrap(), "wal");
        // FULL: in WAL mode, each commit is synced to the disk before it returns.
        assert_eq!(number("synchronous").unwrap(), 2);
        assert_eq!(number("foreign_keys").unwrap(), 1);
    }
}

#[test]
fn the_next_start_takes_over_at_once() {
    let case = cases().into_iter().find(|case| case.name == "eviction").unwrap();
    let host = case.host();
    host.record_due(case.kind);
    // Killed while working, with the lock and the lease of its server.
    let stop = Stop { request: 4, moment: Moment::Before };
    let (status, said) = host.start(&["daemon"], Some(stop)).wait();
    assert!(!status.success(), "{said}");
    let leases = RUNTIME.block_on(host.store().leases()).unwrap();
    assert_eq!(leases.len(), 1, "{leases:?}");
    let began = tokio::time::Instant::now();
    host.settle(None);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    case.check(&host, "after a kill");
    assert_eq!(RUNTIME.block_on(host.store().leases()).unwrap(), []);
}

#[test]
fn a_restore_does_not_wait_for_a_daemon_that_was_killed() {
    let case = cases().into_iter().find(|case| case.name == "eviction").unwrap();
    let host = case.host();
    host.record_due(case.kind);
    host.start(&["daemon"], Some(Stop { request: 4, moment: Moment::Before })).wait();
    assert_eq!(RUNTIME.block_on(host.store().leases()).unwrap().len(), 1);
    let (status, said) = host.start(&["restore", "snapshot", "805", "--yes"], None).wait();
    assert!(status.success(), "{status}: {said}");
}

#[test]
fn a_restore_waits_for_a_daemon_that_is_running() {
    let case = cases().into_iter().find(|case| case.name == "eviction").unwrap();
    let host = case.host();
    host.simulator.set_options(|options| options.completion = Duration::from_secs(600));
    host.record_due(case.kind);
    let daemon = host.start(&["daemon"], None);
    host.until(|| host.gate.seen().iter().any(|line| line.starts_with("POST")));
    let (status, said) = host.start(&["restore", "snapshot", "805", "--yes"], None).wait();
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains("a run is working on web-server-01"), "{said}");
    daemon.kill();
}

#[test]
fn a_daemon_whose_provider_is_silent_ends_at_once() {
    let options = Options { servers: ServerSpec::numbered(1, Style::Integer), ..Options::default() };
    let host = crate::gated_host::GatedHost::new(options, &policy("nightly", "backup", "0 * * * *", ""));
    host.simulator.add_fault(Rule::new(Effect::Silence { seconds: None, carried_out: false }));
    host.record_due(Kind::Backup);
    let daemon = host.start(&["daemon"], None);
    host.until(|| !host.gate.seen().is_empty());
    let (status, said) = daemon.terminate();
    assert!(status.success(), "{status}: {said}");
}
