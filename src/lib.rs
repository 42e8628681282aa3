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
//! `tests/architecture` enforces who may use whom.

pub mod account;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod exit_code;
pub mod journal;
pub mod policy;
pub mod provider;
pub mod report;
pub mod run;
pub mod simulator;
pub mod status;
pub mod store;
