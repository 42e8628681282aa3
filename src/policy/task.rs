//! A policy on a server, with what it shares with the server's other policies: what a run is about.

use std::sync::Arc;

use crate::policy::inventory::Server;
use crate::policy::policy::Policy;

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
