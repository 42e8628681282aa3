//! The account's servers as last listed, and the leases by which one process at a time works on a server.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::journal::notice::{Notice, Topic};
use crate::policy::inventory::{Id, Server};
use crate::store::notices::{close_incidents, insert_notice};
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// So many lists in a row lack a server that is gone.
const LISTS_TO_BE_GONE: i64 = 3;

/// A server as last listed.
#[derive(Clone, Debug)]
pub struct Known {
    /// The server.
    pub server: Server,
    /// When the account's list no longer showed it.
    pub gone_at: Option<Timestamp>,
}

/// What the leases of the daemon and of `run` are held by.
pub const OWNER: &str = "owner";

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The server.
    pub server: Id,
    /// Who has it.
    pub holder: String,
    /// How long, unless it is prolonged.
    pub until: Timestamp,
}

/// A lease whose holder was cut off, as it is stored among the facts.
#[derive(Serialize, Deserialize)]
struct CutOff {
    holder: String,
    until: Timestamp,
}

impl CutOff {
    fn of(self, server: Id) -> Leased {
        Leased { server, holder: self.holder, until: self.until }
    }
}

fn cut_off_of(server: &Id) -> Result<String, StoreError> {
    Ok(format!("cut_off {}", json(server)?))
}

fn remember_cut_off(tx: &Transaction<'_>, lease: &Leased) -> Result<(), StoreError> {
    let body = json(&CutOff { holder: lease.holder.clone(), until: lease.until })?;
    tx.execute(
        "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        params![cut_off_of(&lease.server)?, body],
    )?;
    Ok(())
}

impl Store {
    /// Stores the account's list. A server that lists lack is taken to be gone once several in a row have lacked it for
    /// `settle`; what `tell` says of it is told then. The incident of one that is listed again is closed. All of it is one
    /// transaction. Returns the servers that it lacks and that are not taken to be gone yet.
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
                // As a rule nothing has changed since the hour before.
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

    /// Takes the lease on a server until `until`, or prolongs it. False when somebody else has it, though its time may be
    /// over: whether its holder is gone the clock cannot tell, since it may have jumped.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lease(&self, server: Id, holder: String, until: Timestamp) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let taken = tx.execute(
                "INSERT INTO lease (server, holder, until) VALUES (?1, ?2, ?3)
                 ON CONFLICT (server) DO UPDATE SET holder = ?2, until = ?3
                 WHERE holder = ?2",
                params![json(&server)?, holder, nanos(until)],
            )?;
            Ok(taken > 0)
        })
        .await
    }

    /// Every lease, those that have run out too.
    ///
    /// # Errors
    /// What the database says.
    pub async fn leases(&self) -> Result<Vec<Leased>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT server, holder, until FROM lease")?;
            let mut rows = query.query([])?;
            let mut leases = Vec::new();
            while let Some(row) = rows.next()? {
                let server = read(&row.get::<_, String>(0)?)?;
                leases.push(Leased { server, holder: row.get(1)?, until: time(row.get(2)?) });
            }
            Ok(leases)
        })
        .await
    }

    /// Takes a lease from a holder that is gone. False when it holds it no more.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_over(&self, from: Leased, holder: String, until: Timestamp) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let taken = tx.execute(
                "UPDATE lease SET holder = ?3, until = ?4 WHERE server = ?1 AND holder = ?2",
                params![json(&from.server)?, from.holder, holder, nanos(until)],
            )?;
            Ok(taken > 0)
        })
        .await
    }

    /// Ends the lease of a holder that is gone, and tells it, in one transaction; with `remember` it stays known as the
    /// server's last errand that was cut off. False (and nothing is told) when somebody else has done so. Nothing goes on
    /// after it, so no incident stays open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_of_the_gone(
        &self,
        lease: Leased,
        notice: Notice,
        remember: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let ended = tx.execute(
                "DELETE FROM lease WHERE server = ?1 AND holder = ?2",
                params![json(&lease.server)?, lease.holder],
            )?;
            if ended > 0 {
                insert_notice(tx, &notice, at)?;
                if remember {
                    remember_cut_off(tx, &lease)?;
                }
                close_incidents(tx, notice.server.as_ref(), Some(""), notice.topic(), at)?;
            }
            Ok(ended > 0)
        })
        .await
    }

    /// The last errand on a server that was cut off, as its lease was, unless it was forgotten since.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cut_off(&self, server: Id) -> Result<Option<Leased>, StoreError> {
        self.transact(move |tx| {
            let query = "SELECT value FROM fact WHERE name = ?1";
            let body: Option<String> = tx.query_row(query, [cut_off_of(&server)?], |row| row.get(0)).optional()?;
            body.map(|body| read::<CutOff>(&body).map(|it| it.of(server))).transpose()
        })
        .await
    }

    /// Forgets the last errand on a server that was cut off.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_cut_off(&self, server: Id) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("DELETE FROM fact WHERE name = ?1", [cut_off_of(&server)?])?;
            Ok(())
        })
        .await
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_lease(&self, server: Id, holder: String) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("DELETE FROM lease WHERE server = ?1 AND holder = ?2", params![json(&server)?, holder])?;
            Ok(())
        })
        .await
    }

    /// Forgets the leases of earlier processes of the owner: it alone runs runs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn drop_leases_of(&self, prefix: &'static str) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("DELETE FROM lease WHERE substr(holder, 1, length(?1)) = ?1", [prefix])?;
            Ok(())
        })
        .await
    }

    /// A fact by name.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fact(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.transact(move |tx| {
            Ok(tx.query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Writes a fact, or takes it away.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_fact(&self, name: &'static str, value: Option<String>) -> Result<(), StoreError> {
        self.transact(move |tx| {
            match value {
                Some(value) => tx.execute(
                    "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                    params![name, value],
                )?,
                None => tx.execute("DELETE FROM fact WHERE name = ?1", [name])?,
            };
            Ok(())
        })
        .await
    }
}

/// Counts a list that lacks the server, and says whether enough of them have.
fn is_missing_for_good(tx: &Transaction<'_>, id: &str, at: Timestamp, settle: Duration) -> Result<bool, StoreError> {
    // A moment to come is that of a clock that was wrong.
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
