//! The recipients of a report, one list for each channel. To add a channel, add a variant here and to
//! `store::outbox::Channel`, and build its payload in `pipeline`.

/// The recipients of a report on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Mail to these addresses.
    Mail(Vec<String>),
}
