//! What can go wrong with the state folder. Each error names the folder and says what to do.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

const DAMAGED: &str =
    "restore it from a copy, or move it and its -wal and -shm away (points keep their marks, holds are lost)";

/// An error of the state folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another lastgood owns the folder.
    #[error("another lastgood is using the state folder {}: stop it first, or give this one its own [state] dir", .0.display())]
    Locked(PathBuf),
    /// The folder or a file in it cannot be created or opened.
    #[error("the state folder {} cannot be used: {source}; {}", .dir.display(), folder_advice(.source))]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder, or a file in it, does not belong to this user alone and cannot be made private.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A newer lastgood has written it.
    #[error("the state in {} was written by a newer lastgood (version {found}, this one knows {known}): upgrade lastgood", .dir.display())]
    Newer {
        /// The folder.
        dir: PathBuf,
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// An older lastgood has written it, and is still running.
    #[error("the state in {} is of an older lastgood (version {found}, this one knows {known}) that is still running: \
        restart it first, so that it is the newer one, too", .dir.display())]
    Older {
        /// The folder.
        dir: PathBuf,
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The database refuses. `Store::transact` turns it into `Unusable`, which names the file.
    #[error("the state database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database cannot be opened, read or written.
    #[error("the state database {} cannot be used: {}; {}", .file.display(), sqlite_message(.cause), advice(.cause))]
    Unusable {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The database contains something that cannot be read.
    #[error("the state database {} holds what cannot be read: {text}; {DAMAGED}", .file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What it is.
        text: String,
    },
    /// A stored value cannot be read. `Store::transact` turns it into `Damaged`, which names the file.
    #[error("the state holds a value that cannot be read: {0}")]
    Value(String),
    /// An event that is not legal after what the journal holds.
    #[error(transparent)]
    Illegal(#[from] crate::journal::state::IllegalEvent),
    /// Two messages of different reports or channels have the same Message-ID, which is a bug: one would never be sent.
    #[error("the outbox holds another message with the Message-ID {0}: this is a bug of lastgood")]
    MessageIdTaken(String),
    /// There is no state yet.
    #[error("there is no state in {} yet: has lastgood run here?", .0.display())]
    Absent(PathBuf),
}

/// Why the folder or a file in it is not used.
#[derive(Debug)]
pub struct Refusal {
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) why: String,
    pub(super) advice: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, path, mode, owner, why, advice } = self;
        write!(f, "{what} {} is refused (mode {mode:o}, owner: user {owner}): {why}; {advice}", path.display())
    }
}

impl StoreError {
    /// The same error with the name of the file.
    pub(super) fn of_file(self, file: &Path) -> Self {
        let file = file.to_owned();
        match self {
            Self::Database(cause) => Self::Unusable { file, cause },
            Self::Value(text) => Self::Damaged { file, text },
            Self::Illegal(event) => Self::Damaged { file, text: event.to_string() },
            other => other,
        }
    }
}

fn folder_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on its disk, then start lastgood again: it continues where its journal ends"
        }
        _ => "make it writable for this user, or name another with [state] dir",
    }
}

/// SQLite's message; for a bare "disk I/O error" with the code that distinguishes reading from writing.
fn sqlite_message(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(inner) if inner.code == ErrorCode::SystemIoFailure => {
            format!("{error} (SQLite's code {})", inner.extended_code)
        }
        _ => error.to_string(),
    }
}

fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "make room on its disk, then start lastgood again: it continues where its journal ends, and has \
             created and deleted nothing since"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "check whether its disk is full or failing, then start lastgood again: it continues where its journal ends, \
             and has created and deleted nothing since"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "make it and its folder writable for this user, or name another folder with [state] dir"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            "another program keeps it locked: stop that program, then start lastgood again"
        }
        _ => DAMAGED,
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Value(error.to_string())
    }
}
