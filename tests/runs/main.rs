//! Runs against the simulator, one by one. Each test names the rule that it guards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod boundaries;
mod brakes;
mod by_hand;
mod changed_text;
mod crashes;
mod debts;
mod holds;
mod late;
mod plain;
mod provider_misbehaves;
mod renames;
mod stage;
