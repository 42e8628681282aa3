//! What is reported when an incident is over: to whom, since when, and what it was.

use jiff::Timestamp;

use crate::journal::notice::{Fact, Good, NotStarted, Notice, Recovered, Recovery, Topic};
use crate::policy::inventory::{Kind, ServerRef};
use crate::policy::name::PolicyName;

/// The topics of a policy's incidents that a good point ends.
pub const ENDED_BY_A_POINT: [Topic; 3] = [Topic::Run, Topic::Stale, Topic::Missed];

/// Reports that a policy has a good point again: its incidents were open since `since`, `was` is the last sentence
/// about its runs, and these due times produced no restore point meanwhile.
#[must_use]
pub fn policy_recovered(
    (server, policy, kind): (&ServerRef, &PolicyName, Kind),
    (since, was): (Timestamp, Option<String>),
    lost: Vec<Timestamp>,
    (reports, last_good): (&[String], Option<&Good>),
) -> Notice {
    let last_good = last_good.cloned();
    let recovered = Recovered { by: Recovery::PointMade, since: Some(since), was, lost, last_good };
    Notice {
        policy: Some(policy.clone()),
        kind: Some(kind),
        reports: reports.to_vec(),
        ..Notice::of_server(server.clone(), Fact::Recovered(recovered))
    }
}

/// Reports to those who were told about the debt that nothing is owed to a server any more; nothing if nobody was.
#[must_use]
pub fn debt_ended(by: Recovery, last_report: Option<Notice>, since: Option<Timestamp>) -> Option<Notice> {
    let (last, since) = last_report.zip(since)?;
    let (since, was) = (Some(since), Some(last.to_string()));
    let recovered = Recovered { by, since, was, lost: Vec::new(), last_good: None };
    Some(Notice { policy: None, kind: None, fact: Fact::Recovered(recovered), ..last })
}

/// A report about a server that was not started, to the recipients of the last one; if there was none, to every report
/// with `on`.
#[must_use]
pub fn debt_report(server: &ServerRef, last_report: Option<Notice>, report: NotStarted) -> Notice {
    let fact = Fact::ServerNotStarted(report);
    match last_report {
        Some(last) => Notice { fact, ..last },
        None => Notice::of_server(server.clone(), fact),
    }
}
