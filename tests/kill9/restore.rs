//! `restore` and `delete` by hand, killed at each of their requests: neither a person who repeats the command nor the
//! daemon waits for the dead process, a restore in progress is not sent again, and an unknown outcome is reported.

use std::time::Duration;

use lastgood::seams::journal::errand::Errand;
use lastgood::seams::journal::notice::Class;
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::store::leases::Leased;
use lastgood::simulator::{self, ChangeKind, Options, PointSpec, ServerSpec, Style};

use crate::gate::{Moment, Stop};
use crate::gated_host::{DUE, GatedHost, RUNTIME};
use crate::stops::{each, moments};

const POLICY: &str = "[policy.nightly]\nkind = \"snapshot\"\nservers = [\"*\"]\nschedule = \"30 2 29 2 *\"\nkeep = { last = 4 }\n\
                      [report.people]\nto = [\"people@example.com\"]\non = [\"failure\"]\ngroup_wait = \"0s\"\n";
const RESTORE: &[&str] = &["restore", "snapshot", "801", "--yes"];
/// The same, knowing that it may have been carried out already.
const RESTORE_AGAIN: &[&str] = &["restore", "snapshot", "801", "--yes", "--again"];
const DELETE: &[&str] = &["delete", "snapshot", "801", "--yes"];

fn host() -> GatedHost {
    let options = Options {
        servers: ServerSpec::numbered(1, Style::Integer),
        foreign: vec![PointSpec::aged(simulator::PointKind::Snapshot, "web-server-01", 3_600)],
        completion: Duration::from_millis(100),
        // Long enough for a busy machine to start the command again meanwhile.
        restore: Duration::from_millis(2_500),
        ..Options::default()
    };
    GatedHost::new(options, POLICY)
}

/// Every stop of an undisturbed command.
fn stops(command: &'static [&'static str]) -> Vec<(&'static [&'static str], Stop)> {
    let host = host();
    let (status, said) = host.start(command, None).wait();
    assert!(status.success(), "{said}");
    let seen = host.gate.seen();
    assert!(seen.len() >= 3, "{seen:?}");
    moments(&seen).into_iter().map(|stop| (command, stop)).collect()
}

fn all_stops() -> Vec<(&'static [&'static str], Stop)> {
    [stops(RESTORE), stops(DELETE)].concat()
}

fn leases(host: &GatedHost) -> Vec<Leased> {
    let store = host.store();
    RUNTIME.block_on(store.leases()).unwrap()
}

fn restores(host: &GatedHost) -> usize {
    let account = host.simulator.account();
    account.record().changes().filter(|change| change.change == ChangeKind::RestoreStarted).count()
}

fn is_there(host: &GatedHost) -> bool {
    host.simulator.account().point(simulator::PointKind::Snapshot, 801).is_some()
}

#[test]
fn a_command_that_was_killed_can_be_typed_again_at_once() {
    each(&all_stops(), |(command, stop)| {
        let host = host();
        host.start(command, Some(*stop)).wait();
        let again = if *command == RESTORE { RESTORE_AGAIN } else { *command };
        let began = tokio::time::Instant::now();
        let (status, said) = host.start(again, None).wait();
        let how = format!("{command:?} {stop:?}: {status}: {said}\n{:#?}", host.simulator.account().record().entries());
        assert!(began.elapsed() < Duration::from_secs(15), "{how}");
        // A command that ends before it needs the server leaves the old lease to the daemon.
        assert!(leases(&host).is_empty() || !status.success(), "{how}");
        let account = host.simulator.account();
        let server = account.server("web-server-01").unwrap();
        assert_eq!(server.status, "active", "{how}");
        if *command == RESTORE {
            assert!(status.success() && is_there(&host), "{how}");
            assert!(server.restored_from.is_some(), "{how}");
            let in_progress = matches!(stop.moment, Moment::CarriedOut | Moment::OnItsWay);
            assert!(restores(&host) == 1 || !in_progress, "restored twice: {how}");
            let refused = account.record().requests().any(|request| request.account_status == Some(400));
            assert!(!refused, "{how}");
        } else {
            // If it was carried out, it is refused now: the point is gone.
            assert!(status.success() || said.contains("there is no snapshot 801"), "{how}");
            assert!(!is_there(&host), "{how}");
        }
    });
}

#[test]
fn a_restore_that_was_killed_before_its_answer_is_not_sent_again_unasked() {
    each(&stops(RESTORE), |(command, stop)| {
        let host = host();
        host.start(command, Some(*stop)).wait();
        let left = leases(&host);
        let unanswered = |errand: &Errand| errand.command.is_restore() && !errand.accepted;
        if !left.iter().any(|lease| lease.holder.errand().is_some_and(unanswered)) {
            return;
        }
        let (status, said) = host.start(command, None).wait();
        let how = format!("{stop:?}: {status}: {said}");
        assert_eq!(status.code(), Some(2), "{how}");
        assert!(said.contains("was cut off") && said.contains("--again"), "{how}");
        assert!(restores(&host) <= 1, "{how}");
        assert_eq!(leases(&host), left, "{how}");
    });
}

#[test]
fn a_daemon_watches_and_reports_what_a_killed_command_began_and_creates_its_point() {
    each(&all_stops(), |(command, stop)| {
        let host = host();
        host.start(command, Some(*stop)).wait();
        let left = leases(&host);
        host.record_due(Kind::Snapshot);
        host.settle(None);
        let account = host.simulator.account();
        let how = format!("{command:?} {stop:?}: {:#?}\n{:#?}", host.history(), account.record().entries());
        let points = account.points_of(simulator::PointKind::Snapshot, "web-server-01");
        let made = points.iter().filter(|point| point.description.contains(DUE) && point.status == "completed");
        assert_eq!(made.count(), 1, "{how}");
        assert!(account.record().requests().all(|request| request.account_status != Some(400)), "{how}");
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{how}");
        assert!(restores(&host) <= 1, "a daemon restores nothing: {how}");
        assert_eq!(leases(&host), [], "{how}");
        let reported = host.mail_texts().iter().filter(|mail| mail.contains("was cut off")).count();
        assert_eq!(reported, left.len(), "{how}\n{:#?}", host.mail_texts());
        let store = host.store();
        let open = RUNTIME.block_on(store.incidents()).unwrap();
        assert!(open.is_empty(), "{how}: {open:#?}");
        let waiting = RUNTIME.block_on(store.waiting()).unwrap();
        assert!(!waiting.iter().any(|waiting| waiting.notice.class() == Class::Failure), "{how}");
    });
}
