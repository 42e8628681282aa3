//! A file lock that says that a process lives: the system lets go of it at `kill -9` too, at once.

use std::fs::{File, TryLockError};

use crate::store::folder::{PRESENCE, look_at};
use crate::store::{Store, StoreError};

/// The sign that this process lives. It ends with its drop.
#[derive(Debug)]
pub struct Presence {
    _file: File,
}

impl Store {
    /// Shows under this name that this process lives. `None` while another one does, or just looks.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn show_presence(&self, name: &str) -> Result<Option<Presence>, StoreError> {
        let Some(folder) = &self.folder else { return Err(StoreError::Absent(self.dir())) };
        let file = folder.open(&file_of(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Presence { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(StoreError::Folder { dir: self.dir(), source }),
        }
    }

    /// Whether the process of this name lives. What cannot be told counts as living.
    #[must_use]
    pub fn is_present(&self, name: &str) -> bool {
        match look_at(&self.dir().join(file_of(name))) {
            Ok(file) => file.is_some_and(|file| file.try_lock_shared().is_err()),
            Err(_) => true,
        }
    }

    /// Clears away the file of a process that is gone.
    pub fn forget_presence(&self, name: &str) {
        // A file that stays says nothing: nobody holds its lock.
        let _ = std::fs::remove_file(self.dir().join(file_of(name)));
    }
}

fn file_of(name: &str) -> String {
    format!("{name}{PRESENCE}")
}
