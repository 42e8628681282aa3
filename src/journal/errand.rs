//! What a command that runs alongside the daemon (`accept`, `delete`, `restore`) does on a server while it holds the
//! lease. It is stored in the lease, so that a killed command leaves a record. Its JSON outlives versions: fields are
//! added, never renamed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::inventory::{Kind, PointId, RestorePoint, ServerId};

/// A command in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Errand {
    /// What it does.
    pub command: ManualCommand,
    /// Whether the provider has accepted its request.
    #[serde(default)]
    pub accepted: bool,
}

/// A command typed by a person. `to_string` gives it as typed, without `lastgood`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ManualCommand {
    /// It accepts a server's brakes.
    #[serde(rename = "accept")]
    Accept {
        /// The server.
        server: ServerId,
    },
    /// It deletes a point.
    #[serde(rename = "delete")]
    Delete {
        /// The kind of point.
        kind: Kind,
        /// The provider's key.
        id: PointId,
    },
    /// It restores the server from a point.
    #[serde(rename = "restore")]
    Restore {
        /// The kind of point.
        kind: Kind,
        /// The provider's key.
        id: PointId,
    },
    /// A command that an earlier version has left, known only as text.
    #[serde(rename = "other")]
    Other {
        /// The text.
        words: String,
    },
}

impl Errand {
    /// A command that has sent nothing yet.
    #[must_use]
    pub const fn new(command: ManualCommand) -> Self {
        Self { command, accepted: false }
    }
}

impl ManualCommand {
    /// The restore from this point.
    #[must_use]
    pub fn restore(point: &RestorePoint) -> Self {
        Self::Restore { kind: point.kind, id: point.id.clone() }
    }

    /// The delete of this point.
    #[must_use]
    pub fn delete(point: &RestorePoint) -> Self {
        Self::Delete { kind: point.kind, id: point.id.clone() }
    }

    /// Whether it restores a server.
    #[must_use]
    pub fn is_restore(&self) -> bool {
        match self {
            Self::Restore { .. } => true,
            Self::Other { words } => words.starts_with("restore"),
            Self::Accept { .. } | Self::Delete { .. } => false,
        }
    }
}

impl fmt::Display for ManualCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept { server } => write!(f, "accept --server {server}"),
            Self::Delete { kind, id } => write!(f, "delete {kind} {id}"),
            Self::Restore { kind, id } => write!(f, "restore {kind} {id}"),
            Self::Other { words } => f.write_str(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_reads_back_from_the_json_that_later_versions_will_find() {
        let id = || PointId::Text("7f0c".to_owned());
        let table = [
            (
                ManualCommand::Accept { server: ServerId::Number(5) },
                r#"{"command":{"accept":{"server":5}},"accepted":false}"#,
                "accept --server 5",
            ),
            (
                ManualCommand::Delete { kind: Kind::Snapshot, id: id() },
                r#"{"command":{"delete":{"kind":"snapshot","id":"7f0c"}},"accepted":false}"#,
                "delete snapshot 7f0c",
            ),
            (
                ManualCommand::Restore { kind: Kind::Backup, id: PointId::Number(7) },
                r#"{"command":{"restore":{"kind":"backup","id":7}},"accepted":false}"#,
                "restore backup 7",
            ),
            (
                ManualCommand::Other { words: "restore 4711".to_owned() },
                r#"{"command":{"other":{"words":"restore 4711"}},"accepted":false}"#,
                "restore 4711",
            ),
        ];
        for (command, json, words) in table {
            let errand = Errand::new(command);
            assert_eq!(serde_json::to_string(&errand).unwrap(), json);
            assert_eq!(serde_json::from_str::<Errand>(json).unwrap(), errand);
            assert_eq!(errand.command.to_string(), words);
            assert_eq!(errand.command.is_restore(), words.starts_with("restore"));
        }
    }
}
