//! Starts the log and the command line, and ends with the command's exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // The log goes to standard error, so that `--json` has standard output for itself. Only the daemon is talkative.
    let daemon = std::env::args_os().any(|argument| argument == "daemon");
    let quiet = if daemon { "lastgood=info,warn" } else { "error" };
    let filter = EnvFilter::try_from_env("LASTGOOD_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    // The journal has its own time stamps.
    if journald {
        log.without_time().init()
    } else {
        log.init()
    }
    lastgood::cli::main()
}
