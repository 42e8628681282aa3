//! Renders a mail's content as text and HTML, both readable on a phone. Every value that goes into a template is
//! sanitized first, and escaped in HTML, so that no name from outside becomes markup.

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, Output, State, escape_formatter};
use serde::Serialize;

use crate::report::content::blocks::{Content, Tone};
use crate::report::text::sanitized;

/// The width of the text alternative: what mail clients show without breaking lines.
const WIDTH: usize = 72;

/// Both alternatives of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, one line.
    pub subject: String,
    /// The text alternative; lines end with `\n`.
    pub text: String,
    /// The HTML alternative: one document without external resources.
    pub html: String,
}

/// Renders both alternatives.
#[must_use]
pub fn render(content: &Content) -> Rendered {
    let environment = environment();
    let fill = |name: &str| {
        let template = environment.get_template(name).expect("the template is added below");
        template
            .render(TemplateContext { content, colours: colours(content.tone) })
            .expect("the template fits every content")
    };
    Rendered { subject: content.subject.clone(), text: tidy(&fill("mail.txt")), html: fill("mail.html") }
}

#[derive(Serialize)]
struct TemplateContext<'a> {
    #[serde(flatten)]
    content: &'a Content,
    colours: &'static str,
}

/// The colour of a tone: dark enough for white text on it, and as text on white.
const fn colours(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "#b3261e",
        Tone::Warn => "#8a5a00",
        Tone::Good => "#1b6e3c",
        Tone::Plain => "#445566",
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment
        .set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
    environment.set_formatter(format_value);
    environment.add_filter("wrapped", wrapped);
    environment.add_filter("underline", |title: &str| "=".repeat(sanitized(title).chars().count().min(WIDTH)));
    environment.add_template("mail.txt", include_str!("templates/mail.txt")).expect("the template is tested");
    environment.add_template("mail.html", include_str!("templates/mail.html")).expect("the template is tested");
    environment
}

/// Sanitizes text, then escapes it as the template requires; output of our own filters is sanitized already.
fn format_value(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => escape_formatter(out, state, &Value::from(sanitized(text))),
        _ => escape_formatter(out, state, value),
    }
}

/// Sanitized text in lines of the mail's width, all but the first indented. Long words are not broken: they may be
/// commands or addresses.
fn wrapped(text: &str, indent: usize) -> Value {
    let mut lines = String::new();
    let mut width = indent;
    for word in sanitized(text).split(' ') {
        let length = word.chars().count();
        if width > indent && width + 1 + length > WIDTH {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            width = indent;
        } else if width > indent {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    Value::from_safe_string(lines)
}

/// Removes blanks at line ends and repeated empty lines, and ends the text with one line break.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && (tidy.is_empty() || tidy.ends_with("\n\n"))) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy.push('\n');
    tidy
}

#[cfg(test)]
mod tests;
