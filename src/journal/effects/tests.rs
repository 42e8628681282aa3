//! What each event, list and word of a person changes: row by row, and without a database.

use std::time::Duration;

use jiff::SignedDuration;

use crate::journal::effects::*;
use crate::journal::event::{Event, RunKey};
use crate::journal::samples::{at, nightly, plan_for, success, terms};
use crate::journal::state::RunState;
use crate::policy::inventory::{Kind, PointId, PointStatus, RestorePoint, ServerId, ServerRef};
use crate::policy::mark::{Mark, Token};
use crate::policy::memory::{Origin, PointText};

mod brakes;
mod counts;
mod events;
mod lists;
mod stored;

fn server() -> ServerRef {
    ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() }
}

fn id(number: i64) -> PointId {
    PointId::Number(number)
}

fn mark(number: i64) -> Mark {
    let token = Token::from_random(number.unsigned_abs() * 1_000_003);
    Mark { token, instance: "main".to_owned(), policy: "nightly".parse().unwrap(), due: at(0) }
}

/// A listed point that carries our mark; it was begun at the second of its number.
fn listed_point(number: i64) -> RestorePoint {
    RestorePoint {
        id: id(number),
        kind: Kind::Snapshot,
        server: server(),
        automatic: false,
        status: PointStatus::Completed,
        size_mb: Some(4000),
        created_at: at(number),
        expires_at: None,
        name: None,
        description: mark(number).description(),
    }
}

/// The same as it is remembered since the list at second 100.
fn known_point(number: i64) -> KnownPoint {
    KnownPoint {
        created_at: Some(at(number)),
        first_text: Some(PointText::of(&listed_point(number))),
        policy: Some("nightly".parse().unwrap()),
        status: Some(PointStatus::Completed),
        size_mb: Some(4000),
        seen_at: Some(at(100)),
        ..KnownPoint::new(id(number), Origin::First)
    }
}

/// A run with its plan, made at second 0, and then with these events, each a second later than the one before.
fn run(events: &[Event]) -> RunState {
    let key = RunKey { server: server(), policy: nightly(), kind: Kind::Snapshot, due: None };
    let terms = terms(true);
    let plan = plan_for(server());
    let mut state = RunState::opened(key, at(0));
    state.apply(&Event::Began { attempt: 1, terms }, at(0)).unwrap();
    state.apply(&Event::Planned { plan: Box::new(plan) }, at(0)).unwrap();
    for (event, second) in events.iter().zip(1..) {
        state.apply(event, at(second)).unwrap();
    }
    state
}
