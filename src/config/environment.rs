//! The environment variables as plain data, and where the policy file and the state are looked for.

use std::path::{Path, PathBuf};

use crate::config::error::LoadError;
use crate::config::secret::Secret;

/// The default path of the policy file.
pub(crate) const DEFAULT_FILE: &str = "/etc/lastgood/policy.toml";

/// The variables that matter.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `VPS_API_URL`.
    pub api_url: Option<String>,
    /// `VPS_API_TOKEN`.
    pub api_token: Option<Secret>,
    /// `STATE_DIRECTORY`, set by systemd.
    pub state_directory: Option<PathBuf>,
    /// `CREDENTIALS_DIRECTORY`, set by systemd.
    pub credentials: Option<PathBuf>,
    /// `XDG_STATE_HOME`, or `~/.local/state`.
    pub state_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        // systemd separates several folders with colons; ours is the first.
        let state_directory = text("STATE_DIRECTORY").and_then(|all| all.split(':').next().map(PathBuf::from));
        Self {
            api_url: text("VPS_API_URL"),
            api_token: text("VPS_API_TOKEN").map(|token| Secret::new(&token)),
            state_directory,
            credentials: path("CREDENTIALS_DIRECTORY"),
            state_home: path("XDG_STATE_HOME").or_else(|| path("HOME").map(|home| home.join(".local/state"))),
        }
    }

    /// The file of a systemd credential, if there is one.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<PathBuf> {
        self.credentials.as_ref().map(|dir| dir.join(name)).filter(|path| path.exists())
    }
}

/// Where the policy file is, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocation {
    /// The file.
    pub path: PathBuf,
    /// Whether nobody named it and it is in the working directory, which anybody may own.
    pub here: bool,
}

impl FileLocation {
    /// A file that somebody named, or that is at the default path.
    #[must_use]
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), here: false }
    }
}

/// The policy file: the one that was named, else the default path, else the working directory.
///
/// # Errors
/// `NotFound` with every path that was tried.
pub(crate) fn find(explicit: Option<&Path>) -> Result<FileLocation, LoadError> {
    if let Some(path) = explicit {
        return if path.exists() {
            Ok(FileLocation::named(path))
        } else {
            Err(LoadError::NotFound(vec![path.to_owned()]))
        };
    }
    let candidates =
        [FileLocation::named(DEFAULT_FILE), FileLocation { path: PathBuf::from("policy.toml"), here: true }];
    let found = candidates.iter().find(|found| found.path.exists()).cloned();
    found.ok_or_else(|| LoadError::NotFound(candidates.into_iter().map(|one| one.path).collect()))
}
