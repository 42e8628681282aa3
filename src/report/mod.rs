//! What people are told: facts become words, words become messages, messages reach the people on call.
//!
//! `matter` and `digest` say as data what a message is about, `groups` which notices make one, `content` finds the words,
//! `render` gives them a shape, `message` makes a mail of them; `delivery` is a message on its way, `transport` and `smtp`
//! send it, `sender` decides after each try whether it is sent again. `pipeline` does all of it, from the notices in the
//! store to the outbox and out. Settings are handed in.

pub mod content;
pub mod delivery;
pub mod digest;
pub mod error;
pub mod groups;
pub mod message;
pub mod message_data;
pub mod pipeline;
pub mod recipients;
pub mod render;
pub mod sender;
pub mod smtp;
mod text;
pub mod transport;

#[cfg(test)]
mod samples;
