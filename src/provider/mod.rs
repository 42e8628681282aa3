//! The provider's API: every call for backups, snapshots, servers and the account.
//!
//! A list is complete or an error, never short. Errors distinguish what may have been carried out from what was never
//! sent. The token goes only to the configured origin and appears in no text. Reads are retried here; a write is
//! retried only when it is certain that it was not carried out.

mod api_object;
mod bounded;
mod calls;
mod client;
mod convert;
mod endpoint;
mod error;
mod fields;
mod link;
mod listing;
mod lists;
mod page;
mod points;
mod rate_limiter;
mod reading;
mod retry;
mod text;
mod time;
mod transport;
mod waiters;
mod waits;
mod watch;
mod wire;

pub use calls::{CreateRequest, Deleted, Power};
pub use client::Client;
pub(crate) use error::ErrorKind;
pub use error::ProviderError;
pub use fields::Fields;
pub use link::ClientSettings;
pub(crate) use listing::Listing;
pub use points::BackupTypeFilter;
pub(crate) use waiters::Announcement;
pub use watch::{Watch, WatchPace};

#[cfg(test)]
mod tests;
