//! What is counted for people who watch lastgood over months. The counters live in the state, so they continue after a
//! restart and never fall when history is pruned.

use crate::journal::event::{Answer, DeleteReason, Event, Found, Outcome, Sight};
use crate::journal::notice::{Fact, LatestDue, MissedDueTimes, Notice};
use crate::journal::state::RunState;

/// A counter of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counter {
    /// Runs that ended, by policy and outcome.
    Runs,
    /// Restore points that were created, by policy.
    PointsCreated,
    /// Restore points that a run deleted, by policy and cause.
    PointsDeleted,
    /// Due times that passed without a run, by policy.
    DueTimesMissed,
    /// Messages that are done with, by channel and result.
    Messages,
}

impl Counter {
    const ALL: [Self; 5] = [Self::Runs, Self::PointsCreated, Self::PointsDeleted, Self::DueTimesMissed, Self::Messages];

    /// The word in the state.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::PointsCreated => "points_created",
            Self::PointsDeleted => "points_deleted",
            Self::DueTimesMissed => "due_times_missed",
            Self::Messages => "messages",
        }
    }

    /// The counter that has this word.
    #[must_use]
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counter| counter.word() == word)
    }
}

/// What one event adds to a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Increment {
    /// The counter.
    pub(crate) counter: Counter,
    /// The policy, or the channel of a message.
    pub(crate) subject: String,
    /// The outcome, the cause or the result; empty for a counter that has none.
    pub(crate) detail: &'static str,
    /// How much it adds.
    pub(crate) by: u32,
}

impl Increment {
    fn one(counter: Counter, subject: &str, detail: &'static str) -> Self {
        Self { counter, subject: subject.to_owned(), detail, by: 1 }
    }

    /// A run of the policy ended.
    #[must_use]
    pub(crate) fn run(policy: &str, outcome: Outcome) -> Self {
        Self::one(Counter::Runs, policy, outcome.word())
    }

    /// A message was sent, or was given up.
    #[must_use]
    pub(crate) fn message(channel: &str, sent: bool) -> Self {
        Self::one(Counter::Messages, channel, MESSAGE_RESULTS[usize::from(!sent)])
    }

    /// The due times that this notice reports as passed without a run.
    #[must_use]
    pub(crate) fn missed(notice: &Notice) -> Option<Self> {
        let Fact::Missed(MissedDueTimes { lost, latest, .. }) = &notice.fact else { return None };
        let skipped = u32::from(matches!(latest, LatestDue::Skipped(_)));
        let by = lost.map_or(0, |lost| lost.count).saturating_add(skipped);
        let policy = notice.policy.as_ref().filter(|_| by > 0)?;
        Some(Self { by, ..Self::one(Counter::DueTimesMissed, policy, "") })
    }
}

/// The end of a message: it is sent, or given up.
pub(crate) const MESSAGE_RESULTS: [&str; 2] = ["sent", "given_up"];

/// What the next event of a run adds to the counters. `before` is the run until now, which can take the event.
#[must_use]
pub(crate) fn counts(before: &RunState, event: &Event) -> Option<Increment> {
    let policy = before.key.policy.as_str();
    let carried_out = |step: u32| {
        let act = &before.step(step)?.act;
        if act.is_create() {
            return Some(Increment::one(Counter::PointsCreated, policy, ""));
        }
        Some(Increment::one(Counter::PointsDeleted, policy, act.delete_reason()?.word()))
    };
    match event {
        Event::Answered { step, answer: Answer::Accepted { .. } | Answer::AlreadyGone }
        | Event::Settled { step, found: Found::Done { .. } } => carried_out(*step),
        // The second point of one create.
        Event::Seen(Sight::Duplicate { .. }) => Some(Increment::one(Counter::PointsCreated, policy, "")),
        Event::Ended { outcome, .. } => Some(Increment::run(policy, *outcome)),
        _ => None,
    }
}

/// Every outcome of a run and every cause of a delete, for counters that are still zero.
pub(crate) const OUTCOMES: [Outcome; 4] = [Outcome::Succeeded, Outcome::Failed, Outcome::Skipped, Outcome::Unknown];

/// See `OUTCOMES`.
pub(crate) const DELETE_REASONS: [DeleteReason; 5] = [
    DeleteReason::Eviction,
    DeleteReason::FailedPoint,
    DeleteReason::Retention,
    DeleteReason::OwnFailure,
    DeleteReason::Duplicate,
];
