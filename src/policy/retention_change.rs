//! Whether a policy still keeps what was kept before the policy file was changed, by itself and by the policies whose
//! points it takes over with `formerly`. A new name alone is no change.

use crate::policy::conditions::{Conditions, RetentionRecord, RetentionRules};
use crate::policy::evidence::PlanRequest;
use crate::policy::memory::Memory;
use crate::policy::name::PolicyName;
use crate::policy::policy::Policy;

/// What was changed since a policy last inspected a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetentionChange {
    /// Whether its own rules were changed; otherwise only its conditions.
    pub rules: bool,
    /// The former name and conditions, if known.
    pub before: Option<(String, Conditions)>,
}

/// What was changed since the request's policy last inspected this server and kind; `None` if nothing was.
#[must_use]
pub(crate) fn retention_change(request: &PlanRequest<'_>) -> Option<RetentionChange> {
    let (policy, memory) = (request.evidence.policy, request.evidence.memory);
    let rules = is_changed(policy, memory);
    let mut before = memory.retention.iter().filter(|(name, _)| policy.answers_to(name));
    let (Some((name, looked)), None) = (before.next(), before.next()) else {
        return rules.then_some(RetentionChange { rules, before: None });
    };
    let conditions = looked.conditions.as_ref();
    let now = || Conditions::of(policy, request.others, (request.limit, request.reserve));
    // What an earlier version remembers says nothing about the conditions.
    let same = conditions.is_none_or(|before| *before == now());
    let before = || Some((name.clone(), conditions?.clone()));
    (rules || !same).then(|| RetentionChange { rules, before: before() })
}

/// What to store after an inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionUpdate {
    /// What policies keep now.
    pub looked: Vec<(PolicyName, RetentionRecord)>,
    /// The names under which nothing is kept any more, since another policy has taken them over.
    pub taken_over: Vec<PolicyName>,
}

impl RetentionUpdate {
    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.looked.is_empty() && self.taken_over.is_empty()
    }
}

/// Whether the policy may drop points of this server and kind that were kept before the file was changed.
#[must_use]
pub(crate) fn is_changed(policy: &Policy, memory: &Memory) -> bool {
    let mut before = memory.retention.iter().filter(|(name, _)| policy.answers_to(name));
    match (before.next(), before.next()) {
        // Others inspected this server, but none of them may have deleted points of this policy.
        (None, _) => !memory.retention.is_empty(),
        (Some((name, looked)), None) => {
            let Some(kept) = &looked.rules else { return true };
            let was_its_own = |former: &PolicyName| former.as_str() == name || kept.formerly.contains(former);
            !kept.keep_the_same(&RetentionRules::of(policy)) || !policy.formerly.iter().all(was_its_own)
        }
        // Together they kept more than one of them.
        (Some(_), Some(_)) => true,
    }
}

