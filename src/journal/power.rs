//! What the status of a server means for a run that has to stop it, create its point while it is stopped, and start it
//! again.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::debt::{Debt, Start};
use crate::journal::event::{Act, Event, Failure, Found};
use crate::journal::notice::StartProblem;
use crate::journal::state::{RunState, Step, StepState};
use crate::policy::inventory::ServerStatus;

/// How long a server may take to start or stop before it is asked again and that is reported.
pub(crate) const LONGEST_CHANGE: Duration = Duration::from_mins(5);
/// After this long, the run leaves a server that does not start to the debt watch, and ends.
pub(crate) const LEFT_AFTER: Duration = Duration::from_mins(10);

/// How long ago an event in the journal was.
pub(crate) type Since<'a> = &'a dyn Fn(Timestamp) -> Duration;

/// Whether a server that was stopped for a point is still stopped just before the point is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerPower {
    /// It is, or we did not stop it.
    Off,
    /// It runs.
    On,
    /// It cannot be read, or is neither: the attempt fails.
    Unknown(Failure),
}

/// Whether the server is still stopped; `None` while it is starting, which the run waits for.
#[must_use]
pub(crate) fn before_create(status: &ServerStatus, waited: Duration) -> Option<ServerPower> {
    match status {
        ServerStatus::Stopped => Some(ServerPower::Off),
        ServerStatus::Active => Some(ServerPower::On),
        ServerStatus::Other(_) if waited < LONGEST_CHANGE => None,
        status => {
            let error = format!("the server was stopped and is {status} now, so no point is created");
            Some(ServerPower::Unknown(Failure { error, last: false }))
        }
    }
}

/// Whether a run that writes this event is about to stop its server, or keeps it stopped: the watch over debts must not
/// start it meanwhile.
#[must_use]
pub(crate) fn keeps_stopped(event: &Event) -> bool {
    matches!(event, Event::FoundOwed | Event::Intended { act: Act::StopServer, .. })
}

/// Whether an event may have left what is owed to the server to the watch over debts: by the state after it, and by whether
/// the run had to start the server before it.
#[must_use]
pub(crate) fn leaves_debt(owed_start: bool, after: &RunState) -> bool {
    after.ended.is_some() || (owed_start && !after.owes_start)
}

/// What a run does about a server that it has to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BeforeStop {
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
    Fail(Failure),
}

/// Whether `before_stop` depends on what is owed to the server.
#[must_use]
pub(crate) fn stop_depends_on_debt(
    state: &RunState,
    status: &ServerStatus,
    in_attempt: Duration,
    since: Since<'_>,
) -> bool {
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
pub(crate) fn before_stop(
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
        status => {
            let error = format!("the server is {status}, so it is not stopped and no point is created");
            BeforeStop::Fail(Failure { error, last: false })
        }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhileStopping {
    /// It continues.
    Stopped,
    /// It asks the server to stop again.
    StopAgain,
    /// It looks again.
    Wait,
    /// The attempt fails.
    Fail(Failure),
}

/// How long a run has waited for its server to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopWait {
    /// Whether an earlier process asked it to stop.
    pub by_earlier_process: bool,
    /// The time since this process began to wait.
    pub here: Duration,
    /// The time since it was asked.
    pub since_request: Duration,
}

/// What a run does that waits for its server to stop; `status` is `None` when the server could not be read.
#[must_use]
pub(crate) fn while_stopping(
    status: Option<&ServerStatus>,
    waited: StopWait,
    (settle, stuck_after): (Duration, Duration),
) -> WhileStopping {
    match status {
        Some(ServerStatus::Stopped) => WhileStopping::Stopped,
        // The earlier process may have started it again without being able to record that.
        Some(ServerStatus::Active) if waited.by_earlier_process && waited.here >= settle => WhileStopping::StopAgain,
        _ if waited.since_request >= LONGEST_CHANGE.min(stuck_after) => {
            let error = "the server was asked to stop and has not".to_owned();
            WhileStopping::Fail(Failure { error, last: false })
        }
        _ => WhileStopping::Wait,
    }
}

/// When the run last sent anything.
#[must_use]
pub(crate) fn last_request_at(state: &RunState) -> Timestamp {
    state.steps.last().map_or(state.opened_at, |step| step.intended_at)
}

/// Whether a stop or start whose answer was lost was carried out. `settled` means that the server has had enough time.
#[must_use]
pub(crate) fn find_power(act: &Act, status: &ServerStatus, settled: bool) -> Option<Found> {
    let runs = *status == ServerStatus::Active;
    if runs == (*act == Act::StartServer) {
        return Some(Found::Done { id: None });
    }
    settled.then_some(Found::NotDone)
}

/// How a server that is owed a start is found.
#[derive(Clone, Debug)]
pub(crate) enum OwedServer<'a> {
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
pub(crate) enum WhileStarting {
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
pub(crate) fn while_starting(found: OwedServer<'_>, waited: Duration, settle: Duration) -> WhileStarting {
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
pub(crate) fn starts(state: &RunState) -> impl DoubleEndedIterator<Item = &Step> {
    let stopped = state.steps.iter().rposition(|step| step.act == Act::StopServer).unwrap_or_default();
    state.steps[stopped..].iter().filter(|step| step.act == Act::StartServer)
}

/// What is done about the start of a server that does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextStart {
    /// What is reported first.
    pub report: Option<String>,
    /// What is done then.
    pub then: AfterStart,
}

/// What a run does next about a server that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterStart {
    /// It looks again.
    LookAgain,
    /// It looks again after the time between two starts that are refused.
    Pause,
    /// It sends a start.
    Send,
}

/// What is done about the start of a server that does not run. `pause` is the time between two starts that are refused.
/// One that was accepted has its time before another is sent, and another is sent only to a server that reads `stopped`.
#[must_use]
pub(crate) fn next_start(state: &RunState, is_stopped: bool, pause: Duration, since: Since<'_>) -> NextStart {
    let last = starts(state).next_back();
    match last {
        Some(step) if step.state == StepState::Done && since(step.at) < LONGEST_CHANGE => {
            NextStart { report: None, then: AfterStart::LookAgain }
        }
        Some(step) if step.state == StepState::NotDone && since(step.at) < pause => {
            let error = step.error.clone().unwrap_or_else(|| "the provider did not start it".to_owned());
            NextStart { report: Some(error), then: AfterStart::Pause }
        }
        last => {
            let is_overdue = last.is_some_and(|step| step.state == StepState::Done);
            let report = is_overdue.then(|| "it was asked to start and does not run".to_owned());
            NextStart { report, then: if is_stopped { AfterStart::Send } else { AfterStart::LookAgain } }
        }
    }
}

#[cfg(test)]
mod tests;
