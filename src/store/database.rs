//! The database of the state folder: one connection, opened by its owner or alongside one, and one transaction at a
//! time.
//!
//! Everything is written before it is acted on (WAL, `synchronous = FULL`). No transaction is held across a network
//! call: each method is one transaction on a blocking thread.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;
use crate::store::commit_queue::CommitQueue;
use crate::store::folder::{self, Access, DATABASE, LOCK, StateFolder};
use crate::store::migrate::{migrate, no_older_owner, same_version};
use crate::store::transaction::{Transaction, keep_statements};

/// A database up to this size is checked for damage when its owner opens it; a larger one when it is read.
const CHECKED_BYTES: i64 = 512 * 1024 * 1024;

/// The state. Cheap to clone; clones share the connection and the lock.
#[derive(Clone, Debug)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    commits: Arc<CommitQueue>,
    dir: Arc<Path>,
    /// `None` if the state is not in a file.
    pub(super) folder: Option<Arc<StateFolder>>,
    /// Whether time is simulated: see `own_simulated`.
    simulated: bool,
    /// Whether it only reads: see `reading`.
    reads: bool,
    /// Held until the last clone is dropped; the system releases it after `kill -9`, too.
    _lock: Option<Arc<File>>,
}

/// The lock of an owner, and how it checks for damage.
type OwnerLock = (File, fn(&Connection) -> Result<(), StoreError>);

impl Store {
    /// Opens the state as its owner, for `daemon` and `run`. Creates the folder (for this user alone) if it is missing.
    ///
    /// # Errors
    /// `Locked` when there is another owner, else why the folder or the database cannot be used.
    pub fn own(dir: &Path) -> Result<Self, StoreError> {
        Self::own_and(dir, look_through)
    }

    /// The same, with `look` as the check for damage before anything is read.
    fn own_and(dir: &Path, look: fn(&Connection) -> Result<(), StoreError>) -> Result<Self, StoreError> {
        folder::make(dir)?;
        let folder = StateFolder::secure(dir, Access::Own)?;
        let lock = folder.open(LOCK)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(StoreError::Folder { dir: dir.to_owned(), source }),
        }
        Self::open(dir, folder, Some((lock, look)), OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens the state as its owner in simulated time: transactions run on the caller's thread, so that their order
    /// depends on no other thread and a simulation can be replayed, nothing waits for the disk or for another process,
    /// and the file is not searched for damage. Other tasks get a turn before and after each transaction, as they would
    /// while a blocking thread is working.
    ///
    /// # Errors
    /// As `own`.
    pub fn own_simulated(dir: &Path) -> Result<Self, StoreError> {
        let store = Self { simulated: true, ..Self::own_and(dir, |_| Ok(()))? };
        {
            let connection = store.connection.lock().expect("nobody else has it yet");
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            connection.pragma_update(None, "cache_size", -65_536)?;
        }
        Ok(store)
    }

    /// Opens the state alongside a running owner, for `status`, `history`, `hold` and so on.
    ///
    /// # Errors
    /// `Absent` if there is none yet, else why it cannot be used.
    pub fn beside(dir: &Path) -> Result<Self, StoreError> {
        if !Self::exists(dir)? {
            return Err(StoreError::Absent(dir.to_owned()));
        }
        Self::open(dir, StateFolder::secure(dir, Access::Beside)?, None, OpenFlags::empty())
    }

    /// Opens the state alongside a running owner, and creates it if it is missing.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn beside_or_new(dir: &Path) -> Result<Self, StoreError> {
        folder::make(dir)?;
        Self::open(dir, StateFolder::secure(dir, Access::Beside)?, None, OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens the state alongside a running owner, for a command that only reads. If there is none, nothing is created:
    /// the state is empty and not in a file.
    ///
    /// # Errors
    /// Why it cannot be used, if it exists.
    pub fn beside_or_empty(dir: &Path) -> Result<Self, StoreError> {
        if Self::exists(dir)? {
            return Self::open(dir, StateFolder::secure(dir, Access::Beside)?, None, OpenFlags::empty());
        }
        let file = dir.join(DATABASE);
        let opened = Connection::open_in_memory().map_err(StoreError::from);
        let connection = opened.and_then(|mut connection| migrate(&mut connection, dir).map(|()| connection));
        let connection = connection.map_err(|error| error.of_file(&file))?;
        let connection = Arc::new(Mutex::new(connection));
        let commits = Arc::default();
        Ok(Self { connection, commits, dir: dir.into(), folder: None, simulated: false, reads: false, _lock: None })
    }

    /// Opens the state beside its owner with a connection that only reads: however long it reads, the owner is never kept
    /// waiting. It migrates nothing. It reads on the caller's thread, which must be one that may block.
    ///
    /// # Errors
    /// `Absent` when there is none, `Older` or `Newer` when another version has written it, else why it cannot be used.
    pub(crate) fn reading(dir: &Path) -> Result<Self, StoreError> {
        if !Self::exists(dir)? {
            return Err(StoreError::Absent(dir.to_owned()));
        }
        let folder = StateFolder::secure(dir, Access::Beside)?;
        let file = dir.join(DATABASE);
        let opened = || {
            refuse_stump(&file)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&file, flags)?;
            folder.secure_database()?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "query_only", true)?;
            keep_statements(&connection);
            same_version(&connection, dir)?;
            Ok(connection)
        };
        let connection: Connection = opened().map_err(|error: StoreError| error.of_file(&file))?;
        let connection = Arc::new(Mutex::new(connection));
        let (commits, folder) = (Arc::default(), Some(Arc::new(folder)));
        Ok(Self { connection, commits, dir: dir.into(), folder, simulated: false, reads: true, _lock: None })
    }

