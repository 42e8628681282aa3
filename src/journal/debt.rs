//! Debts: what must still happen to a server, whatever becomes of the run that opened them, and the evidence that pays
//! them. Today there is one kind: a server that we stopped must be started again.

use crate::policy::name::PolicyName;
use std::time::Duration;

use jiff::Timestamp;

use crate::policy::inventory::{Kind, ServerRef};

/// A server that runs although we did not start it is checked again after this long before it counts as running.
pub(crate) const CONFIRMED_AFTER: Duration = Duration::from_mins(1);
/// A server that was never seen down has to run for this long after the provider's answer to our start.
pub(crate) const RUNS_FOR: Duration = Duration::from_mins(10);
/// Two looks further apart than this do not prove that it ran in between.
pub(crate) const LOOKS_APART: Duration = Duration::from_mins(2);
/// A server that has been missing from complete lists for this long is gone, and nothing is owed to it.
pub(crate) const GONE_FOR: Duration = Duration::from_hours(24);
/// Two lists further apart than this do not prove that it was missing in between.
const LISTS_APART: Duration = Duration::from_hours(2);

/// A debt to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// The server.
    pub server: ServerRef,
    /// When it was opened.
    pub since: Timestamp,
    /// The run that opened it.
    pub run: Option<i64>,
    /// The step of that run.
    pub step: Option<u32>,
    /// The policy of that run.
    pub policy: Option<PolicyName>,
    /// What that run was creating.
    pub kind: Option<Kind>,
    /// What must still happen.
    pub what: DebtKind,
}

/// What must still happen to a server, and its progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebtKind {
    /// The server that we stopped is to be started.
    Start(OwedStart),
}

impl DebtKind {
    /// The word of `OwedStart` in the state.
    pub const START: &'static str = "start";

    /// The word in the state and in `status`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Start(_) => Self::START,
        }
    }
}

/// A start that is owed to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwedStart {
    /// Counts the stops: what was seen before the last one proves nothing.
    pub round: i64,
    /// The open run that keeps the server stopped and will start it, if there is one.
    pub in_charge: Option<i64>,
    /// What is known so far.
    pub evidence: StopEvidence,
}

impl OwedStart {
    /// Whether no open run will start the server.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.in_charge.is_none()
    }

    /// Whether what was seen or decided under `before` holds for it: the server was not stopped again since, and the same
    /// run is in charge.
    #[must_use]
    pub fn is_unchanged_since(&self, before: &Self) -> bool {
        self.round == before.round && self.in_charge == before.in_charge
    }
}

/// The run that keeps the server stopped and will start it: the one that said so last, as long as it has not ended.
#[must_use]
pub(crate) fn still_in_charge(run: Option<i64>, is_open: bool) -> Option<i64> {
    run.filter(|_| is_open)
}

impl Debt {
    /// The start that is owed.
    #[must_use]
    pub const fn start(&self) -> &OwedStart {
        match &self.what {
            DebtKind::Start(start) => start,
        }
    }
}

/// What is known about a server since it was last asked to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopEvidence {
    /// It was seen not running.
    pub seen_down: bool,
    /// What became of our start.
    pub start: Start,
    /// How long it has been missing from complete lists.
    pub missing_for: Duration,
}

/// What became of a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// None was sent, or it was refused.
    #[default]
    NotSent,
    /// It was sent; the answer is not known.
    Sent,
    /// The provider accepted it.
    Accepted,
    /// The provider answered that the server is already running.
    RunsAlready,
}

impl Start {
    /// The word in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::RunsAlready => "runs_already",
        }
    }

    /// The start that has this word.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        [Self::Sent, Self::Accepted, Self::RunsAlready].into_iter().find(|it| it.word() == word).unwrap_or_default()
    }

    /// What a refusal says about the start.
    #[must_use]
    pub fn refused(error: &str) -> Self {
        let error = error.to_lowercase();
        let says = |word: &str| error.contains(word);
        let already = says("already") && ["run", "start", "active", "on"].iter().any(|word| says(word));
        if already { Self::RunsAlready } else { Self::NotSent }
    }
}

