//! What went wrong in a call to the provider: *where* (method, path, purpose) and *kind*.
//!
//! `outcome_unknown` means that a write may have been carried out, `never_sent` that it certainly was not. The texts
//! are for people and quote the provider where possible; they never contain the token or a query.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

/// A failed call to the provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call_site}: {kind}{}", if self.outcome_unknown() { "; it may have been carried out" } else { "" })]
pub struct ProviderError {
    /// Which call.
    pub call_site: Box<CallSite>,
    /// What went wrong.
    pub kind: ErrorKind,
}

/// A call, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The HTTP method; `GET` reads, everything else writes.
    pub method: Method,
    /// The path on the provider, without query.
    pub path: String,
    /// The purpose of the call: `creating a backup of server 12345`.
    pub doing: String,
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.doing, self.method, self.path)
    }
}

/// What went wrong in a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The settings cannot be used: the URL, the CA file, an id without a path. Nothing was sent.
    #[error("{0}")]
    Settings(String),
    /// No connection was made, so nothing was sent.
    #[error("no connection to the provider: {0}; nothing was sent")]
    NeverSent(String),
    /// It was withheld just before it was sent, or before a retry of an attempt that was certainly not carried out.
    #[error("it was not sent: {0}")]
    Withheld(String),
    /// No complete answer within the timeout.
    #[error("no answer within {}", seconds(*.0))]
    Timeout(Duration),
    /// The connection broke before an answer began.
    #[error("the connection broke before an answer arrived: {0}")]
    Interrupted(String),
    /// An answer with an error status, or a redirect, which is never followed.
    #[error("{}", answered(*.status, .text, *.retry_after))]
    Status {
        /// The answer's status.
        status: StatusCode,
        /// The provider's message, shortened to one line; empty if it gave none.
        text: String,
        /// How long the provider asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The answer began, but could not be read to its end.
    #[error("the answer ({status}) broke off: {text}")]
    Broken {
        /// The answer's status.
        status: StatusCode,
        /// What broke.
        text: String,
    },
    /// The answer is larger than any answer of this API.
    #[error("the answer ({status}) is larger than {cap} bytes and was not read further")]
    TooLarge {
        /// The answer's status.
        status: StatusCode,
        /// The most that is read.
        cap: usize,
    },
    /// The answer was read, but is not JSON, or JSON of an unexpected shape.
    #[error("the answer ({status}) cannot be understood: {text}")]
    NotUnderstood {
        /// The answer's status.
        status: StatusCode,
        /// What is wrong with it, with its beginning.
        text: String,
    },
    /// An incomplete list: what was read does not agree with the provider's count.
    #[error("the list is incomplete: {got} entries received, the provider counts {count}")]
    Incomplete {
        /// Entries read, each once.
        got: u64,
        /// The provider's `count`.
        count: u64,
    },
    /// A list that has, or claims to have, more than any account can have. Reading stopped.
    #[error("the list is implausible: {0}")]
    Excess(String),
    /// A list that kept changing while it was read, or whose pages never end.
    #[error("the list cannot be read as a whole: {0}")]
    Unsteady(String),
}

impl ProviderError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// Whether a write may have been carried out although there was no usable answer. Always false for reads.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.call_site.method != Method::GET && self.kind.may_have_run()
    }

    /// Whether it is certain that nothing reached the provider.
    #[must_use]
    pub fn never_sent(&self) -> bool {
        matches!(self.kind, ErrorKind::Settings(_) | ErrorKind::NeverSent(_) | ErrorKind::Withheld(_))
    }

    /// The answer's status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            ErrorKind::Status { status, .. }
            | ErrorKind::Broken { status, .. }
            | ErrorKind::TooLarge { status, .. }
            | ErrorKind::NotUnderstood { status, .. } => Some(status.as_u16()),
            _ => None,
        }
    }

    /// Whether the provider understood the call and refused it (400, 401, 403, 404, 409 …): it did nothing, and asking
    /// again would change nothing.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, ErrorKind::Status { status, .. } if status.is_client_error() && !passes(status))
    }
}

