//! Runs and their events. `append` is the only way to advance a run: the event, what it changes besides the run, and what
//! is reported with it are one transaction.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::effects::{counts, effects};
use crate::journal::event::{Act, Event, Outcome, RunKey};
use crate::journal::notice::Notice;
use crate::journal::state::RunState;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::policy::policy::PolicyName;
use crate::store::changes::write_all;
use crate::store::counters;
use crate::store::holds::hold_on;
use crate::store::notices::insert_notice;
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, read_word, time};
use crate::store::{Store, StoreError};

/// A run of the journal.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The state that its events lead to.
    pub state: RunState,
    /// How many events it has.
    pub events: u32,
}

/// Whether a due time was new to the journal.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// It was new: this is its run.
    New(Box<Run>),
    /// It has a run already.
    Before,
}

impl Store {
    /// Records a due time, or a run by hand, and moves the last handled due time on, in one transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_run(&self, key: RunKey, at: Timestamp) -> Result<Recorded, StoreError> {
        self.transact(move |tx| Ok(open(tx, key, at)?.map_or(Recorded::Before, |run| Recorded::New(Box::new(run)))))
            .await
    }

    /// Writes an event: first to the journal, then to `run`. At a run's end, the notices are in the same transaction.
    ///
    /// # Errors
    /// `Illegal` when the event cannot follow, else what the database says; the run is then as it was.
    pub async fn append(
        &self,
        run: &mut Run,
        event: Event,
        at: Timestamp,
        notices: Vec<Notice>,
    ) -> Result<(), StoreError> {
        self.append_unless(run, event, (at, notices), |_| Ok(None)).await.map(drop)
    }

    /// Writes that a point is about to be deleted, unless a person holds it or its server: that is looked at in the same
    /// transaction. Returns the guard that refuses it; nothing is written then.
    ///
    /// # Errors
    /// As `append`.
    pub async fn intend_delete(&self, run: &mut Run, event: Event, at: Timestamp) -> Result<Option<Guard>, StoreError> {
        let point = match &event {
            Event::Intended { act: Act::Delete { id, .. }, .. } => Some(id.clone()),
            _ => None,
        };
        let (server, kind) = (run.state.key.server.id.clone(), run.state.key.kind);
        let held = move |tx: &Transaction<'_>| match &point {
            Some(point) => hold_on(tx, &server, (kind, point), at),
            None => Ok(None),
        };
        self.append_unless(run, event, (at, Vec::new()), held).await
    }

    async fn append_unless(
        &self,
        run: &mut Run,
        event: Event,
        (at, notices): (Timestamp, Vec<Notice>),
        refuses: impl FnOnce(&Transaction<'_>) -> Result<Option<Guard>, StoreError> + Send + 'static,
    ) -> Result<Option<Guard>, StoreError> {
        let mut state = run.state.clone();
        state.apply(&event, at)?;
        let before = run.clone();
        let refused = self.transact(move |tx| {
            if let Some(guard) = refuses(tx)? {
                return Ok(Some(guard));
            }
            write_event(tx, &before, &event, (at, &notices))?;
            notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))?;
            Ok(None)
        });
        let refused = refused.await?;
        if refused.is_none() {
            run.state = state;
            run.events += 1;
        }
        Ok(refused)
    }

    /// A run, replayed from its journal.
    ///
    /// # Errors
    /// What the database says, or what of the run cannot be read.
    pub async fn run(&self, id: i64) -> Result<Run, StoreError> {
        self.transact(move |tx| load(tx, id)).await
    }

    /// How long the last points of a policy took from their create to completed, newest first, for at most ten of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn usual_durations(
        &self,
        server: Id,
        policy: PolicyName,
        kind: Kind,
    ) -> Result<Vec<std::time::Duration>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT creation_ms FROM run WHERE server = ?1 AND policy = ?2 AND outcome = 'succeeded' AND kind = ?3
                 AND creation_ms IS NOT NULL ORDER BY id DESC LIMIT 10",
            )?;
            let times = query.query_map(params![json(&server)?, policy.as_str(), kind.word()], |row| row.get(0))?;
            let time =
                |milliseconds: i64| std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
            times.map(|milliseconds| Ok(time(milliseconds?))).collect()
        })
        .await
    }
}

