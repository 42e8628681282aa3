//! One `Status` value: how the whole installation is doing. Its JSON shape is a contract.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::journal::notice::Good;
use crate::policy::inventory::{Kind, ServerRef};
use crate::policy::name::PolicyName;
use crate::policy::slots::Slots;

/// The state of the whole installation. The JSON shape is a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    /// When the status was taken.
    pub at: Timestamp,
    /// The worst level of anything in it.
    pub level: Level,
    /// Every policy on every server.
    pub policies: Vec<PolicyStatus>,
    /// Servers that no policy applies to.
    pub unprotected: Vec<ServerRef>,
    /// Open incidents, from the first mail to the recovery.
    pub incidents: Vec<IncidentStatus>,
    /// What lastgood still owes to servers, whatever becomes of the runs that caused it.
    pub debts: Vec<DebtStatus>,
    /// Waiting mails.
    pub outbox: OutboxStatus,
    /// Runs that have not ended.
    pub runs: OpenRuns,
    /// The policy file in force.
    pub policy_file: PolicyFileStatus,
    /// When the daemon last looked at what is due, to about 20 seconds; null before it ever did.
    pub last_evaluation: Option<Timestamp>,
    /// What else a person should know: selectors that match nothing, a refused reload, points of former policies.
    pub warnings: Vec<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Everything is as the policies say.
    Ok,
    /// Somebody should look.
    Warning,
    /// A server has no recent good restore point, or is stopped because of us.
    Critical,
}

/// A policy on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PolicyStatus {
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// The kind of restore point.
    pub kind: Kind,
    /// The newest completed point, by the last inventory.
    pub last_good: Option<Good>,
    /// Its size in MB, where the provider gives one.
    pub size_mb: Option<u64>,
    /// Its age in seconds.
    pub age_seconds: Option<i64>,
    /// The age at which it is stale.
    pub max_age_seconds: u64,
    /// The next due time.
    pub next_due: Option<Timestamp>,
    /// The slots by the last inventory.
    pub slots: Slots,
    /// Its state.
    pub state: PolicyState,
}

/// The state of a policy on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PolicyState {
    /// There is a recent good point.
    Ok,
    /// A run is in progress.
    Running,
    /// The last run failed.
    Failing,
    /// The last good point is too old.
    Stale,
    /// No point was ever completed.
    Never,
}

impl PolicyState {
    /// Every state.
    pub(crate) const ALL: [Self; 5] = [Self::Ok, Self::Running, Self::Failing, Self::Stale, Self::Never];

    /// The word that is shown.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Running => "running",
            Self::Failing => "failing",
            Self::Stale => "stale",
            Self::Never => "never",
        }
    }
}

/// An open incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IncidentStatus {
    /// The server, if it is about one.
    pub server: Option<ServerRef>,
    /// The policy, if it is about one.
    pub policy: Option<PolicyName>,
    /// Its topic.
    pub topic: String,
    /// Its latest text.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}

/// What lastgood still owes to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DebtStatus {
    /// The server.
    pub server: ServerRef,
    /// `start`: lastgood stopped it.
    pub what: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// The run that keeps it stopped now; null if none does.
    pub run: Option<i64>,
}

/// Waiting mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OutboxStatus {
    /// How many.
    pub waiting: u32,
    /// Since when the oldest of them has been waiting.
    pub oldest: Option<Timestamp>,
    /// How many were given up or permanently refused.
    pub refused: u32,
}

/// Runs that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OpenRuns {
    /// How many work on their servers.
    pub active: usize,
    /// How many wait: for a place among `parallel_runs`, for their server, or for their next attempt.
    pub waiting: usize,
}

/// The policy file in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PolicyFileStatus {
    /// When the daemon put it into force; null before it ever did.
    pub loaded_at: Option<Timestamp>,
    /// Whether a file was refused since.
    pub refused: bool,
}

/// What the state of a policy on a server is derived from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyFacts {
    /// When the newest completed point was created.
    pub last_good: Option<Timestamp>,
    /// When the policy was first seen on the server.
    pub first_at: Option<Timestamp>,
    /// Whether a run is in progress.
    pub running: bool,
    /// Whether an incident says that the last run failed.
    pub failing: bool,
    /// The age at which it is stale.
    pub max_age: std::time::Duration,
}

/// The state of a policy on a server, and how bad that is.
#[must_use]
pub(crate) fn policy_state(facts: &PolicyFacts, at: Timestamp) -> (PolicyState, Level) {
    let max_age = SignedDuration::try_from(facts.max_age).unwrap_or(SignedDuration::MAX);
    let old = |since: Timestamp| since.duration_until(at) > max_age;
    let stale = facts.last_good.is_some_and(old);
    let never = facts.last_good.is_none();
    let late = facts.first_at.is_some_and(old);
    match () {
        () if stale => (PolicyState::Stale, Level::Critical),
        () if facts.failing => (PolicyState::Failing, Level::Critical),
        () if facts.running => (PolicyState::Running, Level::Ok),
        () if never => (PolicyState::Never, if late { Level::Warning } else { Level::Ok }),
        () => (PolicyState::Ok, Level::Ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> PolicyFacts {
        PolicyFacts {
            last_good: Some("2026-11-21T00:00:00Z".parse().unwrap()),
            first_at: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            running: false,
            failing: false,
            max_age: std::time::Duration::from_secs(26 * 3600),
        }
    }

    fn state_at(facts: &PolicyFacts, at: &str) -> (PolicyState, Level) {
        policy_state(facts, at.parse().unwrap())
    }

    #[test]
    fn older_than_max_age_is_stale_and_critical() {
        assert_eq!(state_at(&facts(), "2026-11-22T02:00:00Z"), (PolicyState::Ok, Level::Ok));
        assert_eq!(state_at(&facts(), "2026-11-22T02:00:01Z"), (PolicyState::Stale, Level::Critical));
    }

    #[test]
    fn never_made_is_a_warning_only_after_max_age() {
        let never = PolicyFacts { last_good: None, ..facts() };
        assert_eq!(state_at(&never, "2026-11-01T01:00:00Z"), (PolicyState::Never, Level::Ok));
        assert_eq!(state_at(&never, "2026-11-03T01:00:00Z"), (PolicyState::Never, Level::Warning));
    }

    #[test]
    fn failing_is_critical_even_with_a_recent_good_point() {
        let failing = PolicyFacts { failing: true, ..facts() };
        assert_eq!(state_at(&failing, "2026-11-21T01:00:00Z"), (PolicyState::Failing, Level::Critical));
    }
}
