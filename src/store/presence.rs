//! A file lock that shows that a process is alive: the system releases it at once, even after `kill -9`.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::folder::{PRESENCE, look_at};
use crate::store::{Store, StoreError};

/// The name by which the daemon shows that it is alive. `run` owns the state, too, and does not show it.
pub(crate) const DAEMON: &str = "daemon";

/// Shows that this process is alive, until it is dropped.
#[derive(Debug)]
pub struct Presence {
    _file: File,
}

impl Store {
    /// Shows under this name that this process is alive. `None` while another process does so, or is checking.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn show_presence(&self, name: &str) -> Result<Option<Presence>, StoreError> {
        let Some(folder) = &self.folder else { return Err(StoreError::Absent(self.dir())) };
        let file = folder.open(&file_of(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Presence { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(StoreError::Folder { dir: self.dir(), source }),
        }
    }

    /// Whether the process with this name is alive. If that cannot be determined, it counts as alive.
    #[must_use]
    pub fn is_present(&self, name: &str) -> bool {
        is_present(&self.dir(), name)
    }

    /// Removes the file of a process that is gone.
    pub fn forget_presence(&self, name: &str) {
        // A file that stays does no harm: nobody holds its lock.
        let _ = std::fs::remove_file(self.dir().join(file_of(name)));
    }
}

/// Whether the process of this name is alive that works on the state in this folder. If that cannot be found out, it
/// counts as alive.
#[must_use]
pub(crate) fn is_present(dir: &Path, name: &str) -> bool {
    match look_at(&dir.join(file_of(name))) {
        Ok(file) => file.is_some_and(|file| file.try_lock_shared().is_err()),
        Err(_) => true,
    }
}

fn file_of(name: &str) -> String {
    format!("{name}{PRESENCE}")
}
