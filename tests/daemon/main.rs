//! The daemon: what is due and when, runs beside each other, and the real program under signals, faults and mail.
//!
//! `due` asks the evaluator alone, `concurrency` runs the service in this process under virtual time, everything else
//! starts the real program against `lastgood simulator`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod concurrency;
mod debts;
mod due;
mod hostile_mail;
#[path = "../cli/lab.rs"]
#[expect(dead_code, reason = "it is shared with the tests of the command line")]
mod lab;
mod live;
mod mails;
mod process;
mod scale;
mod signals;
mod stage;
mod trouble;
