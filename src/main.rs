//! Parses the command line, starts the log, and exits with the command's exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use lastgood::Cli;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(exit_code) => return exit_code,
    };
    start_log(cli.log_filter());
    cli.execute()
}

/// Logs to standard error, because `--json` uses standard output.
fn start_log(default: &str) {
    let filter = EnvFilter::try_from_env("LASTGOOD_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    // The systemd journal adds its own timestamps.
    if journald { log.without_time().init() } else { log.init() }
}
