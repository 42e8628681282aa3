//! What the status of a server means for a run that has to stop it, create its point while it is stopped, and start it
//! again.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::debt::{Debt, Start};
use crate::journal::event::{Act, Found};
use crate::journal::notice::StartProblem;
use crate::journal::state::{RunState, Step, StepState};
use crate::policy::inventory::ServerStatus;

/// How long a server may take to start or stop before it is asked again and that is reported.
pub const LONGEST_CHANGE: Duration = Duration::from_mins(5);
/// After this long, the run leaves a server that does not start to the debt watch, and ends.
pub const LEFT_AFTER: Duration = Duration::from_mins(10);

/// How long ago an event in the journal was.
pub type Since<'a> = &'a dyn Fn(Timestamp) -> Duration;

/// Whether a server that was stopped for a point is still stopped just before the point is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPower {
    /// It is, or we did not stop it.
    Off,
    /// It runs.
    On,
    /// It cannot be read, or it is neither.
    Unknown {
        /// In words.
        error: String,
        /// Whether trying again is pointless.
        last: bool,
    },
}

/// Whether the server is still stopped; `None` while it is starting, which the run waits for.
#[must_use]
pub fn before_create(status: &ServerStatus, waited: Duration) -> Option<ServerPower> {
    match status {
        ServerStatus::Stopped => Some(ServerPower::Off),
        ServerStatus::Active => Some(ServerPower::On),
        ServerStatus::Other(_) if waited < LONGEST_CHANGE => None,
        status => {
            let error = format!("the server was stopped and is {status} now, so no point is created");
            Some(ServerPower::Unknown { error, last: false })
        }
    }
}

/// What a run does about a server that it has to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeforeStop {
    /// It asks the server to stop.
    Stop,
    /// It looks again.
    Wait,
    /// It continues: its own stop, whose outcome was unknown, was carried out.
    StoppedByThisRun,
    /// It continues and takes over the owed start: another run stopped the server.
    StoppedByAnotherRun,
    /// It continues and leaves the server stopped: a person stopped it.
    StoppedByPerson,
    /// The attempt fails.
    Fail(String),
}

/// Whether `before_stop` depends on what is owed to the server.
#[must_use]
pub fn stop_depends_on_debt(state: &RunState, status: &ServerStatus, in_attempt: Duration, since: Since<'_>) -> bool {
    let may_be_owed = match status {
        ServerStatus::Stopped => !state.owes_start,
        ServerStatus::Other(_) => in_attempt < LONGEST_CHANGE,
        ServerStatus::Active | ServerStatus::Suspended => false,
    };
    may_be_owed && !is_starting(state, since)
}

/// What a run does about a server that it has to stop and whose status is `status`. `debt` is what is owed to the
/// server, and `in_attempt` the time since this process began the attempt.
#[must_use]
pub fn before_stop(
    state: &RunState,
    status: &ServerStatus,
    debt: Option<&Debt>,
    in_attempt: Duration,
    since: Since<'_>,
) -> BeforeStop {
    let is_changing = matches!(status, ServerStatus::Other(_));
    match status {
        ServerStatus::Active => BeforeStop::Stop,
        _ if is_starting(state, since) => BeforeStop::Wait,
        ServerStatus::Stopped if state.owes_start => BeforeStop::StoppedByThisRun,
        ServerStatus::Stopped => match debt {
            None => BeforeStop::StoppedByPerson,
            // The debt watch has asked it to start: it is stopped once it runs.
            Some(debt) if debt.start().evidence.start != Start::NotSent && in_attempt < LONGEST_CHANGE => {
                BeforeStop::Wait
            }
            Some(_) => BeforeStop::StoppedByAnotherRun,
        },
        // The debt watch is starting it, or a stop is still being carried out.
        _ if is_changing && in_attempt < LONGEST_CHANGE && debt.is_some() => BeforeStop::Wait,
        // Most likely, the last process asked it to start during its shutdown: it is stopped once it runs.
        _ if is_changing && state.owes_start && since(last_request_at(state)) < LONGEST_CHANGE => BeforeStop::Wait,
        status => BeforeStop::Fail(format!("the server is {status}, so it is not stopped and no point is created")),
    }
}

/// Whether the server is starting because we asked it to.
fn is_starting(state: &RunState, since: Since<'_>) -> bool {
    let is_power = |step: &&Step| matches!(step.act, Act::StartServer | Act::StopServer);
    state.steps.iter().rev().find(is_power).is_some_and(|step| {
        step.act == Act::StartServer && step.state == StepState::Done && since(step.at) < LONGEST_CHANGE
    })
}