impl StopEvidence {
    /// Records that a start was sent. That is done only if the server reads `stopped`.
    #[must_use]
    pub const fn start_sent(self) -> Self {
        Self { seen_down: true, start: Start::Sent, ..self }
    }

    /// Records the answer to a start. If the server was already running, the reading `stopped` was wrong.
    #[must_use]
    pub fn start_answered(self, start: Start) -> Self {
        Self { seen_down: self.seen_down && start != Start::RunsAlready, start, ..self }
    }
}

/// How a server is found at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It runs.
    Running,
    /// It does not.
    NotRunning,
    /// It does not exist, and it is missing from a complete list of the account.
    Missing,
}

/// What this process saw before; a later process cannot rely on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// How long the server has been seen running without interruption.
    pub running_for: Option<Duration>,
    /// Whether it was missing from the last complete list.
    pub missing: bool,
}

/// Whether the debt is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not.
    Owed,
    /// The server runs again.
    Paid,
    /// The server is gone from the account.
    Gone,
}

/// What a look proves. `since_last` is the time since the previous look, by a monotonic clock.
#[must_use]
pub(crate) fn observe(
    evidence: StopEvidence,
    streak: Streak,
    look: Look,
    since_last: Option<Duration>,
) -> (StopEvidence, Streak, Verdict) {
    match look {
        Look::Running => {
            let gap = since_last.filter(|gap| *gap <= LOOKS_APART);
            let running_for = streak.running_for.zip(gap).map_or(Duration::ZERO, |(before, gap)| before + gap);
            let must_run_for = match (evidence.seen_down, evidence.start) {
                (true, Start::Sent | Start::Accepted) => Some(Duration::ZERO),
                // Somebody else has started it, or a list lags behind.
                (true, Start::NotSent | Start::RunsAlready) => Some(CONFIRMED_AFTER),
                (false, Start::Accepted | Start::RunsAlready) => Some(RUNS_FOR),
                // It may still be shutting down.
                (false, Start::NotSent | Start::Sent) => None,
            };
            let paid = must_run_for.is_some_and(|time| running_for >= time);
            let evidence = StopEvidence { missing_for: Duration::ZERO, ..evidence };
            let verdict = if paid { Verdict::Paid } else { Verdict::Owed };
            (evidence, Streak { running_for: Some(running_for), missing: false }, verdict)
        }
        Look::NotRunning => {
            let evidence = StopEvidence { seen_down: true, missing_for: Duration::ZERO, ..evidence };
            (evidence, Streak::default(), Verdict::Owed)
        }
        Look::Missing => {
            let gap = since_last.filter(|gap| streak.missing && *gap <= LISTS_APART).unwrap_or_default();
            let evidence = StopEvidence { missing_for: evidence.missing_for + gap, ..evidence };
            let verdict = if evidence.missing_for >= GONE_FOR { Verdict::Gone } else { Verdict::Owed };
            (evidence, Streak { running_for: None, missing: true }, verdict)
        }
    }
}

