//! The provider's API: every call that backups, snapshots, servers and the account need.
//!
//! A list is complete or an error, never short. What may have been carried out is distinguished from what was
//! never sent. The token goes to the configured origin alone and is in no text. Only reads are repeated here; a write is
//! repeated only when it is certain that it was not carried out.

mod api_object;
mod bounded;
mod calls;
mod client;
mod convert;
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
mod waits;
mod watch;
mod wire;

pub use calls::{CreateRequest, Created, Deleted, Power, RestoreStarted, TokenInfo};
pub use client::{BeforeSend, Client, ProviderTime};
pub use error::{CallSite, ErrorKind, ProviderError};
pub use fields::Fields;
pub use link::ClientSettings;
pub use listing::Listing;
pub use points::{AccountPoints, BackupTypeFilter};
pub use watch::{LookScope, Watch, WatchPace, cheaper, next_look};

#[cfg(test)]
mod tests;
