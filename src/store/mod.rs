//! The state folder: one SQLite database behind one connection, and a file lock against a second owner. What happened
//! is decided in `journal`; it is written and read back here.

mod brake_rows;
pub(crate) mod brakes;
mod changes;
mod commit_queue;
pub(crate) mod counters;
pub(crate) mod daily_outcomes;
mod database;
mod debt_rows;
pub(crate) mod debts;
pub(crate) mod due;
mod due_rows;
mod earlier_rules;
mod error;
mod facts;
mod folder;
mod history;
pub(crate) mod holds;
pub(crate) mod leases;
mod memory;
mod migrate;
pub(crate) mod notices;
pub(crate) mod outbox;
mod point_rows;
pub(crate) mod points;
pub(crate) mod presence;
pub(crate) mod prune;
pub(crate) mod runs;
mod scope;
pub(crate) mod server_incidents;
pub(crate) mod servers;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod value;

pub use database::Store;
pub use error::StoreError;
pub use folder::DATABASE;
