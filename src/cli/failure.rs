//! How a command that fails ends: one clear text on standard error and the documented exit code.

use std::process::ExitCode as Process;

use crate::cli::output::note;
use crate::daemon::ServiceError;
use crate::exit_code::ExitCode;
use crate::provider::{ErrorKind, ProviderError};
use crate::run::RunError;
use crate::store::StoreError;

/// A failure with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What happened, to which thing, and what to do.
    pub text: String,
}

impl Failure {
    /// A failure with this exit code.
    #[must_use]
    pub fn new(code: ExitCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Something asked for on the command line that cannot be.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, text)
    }
}

/// Prints the failure and gives its exit code.
#[must_use]
pub fn report(error: &anyhow::Error) -> Process {
    note(&format!("lastgood: {error:#}"));
    code_of(error).into()
}

/// The exit code of a failure.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.code;
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return store(error);
    }
    if let Some(error) = error.downcast_ref::<ProviderError>() {
        return provider(error);
    }
    match error.downcast_ref::<RunError>() {
        Some(RunError::Store(error)) => return store(error),
        Some(RunError::Stopped) => return ExitCode::RunFailed,
        None => {}
    }
    match error.downcast_ref::<ServiceError>() {
        Some(ServiceError::Store(error)) => store(error),
        Some(ServiceError::Provider(error)) => provider(error),
        Some(ServiceError::Start(_)) | None => ExitCode::Bug,
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
