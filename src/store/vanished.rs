//! Points that a list lacked without our doing. What was seen of them first is kept: when a list shows one again, a text
//! that a person has changed meanwhile is still a changed one.

use jiff::Timestamp;
use rusqlite::ToSql;
use rusqlite::params;

use crate::policy::inventory::{Id, RestorePoint};
use crate::policy::memory::{Memory, RememberedPoint};
use crate::store::StoreError;
use crate::store::points::Place;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};

/// Listed points. The time tells a point from another one under the same id.
pub(super) type Shown = Vec<(Id, Timestamp)>;

/// The points as `into_memory` looks them up.
pub(super) fn shown(points: &[RestorePoint]) -> Shown {
    points.iter().map(|point| (point.id.clone(), point.created_at)).collect()
}

/// Takes the rows of `point` away that meet the condition; keeps what was first seen of them.
pub(super) fn forget(
    tx: &Transaction<'_>,
    condition: &str,
    params: &[&dyn ToSql],
    at: Timestamp,
) -> Result<(), StoreError> {
    keep(tx, condition, params, at)?;
    tx.execute(&format!("DELETE FROM point WHERE {condition}"), params)?;
    Ok(())
}

/// Keeps what was first seen of the rows of `point` that meet the condition. What we have deleted does not come back.
pub(super) fn keep(
    tx: &Transaction<'_>,
    condition: &str,
    params: &[&dyn ToSql],
    at: Timestamp,
) -> Result<(), StoreError> {
    let at = nanos(at);
    let mut all = params.to_vec();
    all.push(&at);
    let statement = format!(
        "INSERT OR REPLACE INTO vanished (server, kind, id, created_at, first_text, origin, vanished_at)
         SELECT server, kind, id, created_at, first_text, origin, ?{} FROM point WHERE {condition}
         AND created_at IS NOT NULL AND first_text IS NOT NULL AND automatic = 0 AND deleting IS NULL",
        all.len()
    );
    tx.execute(&statement, all.as_slice())?;
    Ok(())
}

/// Adds what was first seen of these points, where the journal knows no more of them.
pub(super) fn into_memory(
    tx: &Transaction<'_>,
    place: &Place,
    shown: &Shown,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let mut query =
        tx.prepare_cached("SELECT id, created_at, first_text, origin FROM vanished WHERE server = ?1 AND kind = ?2")?;
    let mut rows = query.query(params![json(&place.server)?, place.kind.word()])?;
    while let Some(row) = rows.next()? {
        let (id, created_at): (Id, _) = (read(&row.get::<_, String>(0)?)?, time(row.get(1)?));
        if !shown.contains(&(id.clone(), created_at)) {
            continue;
        }
        let text = Some(read(&row.get::<_, String>(2)?)?);
        let known = memory.points.entry(id).or_insert(RememberedPoint {
            created_at: Some(created_at),
            text: None,
            origin: read(&row.get::<_, String>(3)?)?,
        });
        if known.created_at.is_none_or(|at| at == created_at) && known.text.is_none() {
            known.text = text;
        }
    }
    Ok(())
}
