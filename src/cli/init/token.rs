//! Where the first token comes from, and what the policy file says about it.

use std::path::{Path, PathBuf};

use crate::cli::error::CommandError;
use crate::cli::init::answers::TokenLine;
use crate::cli::init::questions::{Questions, ask_secret};
use crate::config::secret::Secret;
use crate::config::{Environment, SecretSource};

/// The folder of the service, whose unit passes the file `token` in it as a credential.
const SERVICE_FOLDER: &str = "/etc/lastgood";
/// The file that a typed token goes to.
const TOKEN_FILE: &str = "token";

/// A token, and where it is.
pub(super) struct FirstToken {
    pub(super) secret: Secret,
    pub(super) line: TokenLine,
    /// The file that a typed token is to be written to.
    pub(super) write_to: Option<PathBuf>,
}

/// The token of `--token-file`, else of the credential or the variable, else typed by a person.
///
/// # Errors
/// With exit code 2 if there is none, or it cannot be read.
pub(super) fn find(
    file: Option<&Path>,
    environment: &Environment,
    folder: &Path,
    questions: Questions,
) -> anyhow::Result<FirstToken> {
    let service = is_service_folder(folder);
    let usage = |error: crate::config::SecretError| CommandError::usage(error.to_string());
    if let Some(file) = file {
        let source = SecretSource::File { path: file.to_owned(), from: "--token-file".to_owned(), span: None };
        let secret = source.read().map_err(usage)?;
        let line = if service { TokenLine::Credential } else { TokenLine::File(name_in(folder, file)?) };
        return Ok(FirstToken { secret, line, write_to: None });
    }
    let source = SecretSource::token_without_file(environment);
    let line = match &source {
        SecretSource::Missing(_) => return typed(folder, service, questions),
        SecretSource::File { .. } => TokenLine::Credential,
        SecretSource::Variable(_) if service => TokenLine::Credential,
        SecretSource::Variable(_) => TokenLine::Variable,
    };
    Ok(FirstToken { secret: source.read().map_err(usage)?, line, write_to: None })
}

fn typed(folder: &Path, service: bool, questions: Questions) -> anyhow::Result<FirstToken> {
    let path = folder.join(TOKEN_FILE);
    if path.symlink_metadata().is_ok() {
        let text = format!("there is no API token: {0} exists, so use it with --token-file {0}", path.display());
        return Err(CommandError::usage(text).into());
    }
    if !questions.asks() {
        let text = "there is no API token: name a file with --token-file, provide the systemd credential vps-api-token, \
                    set the variable VPS_API_TOKEN, or answer on a terminal";
        return Err(CommandError::usage(text).into());
    }
    loop {
        let Some(text) = ask_secret("API token of the provider (not shown): ")? else {
            return Err(CommandError::usage("no token was given; nothing was written").into());
        };
        if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let line = if service { TokenLine::Credential } else { TokenLine::File(TOKEN_FILE.to_owned()) };
            return Ok(FirstToken { secret: Secret::new(&text), line, write_to: Some(path) });
        }
        crate::cli::output::note("    a token is one word");
    }
}

/// Whether the policy file goes where the service looks for it.
fn is_service_folder(folder: &Path) -> bool {
    std::fs::canonicalize(folder).is_ok_and(|folder| folder == Path::new(SERVICE_FOLDER))
}

/// How a policy file in `folder` names a file.
fn name_in(folder: &Path, file: &Path) -> std::io::Result<String> {
    let absolute = std::path::absolute(file)?;
    let beside = absolute.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
    let name = match absolute.file_name() {
        Some(name) if beside.is_some() && beside == std::fs::canonicalize(folder).ok() => Path::new(name),
        _ => &absolute,
    };
    Ok(name.display().to_string())
}
