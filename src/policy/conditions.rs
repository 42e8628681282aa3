//! What determines, besides its own rules, which points a policy gives up: the slots, `reserve`, and the policies that
//! share them. Stored together with what the policy keeps, so that a changed policy file can be compared with the last
//! one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::Kind;
use crate::policy::keep::{Keep, KeepMode};
use crate::policy::policy::{Policy, PolicyName, Prune};
use crate::policy::schedule::Schedule;
use crate::policy::selector::Pattern;

/// The conditions for a server and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The number of slots.
    pub limit: u32,
    /// The largest `reserve`.
    pub reserve: u32,
    /// Every policy of the server and kind, by name.
    policies: Vec<PolicyTerms>,
}

/// The settings of a policy that determine which points it deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PolicyTerms {
    name: PolicyName,
    keep: Keep,
    keep_mode: KeepMode,
    timezone: String,
    schedule: Vec<String>,
    min_keep: u32,
    prune: Prune,
    protect: Vec<String>,
    formerly: Vec<PolicyName>,
}

impl Conditions {
    /// The conditions of a policy that shares `limit` slots with `others`, under this `reserve`.
    #[must_use]
    pub fn of(own: &Policy, others: &[Arc<Policy>], (limit, reserve): (u32, u32)) -> Self {
        let others = others.iter().map(AsRef::as_ref).filter(|other: &&Policy| other.name != own.name);
        let mut policies: Vec<PolicyTerms> = std::iter::once(own).chain(others).map(PolicyTerms::of).collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        Self { limit, reserve, policies }
    }

    /// The stored form.
    #[must_use]
    pub fn words(&self) -> String {
        serde_json::to_string(self).expect("names, numbers and texts can be written as JSON")
    }

    /// Reads the stored form. `None` when this version cannot read it.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        serde_json::from_str(words).ok()
    }

    /// The policy called `name`, and the others. `None` when it is not among them, or when one is no longer valid.
    #[must_use]
    pub fn policies(&self, name: &str, kind: Kind) -> Option<(Policy, Vec<Arc<Policy>>)> {
        let policies: Vec<Policy> = self.policies.iter().map(|terms| terms.policy(kind)).collect::<Option<_>>()?;
        let (mut own, others): (Vec<Policy>, Vec<Policy>) =
            policies.into_iter().partition(|policy| policy.name.as_str() == name);
        Some((own.pop()?, others.into_iter().map(Arc::new).collect()))
    }
}

impl PolicyTerms {
    fn of(policy: &Policy) -> Self {
        Self {
            name: policy.name.clone(),
            keep: policy.keep.clone(),
            keep_mode: policy.keep_mode,
            timezone: policy.timezone.iana_name().unwrap_or("UTC").to_owned(),
            schedule: policy.schedule.expressions().into_iter().map(str::to_owned).collect(),
            min_keep: policy.min_keep,
            prune: policy.prune,
            protect: policy.protect.iter().map(ToString::to_string).collect(),
            formerly: policy.formerly.clone(),
        }
    }

    /// A policy with these settings; the others have defaults.
    fn policy(&self, kind: Kind) -> Option<Policy> {
        let timezone = TimeZone::get(&self.timezone).ok()?;
        let schedule: Vec<&str> = self.schedule.iter().map(String::as_str).collect();
        Some(Policy {
            schedule: Schedule::parse(&schedule, timezone.clone()).ok()?,
            keep: self.keep.clone(),
            keep_mode: self.keep_mode,
            timezone,
            min_keep: self.min_keep,
            prune: self.prune,
            protect: self.protect.iter().map(|pattern| Pattern::new(pattern)).collect(),
            formerly: self.formerly.clone(),
            ..Policy::removed(self.name.clone(), kind)
        })
    }
}

/// The retention record of each policy of a server and kind, by policy name.
pub type RetentionRecords = BTreeMap<String, RetentionRecord>;

/// What a policy kept when it last inspected a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRecord {
    /// Its rules, as `Policy::retention_words`.
    pub words: String,
    /// What else determined what it gave up, as `Conditions::words`. `None` in a record of an earlier version.
    pub conditions: Option<String>,
}

impl RetentionRecord {
    /// What a policy keeps that shares `limit` slots with `others`, under this `reserve`.
    #[must_use]
    pub fn of(policy: &Policy, others: &[Arc<Policy>], (limit, reserve): (u32, u32)) -> Self {
        let conditions = Conditions::of(policy, others, (limit, reserve)).words();
        Self { words: policy.retention_words(), conditions: Some(conditions) }
    }
}
