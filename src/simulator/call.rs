//! The calls of the API.

use serde::{Deserialize, Serialize};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// A list of backups or snapshots.
    List,
    /// A create of a backup or snapshot, on any path.
    Create,
    /// A delete of one.
    Delete,
    /// A restore from one.
    Restore,
    /// A power action.
    Power,
    /// The list of servers.
    Servers,
    /// One server.
    Server,
    /// `/account/me/`.
    Account,
    /// Anything else.
    Unknown,
}
