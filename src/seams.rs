//! What the integration tests and the fuzz targets use of the private modules, and nothing else does. It is not an API:
//! names come and go with the tests.

#![expect(clippy::module_inception, reason = "the modules keep their names")]

pub mod account {
    pub use crate::account::{mail_settings, task_of_run, tasks};
}
pub mod cli {
    pub use crate::cli::Cli;
    pub mod world {
        pub use crate::cli::world::{open_world, run_settings};
    }
}
pub mod clock {
    pub use crate::clock::{Clock, ManualClock, VirtualClock};
}
pub mod config {
    pub use crate::config::{Config, Diagnostic, Environment, FileLocation, load, parse, reference};
    pub mod diagnostic {
        pub use crate::config::diagnostic::{render, tally};
    }
    pub mod secret {
        pub use crate::config::secret::Secret;
    }
}
pub mod daemon {
    pub use crate::daemon::{Evaluator, NewConfig, ReloadConfig, Service, Wake, brake_changed_retention, digests};
}
pub mod exit_code {
    pub use crate::exit_code::ExitCode;
}
pub mod journal {
    pub mod errand {
        pub use crate::journal::errand::{Errand, ManualCommand};
    }
    pub mod event {
        pub use crate::journal::event::RunKey;
    }
    pub mod notice {
        pub use crate::journal::notice::{Class, Fact, FailedRun, Good, Notice, RunProblem, Topic};
    }
    pub mod redelivery {
        pub use crate::journal::redelivery::wait_after;
    }
    pub mod state {
        pub use crate::journal::state::RunState;
    }
    pub mod summary {
        pub use crate::journal::summary::{RunHistory, RunSummary};
    }
}
pub mod policy {
    pub mod brake {
        pub use crate::policy::brake::BrakeCause;
    }
    pub mod guard {
        pub use crate::policy::guard::Guard;
    }
    pub mod inventory {
        pub use crate::policy::inventory::{
            Inventory, Kind, PointId, PointStatus, ReadProof, RestorePoint, Server, ServerId, ServerRef, ServerStatus,
        };
    }
    pub mod keep {
        pub use crate::policy::keep::{Count, Keep, KeepMode, KeepRule};
    }
    pub mod looks {
        pub use crate::policy::looks::{Took, UsualTime};
    }
    pub mod mark {
        pub use crate::policy::mark::{Mark, Token, is_beginning, token_of_description, token_of_name, tokens_of};
    }
    pub mod name {
        pub use crate::policy::name::{PolicyName, is_name};
    }
    pub mod owner {
        pub use crate::policy::owner::Owner;
    }
    pub mod plan {
        pub use crate::policy::plan::{Plan, Reason};
    }
    pub mod policy {
        pub use crate::policy::policy::{Policy, Prune};
    }
    pub mod retention {
        pub use crate::policy::retention::{Candidate, decide};
    }
    pub mod schedule {
        pub use crate::policy::schedule::{DueTimes, Schedule, splay};
    }
    pub mod selector {
        pub use crate::policy::selector::{Pattern, Selector};
    }
    pub mod task {
        pub use crate::policy::task::Task;
    }
    pub mod text {
        pub use crate::policy::text::misleads;
    }
}
pub mod provider {
    pub use crate::provider::{
        BackupTypeFilter, Client, ClientSettings, CreateRequest, Deleted, Fields, Power, ProviderError, Watch,
        WatchPace,
    };
}
pub mod report {
    pub mod content {
        pub use crate::report::content::compose;
        pub mod context {
            pub use crate::report::content::context::MailContext;
        }
    }
    pub mod delivery {
        pub use crate::report::delivery::OutboxMessage;
    }
    pub mod error {
        pub use crate::report::error::{DeliveryStep, FailureKind};
    }
    pub mod message {
        pub use crate::report::message::{MailDraft, compose, message_id};
    }
    pub mod message_data {
        pub use crate::report::message_data::{MailKind, MessageData, TimedNotice};
    }
    pub mod pipeline {
        pub use crate::report::pipeline::{Pipeline, compose_due};
    }
    pub mod render {
        pub use crate::report::render::render;
    }
    pub mod sender {
        pub use crate::report::sender::deliver;
    }
    pub mod smtp {
        pub use crate::report::smtp::{Login, SmtpLimits, SmtpSettings, Tls};
    }
    pub mod transport {
        pub use crate::report::transport::MailTransport;
    }
}
pub mod run {
    pub use crate::run::{
        InForce, Lease, Leases, Random, RunError, Settings, Task, World, drive, inspect, inspect_and_record,
        look_after, watch_debts,
    };
    pub mod by_hand {
        pub use crate::run::by_hand::{cut_off, delete, restore};
    }
}
pub mod store {
    pub use crate::store::{DATABASE, Store, StoreError};
    pub mod holds {
        pub use crate::store::holds::{Hold, HoldTarget};
    }
    pub mod leases {
        pub use crate::store::leases::{Holder, Leased};
    }
    pub mod notices {
        pub use crate::store::notices::Waiting;
    }
    pub mod outbox {
        pub use crate::store::outbox::{Channel, DeliveryOutcome};
    }
    pub mod runs {
        pub use crate::store::runs::{Recorded, Run};
    }
}
