//! What is reported when an incident is over: to whom, since when, and what it was.

use jiff::Timestamp;

use crate::journal::effects::change::Change;
use crate::journal::event::Outcome;
use crate::journal::notice::{Fact, Good, NotStarted, Notice, Recovered, Recovery, Topic};
use crate::policy::inventory::{Kind, ServerRef};
use crate::policy::name::PolicyName;

/// The topics of a policy's incidents that a good point ends.
pub(crate) const ENDED_BY_A_POINT: [Topic; 3] = [Topic::Run, Topic::Stale, Topic::Missed];

/// A run of a policy that has ended while its incidents were open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedRun {
    /// Its due time.
    pub due: Timestamp,
    /// How it ended, as the state says it.
    pub outcome: String,
}

/// Reports that a policy has a good point again: its incidents were open since `since`, the last sentence about its runs
/// was `was`, and these runs have ended meanwhile. The due times of those without a good point are lost.
#[must_use]
pub(crate) fn policy_recovered(
    (server, policy, kind): (&ServerRef, &PolicyName, Kind),
    (since, was): (Timestamp, Option<String>),
    ended: &[EndedRun],
    (reports, last_good): (&[String], Option<&Good>),
) -> Notice {
    let good = Outcome::Succeeded.to_string();
    let lost = ended.iter().filter(|run| run.outcome != good).map(|run| run.due).collect();
    let last_good = last_good.cloned();
    let recovered = Recovered { by: Recovery::PointMade, since: Some(since), was, lost, last_good };
    Notice {
        policy: Some(policy.clone()),
        kind: Some(kind),
        reports: reports.to_vec(),
        ..Notice::of_server(server.clone(), Fact::Recovered(recovered))
    }
}

/// Reports that incidents are over that belong to no server and were open since `opened`; `None` if there were none.
#[must_use]
pub(crate) fn account_recovered(by: Recovery, opened: &[Timestamp], was: Option<String>) -> Option<Notice> {
    let since = *opened.iter().min()?;
    let recovered = Recovered { by, since: Some(since), was, lost: Vec::new(), last_good: None };
    Some(Notice::new(Fact::Recovered(recovered)))
}

/// Reports that nothing is owed to a server any more, to the recipients of the last report about it; `None` if there was
/// none.
#[must_use]
pub(crate) fn debt_ended(by: Recovery, last_report: Option<Notice>, since: Option<Timestamp>) -> Option<Notice> {
    let (last, since) = last_report.zip(since)?;
    let (since, was) = (Some(since), Some(last.to_string()));
    let recovered = Recovered { by, since, was, lost: Vec::new(), last_good: None };
    Some(Notice { policy: None, kind: None, fact: Fact::Recovered(recovered), ..last })
}

/// A report about a server that was not started, to the recipients of the last one; if there was none, to every report
/// with `on`.
#[must_use]
pub(crate) fn debt_report(server: &ServerRef, last_report: Option<Notice>, report: NotStarted) -> Notice {
    let fact = Fact::ServerNotStarted(report);
    match last_report {
        Some(last) => Notice { fact, ..last },
        None => Notice::of_server(server.clone(), fact),
    }
}

/// What changes when a command that was cut off has been reported: nothing is in progress any more, so no incident
/// stays open.
#[must_use]
pub(crate) fn errand_reported(report: &Notice) -> Vec<Change> {
    vec![Change::ServerIncidentClosed(report.topic())]
}

/// Whether a report says something else than the last sentence of its incident, if that is open.
#[must_use]
pub(crate) fn is_news(last: Option<&str>, report: &Notice) -> bool {
    last.is_none_or(|last| last != report.to_string())
}
