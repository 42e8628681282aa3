//! The state folder: one SQLite database behind one connection, and a file lock against a second owner. What happened is
//! decided in `journal`; here it is written and read back.

mod brake_rows;
pub mod brakes;
mod changes;
pub(crate) mod counters;
pub(crate) mod daily_outcomes;
mod database;
mod debt_rows;
pub mod debts;
pub mod due;
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
pub(crate) mod server_incidents;
pub mod servers;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod value;

pub use database::Store;
pub use error::StoreError;
pub use folder::DATABASE;
pub use transaction::Transaction;
