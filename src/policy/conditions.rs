//! What decides, besides its own rules, which points a policy gives up: the slots, `reserve`, and the policies that
//! share them. Stored together with what the policy keeps, so that a changed policy file can be compared with the last
//! one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::policy::inventory::Kind;
use crate::policy::keep::{Keep, KeepMode};
use crate::policy::name::PolicyName;
use crate::policy::policy::{Policy, Prune};
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
    policies: Vec<PolicyRules>,
}

/// The part of a policy that decides what it deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PolicyRules {
    name: PolicyName,
    schedule: Vec<String>,
    rules: RetentionRules,
}

/// The rules of a policy that decide what it keeps. This is their stored form: its JSON outlives versions, so that the
/// state of an earlier one makes no file look changed. Fields are added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRules {
    /// What stays.
    pub keep: Keep,
    /// How the rules are combined.
    pub keep_mode: KeepMode,
    /// The zone in which buckets are cut.
    pub timezone: String,
    /// Never fewer completed points than this.
    pub min_keep: u32,
    /// Whose points may be deleted.
    pub prune: Prune,
    /// Names or descriptions that are never deleted and not counted.
    pub protect: Vec<String>,
    /// Earlier names of the policy.
    pub formerly: Vec<PolicyName>,
}

impl RetentionRules {
    /// The rules of a policy.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        Self {
            keep: policy.keep.clone(),
            keep_mode: policy.keep_mode,
            timezone: policy.timezone.iana_name().unwrap_or("UTC").to_owned(),
            min_keep: policy.min_keep,
            prune: policy.prune,
            protect: policy.protect.iter().map(ToString::to_string).collect(),
            formerly: policy.formerly.clone(),
        }
    }

    /// Whether they keep the same points, whatever the policies were called.
    #[must_use]
    pub fn keep_the_same(&self, other: &Self) -> bool {
        let nameless = |rules: &Self| Self { formerly: Vec::new(), ..rules.clone() };
        nameless(self) == nameless(other)
    }
}

impl Conditions {
    /// The conditions of a policy that shares `limit` slots with `others`, under this `reserve`.
    #[must_use]
    pub fn of(own: &Policy, others: &[Arc<Policy>], (limit, reserve): (u32, u32)) -> Self {
        let others = others.iter().map(AsRef::as_ref).filter(|other: &&Policy| other.name != own.name);
        let mut policies: Vec<PolicyRules> = std::iter::once(own).chain(others).map(PolicyRules::of).collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        Self { limit, reserve, policies }
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

impl PolicyRules {
    fn of(policy: &Policy) -> Self {
        Self {
            name: policy.name.clone(),
            schedule: policy.schedule.expressions().into_iter().map(str::to_owned).collect(),
            rules: RetentionRules::of(policy),
        }
    }

    /// The policy as far as these rules go. `None` when this version cannot read its schedule or its zone.
    fn policy(&self, kind: Kind) -> Option<Policy> {
        let rules = &self.rules;
        let timezone = TimeZone::get(&rules.timezone).ok()?;
        let schedule: Vec<&str> = self.schedule.iter().map(String::as_str).collect();
        Some(Policy {
            schedule: Schedule::parse(&schedule, timezone.clone()).ok()?,
            keep: rules.keep.clone(),
            keep_mode: rules.keep_mode,
            timezone,
            min_keep: rules.min_keep,
            prune: rules.prune,
            protect: rules.protect.iter().map(|pattern| Pattern::new(pattern)).collect(),
            formerly: rules.formerly.clone(),
            ..Policy::removed(self.name.clone(), kind)
        })
    }
}

/// The retention record of each policy of a server and kind, by policy name.
pub(crate) type RetentionRecords = BTreeMap<String, RetentionRecord>;

/// What a policy kept when it last inspected a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRecord {
    /// Its rules. `None` if they cannot be read, so that they count as changed.
    pub rules: Option<RetentionRules>,
    /// What else decided what it gave up. `None` if an earlier version inspected the server.
    pub conditions: Option<Conditions>,
}

impl RetentionRecord {
    /// The record of a policy that shares `limit` slots with `others`, under this `reserve`.
    #[must_use]
    pub fn of(policy: &Policy, others: &[Arc<Policy>], (limit, reserve): (u32, u32)) -> Self {
        let conditions = Conditions::of(policy, others, (limit, reserve));
        Self { rules: Some(RetentionRules::of(policy)), conditions: Some(conditions) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::keep::{Count, KeepRule, Period};

    #[test]
    fn the_stored_form_is_the_one_that_later_versions_will_find() {
        let keep = Keep {
            counts: vec![(KeepRule::Last, Count::Number(3)), (KeepRule::Daily, Count::All)],
            within: Some(Period { days: 14, ..Period::default() }),
            within_buckets: Vec::new(),
        };
        let policy = Policy {
            keep,
            keep_mode: KeepMode::Union,
            prune: Prune::Own,
            protect: vec![Pattern::new("gold*")],
            formerly: vec![PolicyName::new("hourly").unwrap()],
            ..Policy::removed(PolicyName::new("nightly").unwrap(), Kind::Backup)
        };
        let rules = r#"{"keep":{"counts":[["last",{"number":3}],["daily","all"]],"within":{"years":0,"months":0,"days":14,"hours":0,"seconds":0},"within_buckets":[]},"keep_mode":"union","timezone":"UTC","min_keep":1,"prune":"own","protect":["gold*"],"formerly":["hourly"]}"#;
        let conditions = format!(
            r#"{{"limit":10,"reserve":1,"policies":[{{"name":"nightly","schedule":["@yearly"],"rules":{rules}}}]}}"#
        );
        let RetentionRecord { rules: ours, conditions: shared } = RetentionRecord::of(&policy, &[], (10, 1));
        assert_eq!(serde_json::to_string(&ours).unwrap(), rules);
        assert_eq!(serde_json::to_string(&shared).unwrap(), conditions);
        assert_eq!(serde_json::from_str::<RetentionRules>(rules).ok(), ours);
        assert_eq!(serde_json::from_str::<Conditions>(&conditions).ok(), shared);
        for (mode, word) in [(KeepMode::Sequential, "\"sequential\""), (KeepMode::Union, "\"union\"")] {
            assert_eq!(serde_json::to_string(&mode).unwrap(), word);
        }
        for (prune, word) in [(Prune::Own, "\"own\""), (Prune::All, "\"all\""), (Prune::None, "\"none\"")] {
            assert_eq!(serde_json::to_string(&prune).unwrap(), word);
        }
    }
}
