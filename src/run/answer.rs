//! How a call that changes something was answered, in the journal's words.

use crate::journal::event::Answer;
use crate::provider::ProviderError;

/// What the journal says of a call that the shutdown of the process cut off.
pub(super) const CUT_OFF: &str = "lastgood was stopped before the answer arrived";

/// The provider's answer for the journal; `None` means that the shutdown cut the call off. `accepted` says what it means
/// that the provider accepted the call.
pub(super) fn answer_of<T>(answer: Option<Result<T, ProviderError>>, accepted: impl FnOnce(T) -> Answer) -> Answer {
    match answer {
        Some(Ok(value)) => accepted(value),
        Some(Err(error)) if error.outcome_unknown() => Answer::Unknown { error: error.to_string() },
        Some(Err(error)) => {
            // A conflict passes.
            let last = error.is_refusal() && error.status() != Some(409);
            Answer::Refused { error: error.to_string(), last }
        }
        None => Answer::Unknown { error: CUT_OFF.to_owned() },
    }
}
