//! Facts for tests: one of each sort, and names as hostile as they come.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::report::content::Frame;
use crate::report::digest::{
    DigestFacts, DigestHold, DigestPolicy, DigestServer, DigestSlots, FormerPoints, RunCounts, Standing,
};
use crate::report::facts::{Affected, Good, Next, Recovery, Stale, Success};

/// A name that tries HTML, headers, a terminal and the direction of writing.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script>\r\nBcc: all@example.com\u{1b}[31m\u{202e}live\u{0}{{ 7 * 7 }}\"'&";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn frame() -> Frame {
    Frame { now: at("2026-11-21T04:32:00Z"), timezone: TimeZone::UTC, instance: "main".to_owned() }
}

pub(crate) fn server(name: &str) -> ServerRef {
    let id = 10_000 + name.bytes().fold(0, |sum: i64, byte| (sum * 31 + i64::from(byte)) % 90_000);
    ServerRef { id: Id::Number(id), name: name.to_owned() }
}

pub(crate) fn good(id: i64, created_at: &str) -> Good {
    Good { id: Id::Number(id), created_at: at(created_at) }
}

pub(crate) fn failed(name: &str, cause: &str) -> Affected {
    Affected {
        server: Some(server(name)),
        policy: Some("nightly".to_owned()),
        kind: Some(Kind::Snapshot),
        at: at("2026-11-21T02:31:00Z"),
        cause: cause.to_owned(),
        done: vec![],
        last_good: Some(good(881, "2026-11-20T02:30:04Z")),
        next: Some(Next::Retry { at: at("2026-11-21T04:46:00Z"), retry: 1, of: 2 }),
        command: format!("lastgood history --server {}", crate::report::notice::quoted(name)),
    }
}

pub(crate) fn stale(name: &str, last_good: Option<Good>) -> Stale {
    let cause = "timed out after 30s while the list was read".to_owned();
    let next = Some(Next::Due(at("2026-11-22T02:30:00Z")));
    Stale { affected: Affected { last_good, next, ..failed(name, &cause) }, max_age: Duration::from_secs(26 * 3600) }
}

pub(crate) fn recovery(name: &str, since: &str) -> Recovery {
    Recovery {
        server: Some(server(name)),
        policy: Some("nightly".to_owned()),
        kind: Some(Kind::Backup),
        since: at(since),
        at: at("2026-11-21T04:30:00Z"),
        cause: "503 Service Unavailable: maintenance".to_owned(),
        last_good: Some(good(902, "2026-11-21T04:12:09Z")),
        lost: vec![at("2026-11-19T02:30:00Z"), at("2026-11-20T02:30:00Z")],
        command: format!("lastgood history --server {name}"),
    }
}

pub(crate) fn success(name: &str) -> Success {
    Success {
        server: server(name),
        policy: "nightly".to_owned(),
        kind: Kind::Backup,
        at: at("2026-11-21T02:41:00Z"),
        made: good(902, "2026-11-21T02:30:04Z"),
        size_mb: Some(12_400),
        deleted: vec![Id::Number(811)],
    }
}

fn digest_server(name: &str, standing: Standing, size: (u64, u64)) -> DigestServer {
    DigestServer {
        server: server(name),
        standing,
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
        ..digest_server("mail-server-02", Standing::Failing, (40_100, 38_900))
    };
    let never = DigestServer {
        points: 0,
        last_good: None,
        oldest: None,
        size_mb: None,
        size_before_mb: None,
        slots: DigestSlots { limit: 5, own: 0, foreign: 0, held: 0 },
        ..digest_server("db-server-02", Standing::Never, (0, 0))
    };
    let hourly = DigestServer {
        points: 4,
        slots: DigestSlots { limit: 5, own: 4, foreign: 0, held: 1 },
        ..digest_server("db-server-01", Standing::Running, (900, 900))
    };
    let policy = |name: &str, kind, servers| DigestPolicy { name: name.to_owned(), kind, servers };
    DigestFacts {
        since: at("2026-11-20T05:00:00Z"),
        runs: RunCounts { succeeded: 27, failed: 3, unknown: 0, skipped: 0, missed: 1, made: 27, deleted: 26 },
        policies: vec![
            policy("nightly", Kind::Backup, vec![digest_server("web-server-01", Standing::Ok, (12_100, 12_400)), old]),
            policy("hourly", Kind::Snapshot, vec![hourly, never]),
            policy("archive", Kind::Backup, vec![]),
        ],
        unprotected: vec![server("scratch-01"), server("scratch-02")],
        holds: vec![
            DigestHold {
                server: server("web-server-01"),
                point: Some((Kind::Backup, Id::Number(733))),
                reason: "before the move to version 9".to_owned(),
                since: at("2026-10-25T09:00:00Z"),
                until: None,
            },
            DigestHold {
                server: server("db-server-01"),
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
