//! What the reply to a call means: to a call that changes something, and to one that only looks.

use crate::journal::debt::Start;
use crate::journal::event::{Answer, Failure};

/// What the journal says about a call that a shutdown of the process cut off.
const CUT_OFF: &str = "lastgood was stopped before the answer arrived";

/// The status of a conflict with something else in progress.
const CONFLICT: u16 = 409;
/// The status for an object that does not exist.
const NO_SUCH_OBJECT: u16 = 404;

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedCall {
    /// The reason, in the provider's own words if it gave any.
    pub error: String,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How it failed.
    pub how: CallFailure,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallFailure {
    /// The provider understood and refused it.
    Refused,
    /// It was not carried out, for any other reason.
    NotDone,
    /// It may have been carried out.
    OutcomeUnknown,
}

/// How a call that changes something ended; `None` means that the shutdown of the process cut it off.
pub(crate) type Reply<T> = Option<Result<T, FailedCall>>;

impl FailedCall {
    /// Whether the provider refused it. A refused call would be refused again.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        self.how == CallFailure::Refused
    }

    /// Whether the provider says that the object does not exist.
    #[must_use]
    pub(crate) fn is_no_such_object(&self) -> bool {
        self.status == Some(NO_SUCH_OBJECT)
    }

    /// Whether it may have been carried out anyway.
    #[must_use]
    pub(crate) fn may_be_carried_out(&self) -> bool {
        self.how == CallFailure::OutcomeUnknown
    }

    /// The failure of an attempt that could not look. If the look was refused, it is the last attempt.
    #[must_use]
    pub(crate) fn into_failure(self) -> Failure {
        let last = self.is_refused();
        Failure { error: self.error, last }
    }
}

/// What the journal says about the reply to a call that changes something. `accepted` says what the provider's
/// acceptance of the call means.
pub(crate) fn answer_of<T>(reply: Reply<T>, accepted: impl FnOnce(T) -> Answer) -> Answer {
    match reply {
        Some(Ok(value)) => accepted(value),
        Some(Err(FailedCall { error, status, how })) => match how {
            CallFailure::OutcomeUnknown => Answer::Unknown { error },
            // A conflict (409) is temporary.
            CallFailure::Refused => Answer::Refused { error, last: status != Some(CONFLICT) },
            CallFailure::NotDone => Answer::Refused { error, last: false },
        },
        None => Answer::Unknown { error: CUT_OFF.to_owned() },
    }
}

/// What the reply to a start means.
///
/// # Errors
/// Why the server is not known to be starting, in words.
pub(crate) fn answer_to_start(reply: Reply<()>) -> (Start, Result<(), String>) {
    match reply {
        Some(Ok(())) => (Start::Accepted, Ok(())),
        Some(Err(FailedCall { error, how: CallFailure::OutcomeUnknown, .. })) => (Start::Sent, Err(error)),
        Some(Err(FailedCall { error, .. })) => (Start::refused(&error), Err(error)),
        None => (Start::Sent, Err(CUT_OFF.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(how: CallFailure, status: Option<u16>, error: &str) -> FailedCall {
        FailedCall { error: error.to_owned(), status, how }
    }

    fn refused(status: u16) -> FailedCall {
        failed(CallFailure::Refused, Some(status), "no")
    }

    #[test]
    fn a_refusal_is_final_unless_it_is_a_conflict() {
        let no = |last| Answer::Refused { error: "no".to_owned(), last };
        let unknown = |error: &str| Answer::Unknown { error: error.to_owned() };
        let lost = |status| failed(CallFailure::OutcomeUnknown, status, "no answer");
        for (case, reply, answer) in [
            ("it was accepted", Some(Ok(())), Answer::AlreadyGone),
            ("a limit", Some(Err(refused(400))), no(true)),
            ("the token", Some(Err(refused(401))), no(true)),
            ("something else is in progress", Some(Err(refused(409))), no(false)),
            ("too many requests", Some(Err(failed(CallFailure::NotDone, Some(429), "no"))), no(false)),
            ("no connection", Some(Err(failed(CallFailure::NotDone, None, "no"))), no(false)),
            ("no answer", Some(Err(lost(None))), unknown("no answer")),
            ("an answer that proves nothing", Some(Err(lost(Some(502)))), unknown("no answer")),
            ("the process ends", None, unknown(CUT_OFF)),
        ] {
            assert_eq!(answer_of(reply, |()| Answer::AlreadyGone), answer, "{case}");
        }
    }

    #[test]
    fn a_look_that_was_refused_is_the_last_one_of_its_run() {
        for (case, look, last) in [
            ("the token", refused(403), true),
            ("something else is in progress", refused(409), true),
            ("not now", failed(CallFailure::NotDone, Some(503), "no"), false),
            ("no connection", failed(CallFailure::NotDone, None, "no"), false),
        ] {
            assert_eq!(look.into_failure(), Failure { error: "no".to_owned(), last }, "{case}");
        }
        assert!(!refused(404).may_be_carried_out());
        assert!(refused(404).is_no_such_object() && !refused(403).is_no_such_object());
    }

    #[test]
    fn a_start_counts_as_sent_unless_the_provider_says_more() {
        let error = |error: &str| Err(error.to_owned());
        for (case, reply, expected) in [
            ("accepted", Some(Ok(())), (Start::Accepted, Ok(()))),
            ("refused", Some(Err(refused(400))), (Start::NotSent, error("no"))),
            (
                "it runs",
                Some(Err(failed(CallFailure::Refused, Some(409), "already running"))),
                (Start::RunsAlready, error("already running")),
            ),
            ("lost", Some(Err(failed(CallFailure::OutcomeUnknown, None, "lost"))), (Start::Sent, error("lost"))),
            ("the process ends", None, (Start::Sent, error(CUT_OFF))),
        ] {
            assert_eq!(answer_to_start(reply), expected, "{case}");
        }
    }
}
