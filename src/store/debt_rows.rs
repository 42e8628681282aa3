//! The rows of debts: what must still happen to a server. How an event changes one is decided in `journal::effects`.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::journal::debt::{Debt, DebtKind, OwedStart, Start, StopEvidence, still_in_charge};
use crate::journal::effects::{DebtChange, DebtEvent, debt_after, debt_ended, debt_opened};
use crate::journal::notice::{Notice, Recovery, Topic};
use crate::policy::inventory::{Kind, ServerId, ServerRef};
use crate::store::StoreError;
use crate::store::notices::{close_incidents, insert_notice};
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{duration, json, milliseconds, nanos, read, read_word, time};

/// The columns of `debt_of`.
const COLUMNS: &str = "server, name, since, run, step, policy, kind, what, round,
    seen_down, start, missing_millis, in_charge, EXISTS (SELECT 1 FROM run WHERE id = in_charge AND ended_at IS NULL)";

/// Every open debt, oldest first.
pub(super) fn all(tx: &Transaction<'_>) -> Result<Vec<Debt>, StoreError> {
    let mut query = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM debt ORDER BY since, server"))?;
    let mut rows = query.query([])?;
    let mut debts = Vec::new();
    while let Some(row) = rows.next()? {
        debts.push(debt_of(row)?);
    }
    Ok(debts)
}

/// The start that is owed to a server.
pub(super) fn owed_start(tx: &Transaction<'_>, server: &ServerId) -> Result<Option<Debt>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM debt WHERE server = ?1 AND what = ?2");
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows = query.query(params![json(server)?, DebtKind::START])?;
    rows.next()?.map(debt_of).transpose()
}

fn debt_of(row: &Row<'_>) -> Result<Debt, StoreError> {
    let start = OwedStart {
        round: row.get(8)?,
        in_charge: still_in_charge(row.get(12)?, row.get(13)?),
        evidence: StopEvidence {
            seen_down: row.get(9)?,
            start: Start::of_word(&row.get::<_, String>(10)?),
            missing_for: duration(row.get(11)?),
        },
    };
    let what: String = row.get(7)?;
    if what != DebtKind::START {
        return Err(StoreError::Value(format!("a debt of an unknown kind, {what}")));
    }
    Ok(Debt {
        server: ServerRef { id: read(&row.get::<_, String>(0)?)?, name: row.get(1)? },
        since: time(row.get(2)?),
        run: row.get(3)?,
        step: row.get(4)?,
        policy: row.get(5)?,
        kind: row.get::<_, Option<String>>(6)?.as_deref().map(read_word).transpose()?,
        what: DebtKind::Start(start),
    })
}

/// Writes how an event of a run changes the debt to its server.
pub(super) fn write(scope: &Scope<'_>, event: &DebtEvent) -> Result<(), StoreError> {
    let Scope { tx, server, at, .. } = *scope;
    let run = scope.run()?;
    match event {
        DebtEvent::StopIntended { step } => return open(scope, *step),
        DebtEvent::Left => return leave(tx, run),
        _ => {}
    }
    let Some(debt) = owed_start(tx, &server.id)? else { return Ok(()) };
    match debt_after(&debt, run, event) {
        None => Ok(()),
        Some(DebtChange::Evidence(evidence)) => write_evidence(tx, &server.id, evidence),
        Some(DebtChange::InCharge) => take_over(tx, &server.id, run),
        Some(DebtChange::Left) => leave(tx, run),
        Some(DebtChange::Ended(by)) => end(tx, &debt.server, by, at),
        Some(DebtChange::Void) => {
            remove(tx, &server.id)?;
            close_incidents(tx, Some(server), None, Topic::ServerStopped, at).map(drop)
        }
    }
}

