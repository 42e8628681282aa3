//! The provider and the network at their worst: every fault in every phase of a run, and answers that are lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../runs/stage.rs"]
mod stage;
#[path = "../truth/mod.rs"]
mod truth;
