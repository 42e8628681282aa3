//! The daemon: what is due and when, concurrent runs, and the real program under signals, faults and mail.
//!
//! `due` asks the evaluator alone, `concurrency`, `debts` and `live` run the service in this process under virtual time,
//! everything else starts the real program against `lastgood simulator`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod concurrency;
mod debts;
mod due;
mod due_together;
mod health;
mod hostile_mail;
mod http;
mod http_client;
mod letters;
mod live;
mod mails;
mod metrics;
mod page;
mod process;
mod scale;
mod signals;
mod simulated_daemon;
mod trouble;
#[path = "../support"]
mod support {
    pub mod folder;
    pub mod host;
    pub mod in_process;
    pub mod policy_text;
    pub mod program;
    pub mod provider_control;
    pub mod smtp_server;
}
