//! PURE: what has happened. A run is the list of its events; one transition function turns them into a state, and one
//! function decides what comes next. After a crash the list is replayed and the run continues: there is no separate
//! recovery code.

pub(crate) mod adopt;
pub(crate) mod answer;
pub(crate) mod bucket_wait;
pub(crate) mod creating;
pub(crate) mod cut_off;
pub(crate) mod debt;
pub(crate) mod debt_watch;
pub(crate) mod deletes;
pub(crate) mod effects;
pub(crate) mod errand;
pub(crate) mod event;
pub(crate) mod exit;
pub(crate) mod next;
pub(crate) mod notice;
pub(crate) mod power;
pub(crate) mod redelivery;
mod replan;
mod requests;
pub(crate) mod restore;
pub(crate) mod room;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod settling;
pub(crate) mod state;
mod step;
pub(crate) mod summary;

#[cfg(test)]
mod tests;
