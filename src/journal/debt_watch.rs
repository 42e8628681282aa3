//! What the debt watch does about a server that is owed a start: decided by what a look shows, and by how many looks
//! and starts came before. A run that starts its server uses the same pauses.

use std::time::Duration;

use crate::journal::debt::{Debt, Look};
use crate::journal::notice::{NotStarted, StartProblem, StoppedFor};
use crate::journal::power::{LONGEST_CHANGE, OwedServer};
use crate::policy::inventory::{ServerId, ServerStatus};

/// The longest pause between two looks at a server, and between two starts.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// This many looks follow each other with the shortest pause.
const QUICK_LOOKS: u32 = 8;
/// A server that cannot be read is reported at this look.
const READ_IN_VAIN: u32 = 3;

/// The pause after this many looks of the watch. The shortest pause is `poll`.
#[must_use]
pub(crate) fn pause_between_looks(poll: Duration, looked: u32) -> Duration {
    doubled(poll, looked / QUICK_LOOKS)
}

/// The pause after this many refused starts. It doubles each time, because starts are repeated until one succeeds.
#[must_use]
pub(crate) fn pause_between_starts(poll: Duration, starts: u32) -> Duration {
    doubled(poll, starts)
}

fn doubled(poll: Duration, times: u32) -> Duration {
    poll.saturating_mul(2_u32.saturating_pow(times.min(10))).min(LONGEST_PAUSE)
}

/// What a look at a server with this status proves.
#[must_use]
pub(crate) fn look_of(status: &ServerStatus) -> Look {
    if *status == ServerStatus::Active { Look::Running } else { Look::NotRunning }
}

/// Whether a list of the account proves that a server is missing.
#[must_use]
pub(crate) fn is_unlisted<'a>(
    has_doubts: bool,
    mut listed: impl Iterator<Item = &'a ServerId>,
    server: &ServerId,
) -> bool {
    !has_doubts && !listed.any(|id| id == server)
}

/// What the watch does about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhileOwed {
    /// It makes sure that the server starts.
    Start,
    /// It looks again.
    Wait,
    /// It reports this, unless the last report said the same, and looks again.
    Report(StartProblem),
    /// It reports this if nothing has been reported yet, and looks again.
    ReportOnce(StartProblem),
}

/// What the watch does about a server with this result of a look. Looks count from 1.
#[must_use]
pub(crate) fn while_owed(found: OwedServer<'_>, looked: u32) -> WhileOwed {
    let seen = match found {
        OwedServer::Reads { status: ServerStatus::Stopped, .. } => return WhileOwed::Start,
        OwedServer::Missing => return WhileOwed::Report(StartProblem::Missing),
        OwedServer::Unreadable(_) if looked < READ_IN_VAIN => return WhileOwed::Wait,
        OwedServer::Unreadable(error) => format!("it cannot be read ({error})"),
        OwedServer::Reads { status, .. } => format!("it is {status} now"),
    };
    WhileOwed::ReportOnce(StartProblem::NotSeenRunning { seen })
}

/// The last start that the watch has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastStart {
    /// How long ago.
    pub ago: Duration,
    /// Whether the provider accepted it.
    pub accepted: bool,
}

/// How long the watch waits before it sends another start to a server that reads `stopped`; `None` means it sends the
/// start now.
#[must_use]
pub(crate) fn wait_before_start(
    last: Option<LastStart>,
    poll: Duration,
    (looked, starts): (u32, u32),
) -> Option<Duration> {
    let between = pause_between_starts(poll, starts);
    match last? {
        LastStart { ago, accepted: true } if ago < LONGEST_CHANGE => Some(pause_between_looks(poll, looked)),
        LastStart { ago, accepted: false } if ago < between => Some(between),
        _ => None,
    }
}

/// Whether a server that reads `active` may still be about to stop, having been asked to that long ago.
#[must_use]
pub(crate) fn may_be_stopping(debt: &Debt, asked_ago: Duration) -> bool {
    !debt.start().evidence.seen_down && asked_ago < LONGEST_CHANGE
}

/// What is reported about a start that is sent just before the process ends. A run in charge continues after the next
/// start of the process, so there is nothing to report yet.
#[must_use]
pub(crate) fn report_before_exit(debt: &Debt) -> Option<NotStarted> {
    debt.start().is_free().then(|| not_started(debt, StartProblem::AskedBeforeExit))
}

