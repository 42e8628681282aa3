//! What a key of the policy file is: its name, what it takes, its default and what it means.

use std::time::Duration;

use crate::config::duration;

/// A table of the policy file, as `[provider]`.
#[derive(Debug)]
pub(super) struct TableSpec {
    /// How the file spells it.
    pub heading: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [KeySpec],
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct KeySpec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: ValueKind,
    /// Its value when it is left out.
    pub default: DefaultValue,
    /// What it means, for the reference.
    pub words: &'static str,
}

/// What a key takes.
#[derive(Debug)]
pub(super) enum ValueKind {
    /// A string of this form.
    Text(TextForm),
    /// A list of strings of this form, or a single one.
    Texts(TextForm),
    /// A duration, as `90s`.
    Duration,
    /// A duration above zero.
    DurationAboveZero,
    /// A duration of a day or more.
    DurationOfDays,
    /// A whole number within these bounds, both included.
    Number(u32, u32),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words, or a single one.
    Choices(&'static [&'static str]),
    /// A table with these keys.
    Table(&'static TableSpec),
    /// Tables that the user names, as `[policy.nightly]`.
    Named(&'static TableSpec),
    /// Tables of servers, each with tables that the user names, as `[server.web-server-01.nightly]`.
    OfServers(&'static TableSpec),
}

/// What a string holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextForm {
    /// The name of a policy, a report or the instance.
    Name,
    /// The name of a report in the file.
    ReportName,
    /// A server: a name, a pattern, a hostname, an id (which may be a number), a uuid.
    Server,
    /// A pattern of names or descriptions.
    Pattern,
    /// A cron expression.
    Schedule,
    /// A time zone.
    Zone,
    /// A file or folder.
    Path,
    /// A file that holds a secret.
    SecretFile,
    /// The provider's URL.
    ProviderUrl,
    /// A mail address, with or without a name before it.
    MailAddress,
    /// The mail server.
    MailHost,
    /// The bare name of a host.
    HostName,
    /// An IP address with a port.
    SocketAddress,
    /// Any text that is not empty.
    Filled,
}

/// The value of a key that is left out.
#[derive(Debug)]
pub(super) enum DefaultValue {
    /// The key must be given.
    Required,
    /// Nothing.
    Nothing,
    /// This value, as the file would spell it.
    Is(&'static str),
    /// A value that depends on something else; the words say on what.
    Depends(&'static str),
}

impl TableSpec {
    /// A key of this table.
    pub(super) fn find(&self, name: &str) -> Option<&'static KeySpec> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// A key that the code reads, so it exists.
    fn known(&self, name: &str) -> &'static KeySpec {
        self.find(name).unwrap_or_else(|| unreachable!("{} has no key {name}", self.heading))
    }

    /// The default of a key, unquoted.
    pub(super) fn text(&self, name: &str) -> &'static str {
        match self.known(name).default {
            DefaultValue::Is(text) => text.trim_matches('"'),
            _ => unreachable!("{name} has no default of its own"),
        }
    }

    /// The default of a key that takes a duration.
    pub(super) fn duration(&self, name: &str) -> Duration {
        duration::duration(self.text(name)).expect("the tests read every default")
    }

    /// The default of a key that takes a number.
    pub(super) fn number(&self, name: &str) -> u32 {
        self.text(name).parse().expect("the tests read every default")
    }

    /// The default of a key that takes `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// The bounds of a key that takes a number.
    pub(super) fn bounds(&self, name: &str) -> (u32, u32) {
        match self.known(name).takes {
            ValueKind::Number(least, most) => (least, most),
            _ => unreachable!("{name} takes no number"),
        }
    }

    /// The words that a key takes.
    pub(super) fn choices(&self, name: &str) -> &'static [&'static str] {
        match self.known(name).takes {
            ValueKind::Choice(words) | ValueKind::Choices(words) => words,
            _ => unreachable!("{name} takes no fixed words"),
        }
    }

    /// The keys of the table that a key takes.
    pub(super) fn below(&self, name: &str) -> &'static Self {
        match self.known(name).takes {
            ValueKind::Table(table) | ValueKind::Named(table) | ValueKind::OfServers(table) => table,
            _ => unreachable!("{name} takes no table"),
        }
    }
}
