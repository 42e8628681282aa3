//! Names across the file: policies that a reader may take for one another, former names in use, reports that do not
//! exist or tell no failure.

use std::sync::Arc;

use crate::config::diagnostic::Diagnostic;
use crate::config::policies::{FilePosition, Policies};
use crate::config::reader::{Findings, nearest};
use crate::config::settings::{Report, ReportTrigger};
use crate::policy::policy::{Policy, PolicyName};

/// Names that a reader may take for one another, former names that are in use, reports that do not exist.
pub fn check_names(policies: &Policies, reports: &[String], findings: &Findings) {
    let of_servers = policies.overrides.iter().filter(|(one, _)| one.own).map(|(one, place)| (&one.policy, place));
    let mut all: Vec<(&Arc<Policy>, &FilePosition)> =
        policies.base.iter().map(|(policy, place)| (policy, place)).collect();
    all.extend(of_servers);
    for (index, (policy, place)) in all.iter().enumerate() {
        for (other, _) in &all[..index] {
            if strsim::damerau_levenshtein(policy.name.as_str(), other.name.as_str()) == 1 {
                let message = format!("policies `{}` and `{}` differ by one letter", other.name, policy.name);
                let help =
                    "if one is a slip of the pen, its points are pruned by the wrong rule; else choose plainer names";
                findings.push(Diagnostic::warning(message).at(&place.name, place.span.clone()).help(help));
            }
        }
    }
    let tables = policies.overrides.iter().filter(|(one, _)| !one.own).map(|(one, place)| (&one.policy, place));
    all.extend(tables);
    for (index, (policy, place)) in all.iter().enumerate() {
        // What a server's table inherits is told once, at the policy itself.
        let same_name: Vec<&Arc<Policy>> =
            all[..index].iter().map(|(other, _)| *other).filter(|other| other.name == policy.name).collect();
        for former in policy.formerly.iter().filter(|former| !same_name.iter().any(|o| o.formerly.contains(former))) {
            former_in_use(former, policy, place, &all, findings);
        }
        for report in policy.report.iter().filter(|report| !same_name.iter().any(|o| o.report.contains(report))) {
            if !reports.contains(report) {
                unknown_report(report, policy, place, reports, findings);
            }
        }
    }
}

/// A former name belongs to one policy, and to none that is in the file.
fn former_in_use(
    former: &PolicyName,
    policy: &Policy,
    place: &FilePosition,
    all: &[(&Arc<Policy>, &FilePosition)],
    findings: &Findings,
) {
    let name = &policy.name;
    let here = |message: String, help: &str| {
        findings.push(
            Diagnostic::error(message).at(format!("{}.formerly", place.name), place.of_key("formerly")).help(help),
        );
    };
    let both = "two policies cannot prune the same points: take one of them out";
    if former == name {
        here(format!("policy `{name}` names itself in `formerly`"), "take it out: its points are its own anyway");
    } else if all.iter().any(|(other, _)| other.name == *former) {
        here(format!("policy `{name}` was formerly `{former}`, but a policy of that name is in the file"), both);
    } else if let Some((other, _)) = all.iter().find(|(other, _)| other.name < *name && other.formerly.contains(former))
    {
        here(format!("policies `{}` and `{name}` were both formerly `{former}`", other.name), both);
    }
}

fn unknown_report(report: &str, policy: &Policy, place: &FilePosition, reports: &[String], findings: &Findings) {
    let report = crate::config::mask::excerpt(report);
    let message = format!("policy `{}` tells report `{report}`, which is not in the file", policy.name);
    let near = nearest(&report, reports.iter().map(String::as_str));
    let help = near
        .map_or_else(|| format!("add [report.{report}], or take it out"), |near| format!("did you mean \"{near}\"?"));
    findings.push(Diagnostic::error(message).at(format!("{}.report", place.name), place.of_key("report")).help(help));
}

/// Policies whose own reports tell no failure.
pub fn check_own_reports(policies: &Policies, reports: &[Report], findings: &Findings) {
    let tells = |name: &String| reports.iter().any(|one| one.name == *name && one.on.contains(&ReportTrigger::Failure));
    let of_servers = policies.overrides.iter().map(|(one, place)| (&one.policy, place));
    let all = policies.base.iter().map(|(policy, place)| (policy, place)).chain(of_servers);
    for (policy, place) in all.filter(|(policy, _)| !policy.report.is_empty() && !policy.report.iter().any(tells)) {
        let message =
            format!("failures of policy `{}` reach nobody: its reports have no \"failure\" in `on`", policy.name);
        let help = "name a report that tells failures, or take `report` out";
        let key = format!("{}.report", place.name);
        findings.push(Diagnostic::warning(message).at(key, place.of_key("report")).help(help));
    }
}