/// What is reported about a server that is owed a start.
#[must_use]
pub(crate) fn not_started(debt: &Debt, problem: StartProblem) -> NotStarted {
    let stopped_for = debt.policy.clone().zip(debt.kind).map(|(policy, kind)| StoppedFor { policy, kind });
    NotStarted { problem, stopped_for, since: Some(debt.since) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::debt::{OwedStart, StopEvidence};
    use crate::journal::samples::{self, at};

    const SECOND: Duration = Duration::from_secs(1);

    fn debt(in_charge: Option<i64>, seen_down: bool) -> Debt {
        let evidence = StopEvidence { seen_down, ..StopEvidence::default() };
        samples::debt(OwedStart { round: 1, in_charge, evidence })
    }

    #[test]
    fn looks_and_starts_come_less_often_the_longer_it_takes_and_once_a_minute_at_least() {
        let looks = [0, 7, 8, 16, 32, 40, 10_000].map(|looked| pause_between_looks(SECOND * 2, looked).as_secs());
        assert_eq!(looks, [2, 2, 4, 8, 32, 60, 60]);
        let starts = [0, 1, 2, 4, 5, 10_000].map(|starts| pause_between_starts(SECOND * 2, starts).as_secs());
        assert_eq!(starts, [2, 4, 8, 32, 60, 60]);
    }

    #[test]
    fn only_a_server_that_reads_stopped_is_started_and_what_else_is_seen_is_reported() {
        let reads = |status: &'static ServerStatus| OwedServer::Reads { status, seen_down: true };
        let unreadable = || OwedServer::Unreadable("no answer".to_owned());
        let once = |seen: &str| WhileOwed::ReportOnce(StartProblem::NotSeenRunning { seen: seen.to_owned() });
        for (case, found, looked, expected) in [
            ("stopped", reads(&ServerStatus::Stopped), 1, WhileOwed::Start),
            ("it runs, which proves nothing yet", reads(&ServerStatus::Active), 1, once("it is active now")),
            ("not there", OwedServer::Missing, 1, WhileOwed::Report(StartProblem::Missing)),
            ("cannot be read", unreadable(), 2, WhileOwed::Wait),
            ("again and again", unreadable(), 3, once("it cannot be read (no answer)")),
        ] {
            assert_eq!(while_owed(found, looked), expected, "{case}");
        }
    }

    #[test]
    fn a_start_has_its_time_before_the_next_one_is_sent() {
        let last = |ago, accepted| Some(LastStart { ago, accepted });
        for (case, last, wait) in [
            ("none was sent", None, None),
            ("one was accepted", last(LONGEST_CHANGE - SECOND, true), Some(SECOND * 8)),
            ("and has had its time", last(LONGEST_CHANGE, true), None),
            ("one was refused", last(SECOND * 7, false), Some(SECOND * 8)),
            ("and the pause is over", last(SECOND * 8, false), None),
        ] {
            assert_eq!(wait_before_start(last, SECOND * 2, (16, 2)), wait, "{case}");
        }
    }

    #[test]
    fn a_server_that_was_seen_down_or_has_had_its_time_is_not_stopping_any_more() {
        assert!(may_be_stopping(&debt(None, false), LONGEST_CHANGE - SECOND));
        assert!(!may_be_stopping(&debt(None, false), LONGEST_CHANGE));
        assert!(!may_be_stopping(&debt(None, true), SECOND));
    }

    #[test]
    fn a_start_before_the_exit_is_reported_unless_a_run_goes_on_with_it() {
        assert_eq!(report_before_exit(&debt(Some(1), true)), None);
        let report = report_before_exit(&debt(None, true)).unwrap();
        assert_eq!((report.problem, report.since), (StartProblem::AskedBeforeExit, Some(at(0))));
    }

    #[test]
    fn a_server_is_missing_only_when_a_list_without_doubts_lacks_it() {
        let (one, two) = (ServerId::Number(1), ServerId::Number(2));
        for (case, doubts, listed, unlisted) in [
            ("listed", false, vec![&one, &two], false),
            ("not listed", false, vec![&two], true),
            ("not in a doubtful list", true, vec![&two], false),
        ] {
            assert_eq!(is_unlisted(doubts, listed.into_iter(), &one), unlisted, "{case}");
        }
        assert_eq!(look_of(&ServerStatus::Active), Look::Running);
        assert_eq!(look_of(&ServerStatus::Other("starting".to_owned())), Look::NotRunning);
    }
}
