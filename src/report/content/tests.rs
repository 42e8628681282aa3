//! Subjects tell the matter alone; causes are told once.

use super::*;
use crate::report::notice::Notice;
use crate::report::samples::{HOSTILE, at, digest, failed, frame, good, recovery, server, stale, success};

fn subject(matter: &Matter) -> String {
    compose(matter, &frame()).subject
}

#[test]
fn one_failure_is_told_by_its_subject() {
    let one = failed("web-server-01", "snapshot limit reached (5 foreign)");
    assert_eq!(
        subject(&Matter::Failed(vec![one])),
        "[lastgood] FAILED nightly on web-server-01: snapshot limit reached (5 foreign)"
    );
}

#[test]
fn a_hundred_servers_failing_for_one_cause_are_one_subject() {
    let all: Vec<Affected> = (1..=100)
        .map(|number| failed(&format!("web-{number}"), &format!("server web-{number} (job 88{number:04}) is locked")))
        .collect();
    let content = compose(&Matter::Failed(all), &frame());
    assert_eq!(content.subject, "[lastgood] FAILED nightly on 100 servers: server web-1 (job 880001) is locked");
    let quotes = content.blocks.iter().filter(|block| matches!(block, Block::Quote(_))).count();
    assert_eq!(quotes, 1);
    let Some(Block::Rows(rows)) = content.blocks.iter().find(|block| matches!(block, Block::Rows(_))) else {
        panic!("each server has its row")
    };
    assert_eq!(rows.len(), ROWS);
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
        subject(&Matter::Failed(all)),
        "[lastgood] FAILED nightly on 4 servers: 2× 503 Service Unavailable; 1× 500 Internal Server Error; \
         1× timed out after 30s"
    );
}

#[test]
fn a_server_without_any_good_point_is_told_first() {
    let mut none = failed("z", "no room");
    none.last_good = None;
    let mut old = failed("m", "no room");
    old.last_good = Some(good(1, "2026-11-01T00:00:00Z"));
    let content = compose(&Matter::Failed(vec![failed("a", "no room"), old, none]), &frame());
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
        subject(&Matter::Stale(vec![one.clone()])),
        "[lastgood] STALE nightly on web-server-01: last good 3 days 2 h ago (limit 26 h)"
    );
    assert_eq!(
        subject(&Matter::Stale(vec![stale("web-server-01", None)])),
        "[lastgood] STALE nightly on web-server-01: no good restore point (limit 26 h)"
    );
    assert_eq!(
        subject(&Matter::Stale(vec![one, stale("b", None)])),
        "[lastgood] STALE nightly on 2 servers: 1 without any good restore point, oldest last good 3 days 2 h ago"
    );
}

#[test]
fn a_recovery_says_how_long_it_lasted_and_what_was_lost() {
    let one = recovery("web-server-01", "2026-11-19T02:31:00Z");
    assert_eq!(
        subject(&Matter::Recovered(vec![one])),
        "[lastgood] RECOVERED nightly on web-server-01 after 2 days 1 h (2 due times lost)"
    );
}

#[test]
fn a_success_names_what_it_made() {
    assert_eq!(
        subject(&Matter::Succeeded(vec![success("web-server-01")])),
        "[lastgood] SUCCEEDED nightly on web-server-01: backup 902 made, 1 deleted"
    );
}

#[test]
fn a_digest_says_what_is_not_well() {
    assert_eq!(
        subject(&Matter::Digest(Box::new(digest()))),
        "[lastgood] digest: 1 failing, 1 never made, 1 running, 1 ok, oldest last good 3 days 2 h ago"
    );
}

#[test]
fn notices_of_one_sort_are_one_subject() {
    let missed = |name: &str| Notice::Missed {
        server: server(name),
        policy: "nightly".to_owned(),
        dues: vec![at("2026-11-21T02:30:00Z")],
        caught_up: None,
        next: None,
    };
    assert_eq!(
        subject(&Matter::Notices(vec![missed("a"), missed("b")])),
        "[lastgood] WARNING nightly on 2 servers: due times were missed"
    );
    let refused = Notice::ReloadRefused { file: "/etc/lastgood/policy.toml".to_owned(), errors: vec!["x".to_owned()] };
    assert_eq!(
        subject(&Matter::Notices(vec![missed("a"), refused])),
        "[lastgood] WARNING nightly on a: due times were missed, and 1 matter more"
    );
}

#[test]
fn a_failure_without_a_server_or_a_policy_is_told_too() {
    let one = Affected { server: None, policy: None, kind: None, ..failed("x", "the account cannot be read: 401") };
    assert_eq!(subject(&Matter::Failed(vec![one])), "[lastgood] FAILED: the account cannot be read: 401");
}

#[test]
fn a_hostile_name_makes_one_line_of_a_subject_without_control_characters() {
    let all = [
        Matter::Failed(vec![failed(HOSTILE, HOSTILE)]),
        Matter::Stale(vec![stale(HOSTILE, None)]),
        Matter::Recovered(vec![recovery(HOSTILE, "2026-11-19T02:31:00Z")]),
        Matter::Succeeded(vec![success(HOSTILE)]),
    ];
    for matter in all {
        let subject = subject(&matter);
        assert!(subject.contains("<script>alert(1)</script> Bcc: all@example.com\\u{1b}[31m"), "{subject:?}");
        assert!(!subject.chars().any(|c| c.is_control() || c == '\u{202e}'), "{subject:?}");
        assert!(subject.chars().count() <= LONGEST_SUBJECT, "{subject:?}");
    }
}
