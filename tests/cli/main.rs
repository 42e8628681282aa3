//! The command line as a user has it: the real program, real HTTP to `lastgood simulator`, real files. Every output is
//! searched for the token.

mod bad_input;
mod demo;
mod flows;
mod lab;
mod shapes;
