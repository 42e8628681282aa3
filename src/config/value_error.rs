//! What is wrong with a value that a person wrote, and what to write instead.

/// What is wrong with a text, as the end of a sentence, and what to write instead.
#[derive(Clone, Debug)]
pub struct ValueError {
    /// `is no duration`.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl ValueError {
    /// Both.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}
