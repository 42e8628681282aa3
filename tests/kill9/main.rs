//! Rule 8 with the real thing: `lastgood` is killed with `kill -9` at moments that the tests count (each request, before
//! and after the provider acts on it; each write to the disk), or at random, and started again. Real processes, real HTTP
//! to the simulator through a counting gate, real files.
//!
//! `cargo test --test kill9` needs nothing else. What needs `strace`, or takes minutes, is ignored there; `.ci/kill` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
mod durable;
mod gate;
mod gated_host;
mod mail;
mod random;
mod restore;
mod stops;
mod striking_server;
#[path = "../support"]
mod support {
    pub mod folder;
    pub mod policy_text;
    pub mod smtp_server;
}
mod writes;
