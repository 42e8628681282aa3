//! An error about a value in the policy file.

/// What is wrong with a value, as the end of a sentence, and what to write instead.
#[derive(Clone, Debug)]
pub(super) struct ValueError {
    /// As in `is zero`.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl ValueError {
    /// An error with its help.
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}
