//! A simulated provider: the VPS.org API with its limits, delays and faults, on loopback and in process.
//!
//! Nothing here depends on the rest of the program: the time is passed in, and the API is implemented a second time
//! from the provider's documentation, so that a misreading on one side shows up on the other.
//!
//! - [`Simulator::router`] is a tower service for tests under any time; [`serve()`] puts it behind a socket.
//! - [`Options`] define how the provider behaves, [`Rule`]s which requests fail and how.
//! - [`Account`] and [`Record`] are the truth for tests to check against.
//! - An answer that must not reach the client has a [`LostAnswer`] extension: an in-process transport must turn it into
//!   its
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

pub use account::{Account, ServerState};
pub use answers::LostAnswer;
pub use call::Call;
pub use effects::{Effect, StatusEffect};
pub use faults::{ActiveRule, Rule};
pub use middleware::BASE;
pub use options::{Options, PointSpec, RetryAfter, ServerReference, ServerSpec, Style};
pub use person::{Edit, PersonAction, Pick};
pub use point::{BackupType, Point, PointKind};
pub use points::{Altered, PointFate};
pub use provider::{Now, Simulator};
pub use record::{AccountChange, By, Cause, ChangeKind, Entry, Record, Request, What};
pub use serve::serve;

#[cfg(test)]
mod tests;
