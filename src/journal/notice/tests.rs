//! Notices are read back as they were written, by this version and by earlier ones.

use super::*;
use crate::policy::inventory::Id;

/// What lastgoods stored before notices were data.
const EARLIER: &str = include_str!("tests/earlier.jsonl");

#[test]
fn a_notice_reads_back_from_its_json() {
    let server = ServerRef { id: Id::Text("7f0c".to_owned()), name: "web-server-01".to_owned() };
    let stopped_for = Some(StoppedFor { policy: "nightly".to_owned(), kind: Kind::Backup });
    let problem = StartProblem::Failed { error: "409 Conflict".to_owned() };
    let not_started = NotStarted { problem, stopped_for, since: Some("2026-11-21T02:31:00Z".parse().unwrap()) };
    let notices = [
        Notice::of_server(server, Fact::ServerNotStarted(not_started)),
        Notice::new(Fact::ServerListUnreadable { stored: true, error: "401".to_owned() }),
    ];
    for notice in notices {
        let json = serde_json::to_string(&notice).unwrap();
        assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice, "{json}");
    }
}

#[test]
fn a_notice_of_an_earlier_version_keeps_its_class_topic_place_and_words() {
    for line in EARLIER.lines() {
        let flat: serde_json::Value = serde_json::from_str(line).unwrap();
        let notice: Notice = serde_json::from_str(line).unwrap();
        let told = serde_json::json!({
            "class": notice.class(), "topic": notice.topic(), "server": notice.server, "policy": notice.policy,
            "kind": notice.kind, "reports": notice.reports, "last_good": notice.fact.last_good(),
        });
        for (key, value) in told.as_object().unwrap() {
            assert_eq!(*value, flat[key], "{key} of {line}");
        }
        let said = serde_json::to_string(&notice).unwrap();
        let text = serde_json::to_string(&flat["text"]).unwrap();
        assert!(notice.class() == Class::Success || said.contains(&text), "{said} of {line}");
        assert_eq!(serde_json::from_str::<Notice>(&said).unwrap(), notice, "and is stored anew as data");
    }
}

#[test]
fn a_success_of_an_earlier_version_made_the_point_that_was_the_last_good_one() {
    let first = EARLIER.lines().last().unwrap();
    let notice: Notice = serde_json::from_str(first).unwrap();
    let Fact::Succeeded(run) = &notice.fact else { panic!("{notice:?}") };
    assert_eq!((&run.made, &run.deleted[..]), (&Some(Id::Number(809)), &[][..]));
}
