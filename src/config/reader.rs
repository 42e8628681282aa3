//! Reads a TOML table key by key and continues after every error, so that all of them are reported at once. The known
//! keys, their bounds and their tables come from `keys`.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::diagnostic::Diagnostic;
use crate::config::key_spec::TableSpec;
use crate::config::keys::FILE_KEYS;
use crate::config::mask::{excerpt, is_secret_key};
use crate::config::value_error::ValueError;

/// A value with its position.
pub(super) type SpannedValue<'a> = Spanned<DeValue<'a>>;

/// The errors and warnings found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Diagnostic>>);

impl Findings {
    /// Adds one.
    pub(super) fn push(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    /// Whether there are errors, so that the file will be refused.
    pub(super) fn has_errors(&self) -> bool {
        self.0.borrow().iter().any(Diagnostic::is_error)
    }

    /// All of them, in the order of the file; those without a position last.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        sorted(self.0.into_inner())
    }
}

/// The same in the order of the file; those without a position last.
pub(super) fn sorted(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    all.sort_by_key(|one| one.span.as_ref().map_or((1, 0), |span| (0, span.start)));
    all
}

/// A table being read.
pub(super) struct TableReader<'a> {
    /// The dotted name, empty for the file itself.
    pub name: String,
    /// Where it begins.
    pub span: Range<usize>,
    table: &'a DeTable<'a>,
    keys: &'static TableSpec,
    findings: &'a Findings,
}

impl<'a> TableReader<'a> {
    /// A reader of the file itself.
    pub(super) fn of_file(table: &'a DeTable<'a>, span: Range<usize>, findings: &'a Findings) -> Self {
        Self { name: String::new(), span, table, keys: &FILE_KEYS, findings }
    }

    /// A reader of a table that the file does not have: every key has its default.
    pub(super) fn absent(&self, key: &'static str, empty: &'a DeTable<'a>) -> Self {
        let (name, keys) = (self.path(key), self.keys.below(key));
        Self { name, span: 0..0, table: empty, keys, findings: self.findings }
    }

    /// The findings that all readers share.
    pub(super) const fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The dotted name of a key.
    pub(super) fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &'static str) -> Option<&'a SpannedValue<'a>> {
        debug_assert!(self.keys.find(key).is_some(), "{} has no key {key}", self.keys.heading);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// Whether the table has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Every key with its position and value, for tables of tables.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, &'a SpannedValue<'a>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    /// An error at a value.
    pub(super) fn wrong(
        &self,
        key: &str,
        value: &SpannedValue<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = help.into();
        let diagnostic = Diagnostic::error(message).at(self.path(key), value.span());
        self.findings.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    /// A table in this one. If the user names the tables in it, its known keys are theirs.
    pub(super) fn table(&self, key: &'static str) -> Option<TableReader<'a>> {
        let value = self.value(key)?;
        self.read_below(key, value, self.keys.below(key))
    }

    /// The table that this value is, under a name that the user chose.
    pub(super) fn below(&self, key: &str, value: &'a SpannedValue<'a>) -> Option<TableReader<'a>> {
        self.read_below(key, value, self.keys)
    }

    fn read_below(&self, key: &str, value: &'a SpannedValue<'a>, keys: &'static TableSpec) -> Option<TableReader<'a>> {
        if let DeValue::Table(table) = value.get_ref() {
            let (name, span) = (self.path(key), value.span());
            return Some(TableReader { name, span, table, keys, findings: self.findings });
        }
        self.wrong_type(
            key,
            value,
            "a table",
            &format!("write [{}] on its own line, with its keys below", self.path(key)),
        );
        None
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&self, key: &str, value: &SpannedValue<'_>, wanted: &str, help: &str) {
        let found = value.get_ref().type_str();
        self.wrong(key, value, format!("`{}` must be {wanted}, but is {}", self.path(key), article(found)), help);
    }

    /// A string.
    pub(super) fn text(&self, key: &'static str) -> Option<(&'a str, &'a SpannedValue<'a>)> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some((text.as_ref(), value)),
            _ => {
                self.wrong_type(key, value, "a string", "put it in quotes");
                None
            }
        }
    }

