//! Performs runs: makes what should happen happen, step by step, each written to the journal before and after.
//!
//! `journal::next` decides what comes next, and `drive` does it; nothing is decided again here. A run that was
//! interrupted by a crash or a shutdown is resumed from its journal by the same code.
//!
//! `drive` is the entry: it loops over what comes next. One file each performs a phase of the run: `planning`, `stop`,
//! `create`, `completion`, `start`, `delete`, `end`; `settle` finds out what became of a call whose answer was lost,
//! and `shutdown` is what is still done when the process shuts down. They all work on the `ActiveRun`, which reads
//! lists and writes the journal. Independently of runs, `debts` watches the servers that are owed a start, and
//! `by_hand` does what people request.

mod active_run;
mod ages;
mod answer;
pub(crate) mod by_hand;
mod completion;
mod create;
mod debts;
mod delete;
mod drive;
mod end;
mod errand;
mod error;
mod in_force;
mod inspect;
mod last_start;
mod lease;
mod locks;
mod look;
mod planning;
mod progress;
mod random;
mod settings;
mod settle;
mod shutdown;
mod start;
mod stop;
mod world;

pub use crate::policy::task::Task;
pub(crate) use debts::until_paid;
pub use debts::watch_debts;
pub use drive::drive;
pub use errand::look_after;
pub(crate) use error::InspectError;
pub use error::RunError;
pub use in_force::InForce;
pub(crate) use inspect::Inspection;
pub(crate) use inspect::brake_changes;
pub use inspect::{inspect, inspect_and_record};
pub(crate) use last_start::start_owed;
pub use lease::Lease;
pub use locks::Leases;
pub(crate) use progress::Progress;
pub(crate) use progress::READING;
pub use random::Random;
pub(crate) use settings::LiveSettings;
pub use settings::Settings;
pub use world::World;
