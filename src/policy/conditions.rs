//! What decides, beside the terms of a policy, what it gives up: the slots, `reserve`, and the policies that share them.
//! It is remembered with what the policy kept, so that what a changed file gives up can be compared with what the last
//! one did.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::Kind;
use crate::policy::keep::{Keep, KeepMode};
use crate::policy::policy::{Policy, PolicyName, Prune};
use crate::policy::schedule::Schedule;
use crate::policy::selector::Pattern;

/// The conditions on a server and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The slots that the provider gives.
    pub limit: u32,
    /// The largest `reserve`.
    pub reserve: u32,
    /// Every policy of the server and kind, by name.
    policies: Vec<PolicyTerms>,
}

/// What of a policy decides what goes.
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
    /// The conditions of a policy with so many slots, beside these others and this `reserve`.
    #[must_use]
    pub fn of(own: &Policy, others: &[Arc<Policy>], (limit, reserve): (u32, u32)) -> Self {
        let others = others.iter().map(AsRef::as_ref).filter(|other: &&Policy| other.name != own.name);
        let mut policies: Vec<PolicyTerms> = std::iter::once(own).chain(others).map(PolicyTerms::of).collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        Self { limit, reserve, policies }
    }

    /// The conditions as they are stored.
    #[must_use]
    pub fn words(&self) -> String {
        serde_json::to_string(self).expect("names, numbers and texts can be written as JSON")
    }

    /// Reads stored conditions. `None` when this version cannot.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        serde_json::from_str(words).ok()
    }

    /// The policy called `name`, and the others. `None` when it is not among them, or one cannot be read any more.
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

    /// The policy as far as these terms go.
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

/// What each policy of a server and kind kept when it last looked there, by name.
pub type RetentionRecords = BTreeMap<String, RetentionRecord>;

/// What a policy kept when it looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRecord {
    /// Its terms, as `Policy::retention_words`.
    pub words: String,
    /// What else decided what it gave up, as `Conditions::words`. `None` where an earlier version looked.
    pub conditions: Option<String>,
}

impl RetentionRecord {
    /// What a policy keeps with so many slots, beside these others and this `reserve`.
    #[must_use]
    pub fn of(policy: &Policy, others: &[Arc<Policy>], (limit, reserve): (u32, u32)) -> Self {
        let conditions = Conditions::of(policy, others, (limit, reserve)).words();
        Self { words: policy.retention_words(), conditions: Some(conditions) }
    }
}
