//! An error or a warning about a policy file: a message, its position, and how to fix it. Rendering shows the line
//! itself, as rustc does, with secrets masked.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::config::mask;

/// Whether the file is refused because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; somebody should look.
    Warning,
}

/// One finding about a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file is refused because of it.
    pub severity: Severity,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// The dotted path of the key, as `policy.nightly.keep`; empty for the file as a whole.
    pub key: String,
    /// The bytes of the source that it is about; `None` if it is about something that is missing.
    pub span: Option<Range<usize>>,
    /// What to write instead.
    pub help: Option<String>,
}

/// A finding with its line and column, for `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located {
    /// `"error"` or `"warning"`.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The dotted path of the key.
    pub key: String,
    /// Line, from 1; `None` if it is about something that is missing.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error about the file as a whole; `at` and `help` say more.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into())
    }

    /// A warning about the file as a whole; `at` and `help` say more.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into())
    }

    fn new(severity: Severity, message: String) -> Self {
        Self { severity, message, key: String::new(), span: None, help: None }
    }

    /// The same, about this key and these bytes.
    #[must_use]
    pub fn at(mut self, key: impl Into<String>, span: Range<usize>) -> Self {
        self.key = key.into();
        self.span = Some(span);
        self
    }

    /// The same, with what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the file is refused because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Line and column (in characters), both from 1.
    #[must_use]
    pub fn line_column(&self, source: &str) -> Option<(usize, usize)> {
        let mut start = self.span.as_ref()?.start.min(source.len());
        while !source.is_char_boundary(start) {
            start -= 1;
        }
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }

    /// The finding with its line and column.
    #[must_use]
    pub fn located(&self, source: &str) -> Located {
        let (line, column) = self.line_column(source).unzip();
        Located {
            severity: self.severity,
            message: self.message.clone(),
            key: self.key.clone(),
            line,
            column,
            help: self.help.clone(),
        }
    }
}

/// The findings as text, each with `name:line:column`, the line itself and the help, separated by blank lines. Values
/// of keys that hold secrets are masked.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], source: &str, name: &str, coloured: bool) -> String {
    let masked = mask::masked(source);
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(renderer.render(&groups(diagnostic, &masked, name)).trim_end());
        out.push('\n');
    }
    out
}

/// The number of errors and warnings: `2 errors, 1 warning`; empty if there are none.
#[must_use]
pub fn tally(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    [(errors, "error"), (diagnostics.len() - errors, "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}{}", if number == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(", ")
}

fn groups<'a>(diagnostic: &'a Diagnostic, source: &'a str, name: &'a str) -> Vec<Group<'a>> {
    let level = if diagnostic.is_error() { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(&diagnostic.message);
    let mut group = match &diagnostic.span {
        None => title.element(Origin::path(name)),
        Some(span) => {
            let end = span.end.min(source.len());
            let annotation = AnnotationKind::Primary.span(span.start.min(end)..end);
            title.element(Snippet::source(source).path(name).annotation(annotation))
        }
    };
    if let Some(help) = &diagnostic.help {
        // The renderer sanitizes titles but not footers.
        group = group.element(Level::HELP.message(annotate_snippets::normalize_untrusted_str(help)));
    }
    vec![group]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "[provider]\nurl = \"é\" # ü\ntimeout = 30\n";

    #[test]
    fn columns_count_characters_and_lines_from_one() {
        let at = SOURCE.find("# ü").unwrap();
        let diagnostic = Diagnostic::error("x").at("provider", at..at + 1);
        assert_eq!(diagnostic.line_column(SOURCE), Some((2, 11)));
        assert_eq!(Diagnostic::error("x").line_column(SOURCE), None);
    }

    #[test]
    fn the_line_and_the_help_are_shown() {
        let at = SOURCE.find("30").unwrap();
        let diagnostic = Diagnostic::error("wrong type").at("provider.timeout", at..at + 2).help("write \"30s\"");
        assert_eq!(
            render(&[diagnostic], SOURCE, "policy.toml", false),
            "error: wrong type\n --> policy.toml:3:11\n  |\n3 | timeout = 30\n  |           ^^\n  |\n  = help: \
             write \"30s\"\n"
        );
    }

    #[test]
    fn colour_is_used_only_on_request() {
        let warning = [Diagnostic::warning("no report").help("write a [report.oncall]")];
        assert!(!render(&warning, SOURCE, "policy.toml", false).contains('\u{1b}'));
        assert!(render(&warning, SOURCE, "policy.toml", true).contains('\u{1b}'));
    }

    #[test]
    fn a_span_beyond_the_end_is_drawn_at_the_end() {
        let diagnostic = Diagnostic::error("cut short").at("", 5000..6000);
        assert!(render(std::slice::from_ref(&diagnostic), SOURCE, "policy.toml", false).contains("policy.toml:"));
        assert_eq!(diagnostic.line_column(SOURCE), Some((4, 1)));
    }

    #[test]
    fn errors_and_warnings_are_counted_in_words() {
        let two = [Diagnostic::error("a"), Diagnostic::error("b"), Diagnostic::warning("c")];
        assert_eq!(tally(&two), "2 errors, 1 warning");
        assert_eq!(tally(&two[2..]), "1 warning");
        assert_eq!(tally(&[]), "");
    }
}
