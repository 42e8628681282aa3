//! PURE: what has happened. A run is the list of its events; one transition function turns them into a state, and one
//! function says what comes next. A start after a crash replays the list and goes on: recovery has no code of its own.

pub mod debt;
pub mod effects;
pub mod errand;
pub mod event;
pub mod notice;
pub mod recovery;
mod replan;
pub mod state;
mod step;
pub mod summary;

#[cfg(test)]
mod tests;
