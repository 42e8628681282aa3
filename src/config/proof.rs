//! Slots are proved: for equal selectors and for named servers here, for every server once the account is at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::diagnostic::Diagnostic;
use crate::config::policies::Policies;
use crate::config::reader::Findings;
use crate::config::settings::Slots;
use crate::policy::budget::{Proof, Share, proof};
use crate::policy::inventory::Kind;
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::upper_bound;
use crate::policy::selector::Selector;

/// The proof of the policies of one server and kind.
pub fn prove(kind: Kind, policies: &[&Policy], slots: Slots, at: Timestamp) -> Proof {
    let shares = policies.iter().map(|policy| Share {
        policy: policy.name.to_string(),
        most: (policy.prune != Prune::None)
            .then(|| upper_bound(&policy.keep, policy.keep_mode, &policy.schedule, at))
            .flatten(),
    });
    let reserve = policies.iter().map(|policy| policy.reserve).max().unwrap_or(0);
    proof(kind, shares.collect(), reserve, slots.of(kind))
}

/// Proves what can be proved without the account: the policies that name the same selector, and those of each server
/// that is named.
pub fn offline(policies: &Policies, slots: Slots, at: Timestamp, findings: &Findings) {
    let mut groups: BTreeMap<(Kind, Selector), Vec<&Arc<Policy>>> = BTreeMap::new();
    let enabled = |policy: &&Arc<Policy>| policy.enabled;
    for policy in policies.base.iter().map(|(policy, _)| policy).filter(enabled) {
        for selector in &policy.servers {
            groups.entry((policy.kind, selector.clone())).or_default().push(policy);
        }
    }
    // A named server has besides its own what patterns give it.
    let names: Vec<String> = groups
        .keys()
        .filter_map(|(_, selector)| if let Selector::Exact(name) = selector { Some(name.clone()) } else { None })
        .chain(policies.overrides.iter().map(|(one, _)| one.selector.to_string()))
        .collect();
    for name in names {
        for kind in Kind::ALL {
            let all = of_named(policies, &name, kind);
            groups.insert((kind, Selector::Exact(name.clone())), all);
        }
    }
    let mut told: Vec<Vec<String>> = Vec::new();
    for ((kind, selector), group) in groups {
        let group: Vec<&Policy> = group.into_iter().map(AsRef::as_ref).filter(|policy| policy.enabled).collect();
        let proof = prove(kind, &group, slots, at);
        if proof.overfills() {
            let message = format!("the policies of `{selector}` want more than its slots: {proof}");
            tell(policies, &group, message, findings);
        }
        let names: Vec<String> = proof.unbounded().map(str::to_owned).collect();
        if !names.is_empty() && !told.contains(&names) {
            let message = format!("policy `{}` deletes nothing (prune = \"none\"), so its {} fill the slots in the end", names.join("`, `"), kind.plural());
            findings.push(Diagnostic::warning(message).help("delete by hand in time, or let it prune its own"));
            told.push(names);
        }
    }
}

fn tell(policies: &Policies, group: &[&Policy], message: String, findings: &Findings) {
    let place = policies
        .overrides
        .iter()
        .map(|(one, place)| (&one.policy, place))
        .chain(policies.base.iter().map(|(policy, place)| (policy, place)))
        .find(|(policy, _)| group.iter().any(|one| std::ptr::eq::<Policy>(*one, policy.as_ref())));
    let error = Diagnostic::error(message).help("keep less, or give the policies different servers");
    findings.push(match place {
        Some((_, place)) => error.at(&place.name, place.span.clone()),
        None => error,
    });
}

/// What a server that is called so has, as far as the file tells.
fn of_named<'p>(policies: &'p Policies, name: &str, kind: Kind) -> Vec<&'p Arc<Policy>> {
    let fits = |selector: &Selector| match selector {
        Selector::Exact(text) => text == name,
        Selector::Pattern(pattern) => pattern.matches(name),
    };
    let overridden = |policy: &Policy| {
        policies.overrides.iter().map(|(one, _)| one).find(|one| fits(&one.selector) && one.policy.name == policy.name)
    };
    let base = policies.base.iter().map(|(policy, _)| policy).filter(|policy| {
        policy.servers.iter().any(&fits) && !policy.exclude.iter().any(&fits)
    });
    let base = base.map(|policy| overridden(policy).map_or(policy, |one| &one.policy));
    let own = policies.overrides.iter().map(|(one, _)| one).filter(|one| one.own && fits(&one.selector));
    base.chain(own.map(|one| &one.policy)).filter(|policy| policy.kind == kind).collect()
}
