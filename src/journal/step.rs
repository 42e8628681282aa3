//! The parts of a run's state: its calls with what is known about them, and the point that it created.

use jiff::Timestamp;

use crate::journal::event::Act;
use crate::policy::inventory::PointId;

/// A call with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it requests.
    pub act: Act,
    /// When the intent was written.
    pub intended_at: Timestamp,
    /// When something about it was last written.
    pub at: Timestamp,
    /// What is known about its outcome.
    pub state: StepState,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// Whether the answer was lost, whatever was found out later.
    pub answer_was_lost: bool,
    /// Whether trying again would be refused again.
    pub last: bool,
    /// The point that a create made.
    pub created: Option<PointId>,
}

/// What is known about a step's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// The intent was written, an answer was not.
    Intended,
    /// The answer was lost.
    Unknown,
    /// Carried out.
    Done,
    /// Certainly not carried out.
    NotDone,
    /// The outcome cannot be determined.
    Undecided,
}

impl StepState {
    /// The word for `history`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::NotDone => "not_done",
            Self::Undecided => "undecided",
        }
    }
}

/// The point that a run created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedPoint {
    /// The provider's key.
    pub id: PointId,
    /// The index of the create among the steps.
    pub step: usize,
    /// When the provider began it, once a list showed it.
    pub created_at: Option<Timestamp>,
    /// Its progress.
    pub progress: PointProgress,
}

/// The progress of the created point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointProgress {
    /// It is in progress.
    Running,
    /// It is completed.
    Completed,
    /// It failed and will be deleted.
    Failed,
    /// It disappeared from the list while it was in progress.
    Vanished,
}
