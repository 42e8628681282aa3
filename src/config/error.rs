//! Why the policy file or a secret cannot be read, with the file, the cause and what to do.

use std::path::PathBuf;

use crate::config::diagnostic::{Diagnostic, render, tally};

/// Why no policy file could be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No file was found.
    #[error("there is no policy file: tried {}; create one, or name one with --config FILE or LASTGOOD_CONFIG", list(.0))]
    NotFound(Vec<PathBuf>),
    /// It cannot be read.
    #[error("the policy file {} cannot be read: {source}; make it a file that this user can read, or name another one with --config FILE", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else may have written it.
    #[error("the policy file {} (mode {mode:o}) is refused: {why}, and it decides where the token is sent; {advice}; no request was sent", .path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Who may have written it, and how.
        why: String,
        /// What to do.
        advice: String,
    },
    /// It has errors. The text shows all of them.
    #[error("{}the policy file {name} is invalid: {}; nothing was created or deleted", render(.diagnostics, .source_text, .name, false), tally(.diagnostics))]
    Invalid {
        /// The file, as it was named.
        name: String,
        /// Its text.
        source_text: String,
        /// Errors and warnings.
        diagnostics: Vec<Diagnostic>,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", then ")
}

/// Why a secret cannot be read. Never contains any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nothing names one.
    #[error("{0}")]
    Missing(String),
    /// Its file cannot be read.
    #[error("{from} names {}, which cannot be read: {source}; write only the secret into it, readable by this user", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The key or the credential.
        from: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its file does not hold a secret.
    #[error("{from} names {}, which does not hold exactly one word: write only the secret into it", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The key or the credential.
        from: String,
    },
}
