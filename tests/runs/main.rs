//! Runs against the simulator: one by one, what DESIGN calls the rules. Each test names the rule that it guards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod brakes;
mod by_hand;
mod confusions;
mod crashes;
mod debts;
mod plain;
mod stage;
