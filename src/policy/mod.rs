//! PURE: what should happen. Policies, due times, retention, slots, guards and the plan of a run, from arguments
//! alone: no async, no I/O, no clock, no log lines.

pub mod brake;
pub mod budget;
pub mod conditions;
pub mod extra;
pub mod guard;
pub mod hold_cost;
pub mod inventory;
pub mod keep;
pub mod mark;
pub mod memory;
pub mod permit;
pub mod plan;
mod planner;
#[expect(clippy::module_inception, reason = "the word of the design for a rule of the file")]
pub mod policy;
pub mod predecessor;
pub mod retention;
pub mod schedule;
pub mod selector;
pub mod task;
pub mod text;
