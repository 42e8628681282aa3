//! The calls that the API has.

use serde::{Deserialize, Serialize};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// A list of backups or snapshots.
    List,
    /// A new backup or snapshot, by either path.
    Create,
    /// The delete of one.
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
