//! Single facts that are remembered by name: the policy file in force, when old rows were last removed, when the daemon
//! last looked at what is due.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::store::{Store, StoreError};

/// When the daemon last looked at what is due.
const LAST_EVALUATION: &str = "last_evaluation";

impl Store {
    /// A fact by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fact(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.transact(move |tx| {
            Ok(tx.query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Writes a fact, or removes it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_fact(&self, name: &'static str, value: Option<String>) -> Result<(), StoreError> {
        self.set_facts(vec![(name, value)]).await
    }

    /// Writes several facts in one transaction, or takes them away.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn set_facts(&self, facts: Vec<(&'static str, Option<String>)>) -> Result<(), StoreError> {
        self.transact(move |tx| {
            for (name, value) in facts {
                match value {
                    Some(value) => tx.execute(
                        "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                        params![name, value],
                    )?,
                    None => tx.execute("DELETE FROM fact WHERE name = ?1", [name])?,
                };
            }
            Ok(())
        })
        .await
    }

    /// When the daemon last looked at what is due, as it was last written.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn last_evaluation(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.fact(LAST_EVALUATION).await?.and_then(|text| text.parse().ok()))
    }

    /// Writes that the daemon has looked at what is due.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn evaluated(&self, at: Timestamp) -> Result<(), StoreError> {
        self.set_fact(LAST_EVALUATION, Some(at.to_string())).await
    }
}
