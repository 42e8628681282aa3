//! The reference of all keys: the tables at the end of docs/policy.md.

use std::fmt::Write as _;

use crate::config::key_spec::{DefaultValue, TextForm, ValueKind};
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
            Self::Text(form) => form.words().to_owned(),
            Self::Texts(form) => format!("{}; one or a list", form.words_for_many()),
            Self::Duration => "a duration".to_owned(),
            Self::DurationAboveZero => "a duration above zero".to_owned(),
            Self::DurationOfDays => "a duration of a day or more".to_owned(),
            Self::Number(least, most) => format!("{least} to {most}"),
            Self::Flag => "`true`, `false`".to_owned(),
            Self::Choice(words) => quoted(words),
            Self::Choices(words) => format!("{}; one or a list", quoted(words)),
            Self::Table(table) => format!("a table, see {}", table.heading),
            Self::Named(table) | Self::OfServers(table) => format!("tables, see {}", table.heading),
        }
    }
}

impl TextForm {
    const fn words(self) -> &'static str {
        match self {
            Self::Name => "1 to 32 letters, digits, `-` and `_`",
            Self::ReportName => "the name of a report",
            Self::Server => "a name with `*` and `?`, a hostname, an id or a uuid; `*` is every server",
            Self::Pattern => "a pattern with `*` and `?`",
            Self::Schedule => "a cron expression",
            Self::Zone => "an IANA name",
            Self::Path | Self::SecretFile => "a path, relative to this file",
            Self::ProviderUrl => "an https address; http to loopback only",
            Self::MailAddress => "a mail address",
            Self::MailHost => "a host name or address",
            Self::HostName => "a host name",
            Self::SocketAddress => "an address with a port",
            Self::Filled => "a text",
        }
    }

    const fn words_for_many(self) -> &'static str {
        match self {
            Self::ReportName => "names of reports",
            Self::Server => "names with `*` and `?`, hostnames, ids, uuids; `*` is every server",
            Self::Pattern => "patterns with `*` and `?`",
            Self::Schedule => "cron expressions",
            Self::MailAddress => "mail addresses",
            Self::HostName => "host names",
            other => other.words(),
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
