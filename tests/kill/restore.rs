//! `restore` and `delete` by hand, killed at each of their requests: neither a person who types the command again nor
//! the daemon waits for the dead, a restore is not sent twice while it is under way, and what cannot be known is told.

use std::time::Duration;

use lastgood::journal::errand::Errand;
use lastgood::journal::notice::Class;
use lastgood::policy::inventory::Kind;
use lastgood::simulator::{self, ChangeKind, Options, PointSpec, ServerSpec, Style};
use lastgood::store::leases::Leased;

use crate::gate::{Moment, Stop};
use crate::rig::{DUE, RUNTIME, Rig};
use crate::stops::{each, moments};

const POLICY: &str = "[policy.nightly]\nkind = \"snapshot\"\nservers = [\"*\"]\nschedule = \"30 2 29 2 *\"\nkeep = { last = 4 }\n\
                      [report.people]\nto = [\"people@example.com\"]\non = [\"failure\"]\ngroup_wait = \"0s\"\n";
const RESTORE: &[&str] = &["restore", "snapshot", "801", "--yes"];
/// The same by somebody who knows that it may have been carried out.
const RESTORE_AGAIN: &[&str] = &["restore", "snapshot", "801", "--yes", "--again"];
const DELETE: &[&str] = &["delete", "snapshot", "801", "--yes"];

fn rig() -> Rig {
    let options = Options {
        servers: ServerSpec::numbered(1, Style::Integer),
        foreign: vec![PointSpec::aged(simulator::Kind::Snapshot, "web-server-01", 3_600)],
        completion: Duration::from_millis(100),
        // Long enough for a busy machine to start the command again meanwhile.
        restore: Duration::from_millis(2_500),
        ..Options::default()
    };
    Rig::new(options, POLICY)
}

/// Every stop of an undisturbed command.
fn stops(command: &'static [&'static str]) -> Vec<(&'static [&'static str], Stop)> {
    let rig = rig();
    let (status, said) = rig.start(command, None).wait();
    assert!(status.success(), "{said}");
    let seen = rig.gate.seen();
    assert!(seen.len() >= 3, "{seen:?}");
    moments(&seen).into_iter().map(|stop| (command, stop)).collect()
}

fn all_stops() -> Vec<(&'static [&'static str], Stop)> {
    [stops(RESTORE), stops(DELETE)].concat()
}

fn leases(rig: &Rig) -> Vec<Leased> {
    let store = rig.store();
    RUNTIME.block_on(store.leases()).unwrap()
}

fn restores(rig: &Rig) -> usize {
    let account = rig.simulator.account();
    account.record().changes().filter(|change| change.change == ChangeKind::RestoreStarted).count()
}

fn is_there(rig: &Rig) -> bool {
    rig.simulator.account().point(simulator::Kind::Snapshot, 801).is_some()
}

#[test]
fn a_command_that_was_killed_can_be_typed_again_at_once() {
    each(&all_stops(), |(command, stop)| {
        let rig = rig();
        rig.start(command, Some(*stop)).wait();
        let again = if *command == RESTORE { RESTORE_AGAIN } else { *command };
        let began = tokio::time::Instant::now();
        let (status, said) = rig.start(again, None).wait();
        let how = format!("{command:?} {stop:?}: {status}: {said}\n{:#?}", rig.simulator.account().record().entries());
        assert!(began.elapsed() < Duration::from_secs(15), "{how}");
        // A command that ends before it needs the server leaves what was left to the daemon.
        assert!(leases(&rig).is_empty() || !status.success(), "{how}");
        let account = rig.simulator.account();
        let server = account.server("web-server-01").unwrap();
        assert_eq!(server.status, "active", "{how}");
        if *command == RESTORE {
            assert!(status.success() && is_there(&rig), "{how}");
            assert!(server.restored_from.is_some(), "{how}");
            let under_way = matches!(stop.moment, Moment::CarriedOut | Moment::OnItsWay);
            assert!(restores(&rig) == 1 || !under_way, "restored twice: {how}");
            let refused = account.record().requests().any(|request| request.account_status == Some(400));
            assert!(!refused, "{how}");
        } else {
            // One that was carried out is refused now: there is no such point any more.
            assert!(status.success() || said.contains("there is no snapshot 801"), "{how}");
            assert!(!is_there(&rig), "{how}");
        }
    });
}

#[test]
fn a_restore_that_was_killed_before_its_answer_is_not_sent_again_by_whoever_does_not_know() {
    each(&stops(RESTORE), |(command, stop)| {
        let rig = rig();
        rig.start(command, Some(*stop)).wait();
        let left = leases(&rig);
        let unanswered = |errand: &Errand| errand.command.is_restore() && !errand.accepted;
        if !left.iter().any(|lease| lease.holder.errand().is_some_and(unanswered)) {
            return;
        }
        let (status, said) = rig.start(command, None).wait();
        let how = format!("{stop:?}: {status}: {said}");
        assert_eq!(status.code(), Some(2), "{how}");
        assert!(said.contains("was cut off") && said.contains("--again"), "{how}");
        assert!(restores(&rig) <= 1, "{how}");
        assert_eq!(leases(&rig), left, "{how}");
    });
}

#[test]
fn a_daemon_watches_what_a_killed_command_has_begun_tells_it_and_makes_its_point() {
    each(&all_stops(), |(command, stop)| {
        let rig = rig();
        rig.start(command, Some(*stop)).wait();
        let left = leases(&rig);
        rig.record_due(Kind::Snapshot);
        rig.settle(None);
        let account = rig.simulator.account();
        let how = format!("{command:?} {stop:?}: {:#?}\n{:#?}", rig.history(), account.record().entries());
        let points = account.points_of(simulator::Kind::Snapshot, "web-server-01");
        let made = points.iter().filter(|point| point.description.contains(DUE) && point.status == "completed");
        assert_eq!(made.count(), 1, "{how}");
        assert!(account.record().requests().all(|request| request.account_status != Some(400)), "{how}");
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{how}");
        assert!(restores(&rig) <= 1, "a daemon restores nothing: {how}");
        assert_eq!(leases(&rig), [], "{how}");
        let told = rig.mail_texts().iter().filter(|mail| mail.contains("was cut off")).count();
        assert_eq!(told, left.len(), "{how}\n{:#?}", rig.mail_texts());
        let store = rig.store();
        let open = RUNTIME.block_on(store.incidents()).unwrap();
        assert!(open.is_empty(), "{how}: {open:#?}");
        let waiting = RUNTIME.block_on(store.waiting()).unwrap();
        assert!(!waiting.iter().any(|waiting| waiting.notice.class() == Class::Failure), "{how}");
    });
}
