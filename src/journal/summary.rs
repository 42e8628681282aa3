//! A summary of a run, as `run --json`, `history --json` and mails show it.

use crate::policy::name::PolicyName;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::event::{Act, Outcome};
use crate::journal::state::RunState;
use crate::policy::inventory::{Kind, PointId, ServerRef};

/// A run as it is shown. The JSON shape is a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run's number in the journal.
    pub run: i64,
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// The kind of restore point.
    pub kind: Kind,
    /// The due time; null for a run by hand.
    pub due: Option<Timestamp>,
    /// How it ended, or that it has not.
    pub outcome: RunStatus,
    /// The new point, once the provider's answer is known.
    pub created: Option<PointId>,
    /// Points whose delete the provider has accepted.
    pub deleted: Vec<PointId>,
    /// Why it failed.
    pub error: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
}

/// How a run ended, or that it is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It is in progress, or waits for the next start.
    Running,
    /// As `Outcome::Succeeded`.
    Succeeded,
    /// As `Outcome::Failed`.
    Failed,
    /// As `Outcome::Skipped`.
    Skipped,
    /// As `Outcome::Unknown`.
    Unknown,
}

impl RunStatus {
    /// The word that `--json` and people see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Outcome> for RunStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run with its steps, for `history --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHistory {
    /// The facts of `run --json`.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// When it was recorded.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its calls, in order.
    pub steps: Vec<StepSummary>,
}

/// What the state says of a run besides its events.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRun {
    /// The server.
    pub server: ServerRef,
    /// The policy.
    pub policy: PolicyName,
    /// The kind of restore point.
    pub kind: Kind,
    /// The due time; `None` for a run by hand.
    pub due: Option<Timestamp>,
    /// When it was recorded.
    pub started: Timestamp,
    /// When it ended, or was set aside.
    pub ended: Option<Timestamp>,
}

/// One call of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSummary {
    /// `create`, `delete`, `stop` or `start`.
    #[serde(rename = "do")]
    pub act: String,
    /// The point, where there is one.
    pub id: Option<PointId>,
    /// `intended`, `unknown`, `done`, `not_done` or `undecided`.
    pub state: String,
    /// When something about it was last written.
    pub at: Timestamp,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// The facts of a run.
#[must_use]
pub(crate) fn summary(run: i64, state: &RunState) -> RunSummary {
    let (outcome, error) = match &state.ended {
        Some((outcome, error, _)) => ((*outcome).into(), error.clone()),
        None => (RunStatus::Running, state.failure.as_ref().map(|failure| failure.error.clone())),
    };
    RunSummary {
        run,
        server: state.key.server.clone(),
        policy: state.key.policy.clone(),
        kind: state.key.kind,
        due: state.key.due,
        outcome,
        created: state.created.as_ref().map(|created| created.id.clone()),
        deleted: state.deleted().cloned().collect(),
        error,
        attempts: state.attempt,
    }
}

/// The facts of a run with its steps.
#[must_use]
pub(crate) fn history(run: i64, state: &RunState) -> RunHistory {
    let steps = state.steps.iter().enumerate().map(|(index, step)| {
        let id = match &step.act {
            Act::Delete { id, .. } => Some(id.clone()),
            Act::Create { .. } => {
                state.created.as_ref().filter(|created| created.step == index).map(|created| created.id.clone())
            }
            Act::StopServer | Act::StartServer => None,
        };
        let (act, word) = (step.act.word().to_owned(), step.state.word().to_owned());
        StepSummary { act, id, state: word, at: step.at, error: step.error.clone() }
    });
    let (started, ended) = (state.opened_at, state.ended.as_ref().map(|(_, _, at)| *at));
    RunHistory { summary: summary(run, state), started, ended, steps: steps.collect() }
}

/// What is shown of a run whose events cannot be read, and why they cannot.
#[must_use]
pub(crate) fn unreadable_history(run: i64, recorded: RecordedRun, error: &str) -> RunHistory {
    let RecordedRun { server, policy, kind, due, started, ended } = recorded;
    let (outcome, done) = match ended {
        Some(_) => (RunStatus::Unknown, " and was set aside"),
        None => (RunStatus::Running, ""),
    };
    let summary = RunSummary {
        run,
        server,
        policy,
        kind,
        due,
        outcome,
        created: None,
        deleted: Vec::new(),
        error: Some(format!("the journal of this run cannot be read{done}: {error}")),
        attempts: 0,
    };
    RunHistory { summary, started, ended, steps: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples::{at, key};

    #[test]
    fn an_unreadable_run_is_shown_as_running_until_it_is_set_aside_and_then_as_unknown() {
        let recorded = |ended| RecordedRun {
            server: key().server,
            policy: "nightly".parse().unwrap(),
            kind: Kind::Snapshot,
            due: None,
            started: at(0),
            ended,
        };
        for (ended, outcome, error) in [
            (None, "running", "the journal of this run cannot be read: no JSON"),
            (Some(at(9)), "unknown", "the journal of this run cannot be read and was set aside: no JSON"),
        ] {
            let shown = unreadable_history(7, recorded(ended), "no JSON");
            assert_eq!((shown.summary.outcome.as_str(), shown.summary.error.as_deref()), (outcome, Some(error)));
            assert_eq!((shown.started, shown.ended), (at(0), ended));
        }
    }
}
