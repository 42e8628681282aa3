//! What commands print. Only this file writes to standard output and standard error.
//!
//! With `--json`, standard output is one JSON document; everything else goes to standard error. Text from outside is
//! shown without characters that move the cursor.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::{Timestamp, Unit};
use serde::Serialize;

/// Writes a line to standard output. A closed pipe is not an error of ours.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes a line to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// When the value cannot be written as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Writes one JSON document `{"name": [...]}` to standard output, value by value because the list may be long.
///
/// # Errors
/// When a value cannot be written as JSON.
pub(crate) fn json_list<T: Serialize>(name: &str, values: impl ExactSizeIterator<Item = T>) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    // A closed pipe is not an error of ours.
    let mut write = |text: &str| drop(out.write_all(text.as_bytes()));
    let count = values.len();
    write(&format!("{{\n  {}: [", serde_json::to_string(name)?));
    for (at, value) in values.enumerate() {
        let text = serde_json::to_string_pretty(&value)?;
        write(&format!("\n    {}{}", text.replace('\n', "\n    "), if at + 1 < count { "," } else { "" }));
    }
    write(if count == 0 { "]\n}\n" } else { "\n  ]\n}\n" });
    Ok(())
}

/// An aligned table without lines.
#[must_use]
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(heads);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Text from outside on one line, with control and direction characters shown by their code.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    crate::policy::text::visible(text)
}

/// A number with its noun: `1 policy`, `3 policies`.
#[must_use]
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A time rounded to the second, for people; JSON has nanoseconds.
#[must_use]
pub(crate) fn to_the_second(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

/// A span of time in at most two units: `3 d 4 h`, `12 min`, `40 s`.
#[must_use]
pub(crate) fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match () {
        () if days > 0 => format!("{days} d {hours} h"),
        () if hours > 0 => format!("{hours} h {minutes} min"),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_moves_no_cursor() {
        assert_eq!(printable("web\u{1b}[2J\r\n\u{202e}x"), "web\\u{1b}[2J\\r\\n\\u{202e}x");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        assert_eq!([span(40), span(720), span(3661), span(273_600)], ["40 s", "12 min", "1 h 1 min", "3 d 4 h"]);
    }
}
