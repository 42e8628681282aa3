//! The log: lines of text or JSON on standard error, because `--json` uses standard output. One line a fact. Under
//! systemd, a line begins with its level (`<3>`), as sd-daemon(3) says, and the journal adds the time.

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::output::note;
use crate::policy::text::one_line;

/// The variable that says what is logged.
const FILTER_VARIABLE: &str = "LASTGOOD_LOG";

/// Whether warnings and errors of the command go to the log instead of to a person.
static TAKES_EVERYTHING: AtomicBool = AtomicBool::new(false);

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Text; under systemd with levels that the journal reads.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log with this filter, unless the variable sets another. `service`: nobody watches the command.
pub(super) fn start(default: &str, format: LogFormat, service: bool) {
    let journal = is_journal();
    TAKES_EVERYTHING.store(service && (journal || format == LogFormat::Json), Ordering::Relaxed);
    let filter = filter(default);
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(std::io::stderr);
    let terminal = std::io::stderr().is_terminal();
    let format_line = Format::default().with_target(false).with_ansi(false);
    // A second start changes nothing: there is one log.
    let _ = match format {
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false).with_target(false);
            log.finish().with(filter).try_init()
        }
        LogFormat::Text if journal => {
            let inner = format_line.without_time().with_level(false);
            log.with_ansi(false).event_format(OneLine { inner, prefixed: true }).finish().with(filter).try_init()
        }
        LogFormat::Text if terminal => log.with_target(false).finish().with(filter).try_init(),
        LogFormat::Text => {
            let line = OneLine { inner: format_line, prefixed: false };
            log.with_ansi(false).event_format(line).finish().with(filter).try_init()
        }
    };
}

/// Whether what a command says of its own failure and of the policy file goes to the log.
pub(super) fn takes_everything() -> bool {
    // A filter that lets nothing through must not hide why the process ended.
    TAKES_EVERYTHING.load(Ordering::Relaxed) && tracing::enabled!(Level::WARN)
}

/// What the variable says is logged, else `default`: levels by target. `EnvFilter` could tell fields apart as well, by an
/// engine for regular expressions that would be the only one in the program.
fn filter(default: &str) -> Targets {
    let default = || default.parse().expect("the filters of this program are valid");
    let text = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    if text.trim().is_empty() {
        return default();
    }
    text.parse().unwrap_or_else(|error| {
        note(&one_line(&format!("warning: {FILTER_VARIABLE} is no filter, as in lastgood=debug,warn: {error}")));
        default()
    })
}

/// Whether standard error is connected to the systemd journal. The variable alone proves nothing: it is inherited.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let standard_error = rustix::fs::fstat(std::io::stderr());
    standard_error.is_ok_and(|data| stream == format!("{}:{}", data.st_dev, data.st_ino))
}

/// Writes each event on one line, whatever is in it.
struct OneLine<F> {
    inner: F,
    /// Whether the line begins with its level as the journal reads it.
    prefixed: bool,
}

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        if self.prefixed {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        writeln!(writer, "{}", one_line(&line))
    }
}

/// The level as syslog(3) numbers it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_syslog() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), [3, 4, 6, 7, 7]);
    }
}
