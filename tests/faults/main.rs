//! The provider and the network at their worst: every fault in every phase of a run, and answers that are lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checked_world;
mod deeds;
mod fault_list;
#[path = "../invariants/mod.rs"]
mod invariants;
mod lost;
mod lost_deletes;
mod matrix;
mod sockets;
#[path = "../support"]
mod support {
    pub mod folder;
    pub mod in_process;
    pub mod policy_text;
    pub mod program;
    pub mod simulated_world;
}
