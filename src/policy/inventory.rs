//! Servers, restore points and inventories, as the provider lists them, in our words.
//!
//! An `Inventory` is *all* restore points of one kind on one server, known to be complete. What could not be proved
//! is said in `doubts`; an inventory with doubts decides no delete.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A provider's key of a thing, in the type that the provider gave it: an integer or a text (a uuid).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// `12345`; smaller than every text.
    Number(i64),
    /// `"7f0c…"`.
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The two kinds of restore points. They differ in data, never in code paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A manual backup on separate storage, for disaster recovery.
    Backup,
    /// A snapshot on the same infrastructure, for a quick roll-back.
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
    /// The provider's key: the integer id where there is one, else the uuid.
    pub id: Id,
    /// The name where there is one, else the hostname, else the id.
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
    /// How it is shown.
    pub reference: ServerRef,
    /// Every key that a selector may name: id, uuid, name, hostname.
    pub keys: Vec<String>,
    /// What it is doing.
    pub status: ServerStatus,
}

/// What a server is doing, in the provider's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerStatus {
    /// It runs (`active`, `running`).
    Active,
    /// It is stopped (`stopped`, `off`).
    Stopped,
    /// The provider has suspended it.
    Suspended,
    /// Any other word (`restoring`, `starting` …), as given.
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

/// How far a restore point has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointStatus {
    /// It is being made.
    InProgress,
    /// It is there and can be restored.
    Completed,
    /// It will never be there.
    Failed,
    /// A word that we do not know: treated like `InProgress`, so never deleted.
    Other(String),
}

impl PointStatus {
    /// Whether it may still become completed or failed. A word that we do not know counts as well.
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
    pub id: Id,
    /// Backup or snapshot.
    pub kind: Kind,
    /// The server that the provider names in the point itself.
    pub server: ServerRef,
    /// Made by the provider's plan (`backup_type` is not `manual`): not ours to delete, takes no slot.
    pub automatic: bool,
    /// How far it has come.
    pub status: PointStatus,
    /// Its size in MB (as the provider counts them), where known.
    pub size_mb: Option<u64>,
    /// When the provider began it.
    pub created_at: Timestamp,
    /// When the provider drops it by itself; `None` for manual ones.
    pub expires_at: Option<Timestamp>,
    /// A snapshot's name; backups have none.
    pub name: Option<String>,
    /// The description, empty where there is none.
    pub description: String,
}

/// Orders points, by their times and ids, from the newest to the oldest. Times have whole seconds: of two points of one second, the larger id is
/// the newer.
#[must_use]
pub fn newest_first<T: Ord>(a: (T, &Id), b: (T, &Id)) -> Ordering {
    b.cmp(&a)
}

/// How sure an inventory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadProof {
    /// One server's list that came in one page: may decide deletes.
    OnePage,
    /// Several pages, read twice and found alike: may decide deletes.
    ReadTwice,
    /// Several pages, read once: enough to see that a point is there, never to delete.
    ReadOnce,
}

/// All restore points of one kind on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Whose.
    pub server: ServerRef,
    /// Of which kind.
    pub kind: Kind,
    /// Newest first; each id once. Automatic backups may be among them.
    pub points: Vec<RestorePoint>,
    /// When the list was asked for, by our clock.
    pub read_at: Timestamp,
    /// The provider's own time (`Date` of the answer), where it gave one.
    pub provider_time: Option<Timestamp>,
    /// How the list was read.
    pub proof: ReadProof,
    /// Why this list must not decide deletes: unreadable points and the like, in words. Empty when all is well.
    pub doubts: Vec<String>,
}

impl Inventory {
    /// The points that take a slot: all but automatic backups.
    pub fn manual(&self) -> impl Iterator<Item = &RestorePoint> {
        self.points.iter().filter(|point| !point.automatic)
    }

    /// The listed point with this id.
    #[must_use]
    pub fn find(&self, id: &Id) -> Option<&RestorePoint> {
        self.points.iter().find(|point| point.id == *id)
    }

    /// Why this inventory may not decide deletes, if so.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        if !self.doubts.is_empty() {
            return Some(self.doubts.join("; "));
        }
        (self.proof == ReadProof::ReadOnce).then(|| "the list came in several pages and was read only once".to_owned())
    }
}
