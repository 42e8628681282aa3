//! Whom a report reaches: one list for each channel. Another channel is one more variant here and in
//! `store::outbox::Channel`, with its way from words to payload in `pipeline`.

/// The recipients of a report on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Mail to these addresses.
    Mail(Vec<String>),
}
