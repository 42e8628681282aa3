//! Leases: one process at a time works on a server. A killed command leaves its lease, which says what it was doing.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::journal::effects::errand_reported;
use crate::journal::errand::Errand;
use crate::journal::notice::Notice;
use crate::policy::inventory::Kind;
use crate::policy::inventory::ServerId;
use crate::store::changes::write_all;
use crate::store::notices::insert_notice;
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// The name under which the owner of the state, `daemon` or `run`, shows that it is alive.
pub(crate) const OWNER: &str = "owner";

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// The owner of the state.
    Owner,
    /// A command alongside it.
    Command {
        /// The name under which its process shows that it is alive.
        name: String,
        /// What it does.
        errand: Errand,
    },
}

impl Holder {
    /// The name under which the holder shows that it is alive.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Owner => OWNER,
            Self::Command { name, .. } => name,
        }
    }

    /// What a command does; `None` for the owner.
    #[must_use]
    pub const fn errand(&self) -> Option<&Errand> {
        match self {
            Self::Owner => None,
            Self::Command { errand, .. } => Some(errand),
        }
    }

    /// The columns holder and errand.
    fn columns(&self) -> Result<(&str, Option<String>), StoreError> {
        Ok((self.name(), self.errand().map(json).transpose()?))
    }

    fn of_columns(name: String, errand: Option<&str>) -> Result<Self, StoreError> {
        Ok(match errand {
            Some(errand) => Self::Command { name, errand: read(errand)? },
            None => Self::Owner,
        })
    }
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The server.
    pub server: ServerId,
    /// Who has it.
    pub holder: Holder,
    /// How long, unless it is extended.
    pub until: Timestamp,
}

/// The errand of a command that was killed and that nobody continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOffErrand {
    /// What it was doing.
    pub errand: Errand,
    /// When its lease ended.
    pub until: Timestamp,
}

impl Store {
    /// Takes the lease on a server until `until`, or extends it. False if somebody else has it, even if it has expired:
    /// the clock may have jumped, so it cannot prove that the holder is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease(&self, server: ServerId, holder: Holder, until: Timestamp) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let (name, errand) = holder.columns()?;
            // Extending it leaves the errand alone: the provider may have accepted it meanwhile.
            let taken = tx.execute(
                "INSERT INTO lease (server, holder, errand, until) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (server) DO UPDATE SET until = ?4 WHERE holder = ?2",
                params![json(&server)?, name, errand, nanos(until)],
            )?;
            Ok(taken > 0)
        })
        .await
    }

    /// Every lease, including expired ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leases(&self) -> Result<Vec<Leased>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT server, holder, errand, until FROM lease")?;
            let mut rows = query.query([])?;
            let mut leases = Vec::new();
            while let Some(row) = rows.next()? {
                let errand: Option<String> = row.get(2)?;
                let holder = Holder::of_columns(row.get(1)?, errand.as_deref())?;
                leases.push(Leased { server: read(&row.get::<_, String>(0)?)?, holder, until: time(row.get(3)?) });
            }
            Ok(leases)
        })
        .await
    }

    /// Takes a lease from a holder that is gone, or changes what its holder does. False if `from` no longer has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_over(&self, from: Leased, holder: Holder, until: Timestamp) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let (name, errand) = holder.columns()?;
            let taken = tx.execute(
                "UPDATE lease SET holder = ?3, errand = ?4, until = ?5 WHERE server = ?1 AND holder = ?2",
                params![json(&from.server)?, from.holder.name(), name, errand, nanos(until)],
            )?;
            Ok(taken > 0)
        })
        .await
    }

    /// Ends the lease of a holder that is gone, and reports it, in one transaction; with `remember` its errand stays
    /// known as the server's last one that was cut off. False (and nothing is reported) when somebody else has done so.
    ///
    /// # Errors
    /// When the database fails.
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
                params![json(&lease.server)?, lease.holder.name()],
            )?;
            if ended > 0 {
                insert_notice(tx, &notice, at)?;
                if remember {
                    remember_cut_off(tx, &lease)?;
                }
                if let Some(server) = &notice.server {
                    // Each change names what it closes.
                    let (kind, policy) = (Kind::Backup, None);
                    write_all(&Scope { tx, server, kind, policy, run: None, at }, &errand_reported(&notice))?;
                }
            }
            Ok(ended > 0)
        })
        .await
    }

    /// The last errand on a server that was cut off, unless it was cleared since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cut_off(&self, server: ServerId) -> Result<Option<CutOffErrand>, StoreError> {
        self.transact(move |tx| {
            let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
            let sql = "SELECT errand, until FROM cut_off WHERE server = ?1";
            let found = tx.query_row(sql, [json(&server)?], row).optional()?;
            found.map(|(errand, until)| Ok(CutOffErrand { errand: read(&errand)?, until: time(until) })).transpose()
        })
        .await
    }

    /// Clears the last errand on a server that was cut off.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_cut_off(&self, server: ServerId) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("DELETE FROM cut_off WHERE server = ?1", [json(&server)?])?;
            Ok(())
        })
        .await
    }

    /// Releases a lease.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_lease(&self, server: ServerId, holder: Holder) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let sql = "DELETE FROM lease WHERE server = ?1 AND holder = ?2";
            tx.execute(sql, params![json(&server)?, holder.name()])?;
            Ok(())
        })
        .await
    }

    /// Removes the leases of earlier processes of the owner: only the current one performs runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_leases_of_owner(&self) -> Result<(), StoreError> {
        self.transact(|tx| {
            tx.execute("DELETE FROM lease WHERE holder = ?1", [OWNER])?;
            Ok(())
        })
        .await
    }
}

fn remember_cut_off(tx: &Transaction<'_>, lease: &Leased) -> Result<(), StoreError> {
    let Some(errand) = lease.holder.errand() else { return Ok(()) };
    tx.execute(
        "INSERT OR REPLACE INTO cut_off (server, errand, until) VALUES (?1, ?2, ?3)",
        params![json(&lease.server)?, json(errand)?, nanos(lease.until)],
    )?;
    Ok(())
}
