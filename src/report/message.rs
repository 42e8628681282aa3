//! Turns a rendered mail into bytes (RFC 5322) and an envelope. These are stored and sent unchanged, so that a repeat
//! is the same message with the same Message-ID.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::address::Envelope as SmtpEnvelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MultiPart, SinglePart};
use lettre::{Address, Message};

use crate::report::error::MessageError;
use crate::report::render::Rendered;

/// Everything that goes into a mail.
#[derive(Clone, Debug)]
pub struct MailDraft<'a> {
    /// `lastgood <backup@example.com>`.
    pub from: &'a str,
    /// The recipients.
    pub to: &'a [String],
    /// When it was written.
    pub date: Timestamp,
    /// Its own id, from `message_id`.
    pub message_id: &'a str,
    /// The message that it replies to: the first of its thread.
    pub in_reply_to: Option<&'a str>,
    /// The messages of its thread so far, oldest first.
    pub references: &'a [String],
    /// What it says.
    pub rendered: &'a Rendered,
}

/// The sender and the recipients of a message: bare addresses, as the mail server takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The sender; bounces go here.
    pub from: String,
    /// The recipients, each once.
    pub to: Vec<String>,
}

/// A message ready to be stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposedMail {
    /// Its Message-ID, in angle brackets.
    pub message_id: String,
    /// Its subject, for lists and file names.
    pub subject: String,
    /// The sender and the recipients.
    pub envelope: Envelope,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// A Message-ID in the sender's domain, from a text that is unique to the message.
///
/// # Errors
/// When `from` is not an address.
pub fn message_id(unique: &str, from: &str) -> Result<String, MessageError> {
    let mailbox = mailbox(from)?;
    let unique: String = unique.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '.').collect();
    Ok(format!("<lastgood.{unique}@{}>", mailbox.email.domain()))
}

/// The bytes and the envelope of a draft. The same draft gives the same bytes.
///
/// # Errors
/// When an address is not one, or there is no recipient.
pub fn compose(draft: &MailDraft<'_>) -> Result<ComposedMail, MessageError> {
    let from = mailbox(draft.from)?;
    let to = recipients(draft.to)?;
    let addresses: Vec<Address> = to.iter().map(|one| one.email.clone()).collect();
    let envelope = SmtpEnvelope::new(Some(from.email.clone()), addresses.clone()).map_err(build)?;
    let sender = from.email.to_string();
    let mut builder = Message::builder()
        .envelope(envelope)
        .date(date(draft.date))
        .from(from)
        .mailbox(lettre::message::header::To::from(to.into_iter().collect::<Mailboxes>()))
        .subject(draft.rendered.subject.clone())
        .message_id(Some(draft.message_id.to_owned()))
        // RFC 3834: automatic responders must not reply. Exchange only honours its own header.
        .raw_header(fixed("Auto-Submitted", "auto-generated"))
        .raw_header(fixed("X-Auto-Response-Suppress", "All"));
    if let Some(first) = draft.in_reply_to {
        builder = builder.in_reply_to(first.to_owned());
    }
    if !draft.references.is_empty() {
        builder = builder.references(draft.references.join(" "));
    }
    let message = builder.multipart(parts(draft)).map_err(build)?;
    Ok(ComposedMail {
        message_id: draft.message_id.to_owned(),
        subject: draft.rendered.subject.clone(),
        envelope: Envelope { from: sender, to: addresses.iter().map(ToString::to_string).collect() },
        bytes: message.formatted(),
    })
}

fn parts(draft: &MailDraft<'_>) -> MultiPart {
    // Set the boundary: with lettre's random one, two builds of a draft would differ.
    let unique: String = draft.message_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    MultiPart::alternative()
        .boundary(format!("=_{unique}"))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(draft.rendered.text.clone()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(draft.rendered.html.clone()))
}

fn recipients(all: &[String]) -> Result<Vec<Mailbox>, MessageError> {
    let mut recipients: Vec<Mailbox> = Vec::with_capacity(all.len());
    for one in all {
        let one = mailbox(one)?;
        if !recipients.iter().any(|known| known.email == one.email) {
            recipients.push(one);
        }
    }
    if recipients.is_empty() { Err(MessageError::NoRecipient) } else { Ok(recipients) }
}

fn mailbox(text: &str) -> Result<Mailbox, MessageError> {
    let wrong = || MessageError::Address { address: crate::report::text::plain(text) };
    // lettre's builder panics on a line break in a name, so refuse control characters first.
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    text.trim().parse().map_err(|_| wrong())
}

fn fixed(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn build(error: lettre::error::Error) -> MessageError {
    MessageError::Build { text: error.to_string() }
}

/// The date, limited to the years 1970 to 9999: outside them lettre's date header panics. A clock that far off is
/// reported elsewhere.
fn date(at: Timestamp) -> SystemTime {
    let seconds = at.as_second().clamp(0, 253_402_300_799);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())
}

#[cfg(test)]
mod tests;
