//! PURE: what should happen. Policies, due times, retention, slots, guards and the plan of a run, from arguments
//! alone: no async, no I/O, no clock, no log lines.
//!
//! Data first: the policy and what it keeps, points and lists, memory, slots, guards, brakes, the plan. Then what decides:
//! `owner`, `evidence` and `counted` say what a point is; `signs`, `in_force` and `detect` find the brakes;
//! `delete_guards` refuses deletes; `extra` and `shares` say what holds cost; `planner` decides; `permit` has the last
//! word. No file uses one that uses it.

pub mod brake;
mod brakes_in_force;
pub mod conditions;
mod counted;
pub mod delete_guards;
pub mod detect;
pub mod evidence;
mod extra;
pub mod guard;
pub mod hold_cost;
pub mod inventory;
pub mod keep;
pub mod mark;
pub mod memory;
mod observed_brakes;
pub mod owner;
pub mod permit;
pub mod plan;
pub mod planner;
#[expect(clippy::module_inception, reason = "the word of the design for a rule of the file")]
pub mod policy;
pub mod retention;
pub mod retention_change;
pub mod schedule;
pub mod selector;
mod shares;
pub mod slot_blocker;
pub mod slot_sum;
pub mod slots;
pub mod task;
pub mod text;
