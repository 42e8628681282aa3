//! PURE: what should happen. Policies, due times, retention, slots, guards and the plan of a run, computed from
//! arguments alone: no async, no I/O, no clock, no log lines.
//!
//! Data first: the policy and what it keeps, points and lists, memory, slots, guards, brakes, the plan. Then decisions:
//! `owner`, `evidence` and `counted` say what a point is; `observed_brakes`, `brakes_in_force` and `detect` find the
//! brakes; `delete_guards` refuses deletes; `extra` and `shares` work out what holds cost; `planner` makes the plan;
//! `permit` checks each delete just before it is sent. No two files depend on each other in a circle.

pub mod brake;
mod brakes_in_force;
pub mod conditions;
mod counted;
pub mod delete_guards;
pub mod detect;
pub mod evidence;
mod extra;
pub mod guard;
pub mod hold;
pub mod hold_cost;
pub mod inventory;
pub mod keep;
pub mod mark;
pub mod memory;
pub mod name;
mod observed_brakes;
pub mod owner;
pub mod permit;
pub mod plan;
pub mod planner;
#[expect(clippy::module_inception, reason = "a rule of the policy file is called a policy")]
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
