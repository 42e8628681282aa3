//! The account's servers as last listed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::effects::{Absence, server_listed};
use crate::journal::notice::Notice;
use crate::policy::inventory::{Kind, Server, ServerId};
use crate::store::changes::write_all;
use crate::store::notices::insert_notice;
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// A server as last listed.
#[derive(Clone, Debug)]
pub struct KnownServer {
    /// The server.
    pub server: Server,
    /// When the account's list no longer showed it.
    pub gone_at: Option<Timestamp>,
}

impl Store {
    /// Stores the account's list, in one transaction. A server counts as gone once it was missing from several lists in
    /// a row for `settle`; the notice that `notice_of` returns for it is written then. The incident of a server that is
    /// listed again is closed. Returns the servers that are missing from the list and do not count as gone yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_servers(
        &self,
        servers: Vec<Server>,
        (at, settle): (Timestamp, Duration),
        notice_of: impl Fn(&Server) -> Option<Notice> + Send + 'static,
    ) -> Result<Vec<Server>, StoreError> {
        self.transact(move |tx| {
            let mut stored = not_gone(tx)?;
            let mut save = tx.prepare_cached(
                "INSERT INTO server (id, body, seen_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET body = ?2, seen_at = ?3, gone_at = NULL, missing_since = NULL,
                 missing_lists = 0",
            )?;
            for server in &servers {
                let (id, body) = (json(&server.reference.id)?, json(server)?);
                let before = stored.remove(&id);
                if before.is_none() {
                    // Each change names what it closes.
                    let (server, kind, policy) = (&server.reference, Kind::Backup, None);
                    write_all(&Scope { tx, server, kind, policy, run: None, at }, &server_listed())?;
                }
                // Usually nothing has changed since the last list.
                if before != Some((body.clone(), Absence::default())) {
                    save.execute(params![id, body, nanos(at)])?;
                }
            }
            let mut missing = Vec::new();
            for (id, (body, absence)) in stored {
                let server: Server = read(&body)?;
                let absence = absence.one_more(at);
                let gone_at = absence.is_gone(at, settle).then_some(at);
                write_absence(tx, &id, absence, gone_at)?;
                match gone_at {
                    Some(_) => notice_of(&server).map_or(Ok(()), |notice| insert_notice(tx, &notice, at))?,
                    None => missing.push(server),
                }
            }
            Ok(missing)
        })
        .await
    }

    /// The server whose id reads like this, gone or not.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn server_with_key(&self, key: String) -> Result<Option<KnownServer>, StoreError> {
        self.transact(move |tx| {
            let number = key.parse().ok().filter(|number: &i64| number.to_string() == key).map(ServerId::Number);
            let mut query = tx.prepare_cached("SELECT body, gone_at FROM server WHERE id = ?1")?;
            for id in number.into_iter().chain([ServerId::Text(key)]) {
                let mut rows = query.query([json(&id)?])?;
                if let Some(row) = rows.next()? {
                    let gone_at = row.get::<_, Option<i64>>(1)?.map(time);
                    return Ok(Some(KnownServer { server: read(&row.get::<_, String>(0)?)?, gone_at }));
                }
            }
            Ok(None)
        })
        .await
    }

    /// The servers as last listed, including gone ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn servers(&self) -> Result<Vec<KnownServer>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT body, gone_at FROM server ORDER BY id")?;
            let mut rows = query.query([])?;
            let mut servers = Vec::new();
            while let Some(row) = rows.next()? {
                let gone_at = row.get::<_, Option<i64>>(1)?.map(time);
                servers.push(KnownServer { server: read(&row.get::<_, String>(0)?)?, gone_at });
            }
            Ok(servers)
        })
        .await
    }
}

/// The servers that do not count as gone, by their stored keys: each as it is stored, and how lists have lacked it.
fn not_gone(tx: &Transaction<'_>) -> Result<BTreeMap<String, (String, Absence)>, StoreError> {
    let mut query =
        tx.prepare_cached("SELECT id, body, missing_since, missing_lists FROM server WHERE gone_at IS NULL")?;
    let rows = query.query_map([], |row| {
        let absence = Absence { since: row.get::<_, Option<i64>>(2)?.map(time), lists: row.get(3)? };
        Ok((row.get(0)?, (row.get(1)?, absence)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes how lists have lacked a server, and when it counts as gone.
fn write_absence(
    tx: &Transaction<'_>,
    id: &str,
    absence: Absence,
    gone_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE server SET missing_since = ?2, missing_lists = ?3, gone_at = ?4 WHERE id = ?1",
        params![id, absence.since.map(nanos), absence.lists, gone_at.map(nanos)],
    )?;
    Ok(())
}
