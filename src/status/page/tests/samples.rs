//! Facts for the tests of the pages.

use jiff::{SignedDuration, Timestamp};

use crate::journal::notice::Good;
use crate::journal::summary::{RunHistory, RunStatus, RunSummary};
use crate::policy::guard::Guard;
use crate::policy::inventory::{Kind, PointId, PointStatus, Server, ServerId, ServerRef, ServerStatus};
use crate::policy::keep::{Count, KeepRule};
use crate::policy::owner::Owner;
use crate::policy::plan::Reason;
use crate::policy::retention::KeepReason;
use crate::policy::slots::Slots;
use crate::status::page::facts::{
    KindFacts, OverviewFacts, PageFacts, PlanFacts, PointFacts, ServerFacts, ServerPageFacts,
};
use crate::status::page::listing::{Filter, PageListing};
use crate::status::value::{
    DebtStatus, IncidentStatus, Level, OpenRuns, OutboxStatus, PolicyFileStatus, PolicyState, PolicyStatus, Status,
};
use crate::store::daily_outcomes::DailyOutcome;
use crate::store::server_incidents::ServerIncident;

/// A name that attacks HTML, templates and the writing direction.
pub(super) const HOSTILE: &str =
    "<script>alert(1)</script>\r\n\u{1b}[31m\u{202e}live\u{0}{{ 7 * 7 }}\"'&><img src=x onerror=\"x\">/";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-28T20:00:01Z")
}

fn hours_ago(hours: i64) -> Timestamp {
    at("2026-11-28T20:00:00Z") - SignedDuration::from_hours(hours)
}

pub(super) fn server(id: i64, name: &str) -> ServerRef {
    ServerRef { id: ServerId::Number(id), name: name.to_owned() }
}

fn incident(server: Option<ServerRef>, policy: Option<&str>, topic: &str, text: &str, hours: i64) -> IncidentStatus {
    let (policy, topic, text) = (policy.map(|name| name.parse().unwrap()), topic.to_owned(), text.to_owned());
    IncidentStatus { server, policy, topic, text, since: hours_ago(hours) }
}

pub(super) fn policy(server: ServerRef, name: &str, state: PolicyState) -> PolicyStatus {
    let age = match state {
        PolicyState::Stale => Some(76),
        PolicyState::Failing => Some(43),
        PolicyState::Never => None,
        PolicyState::Ok | PolicyState::Running => Some(17),
    };
    let kind = if name == "hourly" { Kind::Snapshot } else { Kind::Backup };
    let id = |hours: i64| PointId::Number(500_000 - hours);
    PolicyStatus {
        server,
        policy: name.parse().unwrap(),
        kind,
        last_good: age.map(|hours| Good { id: id(hours), created_at: hours_ago(hours) }),
        size_mb: age.map(|_| 12_400),
        age_seconds: age.map(|hours| hours * 3600),
        max_age_seconds: 26 * 3600,
        next_due: Some(at("2026-11-29T02:30:00Z")),
        slots: Slots { limit: 10, used: 9, own: 8, foreign: 1, held: 1 },
        state,
    }
}

/// A small account in which much is wrong.
pub(super) fn status() -> Status {
    use PolicyState::{Failing, Never, Ok, Running, Stale};
    let names =
        ["web-server-01", "web-server-2", "web-server-10", "db-primary", "mail.example.com", "new-server", "ماكينة"];
    let states = [(Ok, Ok), (Failing, Ok), (Ok, Running), (Stale, Ok), (Ok, Ok), (Never, Never), (Ok, Ok)];
    let mut policies = Vec::new();
    for (id, (name, (nightly, hourly))) in (1001..).zip(names.into_iter().zip(states)) {
        policies.push(policy(server(id, name), "nightly", nightly));
        policies.push(policy(server(id, name), "hourly", hourly));
    }
    policies.push(policy(server(1005, "mail.example.com"), "monthly-archive", Ok));
    policies.sort_by_key(|policy| policy.server.id.clone());
    Status {
        at: now(),
        level: Level::Critical,
        policies,
        unprotected: vec![server(1009, "scratch-1")],
        incidents: vec![
            incident(
                Some(server(1002, "web-server-2")),
                Some("nightly"),
                "run",
                "run 4711 failed: snapshot limit reached (5 foreign); 5 of 5 slots used; foreign: 12, 13, 14, 15, 16; delete a snapshot that is not needed",
                5,
            ),
            incident(Some(server(1004, "db-primary")), Some("nightly"), "run", "the last good point is 76 h old", 50),
            incident(
                Some(server(1001, "web-server-01")),
                None,
                "brake",
                "completed points of ours are gone, and lastgood did not delete them: 5, 6",
                2,
            ),
            incident(None, None, "reload", "the changed policy file was refused", 1),
        ],
        debts: vec![DebtStatus {
            server: server(1003, "web-server-10"),
            what: "start",
            since: hours_ago(0),
            run: Some(4720),
        }],
        outbox: OutboxStatus { waiting: 3, oldest: Some(hours_ago(2)), refused: 1 },
        runs: OpenRuns { active: 1, waiting: 2 },
        policy_file: PolicyFileStatus { loaded_at: Some(hours_ago(200)), refused: true },
        last_evaluation: Some(now()),
        warnings: vec!["policy nightly: the server \"old-server\" matches nothing".to_owned()],
    }
}

