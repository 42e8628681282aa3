//! The answer to a call that changes something, in the journal's terms.

use crate::journal::event::Answer;
use crate::provider::ProviderError;

/// What the journal says about a call that a shutdown of the process cut off.
pub(super) const CUT_OFF: &str = "lastgood was stopped before the answer arrived";

/// The provider's answer for the journal; `None` means that the shutdown cut the call off. `accepted` says what the
/// provider's acceptance of the call means.
pub(super) fn answer_of<T>(answer: Option<Result<T, ProviderError>>, accepted: impl FnOnce(T) -> Answer) -> Answer {
    match answer {
        Some(Ok(value)) => accepted(value),
        Some(Err(error)) if error.outcome_unknown() => Answer::Unknown { error: error.to_string() },
        Some(Err(error)) => {
            // A conflict (409) is temporary.
            let last = error.is_refusal() && error.status() != Some(409);
            Answer::Refused { error: error.to_string(), last }
        }
        None => Answer::Unknown { error: CUT_OFF.to_owned() },
    }
}
