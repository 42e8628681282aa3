//! The parts of a run's state: its calls and what is known of them, and the point that it made.

use jiff::Timestamp;

use crate::journal::event::Act;
use crate::policy::inventory::Id;

/// A call and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was asked for.
    pub act: Act,
    /// When the intent was written.
    pub intended_at: Timestamp,
    /// When the last word on it was written.
    pub at: Timestamp,
    /// How far it is known.
    pub state: StepState,
    /// What was said when it did not go well.
    pub error: Option<String>,
    /// Whether the answer was lost, whatever was found out later.
    pub answer_was_lost: bool,
    /// Whether the refusal is one that a repetition would meet again.
    pub last: bool,
    /// Of a create: the point that it made.
    pub made: Option<Id>,
}

impl Step {
    /// A call that is about to be sent.
    #[must_use]
    pub(super) const fn intended(act: Act, at: Timestamp) -> Self {
        let state = StepState::Intended;
        Self { act, intended_at: at, at, state, error: None, answer_was_lost: false, last: false, made: None }
    }
}

/// How far a step is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// The intent is written, an answer is not.
    Intended,
    /// The answer was lost.
    Unknown,
    /// Carried out.
    Done,
    /// Certainly not carried out.
    NotDone,
    /// Nobody can tell.
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

/// The point that a run made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The provider's key.
    pub id: Id,
    /// The index of the create among the steps.
    pub step: usize,
    /// When the provider began it, once a list showed it.
    pub created_at: Option<Timestamp>,
    /// How far it has come.
    pub progress: Progress,
}

/// How far the new point has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is awaited.
    Running,
    /// It is there.
    Completed,
    /// It failed and is to be deleted.
    Failed,
    /// It was listed no more while it was awaited.
    Vanished,
}