/// So many servers: most are well, the others in every state that there is.
pub(super) fn many(number: i64) -> (Status, Vec<ServerRef>) {
    let mut status = Status {
        incidents: vec![],
        warnings: vec![],
        debts: vec![],
        unprotected: vec![],
        policies: vec![],
        ..status()
    };
    let mut exempt = Vec::new();
    for id in 1..=number {
        let server = server(id, &format!("server-{id}.fleet.example.com"));
        let state = match id % 20 {
            1 => PolicyState::Failing,
            2 => PolicyState::Stale,
            3 => PolicyState::Never,
            4 => PolicyState::Running,
            5 => {
                status.unprotected.push(server);
                continue;
            }
            6 => {
                exempt.push(server);
                continue;
            }
            _ => PolicyState::Ok,
        };
        if id % 20 == 7 || id % 20 == 1 {
            status.incidents.push(incident(
                Some(server.clone()),
                Some("nightly"),
                "missed",
                &"a long text ".repeat(40),
                id % 7,
            ));
        }
        status.policies.push(policy(server.clone(), "nightly", state));
        status.policies.push(policy(server, "hourly", PolicyState::Ok));
    }
    (status, exempt)
}

fn counted(rule: KeepRule, bucket: &str, place: u32, of: u32) -> Reason {
    Reason::Retention(KeepReason::Counted { rule, bucket: bucket.to_owned(), place, of: Count::Number(of) })
}

fn point(number: i64, hours: i64, policy: &str, why: Vec<Reason>) -> PointFacts {
    PointFacts {
        id: PointId::Number(number),
        created_at: hours_ago(hours),
        status: PointStatus::Completed,
        size_mb: Some(12_000 + u64::try_from(number).unwrap() % 700),
        text: "before the upgrade".to_owned(),
        automatic: false,
        owner: policy.parse().map_or(Owner::Person, Owner::Ours),
        held: false,
        goes: false,
        why,
    }
}

fn backups(name: &str) -> KindFacts {
    let foreign = |point: PointFacts| PointFacts {
        owner: Owner::Person,
        text: name.to_owned(),
        why: vec![Reason::Guard(Guard::Foreign)],
        ..point
    };
    let held = Guard::Held("before the migration".to_owned());
    let full = KeepReason::Full { rule: KeepRule::Weekly, of: Count::Number(2) };
    let points = vec![
        PointFacts {
            status: PointStatus::InProgress,
            size_mb: None,
            ..point(4719, 0, "nightly", vec![Reason::Guard(Guard::InProgress("in_progress".to_owned()))])
        },
        point(4711, 17, "nightly", vec![counted(KeepRule::Last, "", 1, 1), Reason::Guard(Guard::NewestOfServer)]),
        point(4702, 41, "nightly", vec![counted(KeepRule::Daily, "2026-11-27", 1, 3)]),
        point(4699, 65, "nightly", vec![counted(KeepRule::Daily, "2026-11-26", 2, 3)]),
        PointFacts { held: true, ..point(4690, 90, "nightly", vec![Reason::Guard(held)]) },
        foreign(point(4600, 100, "", vec![])),
        point(4500, 230, "nightly", vec![counted(KeepRule::Weekly, "2026-W47", 1, 2)]),
        PointFacts { status: PointStatus::Failed, ..point(4400, 300, "nightly", vec![Reason::Failed]) },
        PointFacts { goes: true, ..point(4300, 400, "nightly", vec![Reason::Retention(full)]) },
        PointFacts { automatic: true, why: vec![Reason::Guard(Guard::Automatic)], ..point(4200, 410, "", vec![]) },
    ];
    KindFacts {
        kind: Kind::Backup,
        slots: Slots { limit: 10, used: 9, own: 8, foreign: 1, held: 1 },
        read_at: Some(now() - SignedDuration::from_mins(12)),
        points,
        plans: vec![PlanFacts {
            policy: "nightly".parse().unwrap(),
            deletes: vec![PointId::Number(4300)],
            refused: None,
            notes: vec!["5 more would be deleted, but a run deletes no more than 2 (max_deletes)".to_owned()],
        }],
    }
}

