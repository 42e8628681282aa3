//! A message to be sent, and who received it: what every transport takes and returns.

use jiff::Timestamp;

use crate::report::error::RecipientRefusal;

/// A message of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its key in the store.
    pub id: i64,
    /// Its Message-ID, in angle brackets.
    pub message_id: String,
    /// Its subject.
    pub subject: String,
    /// The sender's bare address.
    pub from: String,
    /// The recipients that have not received it yet.
    pub to: Vec<String>,
    /// The whole message.
    pub bytes: Vec<u8>,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it was put into the outbox.
    pub first_at: Timestamp,
}

/// A message that at least one recipient received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Who received it.
    pub accepted: Vec<String>,
    /// Who was refused, temporarily or permanently.
    pub refused: Vec<RecipientRefusal>,
}
