//! What people are told: facts become words, words become mails, mails reach the people on call.
//!
//! `facts` and `digest` hold what happened as data, `incidents` decides what is told together, `content` and
//! `notice` find the words, `render` gives them a shape, `message` makes bytes of them, `transport` and `smtp` carry
//! the bytes, `sender` decides what becomes of a message after each try. Settings are handed in; the outbox is the store's.

pub mod content;
pub mod digest;
pub mod error;
pub mod facts;
pub mod incidents;
pub mod message;
pub mod notice;
pub mod post;
pub mod render;
pub mod sender;
pub mod smtp;
mod text;
pub mod transport;

#[cfg(test)]
mod samples;
