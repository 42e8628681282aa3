//! The rows that say how far the due times of a policy on a server were handled.

use jiff::Timestamp;
use rusqlite::{Row, params};

use crate::journal::effects::FollowedPolicy;
use crate::policy::inventory::Kind;
use crate::store::StoreError;
use crate::store::transaction::Transaction;
use crate::store::value::{nanos, read_word, time};

/// What is stored about a policy on a server.
pub(super) fn find(tx: &Transaction<'_>, server: &str, policy: &str) -> Result<Option<FollowedPolicy>, StoreError> {
    let sql = "SELECT schedule, handled, first_at, stale, kind FROM due_time WHERE server = ?1 AND policy = ?2";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(params![server, policy])?;
    rows.next()?.map(followed_policy).transpose()
}

/// Reads the columns schedule, handled, first_at, stale and kind.
fn followed_policy(row: &Row<'_>) -> Result<FollowedPolicy, StoreError> {
    Ok(FollowedPolicy {
        schedule: row.get(0)?,
        handled: time(row.get(1)?),
        first_at: time(row.get(2)?),
        stale_reported: row.get(3)?,
        kind: row.get::<_, Option<String>>(4)?.as_deref().map(read_word).transpose()?,
    })
}

/// Writes everything that is known about a policy on a server.
pub(super) fn write(
    tx: &Transaction<'_>,
    server: &str,
    policy: &str,
    followed: &FollowedPolicy,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO due_time (server, policy, schedule, handled, first_at, stale, kind)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            server,
            policy,
            followed.schedule,
            nanos(followed.handled),
            nanos(followed.first_at),
            followed.stale_reported,
            followed.kind.map(Kind::word)
        ],
    )?;
    Ok(())
}

/// Forgets a policy on a server.
pub(super) fn forget(tx: &Transaction<'_>, server: &str, policy: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM due_time WHERE server = ?1 AND policy = ?2", params![server, policy])?;
    Ok(())
}

/// Writes the last due time that was handled.
pub(super) fn set_handled(tx: &Transaction<'_>, server: &str, policy: &str, to: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE due_time SET handled = ?3 WHERE server = ?1 AND policy = ?2",
        params![server, policy, nanos(to)],
    )?;
    Ok(())
}