    /// A string, parsed. The parser says what is wrong and what to write instead.
    pub(super) fn parsed<T>(&self, key: &'static str, parse: impl Fn(&str) -> Result<T, ValueError>) -> Option<T> {
        let (text, value) = self.text(key)?;
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(wrong) => {
                self.wrong(key, value, format!("`{}` {}", self.path(key), wrong.message), wrong.help);
                None
            }
        }
    }

    /// A duration; the error for a bare number says what is missing.
    pub(super) fn duration(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<Duration, ValueError>,
    ) -> Option<Duration> {
        let value = self.value(key)?;
        if let DeValue::Integer(integer) = value.get_ref() {
            let number = integer.as_str();
            let help = format!("it needs a unit and quotes, as in \"{number}s\", \"{number}m\" or \"{number}h\"");
            self.wrong(key, value, format!("`{}` must be a duration, but is a bare number", self.path(key)), help);
            return None;
        }
        self.parsed(key, parse)
    }

    /// A whole number within the key's bounds.
    pub(super) fn number(&self, key: &'static str) -> Option<u32> {
        let (value, (least, most)) = (self.value(key)?, self.keys.bounds(key));
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(key, value, "a whole number", "write only digits, as in 2");
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fits =
            number.and_then(|number| u32::try_from(number).ok()).filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            let most = if most == u32::MAX { "more".to_owned() } else { most.to_string() };
            let message = format!("`{}` is {}, which is out of range", self.path(key), integer.as_str());
            self.wrong(key, value, message, format!("use a whole number from {least} to {most}"));
        }
        fits
    }

    /// True or false.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong_type(key, value, "true or false", "write it without quotes");
        None
    }

    /// A list; a single value counts as a list of one.
    pub(super) fn list(&self, key: &'static str) -> Option<(Vec<&'a SpannedValue<'a>>, &'a SpannedValue<'a>)> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Array(array) => Some((array.iter().collect(), value)),
            _ => Some((vec![value], value)),
        }
    }

    /// A list of strings.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<(&'a str, &'a SpannedValue<'a>)>> {
        let (list, _) = self.list(key)?;
        let text = |value: &'a SpannedValue<'a>| match value.get_ref() {
            DeValue::String(text) => Some((text.as_ref(), value)),
            _ => {
                self.wrong_type(key, value, "a string or a list of strings", "put each of them in quotes");
                None
            }
        };
        Some(list.into_iter().filter_map(text).collect())
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        debug_assert!(
            choices.iter().map(|(word, _)| word).eq(self.keys.choices(key)),
            "{key}: other words than its table"
        );
        self.parsed(key, |text| choice_of(text, choices))
    }

    /// Whether a key is missing and no misspelt key, which `finish` reports, seems to mean it.
    pub(super) fn lacks(&self, key: &'static str) -> bool {
        if self.has(key) {
            return false;
        }
        let mut unknown = self.entries().map(|(given, ..)| given).filter(|given| self.keys.find(given).is_none());
        !unknown.any(|given| nearest(given, self.names()) == Some(key))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.keys.iter().map(|key| key.name)
    }

    /// Reports every unknown key, with the nearest known one.
    pub(super) fn finish(self) {
        for (key, span, _) in self.entries().filter(|(key, ..)| self.keys.find(key).is_none()) {
            let table = if self.name.is_empty() { "the file".to_owned() } else { format!("[{}]", self.name) };
            let unknown = Diagnostic::error(format!("unknown key `{}` in {table}", excerpt(key)));
            let help = if is_secret_key(key) {
                "never write secrets into this file: name a file that holds it, with token_file or password_file"
                    .to_owned()
            } else if let Some(near) = nearest(key, self.names()) {
                format!("did you mean `{near}`?")
            } else {
                let mut names: Vec<&str> = self.names().collect();
                names.sort_unstable();
                format!("known keys: {}", names.join(", "))
            };
            self.findings.push(unknown.at(self.path(key), span).help(help));
        }
    }
}

/// The choice that a word means.
pub(super) fn choice_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, ValueError> {
    if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*choice);
    }
    let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let near = nearest(text, choices.iter().map(|(word, _)| *word));
    let near = near.map(|near| format!("did you mean \"{near}\"? ")).unwrap_or_default();
    Err(ValueError::new(
        format!("is \"{}\", which is not one of its values", excerpt(text)),
        format!("{near}It must be one of {}", words.join(", ")),
    ))
}

/// The nearest word, if one is near enough to be what was meant.
pub(super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let lower = text.to_lowercase();
    let near = words.map(|word| (strsim::damerau_levenshtein(&lower, &word.to_lowercase()), word)).min()?;
    let most = (text.chars().count() / 3).clamp(1, 3);
    (near.0 <= most).then_some(near.1)
}

fn article(kind: &str) -> String {
    let an = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if an { "an" } else { "a" })
}
