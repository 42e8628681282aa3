//! The state folder: one SQLite database behind one connection, and a file lock against a second owner. What happened
//! is decided in `journal`; it is written and read back here.

mod brake_rows;
pub mod brakes;
mod changes;
pub(crate) mod counters;
mod database;
mod debt_rows;
pub mod debts;
pub mod due;
mod due_rows;
mod earlier_rules;
mod error;
mod facts;
mod folder;
mod history;
pub mod holds;
pub mod leases;
mod memory;
mod migrate;
pub mod notices;
pub mod outbox;
mod point_rows;
pub mod points;
pub mod presence;
pub mod prune;
pub mod runs;
mod scope;
pub mod servers;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod value;

pub use database::Store;
pub use error::StoreError;
pub use folder::DATABASE;
