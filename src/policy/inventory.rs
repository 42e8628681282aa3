//! Servers, restore points and inventories, as the provider lists them, in our own types.
//!
//! An `Inventory` is *all* restore points of one kind on one server, known to be complete. `doubts` names whatever
//! could not be verified; nothing is deleted on the basis of an inventory with doubts.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A key of the provider, as the provider gave it: an integer or a text (a uuid). A server's and a restore point's are
/// types of their own, so that neither is taken for the other.
macro_rules! provider_key {
    ($(#[$what:meta])* $name:ident) => {
        $(#[$what])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(untagged)]
        pub enum $name {
            /// `12345`; sorts before every text.
            Number(i64),
            /// `"7f0c…"`.
            Text(String),
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Number(number) => number.fmt(f),
                    Self::Text(text) => text.fmt(f),
                }
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self::Number(number)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::Text(text)
            }
        }

        impl From<&str> for $name {
            /// The key that a person typed: a number where the text is one.
            fn from(text: &str) -> Self {
                text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number)
            }
        }
    };
}

provider_key! {
    /// The provider's key of a server.
    ServerId
}

provider_key! {
    /// The provider's key of a backup or a snapshot.
    PointId
}

/// The two kinds of restore point. They differ in data, never in code paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A manual backup on separate storage, for disaster recovery.
    Backup,
    /// A snapshot on the same infrastructure, for a quick rollback.
    Snapshot,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Backup, Self::Snapshot];

    /// `"backup"` or `"snapshot"`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Snapshot => "snapshot",
        }
    }

    /// `"backups"` or `"snapshots"`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Backup => "backups",
            Self::Snapshot => "snapshots",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A server as it is shown and stored: always `{"id", "name"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerRef {
    /// The provider's key: the integer id if there is one, else the uuid.
    pub id: ServerId,
    /// The name if there is one, else the hostname, else the id.
    pub name: String,
}

impl fmt::Display for ServerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A server of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// How it is displayed.
    pub reference: ServerRef,
    /// Every key that a selector may name: id, uuid, name, hostname.
    pub keys: Vec<String>,
    /// Its status.
    pub status: ServerStatus,
}

/// The status of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerStatus {
    /// It runs (`active`, `running`).
    Active,
    /// It is stopped (`stopped`, `off`).
    Stopped,
    /// The provider has suspended it.
    Suspended,
    /// Any other status (`restoring`, `starting` …), as given.
    Other(String),
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Suspended => "suspended",
            Self::Other(word) => word,
        })
    }
}

/// The status of a restore point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointStatus {
    /// It is being created.
    InProgress,
    /// It is complete and can be restored.
    Completed,
    /// It failed for good.
    Failed,
    /// An unknown status: treated like `InProgress`, so never deleted.
    Other(String),
}

impl PointStatus {
    /// Whether it may still become completed or failed. True for an unknown status, too.
    #[must_use]
    pub const fn is_in_progress(&self) -> bool {
        matches!(self, Self::InProgress | Self::Other(_))
    }
}

impl fmt::Display for PointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Other(word) => word,
        })
    }
}

/// A backup or a snapshot that the provider lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// The provider's key.
    pub id: PointId,
    /// Backup or snapshot.
    pub kind: Kind,
    /// The server that the provider names in the point itself.
    pub server: ServerRef,
    /// Created by the provider's plan (`backup_type` is not `manual`): not ours to delete, takes no slot.
    pub automatic: bool,
    /// Its status.
    pub status: PointStatus,
    /// Its size in MB (as the provider counts them), if known.
    pub size_mb: Option<u64>,
    /// When the provider started creating it.
    pub created_at: Timestamp,
    /// When the provider deletes it by itself; `None` for manual ones.
    pub expires_at: Option<Timestamp>,
    /// A snapshot's name; backups have none.
    pub name: Option<String>,
    /// The description, empty if there is none.
    pub description: String,
}

/// Orders points from newest to oldest, by time and id. Times are whole seconds; of two points in the same second, the
/// one with the larger id is newer.
#[must_use]
pub(crate) fn newest_first<T: Ord>(a: (T, &PointId), b: (T, &PointId)) -> Ordering {
    b.cmp(&a)
}

/// How an inventory was read, and so what it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadProof {
    /// One server's list in a single page: good enough to delete by.
    OnePage,
    /// Several pages, read twice with the same result: good enough to delete by.
    ReadTwice,
    /// Several pages, read once: enough to see that a point is there, never to delete by.
    ReadOnce,
    /// The account's list, read once, that shows the points of the server's own list of a moment ago: enough to create
    /// by, never to delete by.
    Confirmed,
}

/// All restore points of one kind on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The server.
    pub server: ServerRef,
    /// The kind.
    pub kind: Kind,
    /// Newest first; each id once. Automatic backups may be among them.
    pub points: Vec<RestorePoint>,
    /// When the list was requested, by our clock.
    pub read_at: Timestamp,
    /// The provider's time (the `Date` header), if it gave one.
    pub provider_time: Option<Timestamp>,
    /// How the list was read.
    pub proof: ReadProof,
    /// Why nothing may be deleted by this list, such as unreadable points. Empty when there is no doubt.
    pub doubts: Vec<String>,
}

impl Inventory {
    /// The points that take a slot: all but automatic backups.
    pub fn manual(&self) -> impl Iterator<Item = &RestorePoint> {
        self.points.iter().filter(|point| !point.automatic)
    }

    /// The listed point with this id.
    #[must_use]
    pub fn find(&self, id: &PointId) -> Option<&RestorePoint> {
        self.points.iter().find(|point| point.id == *id)
    }

    /// Why nothing may be deleted by this inventory, if so.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        if !self.doubts.is_empty() {
            return Some(self.doubts.join("; "));
        }
        match self.proof {
            ReadProof::OnePage | ReadProof::ReadTwice => None,
            ReadProof::ReadOnce => Some("the list has several pages and was read only once".to_owned()),
            ReadProof::Confirmed => Some("the list is the whole account's, which decides no delete".to_owned()),
        }
    }

    /// Why no point may be created by this inventory, if so.
    #[must_use]
    pub fn doubt_about_room(&self) -> Option<String> {
        self.doubt().filter(|_| self.proof != ReadProof::Confirmed || !self.doubts.is_empty())
    }

    /// Whether `other` shows the same points, apart from `gone`.
    #[must_use]
    pub fn shows_same_as(&self, other: &Self, gone: &PointId) -> bool {
        let identities = |inventory: &Self| -> BTreeSet<(PointId, Timestamp)> {
            let points = inventory.points.iter().filter(|point| point.id != *gone);
            points.map(|point| (point.id.clone(), point.created_at)).collect()
        };
        self.kind == other.kind && self.server.id == other.server.id && identities(self) == identities(other)
    }
}
