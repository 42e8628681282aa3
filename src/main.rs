//! Parses the command line, runs the command, and exits with its exit code.

use std::process::ExitCode;

use lastgood::Cli;

fn main() -> ExitCode {
    match Cli::of_process() {
        Ok(cli) => cli.execute(),
        Err(exit_code) => exit_code,
    }
}
