//! Reports to people: facts become words, words become messages, and messages are sent to the people on call.
//!
//! `message_data` and `digest` are what a message is about, as data. `groups` decides which notices share a message,
//! `content` chooses the words, `render` formats them, and `message` builds a mail. `delivery` is a message to be sent,
//! `transport` and `smtp` send it, `sender` decides after each attempt whether to retry, and `channel_senders` says what
//! sends the messages of each channel. `pipeline` does all of it,
//! from the notices in the store to the outbox and to the mail server. Settings are passed in.

pub(crate) mod channel_senders;
pub(crate) mod content;
pub(crate) mod delivery;
pub(crate) mod digest;
pub(crate) mod error;
pub(crate) mod groups;
pub(crate) mod message;
pub(crate) mod message_data;
pub(crate) mod pipeline;
pub(crate) mod recipients;
pub(crate) mod render;
pub(crate) mod sender;
pub(crate) mod smtp;
mod text;
pub(crate) mod transport;

#[cfg(test)]
mod samples;
