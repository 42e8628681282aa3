//! Runs, plans, lists and points for the tests of this folder and of the store.

use jiff::Timestamp;

use crate::journal::debt::{Debt, DebtKind, OwedStart};
use crate::journal::event::{Event, RunKey, Terms};
use crate::journal::notice::{Fact, Good, SucceededRun};
use crate::journal::state::RunState;
use crate::policy::inventory::{Inventory, Kind, PointId, PointStatus, ReadProof, RestorePoint, ServerId, ServerRef};
use crate::policy::mark::{Mark, Token};
use crate::policy::name::PolicyName;
use crate::policy::plan::{Action, Plan, Reason};
use crate::policy::slots::Slots;

/// This many seconds after a fixed moment.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

pub(crate) fn nightly() -> PolicyName {
    PolicyName::new("nightly").unwrap()
}

pub(super) fn key() -> RunKey {
    RunKey {
        server: ServerRef { id: ServerId::Number(1), name: "web".to_owned() },
        policy: nightly(),
        kind: Kind::Snapshot,
        due: None,
    }
}

pub(crate) fn terms(stop_server: bool) -> Terms {
    Terms { stop_server, stuck_after_seconds: 7200, retries: 2, retry_after_seconds: 900 }
}

/// A plan that has nothing but a create.
pub(super) fn plan() -> Plan {
    Plan { max_deletes: 3, ..plan_for(key().server) }
}

/// The same for a server.
pub(crate) fn plan_for(server: ServerRef) -> Plan {
    Plan {
        at: at(0),
        server,
        policy: nightly(),
        kind: Kind::Snapshot,
        slots: Slots::default(),
        actions: vec![Action::Create(Reason::New { free: 1 })],
        points: Vec::new(),
        refused: None,
        notes: Vec::new(),
        max_deletes: 2,
        brakes: Vec::new(),
        wait_until: None,
    }
}

/// A run that created this point, and nothing else to report.
pub(crate) fn success(run: i64, good: &Good) -> Fact {
    Fact::Succeeded(SucceededRun {
        run: Some(run),
        due: None,
        made: Some(good.id.clone()),
        size_mb: None,
        last_good: Some(good.clone()),
        next: None,
        deleted: Vec::new(),
        started_early: false,
        given_up: Vec::new(),
    })
}

/// The events of a run that has planned.
pub(super) fn began() -> Vec<Event> {
    vec![Event::Began { attempt: 1, terms: terms(true) }, Event::Planned { plan: Box::new(plan()) }]
}

/// The state after these events, which are a second apart.
pub(super) fn run_after(events: &[Event]) -> RunState {
    let timed = events.iter().zip(0..).map(|(event, second)| (at(second), event));
    RunState::replay(key(), at(0), timed).unwrap()
}

pub(super) fn mark(token: &str) -> Mark {
    let token = Token::parse(token).unwrap();
    Mark { token, instance: "main".to_owned(), policy: "nightly".parse().unwrap(), due: at(0) }
}

/// A completed snapshot of the server with a description and no name.
pub(super) fn list_point(id: i64, created_at: Timestamp, description: &str) -> RestorePoint {
    RestorePoint {
        id: PointId::Number(id),
        kind: Kind::Snapshot,
        server: key().server,
        automatic: false,
        status: PointStatus::Completed,
        size_mb: None,
        created_at,
        expires_at: None,
        name: None,
        description: description.to_owned(),
    }
}

pub(super) fn inventory(points: Vec<RestorePoint>) -> Inventory {
    Inventory {
        server: key().server,
        kind: Kind::Snapshot,
        points,
        read_at: at(60),
        provider_time: None,
        proof: ReadProof::OnePage,
        doubts: Vec::new(),
    }
}

/// A debt that run 1 has opened to its server.
pub(crate) fn debt(start: OwedStart) -> Debt {
    Debt {
        server: key().server,
        since: at(0),
        run: Some(1),
        step: Some(1),
        policy: None,
        kind: None,
        what: DebtKind::Start(start),
    }
}
