//! Which notices share a mail, and when it is due.

use super::*;
use crate::journal::event::DeleteReason;
use crate::journal::notice::{Fact, FailedRun, NotStarted, RunProblem, StartProblem};
use crate::policy::inventory::Kind;
use crate::report::samples::{at, deleted, failed, failed_run, notice, recovery, success};

const WAIT: Duration = Duration::from_secs(120);

fn pending(id: i64, moment: &str, notice: Notice) -> Pending {
    Pending { id, at: at(moment), incident: Some(id % 10), notice }
}

fn failure(id: i64, moment: &str, name: &str) -> Pending {
    pending(id, moment, failed(name, "no room").notice)
}

fn kinds(groups: &[Group]) -> Vec<MailKind> {
    let kind = |group: &Group| match &group.data {
        MessageData::Notices(kind, _) => *kind,
        MessageData::Digest(_) => panic!("no digest is grouped"),
    };
    groups.iter().map(kind).collect()
}

#[test]
fn a_group_stays_open_until_its_wait_is_over() {
    let all = [failure(1, "2026-11-21T02:30:00Z", "a"), failure(2, "2026-11-21T02:31:59Z", "b")];
    assert_eq!(groups(&all, WAIT, at("2026-11-21T02:31:59Z"), false), vec![]);
    assert_eq!(next_close(&all, WAIT), Some(at("2026-11-21T02:32:00Z")));
    let closed = groups(&all, WAIT, at("2026-11-21T02:32:00Z"), false);
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].ids, [1, 2]);
    assert_eq!(closed[0].incidents, vec![1, 2]);
    assert_eq!(closed[0].opened_at, at("2026-11-21T02:30:00Z"));
    assert!(matches!(&closed[0].data, MessageData::Notices(MailKind::Failed, both) if both.len() == 2));
}

#[test]
fn what_comes_after_the_wait_is_another_mail() {
    let all = [failure(1, "2026-11-21T02:30:00Z", "a"), failure(2, "2026-11-21T02:32:00Z", "b")];
    let closed = groups(&all, WAIT, at("2026-11-21T02:33:00Z"), false);
    assert_eq!(closed.iter().map(|group| group.ids.clone()).collect::<Vec<_>>(), vec![vec![1]]);
    assert_eq!(groups(&all, WAIT, at("2026-11-21T02:34:00Z"), false).len(), 2);
}

#[test]
fn failures_and_recoveries_are_two_mails_in_their_order() {
    let all = [
        pending(3, "2026-11-21T02:30:30Z", recovery("a", "2026-11-20T02:30:00Z").notice),
        failure(2, "2026-11-21T02:30:00Z", "b"),
        pending(4, "2026-11-21T02:30:40Z", success("c").notice),
    ];
    let closed = groups(&all, WAIT, at("2026-11-21T03:00:00Z"), false);
    assert_eq!(kinds(&closed), [MailKind::Failed, MailKind::Recovered, MailKind::Succeeded]);
}

#[test]
fn a_flush_closes_every_group() {
    let all = [failure(1, "2026-11-21T02:30:00Z", "a")];
    assert_eq!(groups(&all, WAIT, at("2026-11-21T02:30:00Z"), true).len(), 1);
    assert_eq!(groups(&[], WAIT, at("2026-11-21T02:30:00Z"), true), vec![]);
    assert_eq!(next_close(&[], WAIT), None);
}

#[test]
fn a_clock_set_back_does_not_keep_a_mail_for_hours() {
    let all = [failure(1, "2026-11-21T05:30:00Z", "a")];
    assert_eq!(groups(&all, WAIT, at("2026-11-21T02:30:00Z"), false).len(), 1);
}

#[test]
fn a_second_failure_of_the_same_policy_replaces_the_first_but_hides_no_delete() {
    let of = |error: &str, id| {
        let run = FailedRun { deleted: vec![deleted(id, DeleteReason::Retention)], ..failed_run(error) };
        notice("a", Kind::Backup, Fact::Failed(run))
    };
    let all = [
        pending(1, "2026-11-21T02:30:00Z", of("no room", 7)),
        pending(2, "2026-11-21T02:30:05Z", of("refused", 8)),
        pending(3, "2026-11-21T02:30:06Z", of("refused again", 9)),
        failure(4, "2026-11-21T02:30:07Z", "b"),
    ];
    let closed = groups(&all, WAIT, at("2026-11-21T03:00:00Z"), false);
    assert_eq!(closed[0].ids, vec![1, 2, 3, 4]);
    let MessageData::Notices(MailKind::Failed, kept) = &closed[0].data else {
        panic!("failures go into a failure mail")
    };
    assert_eq!((kept.len(), kept[0].at), (2, at("2026-11-21T02:30:06Z")));
    assert_eq!((&kept[0].notice, &kept[0].replaced[..]), (&all[2].notice, &[of("no room", 7), of("refused", 8)][..]));
    let Fact::Failed(run) = &kept[0].notice.fact else { panic!("{kept:?}") };
    assert_eq!(run.problem, RunProblem::Failed { error: "refused again".to_owned() });
}

#[test]
fn a_server_that_does_not_start_is_a_failure_with_its_own_mail() {
    let problem = StartProblem::Failed { error: "503".to_owned() };
    let fact = Fact::ServerNotStarted(NotStarted { problem, stopped_for: None, since: None });
    let not_started = notice("a", Kind::Backup, fact);
    let all = [failure(1, "2026-11-21T02:30:00Z", "a"), pending(2, "2026-11-21T02:30:01Z", not_started)];
    let closed = groups(&all, WAIT, at("2026-11-21T03:00:00Z"), false);
    assert_eq!(kinds(&closed), [MailKind::Failed, MailKind::NotStarted]);
}
