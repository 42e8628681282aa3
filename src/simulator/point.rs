//! A restore point as the provider stores it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Backup or snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    /// Separate storage.
    Backup,
    /// Same infrastructure.
    Snapshot,
}

/// Who creates backups of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupType {
    /// Someone requested it.
    Manual,
    /// The provider's plan.
    Automatic,
}

/// The true state of a restore point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Backup or snapshot.
    pub kind: PointKind,
    /// Unique within its kind at any time.
    pub id: i64,
    /// The index of its server in the account's list.
    pub server: usize,
    /// Snapshots count as manual.
    pub backup_type: BackupType,
    /// A snapshot's name; empty for backups.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `in_progress`, `completed`, `failed`, or what a test says.
    pub status: String,
    /// Known when completed.
    pub size_mb: Option<u64>,
    /// As shown, including the skew of the provider's clock.
    pub created_at: Timestamp,
    /// Shown as `expires_at`.
    pub expires_at: Option<Timestamp>,
    /// Whether lists show it yet.
    pub listed: bool,
    /// A delete was accepted, and the slot is still taken.
    pub deleting: bool,
    /// Its size once completed.
    #[serde(skip)]
    pub(super) final_size_mb: u64,
    /// Distinguishes this point from an earlier one with the same id.
    pub(super) serial: u64,
}

impl Point {
    /// Whether the point takes one of the slots (automatic backups do not).
    #[must_use]
    pub fn takes_slot(&self) -> bool {
        self.backup_type == BackupType::Manual
    }
}
