//! Checks that the counts of all policies fit the slots: for equal selectors and named servers offline, for every
//! server once the account's list is at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::diagnostic::Diagnostic;
use crate::config::policies::Policies;
use crate::config::reader::Findings;
use crate::config::settings::{Override, SlotLimits};
use crate::policy::inventory::Kind;
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::{denser_than, upper_bound};
use crate::policy::selector::Selector;
use crate::policy::slot_sum::{SlotFit, SlotShare, SlotSum};

/// The slots that the policies of one server and kind need.
pub(super) fn prove(kind: Kind, policies: &[&Policy], slots: SlotLimits, at: Timestamp) -> SlotSum {
    let shares = policies.iter().map(|policy| SlotShare {
        policy: policy.name.clone(),
        most: (policy.prune != Prune::None)
            .then(|| upper_bound(&policy.keep, policy.keep_mode, &policy.schedule, at))
            .flatten(),
    });
    let reserve = policies.iter().map(|policy| policy.reserve).max().unwrap_or(0);
    SlotSum::new(kind, shares.collect(), reserve, slots.of(kind))
}

/// The sums that follow from the file alone: for policies with the same selector, and for each server that is named.
pub(super) fn sums(
    base: &[&Arc<Policy>],
    overrides: &[&Override],
    slots: SlotLimits,
    at: Timestamp,
) -> Vec<SelectorSlots> {
    let mut groups: BTreeMap<(Kind, Selector), Vec<Arc<Policy>>> = BTreeMap::new();
    for policy in base.iter().filter(|policy| policy.enabled) {
        for selector in &policy.servers {
            groups.entry((policy.kind, selector.clone())).or_default().push(Arc::clone(policy));
        }
    }
    // Patterns may give a named server more policies than its own.
    let names: Vec<String> = groups
        .keys()
        .filter_map(|(_, selector)| if let Selector::Exact(name) = selector { Some(name.clone()) } else { None })
        .chain(overrides.iter().map(|one| one.selector.to_string()))
        .collect();
    for name in names {
        for kind in Kind::ALL {
            let all = of_named(base, overrides, &name, kind);
            groups.insert((kind, Selector::Exact(name.clone())), all);
        }
    }
    let sum = |((kind, servers), policies): ((Kind, Selector), Vec<Arc<Policy>>)| {
        let policies: Vec<Arc<Policy>> = policies.into_iter().filter(|policy| policy.enabled).collect();
        let proof = prove(kind, &policies.iter().map(AsRef::as_ref).collect::<Vec<_>>(), slots, at);
        SelectorSlots { servers, policies, proof }
    };
    groups.into_iter().map(sum).filter(|sum| !sum.policies.is_empty()).collect()
}

/// The slots that the policies of one selector need on each of its servers.
#[derive(Clone, Debug)]
pub struct SelectorSlots {
    /// The servers.
    pub servers: Selector,
    /// Their policies of one kind.
    pub policies: Vec<Arc<Policy>>,
    /// The sum.
    pub proof: SlotSum,
}

/// Reports sums that exceed the slots on any account, and policies that deletes cannot bound.
pub(super) fn offline(policies: &Policies, slots: SlotLimits, at: Timestamp, findings: &Findings) {
    let base: Vec<&Arc<Policy>> = policies.base.iter().map(|(policy, _)| policy).collect();
    let overrides: Vec<&Override> = policies.overrides.iter().map(|(one, _)| one).collect();
    let mut reported: Vec<Vec<String>> = Vec::new();
    let mut denser: BTreeSet<String> = BTreeSet::new();
    for SelectorSlots { servers, policies: group, proof } in sums(&base, &overrides, slots, at) {
        if proof.overfills() {
            let need = match group.as_slice() {
                [one] => format!("policy `{}` needs more slots on `{servers}`", one.name),
                _ => format!("the policies of `{servers}` need more slots"),
            };
            let alone = |policy: &Arc<Policy>| prove(proof.kind, &[policy.as_ref()], slots, at);
            let alone = group.iter().map(alone).find(SlotSum::overfills);
            let error = Diagnostic::error(format!("{need} than a server has: {proof}"));
            report_overfull(policies, &group, error.help(overfull_help(alone.as_ref(), group.len())), findings);
        }
        warn_of_denser(&servers, &group, &proof, (at, findings), &mut denser);
        let names: Vec<String> = proof.unbounded().map(str::to_owned).collect();
        if !names.is_empty() && !reported.contains(&names) {
            let message = format!(
                "policy `{}` deletes nothing (prune = \"none\"), so its {} will fill the slots",
                names.join("`, `"),
                proof.kind.plural()
            );
            findings.push(Diagnostic::warning(message).help("delete some by hand in time, or let it prune its own"));
            reported.push(names);
        }
    }
}

