//! A folder of its own for the program under test: its policy file, its token, its state and its mails.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program under test.
pub const LASTGOOD: &str = env!("CARGO_BIN_EXE_lastgood");

/// A temporary folder, removed when it is dropped.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file that only its owner may read, as secrets and policy files must be.
    pub fn write_private(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(name), text).expect("the folder is ours");
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }

    /// Lets a command start in this folder with a bare environment.
    pub fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.current_dir(self.root()).env_clear().env("HOME", self.root()).env("TMPDIR", self.root())
    }
}