/// The longest time from a plan to its accepted create in the last 20 runs on a server.
pub(super) fn longest_lead(tx: &Transaction<'_>, server: &str) -> Result<std::time::Duration, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT max(lead_ms) FROM (SELECT lead_ms FROM run WHERE server = ?1 AND lead_ms IS NOT NULL
         ORDER BY opened_at DESC LIMIT 20)",
    )?;
    let longest: Option<i64> = query.query_row([server], |row| row.get(0))?;
    Ok(std::time::Duration::from_millis(longest.and_then(|longest| u64::try_from(longest).ok()).unwrap_or_default()))
}

/// Records a due time or a run by hand; `None` when the due time has a run already.
pub(super) fn open(tx: &Transaction<'_>, key: RunKey, at: Timestamp) -> Result<Option<Run>, StoreError> {
    let (server, policy) = (json(&key.server.id)?, key.policy.to_string());
    let mut add = tx.prepare_cached(
        "INSERT INTO run (server, server_name, policy, kind, due, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (server, policy, due) DO NOTHING",
    )?;
    let added =
        add.execute(params![server, key.server.name, policy, key.kind.word(), key.due.map(nanos), nanos(at)])?;
    let id = tx.last_insert_rowid();
    if let Some(due) = key.due {
        let mut handle = tx.prepare_cached(
            "UPDATE due_time SET handled = max(handled, ?3)
                 WHERE server = ?1 AND policy = ?2 AND coalesce(kind, ?4) = ?4",
        )?;
        handle.execute(params![server, policy, nanos(due), key.kind.word()])?;
    }
    Ok((added > 0).then(|| Run { id, state: RunState::opened(key, at), events: 0 }))
}

/// Ends a run of which nothing was done: its due time is skipped.
pub(super) fn skip(tx: &Transaction<'_>, run: Run, error: String, at: Timestamp) -> Result<(), StoreError> {
    let event = Event::Ended { outcome: Outcome::Skipped, error: Some(error) };
    run.state.clone().apply(&event, at)?;
    write_event(tx, &run, &event, (at, &[]))
}

/// Writes the next event of a run and what it changes besides.
fn write_event(
    tx: &Transaction<'_>,
    before: &Run,
    event: &Event,
    (at, notices): (Timestamp, &[Notice]),
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO event (run, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
        params![before.id, before.events, nanos(at), json(event)?],
    )?;
    let RunKey { server, policy, kind, .. } = &before.state.key;
    let scope = Scope { tx, server, kind: *kind, policy: policy.as_str(), run: Some(before.id), at };
    write_all(&scope, &effects(&before.state, event, at, notices))?;
    counters::add(tx, counts(&before.state, event))
}

/// The run and its state.
pub(super) fn load(tx: &Transaction<'_>, id: i64) -> Result<Run, StoreError> {
    let row = tx
        .query_row("SELECT server, server_name, policy, kind, due, opened_at FROM run WHERE id = ?1", [id], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, Option<i64>>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })
        .optional()?;
    let (server, name, policy, kind, due, opened_at) = row.ok_or_else(|| StoreError::Value(format!("run {id}")))?;
    let key = RunKey {
        server: ServerRef { id: read(&server)?, name },
        policy: PolicyName::new(&policy).ok_or_else(|| StoreError::Value(format!("policy {policy}")))?,
        kind: read_word(&kind)?,
        due: due.map(time),
    };
    let events = events(tx, id)?;
    let state = RunState::replay(key, time(opened_at), events.iter().map(|(at, event)| (*at, event)))?;
    Ok(Run { id, state, events: u32::try_from(events.len()).expect("a run has few events") })
}

fn events(tx: &Transaction<'_>, run: i64) -> Result<Vec<(Timestamp, Event)>, StoreError> {
    let mut query = tx.prepare_cached("SELECT at, body FROM event WHERE run = ?1 ORDER BY seq")?;
    let mut rows = query.query([run])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push((time(row.get(0)?), read(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?));
    }
    Ok(events)
}
