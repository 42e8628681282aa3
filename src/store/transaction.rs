//! A transaction whose statements are prepared once per connection, not once per call: preparing one costs more than
//! running it, and every write of a run takes several.

use std::ops::Deref;

use rusqlite::{Connection, Params, Row, TransactionBehavior};

/// More than the number of statements in the store.
const STATEMENTS: usize = 256;

/// A transaction that takes the write lock at its beginning. Dropped without `commit`, it leaves no trace.
#[derive(Debug)]
pub struct Transaction<'c>(rusqlite::Transaction<'c>);

impl<'c> Transaction<'c> {
    /// Begins one.
    pub(super) fn begin(connection: &'c mut Connection) -> rusqlite::Result<Self> {
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map(Self)
    }

    /// Begins one that only reads: it sees the state of one moment, and neither waits for a writer nor makes one wait.
    pub(super) fn begin_reading(connection: &'c mut Connection) -> rusqlite::Result<Self> {
        connection.transaction_with_behavior(TransactionBehavior::Deferred).map(Self)
    }

    /// Commits it.
    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.commit()
    }

    /// Runs a statement that returns no rows. Returns how many rows it changed.
    ///
    /// # Errors
    /// SQLite's error.
    pub fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// `QueryReturnedNoRows` if there is none, else SQLite's error.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.prepare_cached(sql)?.query_row(params, read)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

/// Makes the connection keep every statement that it has prepared.
pub(super) fn keep_statements(connection: &Connection) {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
}