/// What to store once the request's policy has inspected the server. The first inspection stores what the other
/// policies keep, too, because the points they will find are kept from now on.
#[must_use]
pub(crate) fn retention_update(request: &PlanRequest<'_>) -> RetentionUpdate {
    let (policy, memory) = (request.evidence.policy, request.evidence.memory);
    let mut all = Vec::new();
    let now = RetentionRecord::of(policy, request.others, (request.limit, request.reserve));
    let conditions = now.conditions.clone();
    if memory.retention.get(policy.name.as_str()) != Some(&now) {
        all.push((policy.name.clone(), now));
    }
    if memory.retention.is_empty() {
        let others = request.others.iter().filter(|other| other.name != policy.name);
        let looked =
            |other: &Policy| RetentionRecord { rules: Some(RetentionRules::of(other)), conditions: conditions.clone() };
        all.extend(others.map(|other| (other.name.clone(), looked(other))));
    }
    let taken_over = policy.formerly.iter().filter(|former| memory.retention.contains_key(former.as_str()));
    RetentionUpdate { looked: all, taken_over: taken_over.cloned().collect() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::policy::evidence::Evidence;
    use crate::policy::inventory::{Inventory, Kind, ReadProof, ServerId, ServerRef};
    use crate::policy::keep::{Count, Keep, KeepRule};

    fn named(text: &str) -> PolicyName {
        PolicyName::new(text).unwrap()
    }

    fn policy(name: &str, formerly: &[&str], last: u32) -> Policy {
        Policy {
            keep: Keep { counts: vec![(KeepRule::Last, Count::Number(last))], ..Keep::default() },
            formerly: formerly.iter().map(|former| named(former)).collect(),
            ..Policy::removed(named(name), Kind::Backup)
        }
    }

    fn looked(policy: &Policy, others: &[Arc<Policy>], memory: &Memory) -> RetentionUpdate {
        let inventory = Inventory {
            server: ServerRef { id: ServerId::Number(1), name: "web".to_owned() },
            kind: Kind::Backup,
            points: Vec::new(),
            read_at: Timestamp::UNIX_EPOCH,
            provider_time: None,
            proof: ReadProof::OnePage,
            doubts: Vec::new(),
        };
        let now = Timestamp::UNIX_EPOCH;
        let evidence = Evidence { at: now, instance: "main", policy, inventory: &inventory, memory };
        retention_update(&PlanRequest { evidence, limit: 10, reserve: 0, others, spent: 0, now, waited_for: None })
    }

    /// What the journal remembers once these policies have looked, one after the other.
    fn after(policies: &[&Policy]) -> Memory {
        let mut memory = Memory::default();
        for policy in policies {
            let RetentionUpdate { looked, taken_over } = looked(policy, &[], &memory);
            memory.retention.retain(|name, _| !taken_over.iter().any(|former| former.as_str() == name));
            memory.retention.extend(looked.into_iter().map(|(name, it)| (name.to_string(), it)));
        }
        memory
    }

    #[test]
    fn a_new_name_is_no_change_but_different_rules_are() {
        let table: [(&[Policy], Policy, bool); 12] = [
            (&[policy("a", &[], 6)], policy("a", &[], 6), false),
            (&[policy("a", &[], 6)], policy("a", &[], 5), true),
            (&[policy("a", &[], 6)], policy("b", &["a"], 6), false),
            (&[policy("a", &[], 6)], policy("b", &["a"], 1), true),
            (&[policy("a", &[], 6), policy("b", &["a"], 6)], policy("a", &["b"], 6), false),
            (&[policy("a", &[], 6), policy("b", &["a"], 1)], policy("a", &["b"], 6), true),
            (&[policy("a", &[], 6), policy("b", &["a"], 6)], policy("c", &["b", "a"], 6), false),
            (&[policy("a", &[], 6), policy("b", &["a"], 6)], policy("c", &["b"], 6), false),
            (&[policy("a", &[], 6), policy("b", &[], 6)], policy("c", &["a", "b"], 6), true),
            (&[policy("a", &[], 6), policy("b", &[], 6)], policy("b", &["a"], 6), true),
            (&[policy("a", &[], 6)], policy("a", &["of-old"], 6), true),
            (&[policy("a", &[], 6)], policy("b", &[], 6), true),
        ];
        for (before, now, changed) in table {
            let memory = after(&before.iter().collect::<Vec<_>>());
            assert_eq!(is_changed(&now, &memory), changed, "{before:?} -> {now:?}");
        }
    }

    #[test]
    fn at_the_first_inspection_nothing_is_changed_and_the_other_policies_are_stored_too() {
        let (a, b) = (policy("a", &[], 6), Arc::new(policy("b", &[], 2)));
        let memory = Memory::default();
        assert!(!is_changed(&a, &memory));
        let others = [Arc::clone(&b)];
        let remembered = looked(&a, &others, &memory).looked;
        let of_b = RetentionRecord::of(&b, &[Arc::new(a.clone())], (10, 0));
        assert_eq!(remembered, [(a.name.clone(), RetentionRecord::of(&a, &others, (10, 0))), (b.name.clone(), of_b)]);
        let memory =
            Memory { retention: remembered.into_iter().map(|(name, it)| (name.to_string(), it)).collect(), ..memory };
        assert_eq!(looked(&a, &others, &memory), RetentionUpdate::default());
    }

    #[test]
    fn every_key_that_can_make_more_points_go_is_remembered() {
        use crate::policy::keep::KeepMode;
        use crate::policy::policy::Prune;
        let changes: [fn(&mut Policy); 7] = [
            |policy| policy.keep.counts[0].1 = Count::Number(5),
            |policy| policy.keep_mode = KeepMode::Union,
            |policy| policy.timezone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap(),
            |policy| policy.min_keep = 0,
            |policy| policy.prune = Prune::All,
            |policy| policy.protect.clear(),
            |policy| policy.formerly.push(named("other")),
        ];
        let before = Policy {
            protect: vec![crate::policy::selector::Pattern::new("golden*")],
            min_keep: 3,
            ..policy("a", &[], 6)
        };
        let memory = after(&[&before]);
        for (number, change) in changes.into_iter().enumerate() {
            let mut now = before.clone();
            change(&mut now);
            assert!(is_changed(&now, &memory), "change {number}");
        }
    }
}
