//! What is wrong with a cron expression, in plain English.

/// An invalid cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a schedule: {reason}{}", expression.escape_debug(), hint(suggestion.as_deref()))]
pub struct ScheduleError {
    /// Which of the expressions, from 0.
    pub index: usize,
    /// The expression as it was written.
    pub expression: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead, if that can be guessed.
    pub suggestion: Option<String>,
}

impl ScheduleError {
    pub(super) fn new(expression: &str, reason: impl Into<String>, suggestion: Option<&str>) -> Self {
        Self {
            index: 0,
            expression: expression.to_owned(),
            reason: reason.into(),
            suggestion: suggestion.map(str::to_owned),
        }
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|text| format!("; write for example `{text}`")).unwrap_or_default()
}
