//! Runs and their events. `append` is the only way a run moves on: the event, what follows from it for points, tokens
//! and holds of slots, and (at the end) the notices are one transaction.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::event::{Act, Event, Outcome, RunKey, Sight};
use crate::journal::notice::Notice;
use crate::journal::state::RunState;
use crate::journal::summary::RunHistory;
use crate::policy::inventory::{Id, ServerRef};
use crate::policy::policy::PolicyName;
use crate::store::notices::insert_notice;
use crate::store::projection::{Projection, project};
use crate::store::transaction::Transaction;
use crate::store::unreadable::{history_of, open_runs};
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// A run of the journal.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What its events make of it.
    pub state: RunState,
    /// How many events it has.
    pub events: u32,
}

/// Whether a due time was new to the journal.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// It was: this is its run.
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
        let mut state = run.state.clone();
        state.apply(&event, at)?;
        let (id, seq, key) = (run.id, run.events, run.state.key.clone());
        let made = state.made.as_ref().map(|made| made.id.clone());
        let before = run.state.clone();
        self.transact(move |tx| {
            tx.execute(
                "INSERT INTO event (run, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
                params![id, seq, nanos(at), json(&event)?],
            )?;
            project(
                &Projection { tx, run: id, key: &key, before: &before, made: made.as_ref(), at, notices: &notices },
                &event,
            )?;
            for notice in &notices {
                insert_notice(tx, notice, at)?;
            }
            Ok(())
        })
        .await?;
        run.state = state;
        run.events += 1;
        Ok(())
    }

    /// The runs that have not ended, oldest first; without those that cannot be read (see `set_unreadable_aside`).
    ///
    /// # Errors
    /// What the database says.
    pub async fn unfinished(&self) -> Result<Vec<Run>, StoreError> {
        self.transact(open_runs).await
    }

    /// A run as its journal tells it.
    ///
    /// # Errors
    /// What the database says, or what of the run cannot be read.
    pub async fn run(&self, id: i64) -> Result<Run, StoreError> {
        self.transact(move |tx| load(tx, id)).await
    }

    /// Runs with their steps, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history(&self, server: Option<Id>, limit: u32) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| {
            let server = server.as_ref().map(json).transpose()?;
            // Two texts, so that each finds its own index.
            let of = if server.is_some() { "server = ?1" } else { "?1 IS NULL" };
            let mut query =
                tx.prepare_cached(&format!("SELECT id FROM run WHERE {of} ORDER BY opened_at DESC, id DESC LIMIT ?2"))?;
            let ids: Vec<i64> = query.query_map(params![server, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
            ids.into_iter().map(|id| history_of(tx, id)).collect()
        })
        .await
    }

    /// The numbers of the runs that ended at a moment or after it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ended_since(&self, since: Timestamp) -> Result<Vec<i64>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached("SELECT id FROM run WHERE ended_at >= ?1 ORDER BY id")?;
            Ok(query.query_map([nanos(since)], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// These runs with their steps. Ask for some hundred at a time: others wait for the state meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub async fn histories(&self, ids: Vec<i64>) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| ids.iter().map(|id| history_of(tx, *id)).collect()).await
    }

    /// How long the last points of a policy took to be made, newest first, for at most ten of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn usual_durations(
        &self,
        server: Id,
        policy: PolicyName,
    ) -> Result<Vec<std::time::Duration>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT id FROM run WHERE server = ?1 AND policy = ?2 AND outcome = 'succeeded' ORDER BY id DESC LIMIT 10",
            )?;
            let ids: Vec<i64> =
                query.query_map(params![json(&server)?, policy.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut durations = Vec::new();
            for id in ids {
                let mut asked = None;
                // What cannot be read of a run that is over says nothing of the next one.
                for (at, event) in events_like(tx, id, |body| !body.starts_with("{\"planned\"")).unwrap_or_default() {
                    match event {
                        Event::Intended { act: Act::Create { .. }, .. } => asked = Some(at),
                        Event::Seen(Sight::Completed { .. }) => {
                            let taken = asked.map(|asked| asked.duration_until(at).unsigned_abs());
                            durations.extend(taken);
                        }
                        _ => {}
                    }
                }
            }
            Ok(durations)
        })
        .await
    }
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
        let mut handle =
            tx.prepare_cached("UPDATE due_time SET handled = max(handled, ?3) WHERE server = ?1 AND policy = ?2")?;
        handle.execute(params![server, policy, nanos(due)])?;
    }
    Ok((added > 0).then(|| Run { id, state: RunState::opened(key, at), events: 0 }))
}

/// Ends a run of which nothing was done: its due time is passed over.
pub(super) fn skip(tx: &Transaction<'_>, mut run: Run, error: String, at: Timestamp) -> Result<(), StoreError> {
    let event = Event::Ended { outcome: Outcome::Skipped, error: Some(error) };
    let before = run.state.clone();
    run.state.apply(&event, at)?;
    tx.execute(
        "INSERT INTO event (run, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
        params![run.id, run.events, nanos(at), json(&event)?],
    )?;
    project(&Projection { tx, run: run.id, key: &before.key, before: &before, made: None, at, notices: &[] }, &event)
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
        kind: read(&format!("\"{kind}\""))?,
        due: due.map(time),
    };
    let events = events(tx, id)?;
    let state = RunState::replay(key, time(opened_at), events.iter().map(|(at, event)| (*at, event)))?;
    Ok(Run { id, state, events: u32::try_from(events.len()).expect("a run has few events") })
}

fn events(tx: &Transaction<'_>, run: i64) -> Result<Vec<(Timestamp, Event)>, StoreError> {
    events_like(tx, run, |_| true)
}

/// The events whose text passes: a plan is long, and takes longer to read than all the others together.
fn events_like(
    tx: &Transaction<'_>,
    run: i64,
    passes: impl Fn(&str) -> bool,
) -> Result<Vec<(Timestamp, Event)>, StoreError> {
    let mut query = tx.prepare_cached("SELECT at, body FROM event WHERE run = ?1 ORDER BY seq")?;
    let mut rows = query.query([run])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        if passes(body) {
            events.push((time(row.get(0)?), read(body)?));
        }
    }
    Ok(events)
}
