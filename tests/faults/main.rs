//! The provider and the network at their worst: every fault in every phase of a run, and answers that are lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deeds;
mod fault_list;
#[path = "../invariants/mod.rs"]
mod invariants;
#[expect(dead_code, reason = "the lab of the commands has more than is needed here")]
#[path = "../cli/lab.rs"]
mod lab;
mod lost;
mod matrix;
mod scene;
mod sockets;
#[expect(dead_code, reason = "the stage of the runs has more than is needed here")]
#[path = "../runs/stage.rs"]
mod stage;
