//! The account's servers as last listed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::notice::{Notice, Topic};
use crate::policy::inventory::{Id, Server};
use crate::store::notices::insert_notice;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// How many lists in a row lack a server before it counts as gone.
const LISTS_TO_BE_GONE: i64 = 3;

/// A server as last listed.
#[derive(Clone, Debug)]
pub struct Known {
    /// The server.
    pub server: Server,
    /// When the account's list no longer showed it.
    pub gone_at: Option<Timestamp>,
}

impl Store {
    /// Stores the account's list, in one transaction. A server counts as gone once several lists in a row have lacked it
    /// for `settle`; what `tell` returns for it is reported then. The incident of a server that is listed again is closed.
    /// Returns the servers that the list lacks and that do not count as gone yet.
    ///
    /// # Errors
    /// What the database says.
    pub async fn save_servers(
        &self,
        servers: Vec<Server>,
        (at, settle): (Timestamp, Duration),
        tell: impl Fn(&Server) -> Option<Notice> + Send + 'static,
    ) -> Result<Vec<Server>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached("SELECT id, body, missing_lists FROM server WHERE gone_at IS NULL")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
            let mut stored: BTreeMap<String, (String, i64)> = rows.collect::<Result<_, _>>()?;
            let mut save = tx.prepare_cached(
                "INSERT INTO server (id, body, seen_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET body = ?2, seen_at = ?3, gone_at = NULL, missing_since = NULL,
                 missing_lists = 0",
            )?;
            for server in &servers {
                let (id, body) = (json(&server.reference.id)?, json(server)?);
                // Usually nothing has changed since the last list.
                if stored.remove(&id).is_none_or(|(before, missing)| before != body || missing > 0) {
                    save.execute(params![id, body, nanos(at)])?;
                }
            }
            let mut missing = Vec::new();
            for (id, (body, _)) in stored {
                let server: Server = read(&body)?;
                if is_missing_for_good(tx, &id, at, settle)? {
                    tx.execute("UPDATE server SET gone_at = ?2 WHERE id = ?1", params![id, nanos(at)])?;
                    tell(&server).map_or(Ok(()), |notice| insert_notice(tx, &notice, at))?;
                } else {
                    missing.push(server);
                }
            }
            tx.execute(
                "UPDATE incident SET closed_at = ?1 WHERE topic = ?2 AND closed_at IS NULL
                 AND server IN (SELECT id FROM server WHERE gone_at IS NULL)",
                params![nanos(at), Topic::ServerGone.to_string()],
            )?;
            Ok(missing)
        })
        .await
    }

    /// The server whose key reads like this, gone or not.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn server_with_key(&self, key: String) -> Result<Option<Known>, StoreError> {
        self.transact(move |tx| {
            let number = key.parse().ok().filter(|number: &i64| number.to_string() == key).map(Id::Number);
            let mut query = tx.prepare_cached("SELECT body, gone_at FROM server WHERE id = ?1")?;
            for id in number.into_iter().chain([Id::Text(key)]) {
                let mut rows = query.query([json(&id)?])?;
                if let Some(row) = rows.next()? {
                    let gone_at = row.get::<_, Option<i64>>(1)?.map(time);
                    return Ok(Some(Known { server: read(&row.get::<_, String>(0)?)?, gone_at }));
                }
            }
            Ok(None)
        })
        .await
    }

    /// The servers as last listed, gone ones too.
    ///
    /// # Errors
    /// What the database says.
    pub async fn servers(&self) -> Result<Vec<Known>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT body, gone_at FROM server ORDER BY id")?;
            let mut rows = query.query([])?;
            let mut servers = Vec::new();
            while let Some(row) = rows.next()? {
                let gone_at = row.get::<_, Option<i64>>(1)?.map(time);
                servers.push(Known { server: read(&row.get::<_, String>(0)?)?, gone_at });
            }
            Ok(servers)
        })
        .await
    }
}

/// Counts a list that lacks the server. Returns whether enough of them have.
fn is_missing_for_good(tx: &Transaction<'_>, id: &str, at: Timestamp, settle: Duration) -> Result<bool, StoreError> {
    // A time in the future comes from a wrong clock.
    tx.execute(
        "UPDATE server SET missing_lists = missing_lists + 1, missing_since = min(coalesce(missing_since, ?2), ?2)
         WHERE id = ?1",
        params![id, nanos(at)],
    )?;
    let (since, lists): (i64, i64) =
        tx.query_row("SELECT missing_since, missing_lists FROM server WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(lists >= LISTS_TO_BE_GONE && Duration::try_from(time(since).duration_until(at)).is_ok_and(|for_| for_ >= settle))
}
