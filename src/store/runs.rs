//! Runs and their events. `append` is the only way a run moves on: the event, what follows from it for points, tokens
//! and holds of slots, and (at the end) the notices are one transaction.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::event::{Act, Event, Outcome, RunKey};
use crate::journal::notice::Notice;
use crate::journal::state::RunState;
use crate::journal::summary::RunHistory;
use crate::policy::guard::Guard;
use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::policy::policy::PolicyName;
use crate::store::holds::hold_on;
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
        let (id, seq, key) = (run.id, run.events, run.state.key.clone());
        let made = state.created.as_ref().map(|made| made.id.clone());
        let before = run.state.clone();
        let refused = self.transact(move |tx| {
            if let Some(guard) = refuses(tx)? {
                return Ok(Some(guard));
            }
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
            Ok(None)
        });
        let refused = refused.await?;
        if refused.is_none() {
            run.state = state;
            run.events += 1;
        }
        Ok(refused)
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

/// Writes how long a point took from its create to completed.
pub(super) fn write_creation_time(tx: &Transaction<'_>, run: i64, time: std::time::Duration) -> Result<(), StoreError> {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    tx.execute("UPDATE run SET creation_ms = ?2 WHERE id = ?1", params![run, time])?;
    Ok(())
}

/// Writes how long it took from the plan to the accepted create.
pub(super) fn write_lead(tx: &Transaction<'_>, run: i64, planned: Timestamp, at: Timestamp) -> Result<(), StoreError> {
    // A clock that was set meanwhile says nothing of it.
    let lead = i64::try_from(planned.duration_until(at).as_millis()).unwrap_or_default().max(0);
    tx.execute("UPDATE run SET lead_ms = max(coalesce(lead_ms, 0), ?2) WHERE id = ?1", params![run, lead])?;
    Ok(())
}

/// The longest of these times in the last 20 runs on a server.
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
    let mut query = tx.prepare_cached("SELECT at, body FROM event WHERE run = ?1 ORDER BY seq")?;
    let mut rows = query.query([run])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push((time(row.get(0)?), read(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?));
    }
    Ok(events)
}
