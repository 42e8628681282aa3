//! `lastgood completions`: completes commands and options in a shell. Needs no policy file.

use clap_complete::Shell;

use crate::cli::output;
use crate::exit_code::ExitCode;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lastgood completions bash > /usr/share/bash-completion/completions/lastgood")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script that the shell loads.
pub(super) fn run(args: &CompletionsArgs, mut lastgood: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    // It panics where it cannot write, as into a closed pipe: memory takes everything.
    clap_complete::generate(args.shell, &mut lastgood, "lastgood", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::Done
}
