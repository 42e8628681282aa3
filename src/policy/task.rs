//! A policy on a server, with what it shares with the server's other policies. Each run carries out one task.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::inventory::Server;
use crate::policy::policy::Policy;
use crate::policy::schedule::{DueTimes, splay};

/// A policy on a server.
#[derive(Clone, Debug)]
pub struct Task {
    /// The server.
    pub server: Server,
    /// The policy, as it applies to it.
    pub policy: Arc<Policy>,
    /// The largest `reserve` of all policies of this server and kind.
    pub reserve: u32,
    /// The other enabled policies of this server and kind.
    pub others: Vec<Arc<Policy>>,
}

impl Task {
    /// How much later than the schedule the policy is due on this server.
    #[must_use]
    pub fn splay(&self) -> Duration {
        splay(&self.server.reference.id.to_string(), self.policy.name.as_str(), self.policy.splay)
    }

    /// The due times of the policy on this server.
    #[must_use]
    pub fn due_times(&self) -> DueTimes<'_> {
        DueTimes { schedule: &self.policy.schedule, splay: self.splay() }
    }
}