    fn exists(dir: &Path) -> Result<bool, StoreError> {
        match dir.join(DATABASE).symlink_metadata() {
            Ok(_) => Ok(true),
            Err(source) if source.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Folder { dir: dir.to_owned(), source }),
        }
    }

    /// The state folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.dir.to_path_buf()
    }

    fn open(dir: &Path, folder: StateFolder, owner: Option<OwnerLock>, create: OpenFlags) -> Result<Self, StoreError> {
        let file = dir.join(DATABASE);
        let opened = || {
            refuse_stump(&file)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
            let mut connection = Connection::open_with_flags(&file, flags)?;
            // Before anything is written, because the files that SQLite creates next to the database get its mode.
            folder.secure_database()?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // The plan of a statement does not depend on values, so SQLite need not prepare it again for each of them.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            keep_statements(&connection);
            if let Some((_, look)) = &owner {
                look(&connection)?;
            }
            // A running owner of an older version would continue to write rows that do not fit the migrated state.
            let _no_owner = if owner.is_some() { None } else { no_older_owner(&connection, dir, &folder)? };
            migrate(&mut connection, dir)?;
            Ok(connection)
        };
        let connection: Connection = opened().map_err(|error: StoreError| error.of_file(&file))?;
        let connection = Arc::new(Mutex::new(connection));
        let (commits, folder) = (Arc::default(), Some(Arc::new(folder)));
        let lock = owner.map(|(lock, _)| Arc::new(lock));
        Ok(Self { connection, commits, dir: dir.into(), folder, simulated: false, reads: false, _lock: lock })
    }

    /// Runs one transaction on a blocking thread. It is committed if `work` returns `Ok`; otherwise it leaves no trace.
    /// Transactions that wait at the same time are committed together.
    ///
    /// # Errors
    /// The error of `work`, or of the database.
    pub async fn transact<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let file = self.dir.join(DATABASE);
        let done = if self.simulated || self.reads { self.alone(work).await } else { self.queued(work).await };
        done.map_err(|error: StoreError| error.of_file(&file))
    }

    /// A transaction with a commit of its own, on the caller's thread.
    async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (connection, reads) = (Arc::clone(&self.connection), self.reads);
        let transaction = move || {
            // A transaction that panicked was rolled back, and must not stop the others.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction =
                if reads { Transaction::begin_reading(&mut connection) } else { Transaction::begin(&mut connection) }?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        self.blocking(transaction).await.map_err(|error| cut_off(&error))?
    }

    /// A transaction that is committed with those that wait at the same time. It is performed even if nobody waits for it
    /// any more.
    async fn queued<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answered, is_to_serve) = self.commits.add(work);
        if is_to_serve {
            let duty = CommitQueue::duty(&self.commits);
            let connection = Arc::clone(&self.connection);
            tokio::task::spawn_blocking(move || duty.serve(&connection));
        }
        answered.await.map_err(|error| cut_off(&error))?
    }

    /// Runs work that may block on a separate thread; in simulated time, and where the state is only read, on the caller's,
    /// with a turn for other tasks before and after it.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        if !self.simulated && !self.reads {
            return tokio::task::spawn_blocking(work).await;
        }
        tokio::task::yield_now().await;
        let done = work();
        tokio::task::yield_now().await;
        Ok(done)
    }
}

fn cut_off(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Value(format!("a transaction was cut off: {error}"))
}

/// Refuses a file that is too short for a header: SQLite would treat it as a new database. An empty file is fine, since
/// SQLite creates one itself at first.
fn refuse_stump(file: &Path) -> Result<(), StoreError> {
    const HEADER_BYTES: u64 = 512;
    let length = file.metadata().map_or(0, |data| data.len());
    if length == 0 || length >= HEADER_BYTES {
        return Ok(());
    }
    let words = format!("it is cut short: {length} bytes are left");
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB), Some(words)).into())
}

/// Finds damage before any decision is based on what can still be read.
fn look_through(connection: &Connection) -> Result<(), StoreError> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if pages.saturating_mul(page_bytes) > CHECKED_BYTES {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let words = found.replace('\n', " ");
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(words)).into())
}
