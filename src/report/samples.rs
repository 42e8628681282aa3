//! Facts for tests: one of each kind, and a hostile name.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::event::DeleteReason;
use crate::journal::notice::{
    DeletedPoint, Fact, FailedRun, Good, Notice, Recovered, Recovery, RunProblem, StalePolicy, SucceededRun, Tries,
};
use crate::policy::inventory::{Kind, PointId, ServerId, ServerRef};
use crate::report::content::context::MailContext;
use crate::report::digest::{
    DigestFacts, DigestHold, DigestPolicy, DigestServer, DigestSlots, DigestState, FormerPoints, RunCounts,
};
use crate::report::message_data::TimedNotice;

/// A name that attacks HTML, headers, terminals and the writing direction.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script>\r\nBcc: all@example.com\u{1b}[31m\u{202e}live\u{0}{{ 7 * 7 }}\"'&";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn context() -> MailContext {
    MailContext { now: at("2026-11-21T04:32:00Z"), timezone: TimeZone::UTC, instance: "main".to_owned() }
}

pub(crate) fn server(name: &str) -> ServerRef {
    let id = 10_000 + name.bytes().fold(0, |sum: i64, byte| (sum * 31 + i64::from(byte)) % 90_000);
    ServerRef { id: ServerId::Number(id), name: name.to_owned() }
}

pub(crate) fn good(id: i64, created_at: &str) -> Good {
    Good { id: PointId::Number(id), created_at: at(created_at) }
}

pub(crate) fn notice(name: &str, kind: Kind, fact: Fact) -> Notice {
    Notice { policy: Some("nightly".parse().unwrap()), kind: Some(kind), ..Notice::of_server(server(name), fact) }
}

pub(crate) fn deleted(id: i64, cause: DeleteReason) -> DeletedPoint {
    DeletedPoint { id: PointId::Number(id), cause: Some(cause) }
}

pub(crate) fn failed_run(error: &str) -> FailedRun {
    FailedRun {
        run: Some(18),
        due: Some(at("2026-11-21T02:30:00Z")),
        tries: Some(Tries { made: 3, allowed: 3 }),
        problem: RunProblem::Failed { error: error.to_owned() },
        last_good: Some(good(881, "2026-11-20T02:30:04Z")),
        next: Some(at("2026-11-22T02:30:00Z")),
        made: None,
        deleted: vec![],
    }
}

pub(crate) fn failed(name: &str, error: &str) -> TimedNotice {
    failed_as(name, failed_run(error))
}

pub(crate) fn failed_as(name: &str, run: FailedRun) -> TimedNotice {
    TimedNotice::new(at("2026-11-21T02:31:00Z"), notice(name, Kind::Snapshot, Fact::Failed(run)))
}

pub(crate) fn stale(name: &str, last_good: Option<Good>) -> TimedNotice {
    let fact = Fact::Stale(StalePolicy {
        since: last_good.as_ref().map(|good| good.created_at),
        last_good,
        max_age_seconds: Some(26 * 3600),
        cause: Some("timed out after 30s while the list was read".to_owned()),
        next: Some(at("2026-11-22T02:30:00Z")),
    });
    TimedNotice::new(at("2026-11-21T02:31:00Z"), notice(name, Kind::Snapshot, fact))
}

pub(crate) fn recovery(name: &str, since: &str) -> TimedNotice {
    let fact = Fact::Recovered(Recovered {
        by: Recovery::PointMade,
        since: Some(at(since)),
        was: Some("503 Service Unavailable: maintenance".to_owned()),
        lost: vec![at("2026-11-19T02:30:00Z"), at("2026-11-20T02:30:00Z")],
        last_good: Some(good(902, "2026-11-21T04:12:09Z")),
    });
    TimedNotice::new(at("2026-11-21T04:30:00Z"), notice(name, Kind::Backup, fact))
}

pub(crate) fn success(name: &str) -> TimedNotice {
    let fact = Fact::Succeeded(SucceededRun {
        run: Some(18),
        due: Some(at("2026-11-21T02:30:00Z")),
        made: Some(PointId::Number(902)),
        size_mb: Some(12_400),
        last_good: Some(good(902, "2026-11-21T02:30:04Z")),
        next: Some(at("2026-11-22T02:30:00Z")),
        deleted: vec![deleted(811, DeleteReason::Retention)],
        started_early: false,
        given_up: vec![],
    });
    TimedNotice::new(at("2026-11-21T02:41:00Z"), notice(name, Kind::Backup, fact))
}

fn digest_server(name: &str, state: DigestState, size: (u64, u64)) -> DigestServer {
    DigestServer {
        server: server(name),
        state,
        points: 7,
        last_good: Some(good(902, "2026-11-21T02:30:04Z")),
        oldest: Some(at("2026-10-25T02:30:03Z")),
        size_mb: Some(size.1),
        size_before_mb: Some(size.0),
        next_due: Some(at("2026-11-22T02:30:00Z")),
        slots: DigestSlots { limit: 10, own: 7, foreign: 1, held: 0 },
    }
}

pub(crate) fn digest() -> DigestFacts {
    let old = DigestServer {
        last_good: Some(good(640, "2026-11-18T02:30:07Z")),
        slots: DigestSlots { limit: 10, own: 5, foreign: 5, held: 2 },
        ..digest_server("mail-server-02", DigestState::Failing, (40_100, 38_900))
    };
    let never = DigestServer {
        points: 0,
        last_good: None,
        oldest: None,
        size_mb: None,
        size_before_mb: None,
        slots: DigestSlots { limit: 5, own: 0, foreign: 0, held: 0 },
        ..digest_server("db-server-02", DigestState::Never, (0, 0))
    };
    let hourly = DigestServer {
        points: 4,
        slots: DigestSlots { limit: 5, own: 4, foreign: 0, held: 1 },
        ..digest_server("db-server-01", DigestState::Running, (900, 900))
    };
    let policy = |name: &str, kind, servers| DigestPolicy { name: name.to_owned(), kind, servers };
    DigestFacts {
        since: at("2026-11-20T05:00:00Z"),
        runs: RunCounts { succeeded: 27, failed: 3, unknown: 0, skipped: 0, missed: 1, made: 27, deleted: 26 },
        policies: vec![
            policy(
                "nightly",
                Kind::Backup,
                vec![digest_server("web-server-01", DigestState::Ok, (12_100, 12_400)), old],
            ),
            policy("hourly", Kind::Snapshot, vec![hourly, never]),
            policy("archive", Kind::Backup, vec![]),
        ],
        unprotected: vec![server("scratch-01"), server("scratch-02")],
        holds: vec![
            DigestHold {
                server: Some(server("web-server-01")),
                point: Some((Kind::Backup, PointId::Number(733))),
                reason: "before the move to version 9".to_owned(),
                since: at("2026-10-25T09:00:00Z"),
                until: None,
            },
            DigestHold {
                server: Some(server("db-server-01")),
                point: None,
                reason: String::new(),
                since: at("2026-11-19T09:00:00Z"),
                until: Some(at("2026-11-23T09:00:00Z")),
            },
        ],
        former: vec![FormerPoints {
            policy: "weekly-old".to_owned(),
            server: server("web-server-01"),
            kind: Kind::Backup,
            points: 2,
        }],
        mails_waiting: 1,
    }
}