impl ErrorKind {
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Withheld(_) | Self::TooLarge { .. } | Self::Excess(_) => false,
            Self::Status { status, .. } => passes(*status) || (status.is_server_error() && status.as_u16() != 501),
            Self::NeverSent(_)
            | Self::Timeout(_)
            | Self::Interrupted(_)
            | Self::Broken { .. }
            | Self::NotUnderstood { .. }
            | Self::Incomplete { .. }
            | Self::Unsteady(_) => true,
        }
    }

    /// Whether a call with this error may have been carried out. A refusal (4xx, including 429) was not. A 5xx, even
    /// 503 with Retry-After, may come from a proxy after the provider did its work; nothing documents otherwise. Some
    /// sites answer a POST that they carried out with 301, 302 or 303; 307 and 308 ask to send it again.
    fn may_have_run(&self) -> bool {
        match self {
            Self::Settings(_)
            | Self::NeverSent(_)
            | Self::Withheld(_)
            | Self::Incomplete { .. }
            | Self::Excess(_)
            | Self::Unsteady(_) => false,
            Self::Timeout(_) | Self::Interrupted(_) => true,
            Self::Status { status, .. }
            | Self::Broken { status, .. }
            | Self::TooLarge { status, .. }
            | Self::NotUnderstood { status, .. } => {
                let refused = status.is_client_error() && *status != StatusCode::REQUEST_TIMEOUT;
                !(refused || matches!(status.as_u16(), 307 | 308))
            }
        }
    }
}

/// The 4xx that mean "not now" rather than "no": 408, 425, 429.
fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429)
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{} s", duration.as_secs_f64())
    }
}

fn answered(status: StatusCode, text: &str, retry_after: Option<Duration>) -> String {
    let what = match status.as_u16() {
        300..=399 => "the provider answered with a redirect, which is never followed",
        401 => "the provider refused the token",
        403 => "the token is not allowed to do this",
        404 => "the provider has no such object",
        429 => "too many requests for the provider",
        500..=599 => "the provider failed",
        _ => "the provider refused",
    };
    let mut all = format!("{what} ({status})");
    if !text.is_empty() {
        all.push_str(": ");
        all.push_str(text);
    }
    if let Some(wait) = retry_after {
        all.push_str(&format!("; it asks us to wait {}", seconds(wait)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(method: Method, kind: ErrorKind) -> ProviderError {
        let call_site = CallSite { method, path: "/api/v1/backups/".to_owned(), doing: "making a backup".to_owned() };
        ProviderError { call_site: Box::new(call_site), kind }
    }

    fn status(code: u16) -> ErrorKind {
        let status = StatusCode::from_u16(code).unwrap();
        ErrorKind::Status { status, text: String::new(), retry_after: None }
    }

    #[test]
    fn only_a_write_that_may_have_run_has_an_unknown_outcome() {
        for (kind, unknown) in [
            (ErrorKind::NeverSent("refused".to_owned()), false),
            (ErrorKind::Timeout(Duration::from_secs(30)), true),
            (ErrorKind::Interrupted("reset".to_owned()), true),
            (ErrorKind::Broken { status: StatusCode::CREATED, text: String::new() }, true),
            (ErrorKind::NotUnderstood { status: StatusCode::OK, text: String::new() }, true),
            (ErrorKind::TooLarge { status: StatusCode::CREATED, cap: 1 }, true),
            (ErrorKind::Broken { status: StatusCode::BAD_REQUEST, text: String::new() }, false),
            (status(302), true),
            (status(307), false),
            (status(400), false),
            (status(404), false),
            (status(408), true),
            (status(409), false),
            (status(429), false),
            (status(500), true),
            (status(502), true),
            (status(503), true),
        ] {
            assert_eq!(error(Method::POST, kind.clone()).outcome_unknown(), unknown, "{kind:?}");
            assert!(!error(Method::GET, kind).outcome_unknown());
        }
    }

    #[test]
    fn a_refusal_is_final_and_a_delay_is_not() {
        for code in [400, 401, 403, 404, 409, 422] {
            assert!(error(Method::POST, status(code)).is_refusal(), "{code}");
            assert!(!error(Method::POST, status(code)).is_retryable(), "{code}");
        }
        for code in [408, 429, 500, 502, 503, 504] {
            assert!(!error(Method::POST, status(code)).is_refusal(), "{code}");
            assert!(error(Method::POST, status(code)).is_retryable(), "{code}");
        }
        assert!(!error(Method::GET, status(302)).is_retryable());
    }

    #[test]
    fn the_text_says_what_was_done_where_and_with_which_result() {
        assert_eq!(
            error(Method::POST, ErrorKind::Timeout(Duration::from_millis(2500))).to_string(),
            "making a backup (POST /api/v1/backups/): no answer within 2.5 s; it may have been carried out"
        );
        let kind = ErrorKind::Status {
            status: StatusCode::BAD_REQUEST,
            text: "Backup limit reached".to_owned(),
            retry_after: None,
        };
        assert_eq!(
            error(Method::POST, kind).to_string(),
            "making a backup (POST /api/v1/backups/): the provider refused (400 Bad Request): Backup limit reached"
        );
    }
}
