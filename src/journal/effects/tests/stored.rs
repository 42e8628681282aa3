//! What becomes of what the state holds already: debts, due times, points and incidents, one row a case.

use super::*;
use crate::journal::debt::{Debt, DebtKind, OwedStart, Start, StopEvidence, still_in_charge};
use crate::journal::notice::{Class, Fact, FoundServer, Good, Notice, Recovery, Topic};
use crate::policy::name::PolicyName;

fn owed(run: i64, round: i64, in_charge: Option<i64>, start: Start) -> Debt {
    let evidence = StopEvidence { start, ..StopEvidence::default() };
    Debt {
        server: server(),
        since: at(run),
        run: Some(run),
        step: Some(1),
        policy: Some("nightly".parse().unwrap()),
        kind: Some(Kind::Snapshot),
        what: DebtKind::Start(OwedStart { round, in_charge, evidence }),
    }
}

#[test]
fn a_stop_opens_a_debt_or_begins_its_next_round_under_the_run_that_opened_it() {
    let opened = owed(7, 1, Some(7), Start::NotSent);
    assert_eq!(debt_opened(None, opened.clone()), opened);
    let renamed = ServerRef { name: "web-server-02".to_owned(), ..server() };
    let again = debt_opened(Some(owed(5, 3, None, Start::Accepted)), Debt { server: renamed.clone(), ..opened });
    assert_eq!(again, Debt { server: renamed, ..owed(5, 4, Some(7), Start::NotSent) });
}

#[test]
fn what_was_seen_of_a_debt_holds_until_the_next_stop_and_until_another_run_is_in_charge() {
    let before = owed(7, 2, Some(7), Start::NotSent);
    for (case, now, holds, is_free) in [
        ("a start was sent", owed(7, 2, Some(7), Start::Sent), true, false),
        ("the run has left it", owed(7, 2, None, Start::NotSent), false, true),
        ("another run has taken it over", owed(7, 2, Some(8), Start::NotSent), false, false),
        ("it was stopped again", owed(7, 3, Some(7), Start::NotSent), false, false),
    ] {
        assert_eq!(now.start().is_unchanged_since(before.start()), holds, "{case}");
        assert_eq!(now.start().is_free(), is_free, "{case}");
    }
}

#[test]
fn a_due_time_with_a_run_moves_the_last_handled_one_on_and_never_back() {
    let known = |kind| FollowedPolicy {
        schedule: "daily".to_owned(),
        kind,
        handled: at(50),
        first_at: at(1),
        stale_reported: false,
    };
    let snapshot = Some(known(Some(Kind::Snapshot)));
    for (case, known, due, expected) in [
        ("later", snapshot.clone(), 60, Some(at(60))),
        ("earlier", snapshot.clone(), 40, None),
        ("the same", snapshot, 50, None),
        ("its kind was not written", Some(known(None)), 60, Some(at(60))),
        ("of another kind", Some(known(Some(Kind::Backup))), 60, None),
        ("not followed", None, 60, None),
    ] {
        assert_eq!(handled_by(known.as_ref(), Kind::Snapshot, at(due)), expected, "{case}");
    }
}

#[test]
fn a_point_is_present_unless_its_delete_was_accepted_since_a_list_showed_it() {
    for (case, deleted, seen, expected) in [
        ("listed", None, Some(at(5)), true),
        ("made, and not listed yet", None, None, true),
        ("deleted since", Some(at(6)), Some(at(5)), false),
        ("listed again", Some(at(6)), Some(at(7)), true),
        ("deleted, and never listed", Some(at(6)), None, false),
    ] {
        assert_eq!(is_present(deleted, seen), expected, "{case}");
    }
}

