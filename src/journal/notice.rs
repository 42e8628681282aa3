//! What must be reported to people. A notice says where something happened and, as data, what. It is created where it
//! happens and waits in the store until a report has carried it.

use crate::policy::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::journal::notice::stored::{Data, Stored};
use crate::policy::inventory::{Kind, ServerRef};

mod ended;
mod fact;
mod repeat;
mod run;
mod sentence;
mod stored;
mod task;
mod topic;

pub(crate) use ended::AtEnd;
pub use fact::Fact;
pub(crate) use fact::{
    FoundServer, LatestDue, MissedDueTimes, NotStarted, Recovered, Recovery, StalePolicy, StartProblem, StoppedFor,
};
pub(crate) use repeat::is_reported_already;
pub(crate) use run::{DeletedPoint, GivenUp, SucceededRun, Tries};
pub use run::{FailedRun, Good, RunProblem};
pub use topic::{Class, Topic};

/// One thing to report. `to_string` gives it in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Notice {
    /// The server, where there is one.
    pub server: Option<ServerRef>,
    /// The policy, where there is one.
    pub policy: Option<PolicyName>,
    /// The kind of restore point, where there is one.
    pub kind: Option<Kind>,
    /// The reports of the policy; empty means every report with `on`.
    pub reports: Vec<String>,
    /// What happened.
    pub fact: Fact,
}

impl Notice {
    /// A fact that belongs to no server and no policy, for every report with `on`.
    #[must_use]
    pub const fn new(fact: Fact) -> Self {
        Self { server: None, policy: None, kind: None, reports: Vec::new(), fact }
    }

    /// A fact that belongs to a server and to no policy, for every report with `on`.
    #[must_use]
    pub fn of_server(server: ServerRef, fact: Fact) -> Self {
        Self { server: Some(server), ..Self::new(fact) }
    }

    /// Which reports carry it.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.fact.class()
    }

    /// Which incident it belongs to.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        self.fact.topic()
    }
}

impl From<Stored> for Notice {
    fn from(stored: Stored) -> Self {
        let Data { server, policy, kind, reports, fact } = stored.into();
        Self { server, policy, kind, reports, fact }
    }
}

#[cfg(test)]
mod tests;
