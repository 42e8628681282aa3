//! The command line as a user has it: the real program, real HTTP to `lastgood simulator`, real files. Every output is
//! searched for the token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod bad_input;
mod commands;
mod demo;
mod files;
mod flows;
mod full_disk;
mod generated;
mod init;
mod logs;
mod running;
mod shapes;
mod state;
mod steps;
mod terminal;
#[path = "../support"]
mod support {
    pub mod folder;
    pub mod host;
    pub mod policy_text;
    pub mod program;
    pub mod provider_control;
}
