//! lastgood keeps backups and snapshots of VPS.org servers by policy.
//!
//! ```text
//!        cli  ───────────────  daemon            start things
//!         │                      │
//!         └────────┬─────────────┘
//!                  ▼
//!               account                          the account as it is now, for both of them
//!                  │
//!                  ▼
//!      run ─── report ─── status                 make one become the other, and report it
//!       │         │          │
//!   provider    store  ◄─────┘                   touch the world
//!       │         │
//!       │      journal    config                 what has happened · the file, validated
//!       ▼         ▼          │
//!       └────► policy ◄──────┘    clock          what should happen · the only reader of the time
//! ```
//!
//! `policy` and `journal` are pure: they decide from their arguments alone. `run` performs what they decide.
//! `tests/architecture` enforces who may use whom. The modules are private: the program is its command line ([`Cli`]),
//! and the simulator is usable by itself.

#![warn(unreachable_pub)]

mod account;
mod cli;
mod clock;
mod config;
mod daemon;
mod exit_code;
mod journal;
mod policy;
mod provider;
mod report;
mod run;
#[doc(hidden)]
pub mod seams;
pub mod simulator;
mod status;
mod store;

pub use cli::Cli;
