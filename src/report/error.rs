//! Why a mail was not delivered, sorted by what to do: send it again, put the settings right, or give it up. No
//! password is ever in a text here.

use std::fmt;

use crate::report::text::plain;

/// How far a delivery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStep {
    /// The connection to the mail server; with `tls = "tls"` the handshake too.
    Connect,
    /// The server's greeting and its answer to EHLO.
    Greeting,
    /// STARTTLS and its handshake.
    StartTls,
    /// The login.
    Login,
    /// The sender (MAIL).
    Sender,
    /// The recipients (RCPT).
    Recipients,
    /// The server's leave to send the message (DATA).
    Data,
    /// The message and the answer to its end.
    Message,
    /// Writing the file.
    File,
}

impl fmt::Display for DeliveryStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "the greeting",
            Self::StartTls => "STARTTLS",
            Self::Login => "the login",
            Self::Sender => "naming the sender",
            Self::Recipients => "naming the recipients",
            Self::Data => "asking to send the message",
            Self::Message => "sending the message",
            Self::File => "writing the file",
        })
    }
}

/// What kind of failure it was, so what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The message has not reached the server. It is sent again later.
    NeverSent,
    /// The server asks to try again later (4xx).
    RetryLater,
    /// The settings are wrong, or the server's; only a person can mend that. The message is sent again later.
    Misconfigured,
    /// The server will never take this message (5xx).
    Permanent,
    /// The message was sent, its acceptance was not seen. Sent again with the same Message-ID.
    Ambiguous,
}

/// A recipient whom the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRefusal {
    /// Whom.
    pub address: String,
    /// The server's own words.
    pub reply: String,
    /// Whether it will always refuse (5xx).
    pub permanent: bool,
}

/// A message that nobody got, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mail not delivered through {via}: {step} failed: {text}")]
pub struct DeliveryError {
    /// Where it was to go: `smtp.example.com:587` or a folder.
    pub via: String,
    /// How far it came.
    pub step: DeliveryStep,
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, in the server's own words where they are the server's.
    pub text: String,
    /// The recipients that were refused one by one, if it came that far.
    pub refused: Vec<RecipientRefusal>,
}

impl DeliveryError {
    pub(crate) fn new(via: &str, step: DeliveryStep, kind: FailureKind, text: &str) -> Self {
        Self { via: via.to_owned(), step, kind, text: plain(text), refused: Vec::new() }
    }

    /// Whether the message should be sent again later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind != FailureKind::Permanent
    }

    /// Whether the message may have been accepted.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.kind == FailureKind::Ambiguous
    }
}

/// A message that cannot be built: an address is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not an address that mail can be sent to.
    #[error("`{address}` is not a mail address: write `name@example.com` or `Words <name@example.com>`")]
    Address {
        /// What was given.
        address: String,
    },
    /// Nobody to send it to.
    #[error("the mail has no recipient: name at least one in `to`")]
    NoRecipient,
    /// The message as a whole.
    #[error("the mail cannot be built: {text}")]
    Build {
        /// What lettre says.
        text: String,
    },
}
