//! The account as it is now: its servers, which policy applies to which, how each policy is doing, and what a changed
//! policy file would do.
//!
//! The daemon and the commands both ask here, and both act on the answer by themselves: nothing here starts anything.

mod digest;
mod file_in_force;
mod fleet;
mod mail_settings;
mod page_facts;
mod review;
mod servers;
mod survey;
mod upcoming;

pub(crate) use digest::digest_facts;
pub(crate) use file_in_force::{file_in_force, put_in_force, refuse_file};
pub(crate) use fleet::{same_servers, tasks_of_server, unprotected};
pub use fleet::{task_of_run, tasks};
pub use mail_settings::mail_settings;
pub(crate) use page_facts::page_facts;
pub(crate) use review::RetentionReview;
pub(crate) use servers::{
    AccountServers, ServerListError, list_and_store, list_servers, refresh_servers, stored_servers,
};
pub(crate) use survey::survey;
