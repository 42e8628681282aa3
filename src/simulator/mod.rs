//! The provider played back: the VPS.org API with its limits, its slowness and its faults, on loopback and in-process.
//!
//! Nothing here comes from the rest of the program: the time is handed in, and what a client must understand is
//! written here a second time from the provider's pages, so that a misreading on one side shows on the other.
//!
//! - [`Simulator::router`] is a tower service for tests under any time; [`serve()`] puts it behind a socket.
//! - [`Options`] say how the provider behaves, [`Rule`]s which requests go wrong.
//! - [`Account`] and [`Record`] are the truth to check against.
//! - An answer that no client may see bears [`LostAnswer`] as an extension: an in-process transport must turn it into its
//!   error for a refused or closed connection. Over HTTP, [`serve()`] breaks the connection itself.

mod account;
mod answers;
mod call;
mod control;
mod effects;
mod faults;
mod middleware;
mod options;
mod paging;
mod person;
mod point;
mod points;
mod provider;
mod random;
mod rate_limit;
mod record;
mod routes;
mod serve;
mod servers;
mod shown;

pub use account::{Account, Server};
pub use answers::LostAnswer;
pub use call::Call;
pub use effects::{Effect, StatusEffect};
pub use faults::{Armed, Rule};
pub use middleware::BASE;
pub use options::{Options, PointSpec, RetryAfter, ServerReference, ServerSpec, Style};
pub use person::{Act, Edit, Pick};
pub use point::{BackupType, Kind, Point};
pub use points::{Altered, Fate};
pub use provider::{Now, Simulator};
pub use record::{By, Cause, Change, ChangeKind, Entry, Record, Request, What};
pub use serve::serve;

#[cfg(test)]
mod tests;