/// What a run does while it waits for its server to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileStopping {
    /// It continues.
    Stopped,
    /// It asks the server to stop again.
    StopAgain,
    /// It looks again.
    Wait,
}

/// What a run does while it waits for its server to stop. `may_be_started` means that an earlier process stopped the
/// server and may have started it again without being able to record that, and that this process has watched it for
/// `settle`.
#[must_use]
pub fn while_stopping(status: &ServerStatus, may_be_started: bool) -> WhileStopping {
    match status {
        ServerStatus::Stopped => WhileStopping::Stopped,
        ServerStatus::Active if may_be_started => WhileStopping::StopAgain,
        _ => WhileStopping::Wait,
    }
}

/// When the run last sent anything.
#[must_use]
pub fn last_request_at(state: &RunState) -> Timestamp {
    state.steps.last().map_or(state.opened_at, |step| step.intended_at)
}

/// Whether a stop or start whose answer was lost was carried out. `settled` means that the server has had enough time.
#[must_use]
pub fn find_power(act: &Act, status: &ServerStatus, settled: bool) -> Option<Found> {
    let runs = *status == ServerStatus::Active;
    if runs == (*act == Act::StartServer) {
        return Some(Found::Done { id: None });
    }
    settled.then_some(Found::NotDone)
}

/// How a server that is owed a start is found.
#[derive(Clone, Debug)]
pub enum OwedServer<'a> {
    /// It has this status; `seen_down` says whether it was seen not running since it was asked to stop.
    Reads {
        /// Its status.
        status: &'a ServerStatus,
        /// Whether it was seen down.
        seen_down: bool,
    },
    /// It does not exist, and it is missing from a complete list of the account.
    Missing,
    /// It cannot be read.
    Unreadable(String),
}

/// What a run does about a server that is owed a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhileStarting {
    /// It stops waiting and leaves the start to the debt watch.
    Leave(StartProblem),
    /// It looks again.
    Wait,
    /// It reports this, and looks again later.
    ReportAndWait(String),
    /// It makes sure that the server starts.
    Start,
}

/// What a run does after it has waited this long to see the server running.
#[must_use]
pub fn while_starting(found: OwedServer<'_>, waited: Duration, settle: Duration) -> WhileStarting {
    let is_too_long = waited >= LEFT_AFTER;
    match found {
        // It was never seen down, so it may still be stopping, and nothing can be done about that now.
        OwedServer::Reads { status: ServerStatus::Active, seen_down } if !seen_down || is_too_long => {
            WhileStarting::Leave(StartProblem::MayStillStop)
        }
        OwedServer::Reads { status: ServerStatus::Active, .. } => WhileStarting::Wait,
        OwedServer::Reads { status, .. } if is_too_long => {
            WhileStarting::Leave(StartProblem::Failed { error: format!("it is {status}") })
        }
        OwedServer::Reads { .. } => WhileStarting::Start,
        OwedServer::Missing if waited >= settle => WhileStarting::Leave(StartProblem::Missing),
        OwedServer::Missing => WhileStarting::Wait,
        OwedServer::Unreadable(error) if is_too_long => WhileStarting::Leave(StartProblem::Failed { error }),
        OwedServer::Unreadable(error) => WhileStarting::ReportAndWait(error),
    }
}

/// The starts that were requested since the server was last stopped. An earlier attempt has its own.
pub fn starts(state: &RunState) -> impl DoubleEndedIterator<Item = &Step> {
    let stopped = state.steps.iter().rposition(|step| step.act == Act::StopServer).unwrap_or_default();
    state.steps[stopped..].iter().filter(|step| step.act == Act::StartServer)
}

/// What is done about a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStart {
    /// The last one may still take effect.
    Wait,
    /// The last one was refused for this reason: that is reported, and the next one is sent after a pause.
    Refused(String),
    /// Another one is sent if the server reads `stopped`. `overdue` means that the last one was accepted but has not
    /// taken effect in time, which is reported.
    Send {
        /// Whether the last one was accepted.
        overdue: bool,
    },
}

/// What is done about the start of a server that does not run. `pause` is the time between two refused starts.
#[must_use]
pub fn next_start(state: &RunState, pause: Duration, since: Since<'_>) -> NextStart {
    match starts(state).next_back() {
        Some(step) if step.state == StepState::Done && since(step.at) < LONGEST_CHANGE => NextStart::Wait,
        Some(step) if step.state == StepState::NotDone && since(step.at) < pause => {
            NextStart::Refused(step.error.clone().unwrap_or_else(|| "the provider did not start it".to_owned()))
        }
        last => NextStart::Send { overdue: last.is_some_and(|step| step.state == StepState::Done) },
    }
}

#[cfg(test)]
mod tests;
