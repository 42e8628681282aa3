//! PURE: what should happen. Policies, due times, retention, slots, guards and the plan of a run, computed from
//! arguments alone: no async, no I/O, no clock, no log lines.
//!
//! Data first: the policy and what it keeps, points and lists, memory, slots, guards, brakes, the plan. Then decisions:
//! `owner`, `evidence` and `counted` say what a point is; `observed_brakes`, `brakes_in_force` and `detect` find the
//! brakes; `delete_guards` refuses deletes; `extra` and `shares` work out what holds cost; `planner` makes the plan;
//! `permit` checks each delete just before it is sent; `looks` says when a run looks for its point. No two files depend on each other in a circle.

pub(crate) mod brake;
mod brakes_in_force;
pub(crate) mod conditions;
mod counted;
pub(crate) mod delete_guards;
pub(crate) mod detect;
pub(crate) mod evidence;
mod extra;
pub(crate) mod guard;
pub(crate) mod hold;
pub(crate) mod hold_cost;
pub(crate) mod inventory;
pub(crate) mod keep;
pub(crate) mod looks;
pub(crate) mod mark;
pub(crate) mod memory;
pub(crate) mod name;
mod observed_brakes;
pub(crate) mod owner;
pub(crate) mod permit;
pub(crate) mod plan;
pub(crate) mod planner;
#[expect(clippy::module_inception, reason = "a rule of the policy file is called a policy")]
pub(crate) mod policy;
pub(crate) mod retention;
pub(crate) mod retention_change;
pub(crate) mod schedule;
pub(crate) mod selector;
mod shares;
pub(crate) mod slot_blocker;
pub(crate) mod slot_sum;
pub(crate) mod slots;
pub(crate) mod task;
pub(crate) mod text;
