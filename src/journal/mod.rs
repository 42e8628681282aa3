//! PURE: what has happened. A run is the list of its events; one transition function turns them into a state, and one
//! function decides what comes next. After a crash the list is replayed and the run continues: there is no separate
//! recovery code.

pub mod adopt;
pub mod answer;
pub mod bucket_wait;
pub mod creating;
pub mod cut_off;
pub mod debt;
pub mod debt_watch;
pub mod deletes;
pub mod effects;
pub mod errand;
pub mod event;
pub mod exit;
pub mod next;
pub mod notice;
pub mod power;
mod replan;
mod requests;
pub mod restore;
pub mod room;
#[cfg(test)]
pub(crate) mod samples;
pub mod settling;
pub mod state;
mod step;
pub mod summary;

#[cfg(test)]
mod tests;
