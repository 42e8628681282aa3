//! The facts of a digest: every policy with its counts, ages, sizes and slots, and what nobody would notice otherwise:
//! servers without a policy, holds that never end, points of policies that are no longer in the file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::notice::Good;
use crate::policy::inventory::{Kind, PointId, ServerRef};

/// The facts of a digest. Stored as JSON, for the comparison in the next digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestFacts {
    /// The start of the period: the last digest, or the first run.
    pub since: Timestamp,
    /// What happened since then.
    pub runs: RunCounts,
    /// Every policy of the file.
    pub policies: Vec<DigestPolicy>,
    /// Servers without any policy.
    pub unprotected: Vec<ServerRef>,
    /// Holds that end soon or never.
    pub holds: Vec<DigestHold>,
    /// Points of policies that are no longer in the file.
    pub former: Vec<FormerPoints>,
    /// Mails that wait to be sent, without this one.
    pub mails_waiting: usize,
}

/// Runs by their outcome, and what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    /// Runs that created their point.
    pub succeeded: usize,
    /// Runs that did not.
    pub failed: usize,
    /// Runs whose outcome a person has to decide.
    pub unknown: usize,
    /// Runs that were not needed.
    pub skipped: usize,
    /// Due times without a run.
    pub missed: usize,
    /// Points created.
    pub made: usize,
    /// Points deleted.
    pub deleted: usize,
}

/// A policy and the servers that it applies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestPolicy {
    /// Its name.
    pub name: String,
    /// The kind of its points.
    pub kind: Kind,
    /// Its servers; an empty list is reported as well.
    pub servers: Vec<DigestServer>,
}

/// The state of a policy on a server; the words are those of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestState {
    /// The last run failed.
    Failing,
    /// The last good point is too old.
    Stale,
    /// No point was ever completed.
    Never,
    /// A run is in progress.
    Running,
    /// The last good point is recent.
    Ok,
}

/// A policy on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestServer {
    /// The server.
    pub server: ServerRef,
    /// Its state.
    #[serde(rename = "standing")]
    pub state: DigestState,
    /// Completed points of this policy.
    pub points: usize,
    /// The newest of them.
    pub last_good: Option<Good>,
    /// The oldest of them.
    pub oldest: Option<Timestamp>,
    /// The newest one's size in MB.
    pub size_mb: Option<u64>,
    /// The size in MB of the one that was newest at the last digest.
    pub size_before_mb: Option<u64>,
    /// The next due time.
    pub next_due: Option<Timestamp>,
    /// The server's slots of this kind, all policies together.
    pub slots: DigestSlots,
}

/// How the slots of a server and kind are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSlots {
    /// How many there are.
    pub limit: usize,
    /// Taken by points of ours.
    pub own: usize,
    /// Taken by foreign points.
    pub foreign: usize,
    /// How many points are on hold.
    pub held: usize,
}

/// A hold that ends soon or never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestHold {
    /// The server; `None` for a point that no list has shown.
    pub server: Option<ServerRef>,
    /// The point; `None` when the whole server is held.
    pub point: Option<(Kind, PointId)>,
    /// The reason.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: until released.
    pub until: Option<Timestamp>,
}

/// Points of a policy that is no longer in the file: they stay, and take slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerPoints {
    /// The policy's name in the marks.
    pub policy: String,
    /// Where.
    pub server: ServerRef,
    /// What they are.
    pub kind: Kind,
    /// How many slots they take.
    pub points: usize,
}
