//! Placeholder.

pub mod retention;
pub mod schedule;
