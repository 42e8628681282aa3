//! Why a mail was not delivered, classified by what to do: send it again, fix the settings, or give it up. No text here
//! ever contains a password.

use std::fmt;

use crate::report::text::plain;

/// The steps of a delivery.
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
    /// The server's permission to send the message (DATA).
    Data,
    /// The message and the reply to it.
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

/// The kind of failure, which says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The message did not reach the server. It is sent again later.
    NeverSent,
    /// The server asks to try again later (4xx).
    RetryLater,
    /// Our settings or the server's are wrong; only a person can fix that. The message is sent again later.
    Misconfigured,
    /// The server will never accept this message (5xx).
    Permanent,
    /// The message was sent, but its acceptance was not seen. It is sent again with the same Message-ID.
    Ambiguous,
}

/// A recipient that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRefusal {
    /// The recipient.
    pub address: String,
    /// The server's own words.
    pub reply: String,
    /// Whether the refusal is permanent (5xx).
    pub permanent: bool,
}

/// A message that nobody received, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mail not delivered through {via}: {step} failed: {text}")]
pub struct DeliveryError {
    /// The transport: `smtp.example.com:587` or a folder.
    pub via: String,
    /// The step that failed.
    pub step: DeliveryStep,
    /// The kind of failure.
    pub kind: FailureKind,
    /// What happened, in the server's own words if the server said it.
    pub text: String,
    /// The recipients that were refused individually, if it got that far.
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

/// A message that cannot be built, because an address is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not an address that mail can be sent to.
    #[error("`{address}` is not a mail address: write `name@example.com` or `Name <name@example.com>`")]
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
