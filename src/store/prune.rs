//! Removes what is old: runs that ended longer ago than `[state] keep`, with their notices and messages.
//!
//! Never removed: what ownership depends on (the rows of points, the token of every point that is still listed, and for
//! another 400 days what was seen of a point that disappeared from lists), runs that have not ended, runs with a notice
//! that is not reported yet, open incidents, and messages that wait.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::OptionalExtension;

use crate::store::transaction::Transaction;
use crate::store::value::nanos;
use crate::store::{Store, StoreError};

/// Rows that one transaction deletes, so that nobody else waits long for the database.
const BATCH: usize = 500;
/// Transactions per call. The next call deletes what is left.
const MOST_BATCHES: usize = 40;
/// How long until old rows are removed again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// When old rows were last removed.
const FACT: &str = "pruned_at";

/// One table's old rows; `?1` is the time before which they are old, `?2` the most that are deleted.
pub(super) const STATEMENTS: [&str; 6] = [
    // A run's end and its notice have the same time; its other notices lie between its beginning and its end.
    "DELETE FROM run WHERE id IN (
         SELECT id FROM run AS old WHERE ended_at < ?1 AND NOT EXISTS (
             SELECT 1 FROM notice WHERE closed = 0
             AND at BETWEEN min(old.opened_at, old.ended_at) AND max(old.opened_at, old.ended_at))
         ORDER BY ended_at LIMIT ?2)",
    "DELETE FROM token WHERE token IN (
         SELECT token FROM token AS old WHERE sent_at < ?1 AND state != 'open'
         AND NOT EXISTS (SELECT 1 FROM run WHERE id = old.run)
         AND NOT EXISTS (
             SELECT 1 FROM point WHERE server = old.server AND kind = old.kind
             AND (token = old.token OR instr(coalesce(first_text, ''), 'lg-' || old.token) > 0))
         ORDER BY sent_at LIMIT ?2)",
    "DELETE FROM notice WHERE id IN (
         SELECT id FROM notice AS old WHERE closed = 1 AND at < ?1
         AND NOT EXISTS (SELECT 1 FROM incident WHERE id = old.incident AND closed_at IS NULL)
         ORDER BY at LIMIT ?2)",
    "DELETE FROM incident WHERE id IN (
         SELECT id FROM incident AS old WHERE closed_at < ?1
         AND NOT EXISTS (SELECT 1 FROM notice WHERE incident = old.id)
         ORDER BY closed_at LIMIT ?2)",
    "DELETE FROM outbox WHERE id IN (
         SELECT id FROM outbox WHERE coalesce(sent_at, failed_at) < ?1
         ORDER BY coalesce(sent_at, failed_at) LIMIT ?2)",
    // However short `keep` is: ownership depends on it, and there are few.
    "DELETE FROM vanished WHERE (server, kind, id, created_at) IN (
         SELECT server, kind, id, created_at FROM vanished WHERE vanished_at < ?1 - 34560000000000000
         ORDER BY vanished_at LIMIT ?2)",
];

impl Store {
    /// Removes what ended longer ago than `keep`, if that was not done within the last day. Returns how many rows were
    /// removed.
    ///
    /// # Errors
    /// When the database fails; what was removed before stays removed.
    pub async fn prune_daily(&self, keep: Duration, now: Timestamp) -> Result<usize, StoreError> {
        let Ok(before) = now.checked_sub(keep) else { return Ok(0) };
        if !self.transact(move |tx| is_time(tx, now)).await? {
            return Ok(0);
        }
        let mut gone = 0;
        for _ in 0..MOST_BATCHES {
            let batch = self.transact(move |tx| batch(tx, before)).await?;
            gone += batch;
            if batch == 0 {
                self.set_fact(FACT, Some(now.to_string())).await?;
                break;
            }
        }
        Ok(gone)
    }
}

/// Whether a day has passed. A time in the future comes from a wrong clock and does not count.
fn is_time(tx: &Transaction<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let text: Option<String> =
        tx.query_row("SELECT value FROM fact WHERE name = ?1", [FACT], |row| row.get(0)).optional()?;
    let last = text.and_then(|text| text.parse::<Timestamp>().ok());
    Ok(last.is_none_or(|last| last > now || last.duration_until(now) >= AGAIN))
}

fn batch(tx: &Transaction<'_>, before: Timestamp) -> Result<usize, StoreError> {
    let most = i64::try_from(BATCH).expect("a few hundred");
    let mut gone = 0;
    for statement in STATEMENTS {
        gone += tx.prepare_cached(statement)?.execute([nanos(before), most])?;
    }
    Ok(gone)
}
