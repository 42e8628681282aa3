//! What can go wrong with the state folder, in words that name it and say what to do.

use std::path::PathBuf;

/// An error of the state folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another lastgood owns it.
    #[error("another lastgood is using the state folder {}: stop it first, or give this one its own [state] dir", .0.display())]
    Locked(PathBuf),
    /// The folder or a file in it cannot be made or opened.
    #[error("the state folder {} cannot be used: {source}; make it writable for this user, or name another with [state] dir", .dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
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
    /// The database refuses, for want of room or because it is damaged.
    #[error("the state database failed: {0}; nothing was deleted at the provider on its account")]
    Database(#[from] rusqlite::Error),
    /// The database cannot be opened.
    #[error("the state database {} cannot be used: {source}; restore it from a copy, or move it away (points keep their marks, holds are lost)", .file.display())]
    Unusable {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A stored value cannot be read.
    #[error("the state holds a value that cannot be read: {0}; restore the state folder from a copy, or move it away")]
    Value(String),
    /// The journal holds an impossible sequence.
    #[error(transparent)]
    Illegal(#[from] crate::journal::state::IllegalEvent),
    /// There is no state yet.
    #[error("there is no state in {} yet: has lastgood run here?", .0.display())]
    Absent(PathBuf),
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Value(error.to_string())
    }
}
