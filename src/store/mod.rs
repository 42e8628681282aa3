//! The state folder: one SQLite database behind one connection, and a file lock against a second owner.
//!
//! Everything is written before it is acted upon (WAL, `synchronous = FULL`). No transaction is held across a network
//! call: each method is one transaction on a blocking thread.

pub mod due;
mod error;
pub mod holds;
pub mod notices;
pub mod outbox;
pub mod points;
pub mod runs;
pub mod servers;
#[cfg(test)]
mod tests;
mod value;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OpenFlags};

pub use error::StoreError;

/// The name of the database in the state folder.
pub const DATABASE: &str = "lastgood.db";
const LOCK: &str = "lock";
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql")];

/// The state. Cheap to clone; clones share the connection and the lock.
#[derive(Clone, Debug)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    dir: Arc<Path>,
    /// Whether time is simulated: see `own_simulated`.
    simulated: bool,
    /// Held until the last clone is dropped; the system lets go of it at `kill -9` too.
    _lock: Option<Arc<File>>,
}

impl Store {
    /// Opens the state as its owner, for `daemon` and `run`. Makes the folder (for this user alone) where it is missing.
    ///
    /// # Errors
    /// `Locked` when another owner is at work, else why the folder or the database cannot be used.
    pub fn own(dir: &Path) -> Result<Self, StoreError> {
        let folder = |source| StoreError::Folder { dir: dir.to_owned(), source };
        make_private(dir).map_err(folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(folder(source)),
        }
        Self::open(dir, Some(lock))
    }

    /// Opens the state as its owner in simulated time: transactions run on the caller's thread, so that their order
    /// depends on no other thread and a simulation can be replayed, and nothing waits for the disk. Others get their
    /// turn before and after each, as they do while a blocking thread is at work.
    ///
    /// # Errors
    /// As `own`.
    pub fn own_simulated(dir: &Path) -> Result<Self, StoreError> {
        let store = Self { simulated: true, ..Self::own(dir)? };
        store.connection.lock().expect("nobody else has it yet").pragma_update(None, "synchronous", "OFF")?;
        Ok(store)
    }

    /// Opens the state beside a running owner, for `status`, `history`, `hold` and the like.
    ///
    /// # Errors
    /// `Absent` when there is none yet, else why it cannot be used.
    pub fn beside(dir: &Path) -> Result<Self, StoreError> {
        match dir.join(DATABASE).metadata() {
            Ok(_) => {}
            Err(source) if source.kind() == ErrorKind::NotFound => return Err(StoreError::Absent(dir.to_owned())),
            Err(source) => return Err(StoreError::Folder { dir: dir.to_owned(), source }),
        }
        Self::open(dir, None)
    }

    /// Opens the state beside a running owner, and makes it where it is missing.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn beside_or_new(dir: &Path) -> Result<Self, StoreError> {
        make_private(dir).map_err(|source| StoreError::Folder { dir: dir.to_owned(), source })?;
        Self::open(dir, None)
    }

    /// The state folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.dir.to_path_buf()
    }

    fn open(dir: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = || {
            let connection = Connection::open_with_flags(dir.join(DATABASE), flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_query_value(None, "schema_version", |_| Ok(()))?;
            Ok(connection)
        };
        let unusable = |source| StoreError::Unusable { file: dir.join(DATABASE), source };
        let mut connection: Connection = opened().map_err(unusable)?;
        migrate(&mut connection, dir).map_err(|error| match error {
            StoreError::Database(source) => unusable(source),
            error => error,
        })?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), dir: dir.into(), simulated: false, _lock: lock.map(Arc::new) })
    }

    /// Runs one transaction on a blocking thread. It is committed when `work` returns `Ok`, else it leaves no trace.
    ///
    /// # Errors
    /// What `work` or the database says.
    pub async fn transact<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let transaction = move || {
            let mut connection = connection.lock().expect("a transaction that panicked was rolled back");
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        self.blocking(transaction).await.map_err(|error| StoreError::Value(format!("a transaction was cut off: {error}")))?
    }

    /// Runs work that may block on a thread of its own; in simulated time on the caller's, with a turn for others before
    /// and after it.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        if !self.simulated {
            return tokio::task::spawn_blocking(work).await;
        }
        tokio::task::yield_now().await;
        let done = work();
        tokio::task::yield_now().await;
        Ok(done)
    }
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn migrate(connection: &mut Connection, dir: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).expect("few migrations");
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { dir: dir.to_owned(), found, known });
    }
    let done = usize::try_from(found).map_err(|_| StoreError::Value(format!("user_version {found}")))?;
    for migration in &MIGRATIONS[done..] {
        transaction.execute_batch(migration)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()?;
    Ok(())
}
