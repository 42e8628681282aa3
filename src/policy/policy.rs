//! A policy: a named rule of the file, validated, with every default filled in.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::Kind;
use crate::policy::keep::{Keep, KeepMode};
use crate::policy::schedule::Schedule;
use crate::policy::selector::{Pattern, Selector};

/// The name of a policy, `[A-Za-z0-9_-]{1,32}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyName(String);

impl PolicyName {
    /// The name, if the text has the form of one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        crate::policy::mark::is_name(text).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose points a policy may delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prune {
    /// Its own alone.
    #[default]
    Own,
    /// Unmarked manual points count as its own; never those of another policy or instance.
    All,
    /// Nothing is deleted.
    None,
}

/// A policy as it applies to a server: the file's defaults, the policy's keys and the server's overrides together.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: PolicyName,
    /// What it makes.
    pub kind: Kind,
    /// The servers it is for.
    pub servers: Vec<Selector>,
    /// Servers that it is not for after all.
    pub exclude: Vec<Selector>,
    /// When. Knows the zone.
    pub schedule: Schedule,
    /// What stays.
    pub keep: Keep,
    /// How the rules are combined.
    pub keep_mode: KeepMode,
    /// The zone in which buckets are cut and the schedule is read.
    pub timezone: TimeZone,
    /// The span over which servers are spread after the schedule.
    pub splay: Duration,
    /// Never fewer completed points than this.
    pub min_keep: u32,
    /// The most deletes in one run; `None`: what the new point displaces, plus one.
    pub max_deletes: Option<u32>,
    /// Slots of this kind that our points leave to people.
    pub reserve: u32,
    /// Names or descriptions that are never deleted and not counted.
    pub protect: Vec<Pattern>,
    /// Whose points may be deleted.
    pub prune: Prune,
    /// Earlier names of this policy, whose points are its own.
    pub formerly: Vec<PolicyName>,
    /// A restore point still in progress then is stuck.
    pub stuck_after: Duration,
    /// How often a failed run is tried again.
    pub retries: u32,
    /// How long after a failure.
    pub retry_after: Duration,
    /// A due time missed by no more than this is made up for.
    pub catch_up: Duration,
    /// Older than this is stale. The default is worked out when the file is read.
    pub max_age: Duration,
    /// Stop the server, make the point, start it again.
    pub stop_server: bool,
    /// Names of the reports that tell of it; empty: every report with `on`.
    pub report: Vec<String>,
    /// Whether its schedule is followed.
    pub enabled: bool,
}

impl Policy {
    /// What is left of a policy that is no longer in the file, for a run that was cut off: it deletes nothing, is due
    /// no more and is not tried again.
    #[must_use]
    pub fn departed(name: PolicyName, kind: Kind) -> Self {
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

    /// Whether a point marked with `name` is this policy's own.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.name.as_str() == name || self.formerly.iter().any(|former| former.as_str() == name)
    }
}
