//! The provider's API: every call that backups, snapshots, servers and the account need.
//!
//! A list is complete or an error, never short. What may have been carried out is distinguished from what was
//! never sent. The token goes to the configured origin alone and is in no text. Only reads are repeated here; a write is
//! repeated only when it is certain that it was not carried out.

mod bounded;
mod bucket;
mod calls;
mod client;
mod convert;
mod entry;
mod error;
mod fields;
mod link;
mod listing;
mod lists;
mod page;
mod points;
mod reading;
mod retry;
mod text;
mod time;
mod transport;
mod waits;
mod watch;
mod wire;

pub use calls::{Account, CreateRequest, Created, Deleted, Power, RestoreStarted};
pub use client::{BeforeSend, Client, ProviderTime};
pub use error::{ErrorKind, Place, ProviderError};
pub use fields::Fields;
pub use link::Settings;
pub use listing::Listing;
pub use points::{AccountPoints, BackupType};
pub use watch::{Look, Pace, Watch, cheaper, next_look};

#[cfg(test)]
mod tests;
