//! Runs that cannot be read: an event that this version does not know, that cannot follow, or that is damaged. They are
//! set aside (kept, ended, reported), so that one of them stops neither the start nor `history`.

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::notice::{Fact, FailedRun, Notice, RunProblem};
use crate::journal::summary::{RunHistory, RunSummary, history};
use crate::policy::inventory::{Id, Kind, ServerRef};
use crate::store::debts::leave;
use crate::store::notices::insert_notice;
use crate::store::points::newest_good;
use crate::store::runs::{Run, load};
use crate::store::transaction::Transaction;
use crate::store::value::{nanos, read, time};
use crate::store::{Store, StoreError};

impl Store {
    /// Sets every open run aside that cannot be read, each with what is reported of it in one transaction. Returns the
    /// notices. What a server is owed does not depend on its run.
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
            kind: read(&format!("\"{kind}\"")).unwrap_or(Kind::Backup),
            due: row.get::<_, Option<i64>>(4)?.map(time),
            started: time(row.get(5)?),
            ended: row.get::<_, Option<i64>>(6)?.map(time),
        })
    })?;
    Ok(row)
}
