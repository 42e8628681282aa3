//! The reference of all keys: the tables at the end of docs/policy.md.

use std::fmt::Write as _;

use crate::config::key_spec::{DefaultValue, ValueKind};
use crate::config::keys::TABLES;

/// A Markdown table for each table of the policy file.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for table in TABLES {
        let heading = if table.heading.is_empty() { "The file" } else { table.heading };
        let _ = write!(text, "\n### {heading}\n\n| key | takes | default | meaning |\n|---|---|---|---|\n");
        for key in table.keys {
            let (takes, default) = (key.takes.words(), key.default.words());
            let _ = writeln!(text, "| `{}` | {takes} | {default} | {} |", key.name, key.words);
        }
    }
    text
}

impl ValueKind {
    fn words(&self) -> String {
        let quoted = |words: &[&str]| words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Text(what) => (*what).to_owned(),
            Self::Texts(what) => format!("{what}; one or a list"),
            Self::Duration => "a duration".to_owned(),
            Self::DurationAboveZero => "a duration above zero".to_owned(),
            Self::DurationOfDays => "a duration of a day or more".to_owned(),
            Self::Number(least, most) => format!("{least} to {most}"),
            Self::Flag => "`true`, `false`".to_owned(),
            Self::Choice(words) => quoted(words),
            Self::Choices(words) => format!("{}; one or a list", quoted(words)),
            Self::Table(table) => format!("a table, see {}", table.heading),
            Self::Named(table) => format!("tables, see {}", table.heading),
        }
    }
}

impl DefaultValue {
    fn words(&self) -> String {
        match self {
            Self::Required => "required".to_owned(),
            Self::Nothing => "none".to_owned(),
            Self::Is(value) => format!("`{value}`"),
            Self::Depends(words) => (*words).to_owned(),
        }
    }
}
