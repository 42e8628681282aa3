//! Due times: cron expressions in a time zone, with clock changes, splay, and what is due or missed.
//!
//! Promises: due times are whole seconds, strictly ascending, the same forward and backward, and the same whenever they
//! are computed. An expression whose hour field names hours means wall-clock times: a time inside the spring gap moves
//! to the first moment after it, and a time that repeats in autumn is due once, the first time. An expression whose
//! hour field is `*` or `*/n` means an interval: nothing is due in the gap, and both repeated hours are used.

mod cron;
mod due;
mod error;
mod expression;
mod fields;
mod wall_clock;

#[cfg(test)]
mod tests;

pub use cron::Schedule;
pub(crate) use due::Lost;
pub(crate) use due::{Due, due};
pub use due::{DueTimes, splay};
pub(crate) use wall_clock::ClockChange;
