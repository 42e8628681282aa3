//! Notices are read back as they were written, by this version and by earlier ones.

use jiff::Timestamp;

use super::*;
use crate::journal::event::DeleteReason;
use crate::policy::brake;
use crate::policy::inventory::{PointId, ServerId, ServerStatus};
use crate::policy::plan::Reason;
use crate::policy::schedule::Lost;

/// What lastgoods stored before notices were data.
const EARLIER: &str = include_str!("tests/earlier.jsonl");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One of each fact, with every field that it can have.
fn facts() -> Vec<Fact> {
    let (morning, night) = (at("2026-11-21T09:00:00Z"), at("2026-11-21T02:30:00Z"));
    let good = || Some(Good { id: PointId::Number(881), created_at: night });
    let deleted = vec![DeletedPoint { id: PointId::Number(804), cause: Some(DeleteReason::Eviction) }];
    let error = || "409 Conflict".to_owned();
    let lost = Some(Lost { count: 3, first: night, last: morning });
    let brake = brake::Brake {
        cause: brake::BrakeCause::Gone,
        policy: Some("nightly".parse().unwrap()),
        text: "a point is gone".to_owned(),
        points: vec![brake::PointIdentity { id: PointId::Number(5), created_at: night }],
    };
    let why = Reason::GivenUp { beside: vec![PointId::Number(640)] };
    let stopped_for = Some(StoppedFor { policy: "nightly".parse().unwrap(), kind: Kind::Backup });
    vec![
        Fact::Failed(FailedRun {
            run: Some(18),
            due: Some(night),
            tries: Some(Tries { made: 1, allowed: 3 }),
            problem: RunProblem::Failed { error: error() },
            last_good: good(),
            next: Some(morning),
            made: Some(PointId::Text("7f0c".to_owned())),
            deleted: deleted.clone(),
        }),
        Fact::Succeeded(SucceededRun {
            run: Some(18),
            due: Some(night),
            made: Some(PointId::Number(881)),
            size_mb: Some(12_400),
            last_good: good(),
            next: Some(morning),
            deleted,
            started_early: true,
            given_up: vec![GivenUp { id: PointId::Number(804), why }],
        }),
        Fact::Recovered(Recovered {
            by: Recovery::PointMade,
            since: Some(night),
            was: Some(error()),
            lost: vec![night],
            last_good: good(),
        }),
        Fact::Stale(StalePolicy {
            last_good: good(),
            since: Some(night),
            max_age_seconds: Some(93_600),
            cause: Some(error()),
            next: Some(morning),
        }),
        Fact::Missed(MissedDueTimes { lost, latest: LatestDue::CaughtUp(morning), next: Some(morning) }),
        Fact::ClockCorrected { handled: morning, corrected: night },
        Fact::ServerGone { policies: vec!["nightly".parse().unwrap()] },
        Fact::ServerNotStarted(NotStarted {
            problem: StartProblem::Failed { error: error() },
            stopped_for,
            since: Some(night),
        }),
        Fact::ServerListDoubtful { doubt: "an entry cannot be read".to_owned() },
        Fact::ServerListUnreadable { stored: true, error: error() },
        Fact::NewJournal { points: 12 },
        Fact::SecondLastgood { id: PointId::Number(4) },
        Fact::Braked { brakes: vec![brake] },
        Fact::MoreToDelete { left: 25, max_deletes: 2 },
        Fact::Stuck { id: PointId::Number(77), created_at: Some(night), stuck_after_seconds: 7200 },
        Fact::DatedInFuture { id: PointId::Number(78), created_at: Some(morning) },
        Fact::LeftOver { id: PointId::Number(79), created_at: night },
        Fact::CommandCutOff {
            command: "restore backup 7".to_owned(),
            accepted: true,
            server: FoundServer::Reads(ServerStatus::Stopped),
        },
        Fact::ReloadRefused { errors: "unknown key `shedule`".to_owned() },
        Fact::Overfilled { over: server(), sum: "6 + 6 = 12 > 10 backups".to_owned() },
        Fact::General { class: Class::Failure, topic: Topic::Attention, text: "something else".to_owned() },
    ]
}

fn server() -> ServerRef {
    ServerRef { id: ServerId::Number(12_345), name: "web-server-01".to_owned() }
}

#[test]
fn each_fact_has_one_sentence_and_reads_back_from_the_json_that_later_versions_will_find() {
    let mut all = String::new();
    for fact in facts() {
        let kind = Some(Kind::Backup);
        let notice = Notice { policy: Some("nightly".parse().unwrap()), kind, ..Notice::of_server(server(), fact) };
        let json = serde_json::to_string(&notice).unwrap();
        assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice, "{json}");
        let fact = serde_json::to_string(&notice.fact).unwrap();
        all += &format!("{} / {}: {notice}\n{fact}\n\n", notice.class().word(), notice.topic());
    }
    insta::assert_snapshot!("facts", all);
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
    assert_eq!((&run.made, &run.deleted[..]), (&Some(PointId::Number(809)), &[][..]));
}
