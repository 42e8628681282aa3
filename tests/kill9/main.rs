//! Rule 8 with the real thing: `lastgood` is killed with `kill -9` at moments that it counts itself (each request,
//! before and after the provider acts on it; each write to the disk), or at random, and started again. Real processes,
//! real HTTP to the simulator through a counting gate, real files.
//!
//! `cargo test` needs nothing else. What needs `strace`, or takes minutes, is ignored there; `.ci/kill` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod durable;
mod gate;
mod mail;
mod office;
mod random;
mod restore;
mod rig;
mod scenes;
mod stops;
mod writes;
