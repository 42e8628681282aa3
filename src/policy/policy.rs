//! A policy: a named rule of the file, validated, with every default filled in.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::Kind;
use crate::policy::keep::{Keep, KeepMode};
use crate::policy::name::PolicyName;
use crate::policy::schedule::Schedule;
use crate::policy::selector::{Pattern, Selector};

/// Whose points a policy may delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prune {
    /// Only its own.
    #[default]
    Own,
    /// Unmarked manual points count as its own; never those of another policy or instance.
    All,
    /// Nothing is deleted.
    None,
}

/// A policy as it applies to a server: the file's defaults, the policy's keys and the server's overrides combined.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: PolicyName,
    /// What it creates.
    pub kind: Kind,
    /// The servers it is for.
    pub servers: Vec<Selector>,
    /// Servers that it excludes.
    pub exclude: Vec<Selector>,
    /// When it is due. Includes the time zone.
    pub schedule: Schedule,
    /// What it keeps.
    pub keep: Keep,
    /// How the rules are combined.
    pub keep_mode: KeepMode,
    /// The time zone of the buckets and the schedule.
    pub timezone: TimeZone,
    /// The span after each scheduled time over which servers are spread.
    pub splay: Duration,
    /// Never fewer completed points than this.
    pub min_keep: u32,
    /// The most deletes in one run; `None` means what the new point displaces, plus one.
    pub max_deletes: Option<u32>,
    /// Slots of this kind reserved for people.
    pub reserve: u32,
    /// Points whose name or description matches are never deleted and not counted.
    pub protect: Vec<Pattern>,
    /// Whose points may be deleted.
    pub prune: Prune,
    /// Former names of this policy; points made under them are its own.
    pub formerly: Vec<PolicyName>,
    /// A restore point still in progress after this long is stuck.
    pub stuck_after: Duration,
    /// How often a failed run is retried.
    pub retries: u32,
    /// How long after a failure it is retried.
    pub retry_after: Duration,
    /// A missed due time no older than this is caught up.
    pub catch_up: Duration,
    /// The policy is stale when its newest good point is older. The default is computed when the file is read.
    pub max_age: Duration,
    /// Whether the server is stopped while the point is created.
    pub stop_server: bool,
    /// The reports that cover this policy; empty means every report with `on`.
    pub report: Vec<String>,
    /// Whether the policy is active.
    pub enabled: bool,
}

impl Policy {
    /// A stand-in for a policy that is no longer in the file, to finish an interrupted run: it deletes nothing, is
    /// never due and is not retried.
    #[must_use]
    pub fn removed(name: PolicyName, kind: Kind) -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self {
            name,
            kind,
            servers: Vec::new(),
            exclude: Vec::new(),
            schedule: Schedule::parse(&["@yearly"], TimeZone::UTC).expect("@yearly is a schedule"),
            keep: Keep::default(),
            keep_mode: KeepMode::default(),
            timezone: TimeZone::UTC,
            splay: Duration::ZERO,
            min_keep: 1,
            max_deletes: None,
            reserve: 0,
            protect: Vec::new(),
            prune: Prune::None,
            formerly: Vec::new(),
            stuck_after: hours(2),
            retries: 0,
            retry_after: Duration::ZERO,
            catch_up: Duration::ZERO,
            max_age: Duration::MAX,
            stop_server: false,
            report: Vec::new(),
            enabled: false,
        }
    }

    /// Its name, then its former ones.
    #[must_use]
    pub fn names(&self) -> Vec<PolicyName> {
        std::iter::once(&self.name).chain(&self.formerly).cloned().collect()
    }

    /// Whether a point marked with `name` is this policy's own.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.name.as_str() == name || self.formerly.iter().any(|former| former.as_str() == name)
    }
}
