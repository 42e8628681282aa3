//! Runs as they are read back. One that cannot be read (an event that this version does not know, that cannot follow, or
//! that is damaged) is set aside: kept, ended and reported, so that it stops neither the start nor `history`.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::effects::Count;
use crate::journal::event::Outcome;
use crate::journal::notice::{Fact, FailedRun, Notice, RunProblem};
use crate::journal::summary::{RunHistory, RunSummary, history};
use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::store::counters;
use crate::store::debt_rows::leave;
use crate::store::leases::OWNER;
use crate::store::notices::insert_notice;
use crate::store::points::newest_good;
use crate::store::runs::{Run, load};
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, read_word, time};
use crate::store::{Store, StoreError};

/// A run that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct OpenRun {
    /// The server.
    pub(crate) server: Id,
    /// The policy.
    pub(crate) policy: String,
    /// Whether it works on its server now; else it waits for its place, for the server or for its next attempt.
    pub(crate) works: bool,
}

impl Store {
    /// The runs that have not ended, oldest first; without those that cannot be read (see `set_unreadable_aside`).
    ///
    /// # Errors
    /// What the database says.
    pub async fn unfinished(&self) -> Result<Vec<Run>, StoreError> {
        self.transact(open_runs).await
    }

    /// Which runs have not ended, without their events.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn open_keys(&self) -> Result<Vec<OpenRun>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT server, policy, EXISTS (SELECT 1 FROM lease WHERE lease.server = run.server AND holder = ?1)
                 FROM run WHERE ended_at IS NULL ORDER BY id",
            )?;
            let mut rows = query.query([OWNER])?;
            let mut open: Vec<OpenRun> = Vec::new();
            let mut taken = HashSet::new();
            while let Some(row) = rows.next()? {
                let server: String = row.get(0)?;
                // One run a server at a time: the others there wait for it.
                let works = row.get(2)? && taken.insert(server.clone());
                open.push(OpenRun { server: read(&server)?, policy: row.get(1)?, works });
            }
            Ok(open)
        })
        .await
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

    /// These runs with their steps. Ask for a few hundred at a time: nobody else can use the state meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub async fn histories(&self, ids: Vec<i64>) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| ids.iter().map(|id| history_of(tx, *id)).collect()).await
    }

    /// Sets aside every open run that cannot be read, and reports it, in one transaction. Returns the notices. What is owed
    /// to a server does not depend on its run.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_unreadable_aside(&self, at: Timestamp) -> Result<Vec<Notice>, StoreError> {
        self.transact(move |tx| {
            let mut told = Vec::new();
            for id in open_ids(tx)? {
                let Some(why) = unreadable(load(tx, id))? else { continue };
                let notice = set_aside(tx, id, &why, at)?;
                insert_notice(tx, &notice, at)?;
                told.push(notice);
            }
            Ok(told)
        })
        .await
    }
}

/// The open runs that can be read, oldest first.
pub(super) fn open_runs(tx: &Transaction<'_>) -> Result<Vec<Run>, StoreError> {
    let mut runs = Vec::new();
    for id in open_ids(tx)? {
        match load(tx, id) {
            Ok(run) => runs.push(run),
            Err(error) if is_unreadable(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(runs)
}

/// A run with its steps; one that cannot be read shows what its row says.
pub(super) fn history_of(tx: &Transaction<'_>, id: i64) -> Result<RunHistory, StoreError> {
    match load(tx, id) {
        Ok(run) => Ok(history(id, &run.state)),
        Err(error) if is_unreadable(&error) => {
            let row = row(tx, id)?;
            let ended = row.ended.is_some();
            let summary = RunSummary {
                run: id,
                server: row.server,
                policy: row.policy,
                kind: row.kind,
                due: row.due,
                outcome: if ended { "unknown" } else { "running" }.to_owned(),
                created: None,
                deleted: Vec::new(),
                error: Some(in_words(&error, ended)),
                attempts: 0,
            };
            Ok(RunHistory { summary, started: row.started, ended: row.ended, steps: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

fn in_words(error: &StoreError, set_aside: bool) -> String {
    let done = if set_aside { " and was set aside" } else { "" };
    format!("the journal of this run cannot be read{done}: {error}")
}

/// Why it cannot be read, if that is so.
fn unreadable(loaded: Result<Run, StoreError>) -> Result<Option<StoreError>, StoreError> {
    match loaded {
        Ok(_) => Ok(None),
        Err(error) if is_unreadable(&error) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Whether it is what was stored that is wrong, not the database.
fn is_unreadable(error: &StoreError) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    match error {
        StoreError::Value(_) | StoreError::Illegal(_) => true,
        StoreError::Database(error) => matches!(
            error,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
        ),
        _ => false,
    }
}

fn open_ids(tx: &Transaction<'_>) -> Result<Vec<i64>, StoreError> {
    let mut query = tx.prepare_cached("SELECT id FROM run WHERE ended_at IS NULL ORDER BY id")?;
    Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn set_aside(tx: &Transaction<'_>, id: i64, why: &StoreError, at: Timestamp) -> Result<Notice, StoreError> {
    let row = row(tx, id)?;
    tx.execute("UPDATE run SET ended_at = ?2, outcome = 'unreadable' WHERE id = ?1", params![id, nanos(at)])?;
    // A point of it that turns up later is ours by its token.
    tx.execute("UPDATE token SET state = 'undecided' WHERE run = ?1 AND state = 'open'", [id])?;
    leave(tx, id)?;
    counters::add(tx, [Count::run(&row.policy, Outcome::Unknown)])?;
    let fact = Fact::Failed(FailedRun {
        run: Some(id),
        due: row.due,
        tries: None,
        problem: RunProblem::Unreadable { error: why.to_string() },
        last_good: newest_good(tx, &row.server.id, row.kind, std::slice::from_ref(&row.policy))?,
        next: None,
        made: None,
        deleted: Vec::new(),
    });
    Ok(Notice { policy: Some(row.policy), kind: Some(row.kind), ..Notice::of_server(row.server, fact) })
}

/// What the row of a run says.
struct RunRow {
    server: ServerRef,
    policy: String,
    kind: Kind,
    due: Option<Timestamp>,
    started: Timestamp,
    ended: Option<Timestamp>,
}

fn row(tx: &Transaction<'_>, id: i64) -> Result<RunRow, StoreError> {
    let sql = "SELECT server, server_name, policy, kind, due, opened_at, ended_at FROM run WHERE id = ?1";
    let row = tx.query_row(sql, [id], |row| {
        let (server, name): (String, String) = (row.get(0)?, row.get(1)?);
        let kind: String = row.get(3)?;
        Ok(RunRow {
            server: ServerRef { id: read(&server).unwrap_or(Id::Text(server)), name },
            policy: row.get(2)?,
            kind: read_word(&kind).unwrap_or(Kind::Backup),
            due: row.get::<_, Option<i64>>(4)?.map(time),
            started: time(row.get(5)?),
            ended: row.get::<_, Option<i64>>(6)?.map(time),
        })
    })?;
    Ok(row)
}
