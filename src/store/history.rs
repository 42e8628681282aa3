//! Reads runs back. A run that cannot be read (an event is unknown to this version, illegal or damaged) is set aside:
//! kept, ended and reported, so that it blocks neither the start nor `history`.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::effects::Increment;
use crate::journal::effects::{self, UnreadableRun, report_of_set_aside};
use crate::journal::event::Outcome;
use crate::journal::notice::Notice;
use crate::journal::summary::{RecordedRun, RunHistory, history, unreadable_history};
use crate::policy::inventory::{Kind, ServerId, ServerRef};
use crate::store::changes::write_all;
use crate::store::counters;
use crate::store::leases::OWNER;
use crate::store::notices::insert_notice;
use crate::store::points::newest_good;
use crate::store::runs::{Run, load};
use crate::store::scope::Scope;
use crate::store::tokens::open_tokens;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, read_word, time};
use crate::store::{Store, StoreError};

/// A run that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct OpenRun {
    /// The server.
    pub(crate) server: ServerId,
    /// The policy.
    pub(crate) policy: String,
    /// Whether it works on its server now; else it waits for its place, for the server or for its next attempt.
    pub(crate) works: bool,
}

impl Store {
    /// The runs that have not ended, oldest first; without those that cannot be read (see `set_unreadable_aside`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished(&self) -> Result<Vec<Run>, StoreError> {
        self.transact(open_runs).await
    }

    /// Which runs have not ended, without their events.
    ///
    /// # Errors
    /// When the database fails.
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
    /// When the database fails.
    pub async fn history(&self, server: Option<ServerId>, limit: u32) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| {
            let server = server.as_ref().map(json).transpose()?;
            // Two statements, so that each uses its own index.
            let of = if server.is_some() { "server = ?1" } else { "?1 IS NULL" };
            let mut query =
                tx.prepare_cached(&format!("SELECT id FROM run WHERE {of} ORDER BY opened_at DESC, id DESC LIMIT ?2"))?;
            let ids: Vec<i64> = query.query_map(params![server, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
            ids.into_iter().map(|id| history_of(tx, id)).collect()
        })
        .await
    }

    /// The numbers of the runs that ended at this time or later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ended_since(&self, since: Timestamp) -> Result<Vec<i64>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached("SELECT id FROM run WHERE ended_at >= ?1 ORDER BY id")?;
            Ok(query.query_map([nanos(since)], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// These runs with their steps. Ask for a few hundred at a time, because nobody else can use the state meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn histories(&self, ids: Vec<i64>) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| ids.iter().map(|id| history_of(tx, *id)).collect()).await
    }

    /// Sets aside every open run that cannot be read, and reports it, in one transaction. Returns the notices. Debts to
    /// servers are not affected.
    ///
    /// # Errors
    /// When the database fails.
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

/// A run with its steps; for a run that cannot be read, what its row says.
pub(super) fn history_of(tx: &Transaction<'_>, id: i64) -> Result<RunHistory, StoreError> {
    match load(tx, id) {
        Ok(run) => Ok(history(id, &run.state)),
        Err(error) if is_unreadable(&error) => Ok(unreadable_history(id, row(tx, id)?, &error.to_string())),
        Err(error) => Err(error),
    }
}

/// Why it cannot be read, if so.
fn unreadable(loaded: Result<Run, StoreError>) -> Result<Option<StoreError>, StoreError> {
    match loaded {
        Ok(_) => Ok(None),
        Err(error) if is_unreadable(&error) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Whether the stored value is wrong, not the database.
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
    let RecordedRun { server, policy, kind, due, .. } = row(tx, id)?;
    let last_good = newest_good(tx, &server.id, kind, std::slice::from_ref(&policy))?;
    let run = UnreadableRun { run: id, server, policy, kind, due, open_tokens: open_tokens(tx, id)? };
    counters::add(tx, [Increment::run(&run.policy, Outcome::Unknown)])?;
    let scope = Scope { tx, server: &run.server, kind, policy: Some(&run.policy), run: Some(id), at };
    write_all(&scope, &effects::set_aside(&run))?;
    Ok(report_of_set_aside(run, why.to_string(), last_good))
}

/// The row of a run.
fn row(tx: &Transaction<'_>, id: i64) -> Result<RecordedRun, StoreError> {
    let sql = "SELECT server, server_name, policy, kind, due, opened_at, ended_at FROM run WHERE id = ?1";
    let row = tx.query_row(sql, [id], |row| {
        let (server, name): (String, String) = (row.get(0)?, row.get(1)?);
        let kind: String = row.get(3)?;
        Ok(RecordedRun {
            server: ServerRef { id: read(&server).unwrap_or(ServerId::Text(server)), name },
            policy: row.get(2)?,
            kind: read_word(&kind).unwrap_or(Kind::Backup),
            due: row.get::<_, Option<i64>>(4)?.map(time),
            started: time(row.get(5)?),
            ended: row.get::<_, Option<i64>>(6)?.map(time),
        })
    })?;
    Ok(row)
}
