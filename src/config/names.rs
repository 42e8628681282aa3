//! Checks names across the file: policies with confusable names, former names that are in use, reports that do not
//! exist or do not report failures.

use std::sync::Arc;

use crate::config::diagnostic::Diagnostic;
use crate::config::policies::{FilePosition, Policies};
use crate::config::reader::{Findings, nearest};
use crate::config::settings::{Report, ReportTrigger};
use crate::policy::name::PolicyName;
use crate::policy::policy::Policy;

/// Finds confusable policy names, former names that are in use, and reports that do not exist.
pub(super) fn check_names(policies: &Policies, reports: &[String], findings: &Findings) {
    let of_servers =
        policies.overrides.iter().filter(|(one, _)| one.own).map(|(one, position)| (&one.policy, position));
    let mut all: Vec<(&Arc<Policy>, &FilePosition)> =
        policies.base.iter().map(|(policy, position)| (policy, position)).collect();
    all.extend(of_servers);
    for (index, (policy, position)) in all.iter().enumerate() {
        for (other, _) in &all[..index] {
            if strsim::damerau_levenshtein(policy.name.as_str(), other.name.as_str()) == 1 {
                let message = format!("policies `{}` and `{}` differ by one letter", other.name, policy.name);
                let help =
                    "if one is a typo, its points are pruned by the wrong rules; else choose names that differ more";
                findings.push(Diagnostic::warning(message).at(&position.name, position.span.clone()).help(help));
            }
        }
    }
    let tables = policies.overrides.iter().filter(|(one, _)| !one.own).map(|(one, position)| (&one.policy, position));
    all.extend(tables);
    for (index, (policy, position)) in all.iter().enumerate() {
        // What a server's table inherits is reported once, at the policy itself.
        let same_name: Vec<&Arc<Policy>> =
            all[..index].iter().map(|(other, _)| *other).filter(|other| other.name == policy.name).collect();
        for former in policy.formerly.iter().filter(|former| !same_name.iter().any(|o| o.formerly.contains(former))) {
            former_in_use(former, policy, position, &all, findings);
        }
        for report in policy.report.iter().filter(|report| !same_name.iter().any(|o| o.report.contains(report))) {
            if !reports.contains(report) {
                unknown_report(report, policy, position, reports, findings);
            }
        }
    }
}

/// A former name may belong to one policy only, and no policy in the file may have it.
fn former_in_use(
    former: &PolicyName,
    policy: &Policy,
    position: &FilePosition,
    all: &[(&Arc<Policy>, &FilePosition)],
    findings: &Findings,
) {
    let name = &policy.name;
    let here = |message: String, help: &str| {
        findings.push(
            Diagnostic::error(message)
                .at(format!("{}.formerly", position.name), position.of_key("formerly"))
                .help(help),
        );
    };
    let both = "two policies cannot prune the same points: remove one of them";
    if former == name {
        here(format!("policy `{name}` names itself in `formerly`"), "remove it: its points belong to it anyway");
    } else if all.iter().any(|(other, _)| other.name == *former) {
        here(format!("policy `{name}` was formerly `{former}`, but the file has a policy of that name"), both);
    } else if let Some((other, _)) = all.iter().find(|(other, _)| other.name < *name && other.formerly.contains(former))
    {
        here(format!("policies `{}` and `{name}` were both formerly `{former}`", other.name), both);
    }
}

fn unknown_report(report: &str, policy: &Policy, position: &FilePosition, reports: &[String], findings: &Findings) {
    let report = crate::config::mask::excerpt(report);
    let message = format!("policy `{}` uses report `{report}`, which is not in the file", policy.name);
    let near = nearest(&report, reports.iter().map(String::as_str));
    let help =
        near.map_or_else(|| format!("add [report.{report}], or remove it"), |near| format!("did you mean \"{near}\"?"));
    findings
        .push(Diagnostic::error(message).at(format!("{}.report", position.name), position.of_key("report")).help(help));
}

/// Warns about policies whose own reports do not report failures.
pub(super) fn check_own_reports(policies: &Policies, reports: &[Report], findings: &Findings) {
    let reports_failures =
        |name: &String| reports.iter().any(|one| one.name == *name && one.on.contains(&ReportTrigger::Failure));
    let of_servers = policies.overrides.iter().map(|(one, position)| (&one.policy, position));
    let all = policies.base.iter().map(|(policy, position)| (policy, position)).chain(of_servers);
    for (policy, position) in
        all.filter(|(policy, _)| !policy.report.is_empty() && !policy.report.iter().any(reports_failures))
    {
        let message =
            format!("failures of policy `{}` reach nobody: its reports have no \"failure\" in `on`", policy.name);
        let help = "name a report with \"failure\" in `on`, or remove `report`";
        let key = format!("{}.report", position.name);
        findings.push(Diagnostic::warning(message).at(key, position.of_key("report")).help(help));
    }
}
