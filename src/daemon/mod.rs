//! The service: wakes once a second, takes up what is due, drives runs, sends mail, and ends in an orderly way.
//!
//! The alarm clock (tokio-cron-scheduler) only wakes the evaluator. What is due is decided by `policy::schedule` from
//! the last handled due time in the store, so an alarm that is late, doubled or lost changes nothing.

mod evaluate;
pub mod fleet;
mod listing;
pub mod mail;
mod notify;
mod reload;
pub mod review;
mod service;
mod signals;
pub mod survey;
mod ticker;
mod under_way;

pub use evaluate::{Evaluator, Followed};
pub use listing::{AccountServers, list_servers, refresh_servers};
pub use reload::IN_FORCE;
pub use service::{Files, Rouse, Service, ServiceError, open_world};
pub use signals::Signals;
pub use ticker::Ticker;
