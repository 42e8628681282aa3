//! How a failed command ends: with a clear message on standard error and the documented exit code.

use std::process::ExitCode as ProcessExitCode;

use serde_json::{Map, Value};

use crate::account::ServerListError;
use crate::cli::log::takes_everything;
use crate::cli::output::{json, note};
use crate::exit_code::ExitCode;
use crate::provider::{ErrorKind, ProviderError};
use crate::run::{InspectError, RunError};
use crate::store::StoreError;

/// An error with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct CommandError {
    /// The exit code.
    pub code: ExitCode,
    /// What happened, to what, and what to do.
    pub text: String,
}

impl CommandError {
    /// An error with this exit code.
    #[must_use]
    pub(crate) fn new(code: ExitCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Something on the command line that is not possible.
    #[must_use]
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, text)
    }
}

/// The cause of a server that cannot be inspected, which has the exit code.
#[must_use]
pub(crate) fn of_inspection(error: InspectError) -> anyhow::Error {
    match error {
        InspectError::Provider(error) => error.into(),
        InspectError::Run(error) => error.into(),
    }
}

/// The cause of a missing list of the account's servers, which has the exit code.
#[must_use]
pub(crate) fn of_server_list(error: ServerListError) -> anyhow::Error {
    match error {
        ServerListError::Provider(error) => error.into(),
        ServerListError::Store(error) => error.into(),
    }
}

/// Prints the error and returns its exit code.
#[must_use]
pub(crate) fn report(error: &anyhow::Error) -> ProcessExitCode {
    let text = text_of(error);
    if takes_everything() {
        tracing::error!("{text}");
    } else {
        note(&format!("lastgood: {text}"));
    }
    code_of(error).into()
}

/// Prints the JSON document of a failed command to standard output: the error, and the command's list (if it has one),
/// empty.
pub(crate) fn print_document(error: &anyhow::Error, list: Option<&str>) {
    if let Err(error) = json(&document(list, &text_of(error))) {
        note(&format!("lastgood: {error}"));
    }
}

fn document(list: Option<&str>, text: &str) -> Map<String, Value> {
    let list = list.map(|list| (list.to_owned(), Value::Array(Vec::new())));
    list.into_iter().chain([("error".to_owned(), Value::from(text))]).collect()
}

/// What happened and what to do. A cause that the text contains already is not repeated.
#[must_use]
pub(crate) fn text_of(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    match error.chain().find_map(provider_error) {
        Some(error) => advice(error).map_or_else(|| text.clone(), |advice| format!("{text}; {advice}")),
        None => text,
    }
}

/// The cause as an error of the provider, if it is one.
fn provider_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a ProviderError> {
    cause.downcast_ref()
}

/// What to do about it, and which key to change.
fn advice(error: &ProviderError) -> Option<String> {
    let what = match (error.status(), &error.kind) {
        (Some(401), _) => "put a valid token into the file that provider.token_file names, or into VPS_API_TOKEN",
        (Some(403), _) => "give the token the permission servers:* in the provider's panel",
        (Some(500..=599), _) => "try again later",
        (_, ErrorKind::NeverSent(_)) => "check provider.url and the network",
        (_, ErrorKind::Timeout(_) | ErrorKind::Interrupted(_)) => {
            "try again later; provider.timeout sets the time limit"
        }
        (_, ErrorKind::NotUnderstood { .. }) => "check that provider.url is the provider's API",
        _ => return None,
    };
    let nothing = if error.outcome_unknown() { "" } else { "; nothing was created or deleted" };
    Some(format!("{what}{nothing}"))
}

/// The exit code of an error.
#[must_use]
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    if let Some(failure) = error.downcast_ref::<CommandError>() {
        return failure.code;
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return store(error);
    }
    if let Some(error) = error.downcast_ref::<ProviderError>() {
        return provider(error);
    }
    match error.downcast_ref::<RunError>() {
        Some(RunError::Store(error)) => store(error),
        Some(RunError::Stopped) => ExitCode::RunFailed,
        None => ExitCode::Bug,
    }
}

const fn store(error: &StoreError) -> ExitCode {
    match error {
        StoreError::Locked(_) => ExitCode::Locked,
        _ => ExitCode::State,
    }
}

const fn provider(error: &ProviderError) -> ExitCode {
    match error.kind {
        ErrorKind::Settings(_) => ExitCode::PolicyFile,
        _ => ExitCode::Provider,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_cause_is_not_repeated() {
        let source = std::io::Error::from_raw_os_error(17);
        let text = text_of(&StoreError::Folder { dir: PathBuf::from("state"), source }.into());
        assert_eq!(text.matches("File exists").count(), 1, "{text}");
        let text = text_of(&anyhow::anyhow!("the cause").context("what happened"));
        assert_eq!(text, "what happened: the cause");
    }

    #[test]
    fn a_command_that_fails_has_a_document_all_the_same() {
        let document = Value::Object(document(Some("runs"), "no room"));
        assert_eq!(document, serde_json::json!({ "runs": [], "error": "no room" }));
    }
}
