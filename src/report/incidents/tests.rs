//! What is told together, and when.

use super::*;
use crate::report::notice::Notice;
use crate::report::samples::{at, failed, recovery, server, success};

const WAIT: Duration = Duration::from_secs(120);

fn pending(event_id: i64, moment: &str, fact: Fact) -> Pending {
    Pending { event_id, at: at(moment), incident: Some(event_id % 10), fact }
}

fn failure(event_id: i64, moment: &str, name: &str) -> Pending {
    pending(event_id, moment, Fact::Failed(failed(name, "no room")))
}

#[test]
fn a_group_stays_open_until_its_wait_is_over() {
    let all = [failure(1, "2026-11-21T02:30:00Z", "a"), failure(2, "2026-11-21T02:31:59Z", "b")];
    assert_eq!(groups(&all, WAIT, at("2026-11-21T02:31:59Z"), false), vec![]);
    assert_eq!(next_close(&all, WAIT), Some(at("2026-11-21T02:32:00Z")));
    let closed = groups(&all, WAIT, at("2026-11-21T02:32:00Z"), false);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].class, closed[0].event_ids.as_slice()), (Class::Failure, [1, 2].as_slice()));
    assert_eq!(closed[0].incidents, vec![1, 2]);
    assert_eq!(closed[0].opened_at, at("2026-11-21T02:30:00Z"));
    assert!(matches!(&closed[0].matter, Matter::Failed(both) if both.len() == 2));
}

#[test]
fn what_comes_after_the_wait_is_another_mail() {
    let all = [failure(1, "2026-11-21T02:30:00Z", "a"), failure(2, "2026-11-21T02:32:00Z", "b")];
    let closed = groups(&all, WAIT, at("2026-11-21T02:33:00Z"), false);
    assert_eq!(closed.iter().map(|group| group.event_ids.clone()).collect::<Vec<_>>(), vec![vec![1]]);
    assert_eq!(groups(&all, WAIT, at("2026-11-21T02:34:00Z"), false).len(), 2);
}

#[test]
fn failures_and_recoveries_are_two_mails_in_their_order() {
    let all = [
        pending(3, "2026-11-21T02:30:30Z", Fact::Recovered(recovery("a", "2026-11-20T02:30:00Z"))),
        failure(2, "2026-11-21T02:30:00Z", "b"),
        pending(4, "2026-11-21T02:30:40Z", Fact::Succeeded(success("c"))),
    ];
    let classes: Vec<Class> =
        groups(&all, WAIT, at("2026-11-21T03:00:00Z"), false).iter().map(|group| group.class).collect();
    assert_eq!(classes, vec![Class::Failure, Class::Recovery, Class::Success]);
}

#[test]
fn a_flush_tells_everything_now() {
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
fn a_second_failure_of_the_same_run_replaces_the_first_but_hides_no_delete() {
    let mut first = failed("a", "no room");
    first.done = vec!["deleted backup 7".to_owned()];
    let mut second = failed("a", "refused");
    second.done = vec!["deleted backup 8".to_owned()];
    let all = [
        pending(1, "2026-11-21T02:30:00Z", Fact::Failed(first)),
        pending(2, "2026-11-21T02:30:05Z", Fact::Failed(second)),
        failure(3, "2026-11-21T02:30:06Z", "b"),
    ];
    let closed = groups(&all, WAIT, at("2026-11-21T03:00:00Z"), false);
    assert_eq!(closed[0].event_ids, vec![1, 2, 3]);
    let Matter::Failed(told) = &closed[0].matter else { panic!("failures are told as failures") };
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].cause, "refused");
    assert_eq!(told[0].done, vec!["deleted backup 7".to_owned(), "deleted backup 8".to_owned()]);
}

#[test]
fn a_server_that_does_not_start_is_a_failure_with_its_own_mail() {
    let notice = Notice::NotStarted {
        server: server("a"),
        policy: "nightly".to_owned(),
        since: at("2026-11-21T02:29:00Z"),
        cause: "503".to_owned(),
    };
    let all = [failure(1, "2026-11-21T02:30:00Z", "a"), pending(2, "2026-11-21T02:30:01Z", Fact::Notice(notice))];
    let closed = groups(&all, WAIT, at("2026-11-21T03:00:00Z"), false);
    assert_eq!(closed.iter().map(|group| group.class).collect::<Vec<_>>(), vec![Class::Failure, Class::Failure]);
    assert!(matches!(closed[1].matter, Matter::Notices(_)));
}
