//! Runs and their events. `append` is the only way to advance a run: the event, what it changes besides the run, and
//! its notices are one transaction.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::creating::CREATIONS_THAT_COUNT;
use crate::journal::effects::{LEADS_THAT_COUNT, counts, effects, handled_by};
use crate::journal::event::{Act, Event, Outcome, RunKey};
use crate::journal::notice::Notice;
use crate::journal::state::RunState;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Kind, ServerId, ServerRef};
use crate::policy::looks::Took;
use crate::policy::name::PolicyName;
use crate::store::changes::write_all;
use crate::store::counters;
use crate::store::holds::hold_on;
use crate::store::notices::insert_notice;
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{duration, json, nanos, read, read_word, time};
use crate::store::{Store, StoreError, due_rows};

/// A run of the journal.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The state that results from its events.
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
    /// When the database fails.
    pub async fn open_run(&self, key: RunKey, at: Timestamp) -> Result<Recorded, StoreError> {
        self.transact(move |tx| Ok(open(tx, key, at)?.map_or(Recorded::Before, |run| Recorded::New(Box::new(run)))))
            .await
    }

    /// Writes an event: first to the journal, then to `run`. The notices are in the same transaction.
    ///
    /// # Errors
    /// `Illegal` if the event is not legal here, else when the database fails; the run is then unchanged.
    pub async fn append(
        &self,
        run: &mut Run,
        event: Event,
        at: Timestamp,
        notices: Vec<Notice>,
    ) -> Result<(), StoreError> {
        self.append_unless(run, event, (at, notices), |_| Ok(None)).await.map(drop)
    }

    /// Records that a point is about to be deleted. If a person holds it or its server (checked in the same
    /// transaction), nothing is written and the guard is returned.
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
    /// When the database fails, or the run cannot be read.
    pub async fn run(&self, id: i64) -> Result<Run, StoreError> {
        self.transact(move |tx| load(tx, id)).await
    }

    /// How long the last points of a policy took from their create to completed, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usual_durations(
        &self,
        server: ServerId,
        policy: PolicyName,
        kind: Kind,
    ) -> Result<Vec<Took>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT creation_ms, coalesce(in_progress_ms, 0) FROM run WHERE server = ?1 AND policy = ?2 AND outcome = 'succeeded' AND kind = ?3
                 AND creation_ms IS NOT NULL ORDER BY id DESC LIMIT ?4",
            )?;
            let params = params![json(&server)?, policy.as_str(), kind.word(), CREATIONS_THAT_COUNT];
            let took = query.query_map(params, |row| {
                Ok(Took { at_most: duration(row.get(0)?), at_least: duration(row.get(1)?) })
            })?;
            Ok(took.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// The times from a plan to its accepted create in the latest runs on a server.
pub(super) fn latest_leads(tx: &Transaction<'_>, server: &str) -> Result<Vec<Duration>, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT lead_ms FROM run WHERE server = ?1 AND lead_ms IS NOT NULL ORDER BY opened_at DESC LIMIT ?2",
    )?;
    let leads = query.query_map(params![server, LEADS_THAT_COUNT], |row| row.get(0))?;
    leads.map(|milliseconds| Ok(duration(milliseconds?))).collect()
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
    if let Some(due) = key.due
        && let Some(to) = handled_by(due_rows::find(tx, &server, &policy)?.as_ref(), key.kind, due)
    {
        due_rows::set_handled(tx, &server, &policy, to)?;
    }
    Ok((added > 0).then(|| Run { id, state: RunState::opened(key, at), events: 0 }))
}

/// Ends a run before its first attempt: its due time is skipped.
pub(super) fn skip(tx: &Transaction<'_>, run: Run, error: String, at: Timestamp) -> Result<(), StoreError> {
    let event = Event::Ended { outcome: Outcome::Skipped, error: Some(error) };
    run.state.clone().apply(&event, at)?;
    write_event(tx, &run, &event, (at, &[]))
}

/// Writes the next event of a run and everything else that it changes.
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
    let scope = Scope { tx, server, kind: *kind, policy: Some(policy), run: Some(before.id), at };
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