/// If the counts fill the slots, a run whose point would only replace the newest one is skipped: warns about that.
fn warn_of_denser(
    servers: &Selector,
    group: &[Arc<Policy>],
    proof: &SlotSum,
    (at, findings): (Timestamp, &Findings),
    reported: &mut BTreeSet<String>,
) {
    if proof.fit() != SlotFit::Fills {
        return;
    }
    for policy in group {
        let Some(rule) = denser_than(&policy.keep, &policy.schedule, at) else { continue };
        if !reported.insert(policy.name.to_string()) {
            continue;
        }
        let (name, kind, unit) = (&policy.name, proof.kind.plural(), rule.unit());
        let message = format!(
            "policy `{name}` creates more than one of its {kind} of `{servers}` in some {unit}s, and the kept ones fill \
             the {} slots: a run whose point would only replace the newest of the same {unit} is skipped",
            proof.limit
        );
        let help = format!("keep one fewer, or create one per {unit}");
        findings.push(Diagnostic::warning(message).help(help));
    }
}

/// What to do about policies that need too many slots together, or one of which does `alone`: then no choice of servers
/// helps.
fn overfull_help(alone: Option<&SlotSum>, policies: usize) -> String {
    let Some(alone) = alone else { return "keep fewer points, or give the policies different servers".to_owned() };
    let less = if alone.reserve > 0 { "keep fewer points, or reserve fewer slots" } else { "keep fewer points" };
    match alone.shares.as_slice() {
        [share] if policies > 1 => format!("policy `{}` alone needs too many: {less}", share.policy),
        _ => less.to_owned(),
    }
}

fn report_overfull(policies: &Policies, group: &[Arc<Policy>], error: Diagnostic, findings: &Findings) {
    let position = policies
        .overrides
        .iter()
        .map(|(one, position)| (&one.policy, position))
        .chain(policies.base.iter().map(|(policy, position)| (policy, position)))
        .find(|(policy, _)| group.iter().any(|one| Arc::ptr_eq(one, policy)));
    findings.push(match position {
        Some((_, position)) => error.at(&position.name, position.span.clone()),
        None => error,
    });
}

/// The policies of a server with this name, as far as the file shows.
fn of_named(base: &[&Arc<Policy>], overrides: &[&Override], name: &str, kind: Kind) -> Vec<Arc<Policy>> {
    let fits = |selector: &Selector| match selector {
        Selector::Exact(text) => text == name,
        Selector::Pattern(pattern) => pattern.matches(name),
    };
    let overridden =
        |policy: &Policy| overrides.iter().find(|one| fits(&one.selector) && one.policy.name == policy.name);
    let base = base.iter().filter(|policy| policy.servers.iter().any(&fits) && !policy.exclude.iter().any(&fits));
    let base = base.map(|policy| overridden(policy).map_or(*policy, |one| &one.policy));
    let own = overrides.iter().filter(|one| one.own && fits(&one.selector));
    let all = base.chain(own.map(|one| &one.policy)).filter(|policy| policy.kind == kind);
    all.map(Arc::clone).collect()
}
