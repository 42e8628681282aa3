//! Runs against the simulator, one by one. Each test names the rule that it guards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod boundaries;
mod brakes;
mod bucket_end;
mod by_hand;
mod calls;
mod changed_text;
mod crash_cases;
mod crashes;
mod cut_off;
mod debts;
mod holds;
mod late;
mod plain;
mod provider_misbehaves;
mod renames;
mod stopped_servers;
#[path = "../support"]
mod support {
    pub mod in_process;
    pub mod simulated_world;
}
mod world;