#[test]
fn the_last_good_point_is_the_newest_completed_one_of_the_policy_under_any_of_its_names() {
    let names: [PolicyName; 2] = ["nightly".parse().unwrap(), "nocturnal".parse().unwrap()];
    for (case, status, policy, expected) in [
        ("completed", PointStatus::Completed, Some("nightly"), true),
        ("under a former name", PointStatus::Completed, Some("nocturnal"), true),
        ("another policy's", PointStatus::Completed, Some("hourly"), false),
        ("a person's", PointStatus::Completed, None, false),
        ("in progress", PointStatus::InProgress, Some("nightly"), false),
    ] {
        assert_eq!(is_good(&status, policy.map(|name| name.parse().unwrap()).as_ref(), &names), expected, "{case}");
    }
    let good = |number, second| Good { id: id(number), created_at: at(second) };
    assert_eq!(last_good([good(9, 1), good(8, 5), good(7, 3)].into_iter()), Some(good(8, 5)));
    assert_eq!(last_good([good(9, 1), good(10, 1)].into_iter()), Some(good(10, 1)), "of one second, the larger id");
    assert_eq!(last_good(std::iter::empty()), None);
}

#[test]
fn a_recovery_says_which_due_times_gave_no_point() {
    let ended = |second, outcome: &str| EndedRun { due: at(second), outcome: outcome.to_owned() };
    let runs = [ended(1, "failed"), ended(2, "succeeded"), ended(3, "skipped"), ended(4, "unreadable")];
    let reports = ["oncall".to_owned()];
    let (server, was) = (server(), Some("no room".to_owned()));
    let notice = policy_recovered((&server, &nightly(), Kind::Snapshot), (at(1), was.clone()), &runs, (&reports, None));
    let Fact::Recovered(recovered) = &notice.fact else { panic!("{notice:?}") };
    assert_eq!(recovered.lost, [at(1), at(3), at(4)]);
    assert_eq!((recovered.since, &recovered.was, &notice.reports[..]), (Some(at(1)), &was, &reports[..]));
}

#[test]
fn the_end_of_an_incident_of_the_account_is_reported_where_one_was_open() {
    let by = Recovery::Of(Topic::Reload);
    assert_eq!(account_recovered(by, &[], None), None);
    let notice = account_recovered(by, &[at(7), at(3)], None).unwrap();
    let Fact::Recovered(recovered) = &notice.fact else { panic!("{notice:?}") };
    assert_eq!(recovered.since, Some(at(3)));
}

#[test]
fn a_report_is_news_unless_its_incident_ends_with_the_same_sentence() {
    let fact = Fact::General { class: Class::Failure, topic: Topic::ServerStopped, text: "it is stopped".to_owned() };
    let report = Notice::of_server(server(), fact);
    let same = report.to_string();
    assert!(is_news(None, &report) && is_news(Some("it cannot be read"), &report));
    assert!(!is_news(Some(&same), &report));
}

#[test]
fn a_command_that_was_cut_off_leaves_no_incident_open_once_it_is_reported() {
    let command = "restore backup 7".to_owned();
    let server_is = FoundServer::Unreadable { error: "no answer".to_owned() };
    let fact = Fact::CommandCutOff { command, accepted: true, server: server_is };
    let closed = Change::ServerIncidentClosed(Topic::Attention);
    assert_eq!(errand_reported(&Notice::of_server(server(), fact)), [closed]);
}

#[test]
fn a_notice_that_is_skipped_in_silence_does_not_count_as_reported() {
    assert_eq!((Class::Failure.reported_word(true), Class::Failure.reported_word(false)), ("failure", "silent"));
    assert_eq!((Topic::Stale.of_incident(), Topic::Missed.of_incident()), (Topic::Run, Topic::Missed));
}

#[test]
fn a_create_is_given_up_unless_a_later_one_has_made_a_point() {
    for (case, sent, made, expected) in [
        ("nothing was made", 5, None, true),
        ("made before", 5, Some(4), true),
        ("made later", 5, Some(6), false),
        ("at the same time", 5, Some(5), false),
    ] {
        assert_eq!(is_given_up(at(sent), made.map(at)), expected, "{case}");
    }
}

#[test]
fn a_run_is_in_charge_of_a_start_until_it_ends() {
    for (case, run, is_open, expected) in [
        ("it is open", Some(7), true, Some(7)),
        ("it has ended", Some(7), false, None),
        ("none was", None, false, None),
    ] {
        assert_eq!(still_in_charge(run, is_open), expected, "{case}");
    }
}
