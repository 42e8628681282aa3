//! Single facts that are remembered by name: the policy file in force, when old rows were last removed.

use rusqlite::{OptionalExtension, params};

use crate::store::{Store, StoreError};

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
