//! Subjects state only what happened; each cause is stated once.

use super::*;
use crate::journal::notice::{Fact, FailedRun, LatestDue, MissedDueTimes, Notice};
use crate::policy::inventory::Kind;
use crate::policy::schedule::Lost;
use crate::report::content::blocks::Block;
use crate::report::message_data::TimedNotice;
use crate::report::samples::{
    HOSTILE, at, context, digest, failed, failed_as, failed_run, good, notice, recovery, stale, success,
};

fn subject(kind: MailKind, all: Vec<TimedNotice>) -> String {
    compose(&MessageData::Notices(kind, all), &context()).subject
}

#[test]
fn the_subject_states_a_single_failure() {
    let one = failed("web-server-01", "snapshot limit reached (5 foreign)");
    assert_eq!(
        subject(MailKind::Failed, vec![one]),
        "[lastgood] FAILED nightly on web-server-01: snapshot limit reached (5 foreign)"
    );
}

#[test]
fn a_hundred_servers_with_one_cause_share_a_subject() {
    let all: Vec<TimedNotice> = (1..=100)
        .map(|number| failed(&format!("web-{number}"), &format!("server web-{number} (job 88{number:04}) is locked")))
        .collect();
    let content = compose(&MessageData::Notices(MailKind::Failed, all), &context());
    assert_eq!(content.subject, "[lastgood] FAILED nightly on 100 servers: server web-1 (job 880001) is locked");
    let quotes = content.blocks.iter().filter(|block| matches!(block, Block::Quote(_))).count();
    assert_eq!(quotes, 1);
    let Some(Block::Rows(rows)) = content.blocks.iter().find(|block| matches!(block, Block::Rows(_))) else {
        panic!("each server has its row")
    };
    assert_eq!(rows.len(), scope::ROWS);
    assert!(content.blocks.iter().any(|block| matches!(block, Block::Text(text) if text.starts_with("And 50 more: "))));
}

#[test]
fn several_causes_are_counted_the_commonest_first() {
    let all = vec![
        failed("a", "timed out after 30s"),
        failed("b", "500 Internal Server Error"),
        failed("c", "503 Service Unavailable"),
        failed("d", "503 Service Unavailable"),
    ];
    assert_eq!(
        subject(MailKind::Failed, all),
        "[lastgood] FAILED nightly on 4 servers: 2× 503 Service Unavailable; 1× 500 Internal Server Error; \
         1× timed out after 30s"
    );
}

#[test]
fn a_server_without_any_good_point_comes_first() {
    let with = |name: &str, last_good| failed_as(name, FailedRun { last_good, ..failed_run("no room") });
    let all = vec![failed("a", "no room"), with("m", Some(good(1, "2026-11-01T00:00:00Z"))), with("z", None)];
    let content = compose(&MessageData::Notices(MailKind::Failed, all), &context());
    let Some(Block::Rows(rows)) = content.blocks.iter().find(|block| matches!(block, Block::Rows(_))) else {
        panic!("each server has its row")
    };
    assert_eq!(rows.iter().map(|row| row.title.as_str()).collect::<Vec<_>>(), ["z", "m", "a"]);
    assert_eq!(
        content.preheader,
        "1 without any good restore point; oldest last good: 2026-11-01 00:00 UTC (20 days 4 h ago)"
    );
}

#[test]
fn a_stale_subject_says_how_old_and_against_which_limit() {
    let one = stale("web-server-01", Some(good(5, "2026-11-18T02:30:00Z")));
    assert_eq!(
        subject(MailKind::Stale, vec![one.clone()]),
        "[lastgood] STALE nightly on web-server-01: last good 3 days 2 h ago (limit 26 h)"
    );
    assert_eq!(
        subject(MailKind::Stale, vec![stale("web-server-01", None)]),
        "[lastgood] STALE nightly on web-server-01: no good restore point (limit 26 h)"
    );
    assert_eq!(
        subject(MailKind::Stale, vec![one, stale("b", None)]),
        "[lastgood] STALE nightly on 2 servers: 1 without any good restore point, oldest last good 3 days 2 h ago"
    );
}

#[test]
fn a_recovery_says_how_long_it_lasted_and_what_was_lost() {
    let one = recovery("web-server-01", "2026-11-19T02:31:00Z");
    assert_eq!(
        subject(MailKind::Recovered, vec![one]),
        "[lastgood] RECOVERED nightly on web-server-01 after 2 days 1 h (2 due times lost)"
    );
}

#[test]
fn a_success_names_what_it_made() {
    assert_eq!(
        subject(MailKind::Succeeded, vec![success("web-server-01")]),
        "[lastgood] SUCCEEDED nightly on web-server-01: backup 902 created, 1 deleted"
    );
}

#[test]
fn a_digest_says_what_is_wrong() {
    assert_eq!(
        compose(&MessageData::Digest(Box::new(digest())), &context()).subject,
        "[lastgood] digest: 1 failing, 1 never completed, 1 running, 1 ok, oldest last good 3 days 2 h ago"
    );
}

#[test]
fn notices_with_one_headline_share_a_subject() {
    let due = at("2026-11-21T02:30:00Z");
    let missed = |name: &str| {
        let lost = Some(Lost { count: 1, first: due, last: due });
        let fact = Fact::Missed(MissedDueTimes { lost, latest: LatestDue::TooOld, next: None });
        TimedNotice::new(due, notice(name, Kind::Backup, fact))
    };
    assert_eq!(
        subject(MailKind::Attention, vec![missed("a"), missed("b")]),
        "[lastgood] WARNING nightly on 2 servers: due times were missed"
    );
    let refused = TimedNotice::new(due, Notice::new(Fact::ReloadRefused { errors: "x".to_owned() }));
    assert_eq!(
        subject(MailKind::Attention, vec![missed("a"), refused]),
        "[lastgood] WARNING nightly on a: due times were missed, and 1 more"
    );
}

#[test]
fn a_failure_without_a_server_or_a_policy_is_reported_too() {
    let mut one = failed("x", "the account cannot be read: 401");
    one.notice = Notice::new(one.notice.fact);
    assert_eq!(subject(MailKind::Failed, vec![one]), "[lastgood] FAILED: the account cannot be read: 401");
}

#[test]
fn a_hostile_name_makes_one_line_of_a_subject_without_control_characters() {
    let all = [
        (MailKind::Failed, failed(HOSTILE, HOSTILE)),
        (MailKind::Stale, stale(HOSTILE, None)),
        (MailKind::Recovered, recovery(HOSTILE, "2026-11-19T02:31:00Z")),
        (MailKind::Succeeded, success(HOSTILE)),
    ];
    for (kind, one) in all {
        let subject = subject(kind, vec![one]);
        assert!(subject.contains("<script>alert(1)</script> Bcc: all@example.com\\u{1b}[31m"), "{subject:?}");
        assert!(!subject.chars().any(|c| c.is_control() || c == '\u{202e}'), "{subject:?}");
        assert!(subject.chars().count() <= LONGEST_SUBJECT, "{subject:?}");
    }
}