/// The command by which a person says that a server need not be started any more.
#[must_use]
pub(crate) fn release_command(server: &ServerRef) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = if server.name.chars().all(plain) { server.name.clone() } else { server.id.to_string() };
    format!("lastgood release debt {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const RUNS: Look = Look::Running;
    const DOWN: Look = Look::NotRunning;
    const MISSING: Look = Look::Missing;

    /// The looks, each this many seconds after the previous one, until the debt is over.
    fn seen(mut evidence: StopEvidence, looks: &[(u64, Look)]) -> (usize, Verdict) {
        let mut streak = Streak::default();
        for (number, (seconds, look)) in looks.iter().enumerate() {
            let gap = (number > 0).then(|| Duration::from_secs(*seconds));
            let verdict;
            (evidence, streak, verdict) = observe(evidence, streak, *look, gap);
            if verdict != Verdict::Owed {
                return (number + 1, verdict);
            }
        }
        (looks.len(), Verdict::Owed)
    }

    fn sent(start: Start) -> StopEvidence {
        StopEvidence::default().start_sent().start_answered(start)
    }

    fn many(count: usize, seconds: u64, look: Look) -> Vec<(u64, Look)> {
        vec![(seconds, look); count]
    }

    #[test]
    fn a_debt_is_paid_by_evidence_alone() {
        let never_down = |start| StopEvidence { seen_down: false, start, ..StopEvidence::default() };
        /// The name, what is known before, what is seen after how many seconds, and the verdict with the number of its
        /// look.
        type Case = (&'static str, StopEvidence, Vec<(u64, Look)>, (usize, Verdict));
        let table: Vec<Case> = vec![
            ("it never went down", StopEvidence::default(), many(5000, MINUTE, RUNS), (5000, Verdict::Owed)),
            ("a lost start, never down", never_down(Start::Sent), many(5000, MINUTE, RUNS), (5000, Verdict::Owed)),
            ("down, started, runs", sent(Start::Accepted), vec![(0, DOWN), (5, RUNS)], (2, Verdict::Paid)),
            ("the start's answer was lost", sent(Start::Sent), vec![(0, RUNS)], (1, Verdict::Paid)),
            ("down, then up by somebody", StopEvidence::default(), vec![(0, DOWN), (5, RUNS)], (2, Verdict::Owed)),
            (
                "down, then up by somebody, still up",
                StopEvidence::default(),
                vec![(0, DOWN), (5, RUNS), (30, RUNS), (30, RUNS)],
                (4, Verdict::Paid),
            ),
            (
                "up once by a list that lags",
                StopEvidence::default(),
                vec![(0, DOWN), (5, RUNS), (30, DOWN), (5, RUNS), (59, RUNS)],
                (5, Verdict::Owed),
            ),
            ("runs already", sent(Start::RunsAlready), many(20, MINUTE, RUNS), (11, Verdict::Paid)),
            ("accepted, never down", never_down(Start::Accepted), many(20, MINUTE, RUNS), (11, Verdict::Paid)),
            ("looks too far apart", never_down(Start::Accepted), many(20, 121, RUNS), (20, Verdict::Owed)),
            (
                "a break begins the ten minutes anew",
                never_down(Start::Accepted),
                [many(10, MINUTE, RUNS), vec![(121, RUNS)], many(9, MINUTE, RUNS)].concat(),
                (20, Verdict::Owed),
            ),
            ("stopped for ever", sent(Start::Accepted), many(5000, MINUTE, DOWN), (5000, Verdict::Owed)),
            ("missing for a day", StopEvidence::default(), many(25, 60 * MINUTE, MISSING), (25, Verdict::Gone)),
            ("missing for less", StopEvidence::default(), many(24, 60 * MINUTE, MISSING), (24, Verdict::Owed)),
            (
                "missing, there, missing",
                StopEvidence::default(),
                [many(24, 60 * MINUTE, MISSING), vec![(60, DOWN)], many(24, 60 * MINUTE, MISSING)].concat(),
                (49, Verdict::Owed),
            ),
            ("lists too far apart", StopEvidence::default(), many(99, 121 * MINUTE, MISSING), (99, Verdict::Owed)),
        ];
        for (name, evidence, looks, expected) in table {
            assert_eq!(seen(evidence, &looks), expected, "{name}");
        }
    }

    #[test]
    fn an_answer_that_it_runs_already_unsays_that_it_was_down() {
        assert!(!sent(Start::RunsAlready).seen_down);
        assert!(sent(Start::Accepted).seen_down);
        for (error, start) in [
            ("the provider refused (409 Conflict): The server is already running.", Start::RunsAlready),
            ("the provider refused (400 Bad Request): Server already started", Start::RunsAlready),
            ("the provider refused (400 Bad Request): The server is restoring.", Start::NotSent),
            ("the token is not allowed to do this (403 Forbidden)", Start::NotSent),
        ] {
            assert_eq!(Start::refused(error), start, "{error}");
        }
    }

    #[test]
    fn words_read_back() {
        for start in [Start::NotSent, Start::Sent, Start::Accepted, Start::RunsAlready] {
            assert_eq!(Start::of_word(start.word()), start);
        }
        assert_eq!(Start::of_word("of a later version"), Start::NotSent);
    }
}
