//! What a run does while it waits for its new point: decided by the lists that it reads, and by how long it could not
//! read any.

use std::time::Duration;

use crate::journal::adopt::{find_duplicate, sight_of};
use crate::journal::answer::FailedCall;
use crate::journal::event::{Failure, Sight};
use crate::journal::state::RunState;
use crate::policy::inventory::{Inventory, Kind, PointId};

/// From how many of a policy's last points the duration of the next one is estimated.
pub(crate) const CREATIONS_THAT_COUNT: u32 = 10;

/// What a run that waits for its point does after it has read a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhileCreating {
    /// It records a second point of the same create, and keeps waiting.
    RecordDuplicate(Sight),
    /// It records that the point is completed or has failed.
    RecordEnd(Sight),
    /// It looks again: the point is in progress, with this status.
    InProgress(String),
    /// It looks again: the point is not listed, which proves nothing yet.
    Missing,
    /// It asks a list of this server alone whether the point is gone.
    AskIfGone,
}

/// What a run that waits for its point `id` does after it has read this list. The point has been missing from the lists
/// for `missing_for`, which is zero if this list is the first without it.
#[must_use]
pub(crate) fn while_creating(
    state: &RunState,
    inventory: &Inventory,
    id: &PointId,
    (missing_for, settle): (Duration, Duration),
) -> WhileCreating {
    if let Some(duplicate) = find_duplicate(state, inventory, id) {
        return WhileCreating::RecordDuplicate(duplicate);
    }
    match inventory.find(id) {
        Some(point) => match sight_of(point) {
            Some(sight) => WhileCreating::RecordEnd(sight),
            None => WhileCreating::InProgress(point.status.to_string()),
        },
        // A list may lag, and one list may be wrong: only a point that is missing for `settle` is gone.
        None if missing_for >= settle => WhileCreating::AskIfGone,
        None => WhileCreating::Missing,
    }
}

/// Why an attempt fails whose point is still in progress after `age`; `None` before `stuck_after`.
#[must_use]
pub(crate) fn stuck(kind: Kind, id: &PointId, age: Duration, stuck_after: Duration) -> Option<Failure> {
    let after = stuck_after.as_secs();
    let error = format!(
        "{kind} {id} is stuck: still in progress {after} s after it was asked for; it is left alone and looked at again \
         at the next run"
    );
    (age >= stuck_after).then_some(Failure { error, last: true })
}

/// For how long no list could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The time since the last list.
    pub unread_for: Duration,
    /// How long every look has been refused, if the last one was.
    pub refused_for: Option<Duration>,
}

/// Why an attempt fails that could not read a list for so long; `None` while it keeps looking. A server that was
/// stopped for its point must not stay stopped meanwhile, and a look that was refused for `settle` would be refused
/// again.
#[must_use]
pub(crate) fn unseen(
    kind: Kind,
    id: &PointId,
    unread: Unread,
    failed: &FailedCall,
    (settle, stuck_after): (Duration, Duration),
) -> Option<Failure> {
    let is_over = unread.unread_for >= stuck_after || unread.refused_for.is_some_and(|refused| refused >= settle);
    let error = format!(
        "{kind} {id} was asked for, and no list can be read to see what becomes of it: {}; it is looked at again at the \
         next run",
        failed.error
    );
    is_over.then_some(Failure { error, last: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::answer::CallFailure;
    use crate::journal::event::{Act, Answer, Event};
    use crate::journal::samples::{at, began, inventory, list_point, mark, run_after};
    use crate::policy::inventory::{PointStatus, RestorePoint};

    const MINUTE: Duration = Duration::from_mins(1);
    const ID: PointId = PointId::Number(7);

    fn waiting() -> RunState {
        let act = Act::Create { mark: mark("ourtoken"), listed: Vec::new() };
        let answer = Answer::Accepted { id: Some(ID) };
        run_after(&[began(), vec![Event::Intended { step: 1, act }, Event::Answered { step: 1, answer }]].concat())
    }

    fn point(id: i64, status: PointStatus) -> RestorePoint {
        RestorePoint { status, ..list_point(id, at(id), &mark("ourtoken").description()) }
    }

    #[test]
    fn what_a_list_says_of_the_point_that_is_awaited() {
        let completed = || point(7, PointStatus::Completed);
        let duplicate = Sight::Duplicate { id: PointId::Number(8), created_at: at(8), adopted: ID };
        let seen = |sight| WhileCreating::RecordEnd(sight);
        for (case, points, missing_for, expected) in [
            (
                "completed",
                vec![completed()],
                Duration::ZERO,
                seen(Sight::Completed { created_at: at(7), size_mb: None, in_progress_ms: None }),
            ),
            (
                "failed",
                vec![point(7, PointStatus::Failed)],
                Duration::ZERO,
                seen(Sight::PointFailed { created_at: at(7) }),
            ),
            (
                "in progress",
                vec![point(7, PointStatus::InProgress)],
                Duration::ZERO,
                WhileCreating::InProgress(PointStatus::InProgress.to_string()),
            ),
            (
                "there are two",
                vec![completed(), point(8, PointStatus::InProgress)],
                Duration::ZERO,
                WhileCreating::RecordDuplicate(duplicate),
            ),
            ("not listed", vec![], MINUTE - Duration::from_secs(1), WhileCreating::Missing),
            ("for `settle`", vec![], MINUTE, WhileCreating::AskIfGone),
        ] {
            let found = while_creating(&waiting(), &inventory(points), &ID, (missing_for, MINUTE));
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn a_point_in_progress_is_stuck_after_the_time_of_its_policy() {
        assert_eq!(stuck(Kind::Backup, &ID, MINUTE, MINUTE * 2), None);
        let failure = stuck(Kind::Backup, &ID, MINUTE * 2, MINUTE * 2).unwrap();
        assert!(failure.last && failure.error.contains("still in progress 120 s after"), "{failure:?}");
    }

    #[test]
    fn a_run_looks_on_for_long_and_only_for_settle_when_it_is_refused() {
        let failed = FailedCall { error: "no".to_owned(), status: Some(403), how: CallFailure::Refused };
        for (case, minutes, refused_for, fails) in [
            ("no list for a while", 119, None, false),
            ("for too long", 120, None, true),
            ("refused just now", 10, Some(Duration::ZERO), false),
            ("refused for `settle`", 1, Some(MINUTE), true),
        ] {
            let unread = Unread { unread_for: MINUTE * minutes, refused_for };
            let failure = unseen(Kind::Backup, &ID, unread, &failed, (MINUTE, MINUTE * 120));
            assert_eq!(failure.is_some(), fails, "{case}");
            assert!(failure.is_none_or(|failure| failure.last), "{case}");
        }
    }
}
