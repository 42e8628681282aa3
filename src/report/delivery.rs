//! A message on its way, and who got it: what every way out takes and gives.

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
    /// The recipients that have not got it yet.
    pub to: Vec<String>,
    /// The whole message.
    pub bytes: Vec<u8>,
    /// How often it has been tried.
    pub attempts: u32,
    /// When it was put into the outbox.
    pub first_at: Timestamp,
}

/// A message that somebody got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Who got it.
    pub accepted: Vec<String>,
    /// Who was refused, for now or for good.
    pub refused: Vec<RecipientRefusal>,
}
