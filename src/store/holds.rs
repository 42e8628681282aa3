//! Holds: a person has said that a restore point, or everything on a server, must stay.

use jiff::Timestamp;
use rusqlite::{Rows, params};

use crate::policy::guard::Guard;
use crate::policy::hold::{guard_of, recall_holds};
use crate::policy::inventory::{Kind, PointId, ServerId, ServerRef};
use crate::policy::memory::Memory;
use crate::store::point_rows::record_delete_intent;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, json, nanos, read, read_word, time};
use crate::store::{Store, StoreError};

pub use crate::policy::hold::{Hold, HoldTarget};

/// The columns of a hold, as they are read.
const COLUMNS: &str = "server, kind, point, name, reason, since, until";

impl Store {
    /// Places a hold. It replaces one on the same target.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold(&self, hold: Hold) -> Result<(), StoreError> {
        self.transact(move |tx| {
            remove(tx, &hold.what)?;
            let (server, kind, point, name) = columns(&hold.what)?;
            tx.execute(
                "INSERT INTO hold (server, kind, point, name, reason, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![server, kind, point, name, hold.reason, nanos(hold.since), hold.until.map(nanos)],
            )?;
            Ok(())
        })
        .await
    }

    /// Releases a hold. False if there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, what: HoldTarget) -> Result<bool, StoreError> {
        self.transact(move |tx| remove(tx, &what)).await
    }

    /// The holds in force.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(&self, at: Timestamp) -> Result<Vec<Hold>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM hold ORDER BY id"))?;
            let holds = read_all(query.query([])?)?;
            Ok(holds.into_iter().filter(|hold| hold.is_in_force(at)).collect())
        })
        .await
    }
}

impl Store {
    /// The guard of a person's hold on a point, or on its whole server, at this moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_on(
        &self,
        server: ServerId,
        kind: Kind,
        point: PointId,
        at: Timestamp,
    ) -> Result<Option<Guard>, StoreError> {
        self.transact(move |tx| hold_on(tx, &server, (kind, &point), at)).await
    }

    /// Records that a point is about to be deleted by hand, so that it does not count as missing. If a person holds it
    /// or its server (checked in the same transaction), nothing is written and the guard is returned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn intend_delete_by_hand(
        &self,
        server: ServerId,
        kind: Kind,
        point: PointId,
        at: Timestamp,
    ) -> Result<Option<Guard>, StoreError> {
        self.transact(move |tx| {
            let held = hold_on(tx, &server, (kind, &point), at)?;
            if held.is_none() {
                record_delete_intent(tx, &ServerKind::of(&server, kind)?, (&point, Some(at)))?;
            }
            Ok(held)
        })
        .await
    }

    /// Removes the record that a point was about to be deleted by hand: the provider has refused it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recall_delete_intent(&self, server: ServerId, kind: Kind, point: PointId) -> Result<(), StoreError> {
        self.transact(move |tx| record_delete_intent(tx, &ServerKind::of(&server, kind)?, (&point, None))).await
    }
}

/// The guard of a hold on a point or its server.
pub(super) fn hold_on(
    tx: &Transaction<'_>,
    server: &ServerId,
    (kind, point): (Kind, &PointId),
    at: Timestamp,
) -> Result<Option<Guard>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hold WHERE server = ?1 OR (kind = ?2 AND point = ?3) ORDER BY id");
    let mut query = tx.prepare_cached(&sql)?;
    let holds = read_all(query.query(params![json(server)?, kind.word(), json(point)?])?)?;
    Ok(guard_of(&holds, at))
}

/// From the columns of `COLUMNS`.
fn read_all(mut rows: Rows<'_>) -> Result<Vec<Hold>, StoreError> {
    let mut holds = Vec::new();
    while let Some(row) = rows.next()? {
        let what = match row.get::<_, Option<String>>(0)? {
            Some(server) => HoldTarget::Server(ServerRef { id: read(&server)?, name: row.get(3)? }),
            None => HoldTarget::Point(read_word(&row.get::<_, String>(1)?)?, read(&row.get::<_, String>(2)?)?),
        };
        let until = row.get::<_, Option<i64>>(6)?.map(time);
        holds.push(Hold { what, reason: row.get(4)?, since: time(row.get(5)?), until });
    }
    Ok(holds)
}

type Columns = (Option<String>, Option<&'static str>, Option<String>, String);

fn columns(what: &HoldTarget) -> Result<Columns, StoreError> {
    Ok(match what {
        HoldTarget::Point(kind, id) => (None, Some(kind.word()), Some(json(id)?), id.to_string()),
        HoldTarget::Server(server) => (Some(json(&server.id)?), None, None, server.name.clone()),
    })
}

fn remove(tx: &Transaction<'_>, what: &HoldTarget) -> Result<bool, StoreError> {
    let (server, kind, point, _) = columns(what)?;
    let removed =
        tx.execute("DELETE FROM hold WHERE server IS ?1 AND kind IS ?2 AND point IS ?3", params![server, kind, point])?;
    Ok(removed > 0)
}

/// The holds in force that concern a server and kind.
pub(super) fn into_memory(
    tx: &Transaction<'_>,
    of: &ServerKind,
    at: Timestamp,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hold WHERE server = ?1 OR kind = ?2 ORDER BY id");
    let mut query = tx.prepare_cached(&sql)?;
    recall_holds(read_all(query.query(params![of.server, of.kind])?)?, at, memory);
    Ok(())
}
