//! The rows of remembered restore points, and of those that disappeared from lists.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::journal::effects::{KnownPoint, Vanished};
use crate::policy::inventory::PointId;
use crate::policy::mark::Token;
use crate::policy::memory::Origin;
use crate::store::StoreError;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, json, nanos, read, status_of_word, time};

/// Listed points. The time distinguishes a point from a different one with the same id.
pub(super) type Shown = Vec<(PointId, Timestamp)>;

/// The columns of `known_point`.
const COLUMNS: &str =
    "id, created_at, first_text, origin, policy, status, size_mb, automatic, deleting, seen_at, made_at,
    token, delete_intended_at";

/// Every remembered point of a server and kind.
pub(super) fn known_points(tx: &Transaction<'_>, of: &ServerKind) -> Result<Vec<KnownPoint>, StoreError> {
    let mut query = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM point WHERE server = ?1 AND kind = ?2"))?;
    let mut rows = query.query(params![of.server, of.kind])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        points.push(known_point(row)?);
    }
    Ok(points)
}

/// What is remembered about one point.
pub(super) fn find(tx: &Transaction<'_>, of: &ServerKind, id: &PointId) -> Result<Option<KnownPoint>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM point WHERE server = ?1 AND kind = ?2 AND id = ?3");
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows = query.query(params![of.server, of.kind, json(id)?])?;
    rows.next()?.map(known_point).transpose()
}

fn known_point(row: &Row<'_>) -> Result<KnownPoint, StoreError> {
    let at = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(time));
    Ok(KnownPoint {
        id: read(&row.get::<_, String>(0)?)?,
        created_at: at(1)?,
        first_text: row.get::<_, Option<String>>(2)?.as_deref().map(read).transpose()?,
        origin: read(&row.get::<_, String>(3)?)?,
        policy: row.get(4)?,
        status: row.get::<_, Option<String>>(5)?.map(status_of_word),
        size_mb: row.get::<_, Option<i64>>(6)?.and_then(|size| u64::try_from(size).ok()),
        automatic: row.get(7)?,
        delete_accepted_at: at(8)?,
        seen_at: at(9)?,
        made_at: at(10)?,
        token: row.get::<_, Option<String>>(11)?.as_deref().and_then(Token::parse),
        delete_intended_at: at(12)?,
    })
}

/// Writes all that is remembered about a point.
pub(super) fn remember(tx: &Transaction<'_>, of: &ServerKind, point: &KnownPoint) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO point (server, kind, id, created_at, first_text, origin, policy, status, size_mb,
         automatic, deleting, seen_at, made_at, token, delete_intended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            of.server,
            of.kind,
            json(&point.id)?,
            point.created_at.map(nanos),
            point.first_text.as_ref().map(json).transpose()?,
            json(&point.origin)?,
            point.policy,
            point.status.as_ref().map(ToString::to_string),
            point.size_mb.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            point.automatic,
            point.delete_accepted_at.map(nanos),
            point.seen_at.map(nanos),
            point.made_at.map(nanos),
            point.token.as_ref().map(Token::as_str),
            point.delete_intended_at.map(nanos)
        ],
    )?;
    Ok(())
}

/// Records that a list shows these points again.
pub(super) fn seen_again(
    tx: &Transaction<'_>,
    of: &ServerKind,
    points: &[PointId],
    at: Timestamp,
) -> Result<(), StoreError> {
    let keys: Vec<String> = points.iter().map(json).collect::<Result<_, _>>()?;
    tx.execute(
        "UPDATE point SET seen_at = ?3 WHERE server = ?1 AND kind = ?2 AND id IN (SELECT value FROM json_each(?4))",
        params![of.server, of.kind, nanos(at), json(&keys)?],
    )?;
    Ok(())
}

/// Forgets a point.
pub(super) fn forget(tx: &Transaction<'_>, of: &ServerKind, id: &PointId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM point WHERE server = ?1 AND kind = ?2 AND id = ?3",
        params![of.server, of.kind, json(id)?],
    )?;
    Ok(())
}

/// Records since when we have intended to delete a point; without a time, that we do not.
pub(super) fn record_delete_intent(
    tx: &Transaction<'_>,
    of: &ServerKind,
    (id, since): (&PointId, Option<Timestamp>),
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE point SET delete_intended_at = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
        params![of.server, of.kind, json(id)?, since.map(nanos)],
    )?;
    Ok(())
}

/// Records that the provider has accepted a point's delete.
pub(super) fn delete_accepted(
    tx: &Transaction<'_>,
    of: &ServerKind,
    id: &PointId,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE point SET deleting = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
        params![of.server, of.kind, json(id)?, nanos(at)],
    )?;
    Ok(())
}

/// Records how we came to know a point.
pub(super) fn set_origin(
    tx: &Transaction<'_>,
    of: &ServerKind,
    id: &PointId,
    origin: &Origin,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE point SET origin = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
        params![of.server, of.kind, json(id)?, json(origin)?],
    )?;
    Ok(())
}

/// Keeps how a point looked at first that is missing from a list.
pub(super) fn vanish(tx: &Transaction<'_>, of: &ServerKind, point: &Vanished, at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO vanished (server, kind, id, created_at, first_text, origin, vanished_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            of.server,
            of.kind,
            json(&point.id)?,
            nanos(point.created_at),
            json(&point.first_text)?,
            json(&point.origin)?,
            nanos(at)
        ],
    )?;
    Ok(())
}

/// How these points looked at first, if they were missing from lists at some time.
pub(super) fn vanished_points(
    tx: &Transaction<'_>,
    of: &ServerKind,
    shown: &Shown,
) -> Result<Vec<Vanished>, StoreError> {
    let mut query =
        tx.prepare_cached("SELECT id, created_at, first_text, origin FROM vanished WHERE server = ?1 AND kind = ?2")?;
    let mut rows = query.query(params![of.server, of.kind])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (read(&row.get::<_, String>(0)?)?, time(row.get(1)?));
        if shown.contains(&key) {
            let (id, created_at) = key;
            let first_text = read(&row.get::<_, String>(2)?)?;
            points.push(Vanished { id, created_at, first_text, origin: read(&row.get::<_, String>(3)?)? });
        }
    }
    Ok(points)
}

/// Whether a complete list of the server and kind was read before.
pub(super) fn is_seen_before(tx: &Transaction<'_>, of: &ServerKind) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM inventory WHERE server = ?1 AND kind = ?2";
    Ok(tx.query_row(sql, params![of.server, of.kind], |_| Ok(())).optional()?.is_some())
}

/// Records that a complete list was read.
pub(super) fn inventory_read(tx: &Transaction<'_>, of: &ServerKind, at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO inventory (server, kind, first_at, last_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (server, kind) DO UPDATE SET last_at = ?3",
        params![of.server, of.kind, nanos(at)],
    )?;
    Ok(())
}
