//! The rows of brakes, and of what each policy kept when it last inspected the server.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Row, params};

use crate::policy::brake::{Brake, StoredBrake};
use crate::policy::conditions::{RetentionRecord, RetentionRecords};
use crate::policy::inventory::{Kind, ServerId};
use crate::policy::memory::Memory;
use crate::policy::name::PolicyName;
use crate::store::StoreError;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, json, nanos, read, read_word};

/// The brakes that are stored for a server, including accepted ones.
pub(super) fn stored(tx: &Transaction<'_>, server: &str) -> Result<Vec<StoredBrake>, StoreError> {
    let mut query = tx.prepare_cached("SELECT id, kind, body, accepted_at FROM brake WHERE server = ?1 ORDER BY id")?;
    let mut rows = query.query([server])?;
    let mut brakes = Vec::new();
    while let Some(row) = rows.next()? {
        brakes.push(StoredBrake {
            number: row.get(0)?,
            kind: read_word(&row.get::<_, String>(1)?)?,
            brake: read(&row.get::<_, String>(2)?)?,
            accepted: row.get::<_, Option<i64>>(3)?.is_some(),
        });
    }
    Ok(brakes)
}

/// Adds what the detection of brakes needs.
pub(super) fn into_memory(tx: &Transaction<'_>, of: &ServerKind, memory: &mut Memory) -> Result<(), StoreError> {
    memory.brakes = stored(tx, &of.server)?;
    let mut query =
        tx.prepare_cached("SELECT policy, rules, conditions FROM retention WHERE server = ?1 AND kind = ?2")?;
    let mut rows = query.query(params![of.server, of.kind])?;
    while let Some(row) = rows.next()? {
        memory.retention.insert(row.get(0)?, looked(row, 1)?);
    }
    Ok(())
}

/// What each policy kept when it last inspected a server, by server and kind.
pub(super) fn retentions(tx: &Transaction<'_>) -> Result<HashMap<(ServerId, Kind), RetentionRecords>, StoreError> {
    let mut query = tx.prepare_cached("SELECT server, kind, policy, rules, conditions FROM retention")?;
    let mut rows = query.query([])?;
    let mut all: HashMap<(ServerId, Kind), RetentionRecords> = HashMap::new();
    while let Some(row) = rows.next()? {
        let key = (read(&row.get::<_, String>(0)?)?, read_word(&row.get::<_, String>(1)?)?);
        all.entry(key).or_default().insert(row.get(2)?, looked(row, 3)?);
    }
    Ok(all)
}

/// Reads the column of the rules and the next one. What cannot be read counts as changed.
fn looked(row: &Row<'_>, rules: usize) -> Result<RetentionRecord, StoreError> {
    let (rules, conditions): (String, Option<String>) = (row.get(rules)?, row.get(rules + 1)?);
    let conditions = conditions.as_deref().map(read).transpose();
    let rules = read(&rules).ok().filter(|_| conditions.is_ok());
    Ok(RetentionRecord { rules, conditions: conditions.unwrap_or_default() })
}

/// Sets an unaccepted brake, or widens the one with the same cause and policy.
pub(super) fn set(
    tx: &Transaction<'_>,
    (of, kind): (&ServerKind, Kind),
    brake: &Brake,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO brake (server, kind, cause, policy, body, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (server, kind, cause, policy) DO UPDATE SET body = ?5, accepted_at = NULL",
        params![
            of.server,
            kind.word(),
            brake.cause.word(),
            brake.policy.as_deref().unwrap_or_default(),
            json(brake)?,
            nanos(at)
        ],
    )?;
    Ok(())
}

/// Records that a person has accepted a brake, which stays stored.
pub(super) fn accept(tx: &Transaction<'_>, number: i64, at: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE brake SET accepted_at = ?2 WHERE id = ?1", params![number, nanos(at)])?;
    Ok(())
}

/// Removes a brake.
pub(super) fn release(tx: &Transaction<'_>, number: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM brake WHERE id = ?1", [number])?;
    Ok(())
}

/// Writes what a policy keeps now.
pub(super) fn remember_retention(
    tx: &Transaction<'_>,
    (of, kind): (&ServerKind, Kind),
    policy: &PolicyName,
    looked: &RetentionRecord,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO retention (server, kind, policy, rules, conditions) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (server, kind, policy) DO UPDATE SET rules = ?4, conditions = ?5",
        params![
            of.server,
            kind.word(),
            policy.as_str(),
            json(&looked.rules)?,
            looked.conditions.as_ref().map(json).transpose()?
        ],
    )?;
    Ok(())
}

/// Forgets what was kept under a former name.
pub(super) fn forget_retention(
    tx: &Transaction<'_>,
    (of, kind): (&ServerKind, Kind),
    policy: &PolicyName,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM retention WHERE server = ?1 AND kind = ?2 AND policy = ?3",
        params![of.server, kind.word(), policy.as_str()],
    )?;
    Ok(())
}