fn snapshots() -> KindFacts {
    let kept =
        |number: i64| point(number, number - 100, "hourly", vec![counted(KeepRule::Hourly, "2026-11-28 19h", 1, 4)]);
    KindFacts {
        kind: Kind::Snapshot,
        slots: Slots { limit: 5, used: 4, own: 4, foreign: 0, held: 0 },
        read_at: Some(now() - SignedDuration::from_mins(2)),
        points: (101..105).map(kept).collect(),
        plans: vec![PlanFacts { policy: "hourly".parse().unwrap(), deletes: vec![], refused: None, notes: vec![] }],
    }
}

fn days() -> Vec<DailyOutcome> {
    let day = |policy: &str, kind, day, outcome| DailyOutcome { policy: policy.parse().unwrap(), kind, day, outcome };
    let mut days: Vec<DailyOutcome> =
        (3..30).map(|number| day("nightly", Kind::Backup, number, RunStatus::Succeeded)).collect();
    days.extend((0..30).map(|number| day("hourly", Kind::Snapshot, number, RunStatus::Succeeded)));
    days.extend([
        day("nightly", Kind::Backup, 12, RunStatus::Failed),
        day("nightly", Kind::Backup, 13, RunStatus::Failed),
    ]);
    days.extend([
        day("nightly", Kind::Backup, 20, RunStatus::Skipped),
        day("hourly", Kind::Snapshot, 29, RunStatus::Failed),
    ]);
    days
}

fn facts(reference: &ServerRef, text: &str) -> ServerFacts {
    let server = Server { reference: reference.clone(), keys: vec![], status: ServerStatus::Active };
    ServerFacts { server, kinds: vec![backups(text), snapshots()], days: days() }
}

pub(super) fn overview(status: Status, filter: Filter) -> PageFacts {
    let exempt = if status.policies.is_empty() { vec![] } else { vec![server(1010, "sandbox")] };
    let listing = PageListing::of(&status, &exempt, filter);
    let servers = listing.servers().into_iter().map(|server| facts(server, "before the upgrade")).collect();
    PageFacts::Overview(Box::new(OverviewFacts { status, listing, servers }))
}

fn run(number: i64, hours: i64, outcome: RunStatus, error: Option<&str>) -> RunHistory {
    let by_hand = number == 4700;
    RunHistory {
        summary: RunSummary {
            run: number,
            server: server(1001, "web-server-01"),
            policy: "nightly".parse().unwrap(),
            kind: Kind::Backup,
            due: (!by_hand).then(|| hours_ago(hours)),
            outcome,
            created: (outcome == RunStatus::Succeeded).then_some(PointId::Number(number)),
            deleted: if outcome == RunStatus::Succeeded { vec![PointId::Number(number - 300)] } else { vec![] },
            error: error.map(str::to_owned),
            attempts: if outcome == RunStatus::Failed { 3 } else { 1 },
        },
        started: hours_ago(hours),
        ended: (outcome != RunStatus::Running).then(|| hours_ago(hours) + SignedDuration::from_mins(7)),
        steps: vec![],
    }
}

/// The page of a server with this name.
pub(super) fn server_page(name: &str) -> PageFacts {
    let mut status = status();
    status.policies.retain(|policy| policy.server.id == ServerId::Number(1001));
    status.debts = vec![DebtStatus { server: server(1001, name), what: "start", since: hours_ago(1), run: None }];
    let past = |policy: Option<&str>, topic: &str, text: &str, hours: i64, closed: bool| ServerIncident {
        policy: policy.map(str::to_owned),
        topic: topic.to_owned(),
        text: text.to_owned(),
        opened_at: hours_ago(hours),
        closed_at: closed.then(|| hours_ago(hours - 3)),
    };
    PageFacts::Server(Box::new(ServerPageFacts {
        status,
        facts: facts(&server(1001, name), name),
        gone_at: None,
        incidents: vec![
            past(None, "brake", "completed points of ours are gone, and lastgood did not delete them: 5, 6", 2, false),
            past(Some("nightly"), "run", name, 400, true),
        ],
        runs: vec![
            run(4719, 0, RunStatus::Running, None),
            run(4711, 17, RunStatus::Succeeded, None),
            run(4700, 41, RunStatus::Skipped, Some("the server was gone")),
            run(4690, 65, RunStatus::Failed, Some(name)),
        ],
    }))
}
