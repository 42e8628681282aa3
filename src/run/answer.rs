//! How calls to the provider went, as the journal classifies them.

use crate::journal::answer::{CallFailure, FailedCall, Reply};
use crate::provider::ProviderError;

impl From<&ProviderError> for FailedCall {
    fn from(error: &ProviderError) -> Self {
        let how = match error {
            error if error.outcome_unknown() => CallFailure::OutcomeUnknown,
            error if error.is_refusal() => CallFailure::Refused,
            _ => CallFailure::NotDone,
        };
        Self { error: error.to_string(), status: error.status(), how }
    }
}

/// The reply to a call that changes something; `None` means that the shutdown cut it off.
pub(super) fn reply_of<T>(reply: Option<Result<T, ProviderError>>) -> Reply<T> {
    reply.map(|reply| reply.map_err(|error| FailedCall::from(&error)))
}
