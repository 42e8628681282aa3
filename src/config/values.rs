//! Parses the values of keys: names, zones, schedules, retention rules, selectors.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::DeValue;

use crate::config::duration::positive;
use crate::config::mask::excerpt;
use crate::config::reader::{TableReader, nearest};
use crate::config::settings::SecretSource;
use crate::config::value_error::ValueError;
use crate::policy::keep::{Count, Keep, KeepRule, Period};
use crate::policy::name::is_name;
use crate::policy::schedule::Schedule;
use crate::policy::selector::Selector;

/// `[A-Za-z0-9_-]{1,32}`.
pub(super) fn name(text: &str) -> Result<String, ValueError> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    let message = format!("is \"{}\", which is not a valid name", excerpt(text));
    Err(ValueError::new(message, "use 1 to 32 letters, digits, `-` and `_`"))
}

/// An IANA zone.
pub(super) fn zone(text: &str) -> Result<TimeZone, ValueError> {
    TimeZone::get(text).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
        let city = |known: &str| known.rsplit('/').next().unwrap_or(known).to_owned();
        let spelt = nearest(text, known.iter().map(String::as_str)).map(str::to_owned);
        let cities: Vec<String> = known.iter().map(|known| city(known)).collect();
        let near = spelt.or_else(|| {
            let meant = nearest(&text.replace(' ', "_"), cities.iter().map(String::as_str))?;
            // Of several names of a city, take the last: Europe/Istanbul, not the old Asia/Istanbul.
            known.iter().filter(|known| city(known) == meant).max().cloned()
        });
        let help = near.map_or_else(
            || "write an IANA name, as in \"Europe/Istanbul\" or \"UTC\"".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        ValueError::new(format!("is \"{}\", which is not a known time zone", excerpt(text)), help)
    })
}

/// A list of selectors; an id may be a number.
pub(super) fn selectors(reader: &TableReader<'_>, key: &'static str) -> Option<Vec<Selector>> {
    let (list, _) = reader.list(key)?;
    let mut selectors = Vec::new();
    for value in list {
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                reader.wrong(
                    key,
                    value,
                    format!("`{}` contains an empty name", reader.path(key)),
                    "\"*\" is every server",
                );
            }
            DeValue::String(text) => selectors.push(Selector::new(text)),
            DeValue::Integer(id) => selectors.push(Selector::Exact(id.as_str().to_owned())),
            _ => reader.wrong_type(key, value, "a list of names and ids", "as in [\"web-*\", 12345]"),
        }
    }
    Some(selectors)
}

/// A schedule: one expression, or a list of them.
pub(super) fn schedule(reader: &TableReader<'_>, key: &'static str, zone: &TimeZone) -> Option<Schedule> {
    let texts = reader.texts(key)?;
    let (list, whole) = reader.list(key)?;
    if texts.len() != list.len() {
        return None; // Values that are not strings have been reported.
    }
    if texts.is_empty() {
        let message = format!("`{}` has no expression", reader.path(key));
        reader.wrong(key, whole, message, "write five fields, as in \"30 2 * * *\" for 02:30 every day");
        return None;
    }
    // Parse them one by one, so that every bad expression in a list is reported.
    let mut good = true;
    for (text, value) in &texts {
        if let Err(error) = Schedule::parse(&[text], zone.clone()) {
            good = false;
            let help = error.suggestion.map(|instead| format!("write \"{instead}\" if that is what you mean"));
            let help = help.unwrap_or_else(|| "as in \"30 2 * * *\" for 02:30 every day".to_owned());
            let reason = error.reason.trim_end_matches('.');
            reader.wrong(key, value, format!("`{}` \"{}\": {reason}", reader.path(key), excerpt(text)), help);
        }
    }
    let expressions: Vec<&str> = texts.iter().map(|(text, _)| *text).collect();
    good.then(|| Schedule::parse(&expressions, zone.clone()).ok()).flatten()
}

/// `keep`: the counts and `within`.
pub(super) fn keep(reader: &TableReader<'_>) -> Option<Keep> {
    let table = reader.table("keep")?;
    let mut keep = Keep::default();
    for rule in KeepRule::ALL {
        if let Some(count) = table.number(rule.key()) {
            keep.counts.push((rule, Count::Number(count)));
        }
    }
    if let Some(within) = table.duration("within", positive) {
        keep.within = Some(period(within));
    }
    let empty = keep.counts.iter().all(|(_, count)| *count == Count::Number(0)) && keep.within.is_none();
    let (name, span) = (table.name.clone(), table.span.clone());
    let findings = table.findings();
    let had_keys = table.entries().next().is_some();
    table.finish();
    if empty {
        if !had_keys || !keep.counts.is_empty() {
            let message = format!("`{name}` keeps nothing");
            let diagnostic = crate::config::diagnostic::Diagnostic::error(message).at(name, span);
            findings.push(diagnostic.help("set at least one rule above zero, as in keep = { daily = 4, weekly = 3 }"));
        }
        return None;
    }
    Some(keep)
}

/// Whole days are calendar days; anything else is elapsed time.
fn period(within: Duration) -> Period {
    let seconds = within.as_secs();
    let days = u32::try_from(seconds / 86_400).expect("at most ten years");
    if within.subsec_nanos() == 0 && seconds.is_multiple_of(86_400) {
        return Period { days, ..Period::default() };
    }
    Period { seconds: seconds.max(1), ..Period::default() }
}

/// A string that is not empty.
pub(super) fn filled(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() {
        Err(ValueError::new("is empty", "give it a value, or remove it"))
    } else {
        Ok(text.to_owned())
    }
}

/// Names of hosts, in lower case.
pub(super) fn host_names(reader: &TableReader<'_>, key: &'static str) -> Vec<String> {
    let mut names = Vec::new();
    for (text, value) in reader.texts(key).unwrap_or_default() {
        if is_host_name(text) {
            names.push(text.to_ascii_lowercase());
        } else {
            let message = format!("`{}` \"{}\" is not a host name", reader.path(key), excerpt(text));
            let help = "write the bare name, without scheme, port and path, as in \"backup.example.com\"";
            reader.wrong(key, value, message, help);
        }
    }
    names
}

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// The file that a key names for a secret, relative to `folder`.
pub(super) fn file_of_secret(reader: &TableReader<'_>, key: &'static str, folder: &Path) -> Option<SecretSource> {
    let path = folder.join(reader.parsed(key, secret_file)?);
    Some(SecretSource::File { path, from: reader.path(key), span: reader.value(key).map(|value| value.span()) })
}

/// The name of a file that holds a secret; refuses the secret itself.
fn secret_file(text: &str) -> Result<String, ValueError> {
    if text.contains("vps_") {
        return Err(ValueError::new(
            "is a token, not the name of a file",
            "write the token into a file that only you can read, name that file here, and create a new token: this \
             one has been exposed",
        ));
    }
    filled(text)
}
