//! The recipients of a report, one list for each channel.

/// The recipients of a report on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Mail to these addresses.
    Mail(Vec<String>),
}
