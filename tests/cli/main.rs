//! The command line as a user has it: the real program, real HTTP to `lastgood simulator`, real files. Every output is
//! searched for the token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod demo;
mod files;
mod flows;
mod lab;
mod shapes;
mod state;