/// Writes the debt that a stop opens.
fn open(scope: &Scope<'_>, step: u32) -> Result<(), StoreError> {
    let (run, evidence) = (scope.run()?, StopEvidence::default());
    let opened = Debt {
        server: scope.server.clone(),
        since: scope.at,
        run: Some(run),
        step: Some(step),
        policy: Some(scope.policy()?.clone()),
        kind: Some(scope.kind),
        what: DebtKind::Start(OwedStart { round: 1, in_charge: Some(run), evidence }),
    };
    let debt = debt_opened(owed_start(scope.tx, &scope.server.id)?, opened);
    let OwedStart { round, in_charge, evidence: StopEvidence { seen_down, start, missing_for } } = *debt.start();
    scope.tx.execute(
        "INSERT OR REPLACE INTO debt (server, what, name, since, run, step, policy, kind, round, in_charge, seen_down,
         start, missing_millis) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            json(&debt.server.id)?,
            debt.what.word(),
            debt.server.name,
            nanos(debt.since),
            debt.run,
            debt.step,
            debt.policy,
            debt.kind.map(Kind::word),
            round,
            in_charge,
            seen_down,
            start.word(),
            milliseconds(missing_for)
        ],
    )?;
    Ok(())
}

/// Records that a run takes over starting the server.
fn take_over(tx: &Transaction<'_>, server: &ServerId, run: i64) -> Result<(), StoreError> {
    let sql = "UPDATE debt SET in_charge = ?2 WHERE server = ?1 AND what = ?3";
    tx.execute(sql, params![json(server)?, run, DebtKind::START])?;
    Ok(())
}

/// Records that an open run will start the server, unless another open one will.
pub(super) fn take_if_free(tx: &Transaction<'_>, server: &ServerId, run: i64) -> Result<(), StoreError> {
    match owed_start(tx, server)? {
        Some(debt) if debt.start().is_free() => take_over(tx, server, run),
        _ => Ok(()),
    }
}

/// Records that a run will not start its server for now.
pub(super) fn leave(tx: &Transaction<'_>, run: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE debt SET in_charge = NULL WHERE in_charge = ?1", [run])?;
    Ok(())
}

/// Writes what is known about a server that was stopped.
pub(super) fn write_evidence(
    tx: &Transaction<'_>,
    server: &ServerId,
    evidence: StopEvidence,
) -> Result<(), StoreError> {
    let StopEvidence { seen_down, start, missing_for } = evidence;
    tx.execute(
        "UPDATE debt SET seen_down = ?2, start = ?3, missing_millis = ?4 WHERE server = ?1 AND what = ?5",
        params![json(server)?, seen_down, start.word(), milliseconds(missing_for), DebtKind::START],
    )?;
    Ok(())
}

fn remove(tx: &Transaction<'_>, server: &ServerId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM debt WHERE server = ?1 AND what = ?2", params![json(server)?, DebtKind::START])?;
    Ok(())
}

/// Ends a debt and its incident, and reports that to those who were told about the debt.
pub(super) fn end(tx: &Transaction<'_>, server: &ServerRef, by: Recovery, at: Timestamp) -> Result<(), StoreError> {
    remove(tx, &server.id)?;
    let last = last_report(tx, server)?;
    let since = close_incidents(tx, Some(server), None, Topic::ServerStopped, at)?.into_iter().min();
    debt_ended(by, last, since).map_or(Ok(()), |notice| insert_notice(tx, &notice, at))
}

/// The last report about the open incident of a server that was not started.
pub(super) fn last_report(tx: &Transaction<'_>, server: &ServerRef) -> Result<Option<Notice>, StoreError> {
    let body: Option<String> = tx
        .query_row(
            "SELECT notice.body FROM incident JOIN notice ON notice.incident = incident.id
             WHERE incident.server = ?1 AND topic = ?2 AND closed_at IS NULL ORDER BY notice.id DESC LIMIT 1",
            params![json(&server.id)?, Topic::ServerStopped.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

/// The last sentence about that incident.
pub(super) fn incident_text(tx: &Transaction<'_>, server: &ServerRef) -> Result<Option<String>, StoreError> {
    let sql = "SELECT text FROM incident WHERE server = ?1 AND topic = ?2 AND closed_at IS NULL";
    let params = params![json(&server.id)?, Topic::ServerStopped.to_string()];
    Ok(tx.query_row(sql, params, |row| row.get(0)).optional()?)
}
