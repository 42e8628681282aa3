//! Due times: cron expressions in a zone, with clock changes, splay, and what is due or missed.
//!
//! Promises: due times are whole seconds, strictly ascending, the same walked forward and backward, and the same
//! whenever they are asked for. An expression whose hour field names hours means wall-clock times: a time that the
//! spring gap swallows comes at the first moment after the gap, a time that the autumn repeats comes once, the first
//! time. An expression whose hour field is `*` or `*/n` means an interval: nothing in the gap, both repeated hours.

mod cron;
mod due;
mod error;
mod expression;
mod fields;
mod wall_clock;

#[cfg(test)]
mod tests;

pub use cron::Schedule;
pub use due::{Due, DueTimes, LATE, LOST_COUNTED, Lost, due, splay};
pub use error::ScheduleError;
pub use wall_clock::ClockChange;
