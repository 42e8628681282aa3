//! The service: wakes once a second, starts the runs that are due, sends mail, and shuts down in an orderly way.
//!
//! The alarm clock (tokio-cron-scheduler) only wakes the evaluator. What is due is decided by `policy::schedule` from
//! the last handled due time in the store, so an alarm that is late, doubled or lost changes nothing.

mod evaluate;
mod evaluation;
mod listing;
mod mail;
mod notify;
mod process;
mod reload;
mod review;
mod runs;
mod service;
mod signals;
mod status_listener;
mod ticker;

pub use evaluate::Evaluator;
pub use mail::digests;
pub(crate) use process::run_in_process;
pub use reload::{NewConfig, ReloadConfig};
pub use review::brake_changed_retention;
pub(crate) use service::ServiceError;
pub use service::{Service, Wake};
pub(crate) use signals::Signals;
