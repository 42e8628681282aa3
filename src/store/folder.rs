//! The state folder and its files belong to one user alone: how they are created, made private, or refused.
//!
//! Once the folder is secured nobody else can look into it or put anything there. Symbolic links in it are never
//! followed, and FIFOs are never waited for.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::store::error::{Refusal, StoreError};

/// The name of the database in the state folder.
pub const DATABASE: &str = "lastgood.db";
/// The name of the file that its owner locks.
pub(super) const LOCK: &str = "lock";
/// The suffix of the files by which processes show that they are alive.
pub(super) const PRESENCE: &str = ".alive";
/// What SQLite keeps next to the database.
const OF_THE_DATABASE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// What the state is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// For `daemon` and `run`.
    Own,
    /// For commands alongside them. Root may do so in the private folder of another user, so that an administrator can
    /// look at the state of a service.
    Beside,
}

/// A secured state folder.
#[derive(Clone, Debug)]
pub(super) struct StateFolder {
    path: PathBuf,
    owner: (u32, u32),
}

/// Creates the folder if it is missing, for this user alone whatever the umask.
pub(super) fn make(dir: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Folder { dir: dir.to_owned(), source };
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(above).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

impl StateFolder {
    /// The folder, made private together with our files in it.
    ///
    /// # Errors
    /// `Refused` if somebody else owns it or one of the files, or if others may use it and it holds something other
    /// than our state.
    pub(super) fn secure(dir: &Path, access: Access) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Folder { dir: dir.to_owned(), source };
        let opened = OpenOptions::new().read(true).custom_flags(flags(OFlags::DIRECTORY)).open(dir).map_err(failed)?;
        let data = opened.metadata().map_err(failed)?;
        let folder = Self { path: dir.to_owned(), owner: (data.uid(), data.gid()) };
        let refuse = |why: String, advice: String| Err(refusal("the state folder", dir, &data, why, advice));
        let (user, private) = (user(), data.mode() & OTHERS == 0);
        let may_look = user == 0 && access == Access::Beside && private;
        if ![0, user].contains(&data.uid()) && !may_look {
            return refuse(
                format!("it is another user's, and lastgood runs as user {user}"),
                format!("run lastgood as user {}, or name a folder of its own with [state] dir", data.uid()),
            );
        }
        if !private {
            if !folder.is_empty().map_err(failed)? && !folder.holds_database() {
                return refuse(
                    "others may use it, and it holds files but no state of lastgood's, so its mode was left alone"
                        .to_owned(),
                    format!("name a folder of lastgood's own with [state] dir, or `chmod 700 {}`", dir.display()),
                );
            }
            if let Err(error) = opened.set_permissions(Permissions::from_mode(data.mode() & 0o700)) {
                return refuse(
                    format!("others may use it, and its mode cannot be changed ({error})"),
                    format!(
                        "`chown {user} {0}` and `chmod 700 {0}`, or name a folder inside it with [state] dir",
                        dir.display()
                    ),
                );
            }
            tracing::warn!("others could use the state folder {}: from now on its owner alone can", dir.display());
            folder.secure_presences()?;
        }
        folder.secure_database()?;
        folder.secure_file(LOCK)?;
        Ok(folder)
    }

    /// Makes the database's files private, since SQLite created them with the umask, and gives them to the folder's
    /// owner. Does not close any of SQLite's files: the process would lose its locks.
    pub(super) fn secure_database(&self) -> Result<(), StoreError> {
        OF_THE_DATABASE.iter().try_for_each(|end| self.secure_file(&format!("{DATABASE}{end}")))
    }

    fn secure_presences(&self) -> Result<(), StoreError> {
        let failed = |source| StoreError::Folder { dir: self.path.clone(), source };
        for entry in self.path.read_dir().map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| name.ends_with(PRESENCE)) {
                self.secure_file(name)?;
            }
        }
        Ok(())
    }

    /// Opens a file of ours, and creates it if it is missing.
    pub(super) fn open(&self, name: &str) -> Result<File, StoreError> {
        let path = self.path.join(name);
        let failed = |source| StoreError::Folder { dir: self.path.clone(), source };
        self.secure_file(name)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags(OFlags::empty()));
        let file = options.open(path).map_err(failed)?;
        let data = file.metadata().map_err(failed)?;
        if user() == data.uid() && data.mode() & 0o777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        }
        if user() == 0 && self.owner.0 != data.uid() {
            fchown(&file, Some(self.owner.0), Some(self.owner.1)).map_err(failed)?;
        }
        Ok(file)
    }

    fn secure_file(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        let failed = |source| StoreError::Folder { dir: self.path.clone(), source };
        let data = match path.symlink_metadata() {
            Ok(data) => data,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let refuse = |why: String, advice: &str| {
            let advice = format!("look whose it is, then {advice}");
            Err(refusal("the state's file", &path, &data, why, advice))
        };
        if !data.is_file() {
            let what = if data.is_symlink() { "a symbolic link" } else { "not a regular file" };
            return refuse(format!("it is {what}"), "move it away");
        }
        let user = user();
        if ![0, user, self.owner.0].contains(&data.uid()) {
            let why = format!("it is another user's, and lastgood runs as user {user}");
            return refuse(why, "move it away, or `chown` it to that user");
        }
        // An empty file was just created, and the umask may have removed our own permissions.
        let is_bare = data.len() == 0 && data.mode() & 0o600 != 0o600;
        if data.mode() & OTHERS != 0 || is_bare {
            // A second name may belong to a file that others need.
            if data.nlink() > 1 {
                return refuse("others may use it, and it has a second name".to_owned(), "`chmod 600` it");
            }
            if let Err(error) = std::fs::set_permissions(&path, Permissions::from_mode(data.mode() & 0o700 | 0o600)) {
                return refuse(
                    format!("others may use it, and its mode cannot be changed ({error})"),
                    "`chmod 600` it",
                );
            }
        }
        if user == 0 && data.uid() == 0 && self.owner.0 != 0 {
            lchown(&path, Some(self.owner.0), Some(self.owner.1)).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether it is empty, apart from what a new file system contains.
    fn is_empty(&self) -> std::io::Result<bool> {
        for entry in self.path.read_dir()? {
            if entry?.file_name() != "lost+found" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds_database(&self) -> bool {
        let path = self.path.join(DATABASE);
        let ours = path.symlink_metadata().is_ok_and(|data| data.is_file() && [0, user()].contains(&data.uid()));
        let mut begins = [0; MAGIC.len()];
        let read = || File::open(path)?.read_exact(&mut begins);
        ours && read().is_ok() && begins == *MAGIC
    }
}

/// Opens a file of ours for reading; `None` if there is none.
pub(super) fn look_at(path: &Path) -> std::io::Result<Option<File>> {
    match OpenOptions::new().read(true).custom_flags(flags(OFlags::empty())).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn refusal(what: &'static str, path: &Path, data: &Metadata, why: String, advice: String) -> StoreError {
    let (mode, owner) = (data.mode() & 0o7777, data.uid());
    StoreError::Refused(Box::new(Refusal { what, path: path.to_owned(), mode, owner, why, advice }))
}

/// Flags that never wait, and follow no symbolic link at the end of a path except to a folder.
fn flags(more: OFlags) -> i32 {
    let link = if more.contains(OFlags::DIRECTORY) { OFlags::empty() } else { OFlags::NOFOLLOW };
    (more | link | OFlags::NONBLOCK).bits().cast_signed()
}

/// The user that this process runs as.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
