//! `lastgood man`: writes the manual pages, `lastgood.1` and one per command. Needs no policy file.

use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::error::CommandError;
use crate::exit_code::ExitCode;

/// What the page of the program itself says about exit codes.
const EXIT_CODES: [(&str, &str); 8] = [
    ("0", "Done."),
    ("1", "A bug in lastgood."),
    ("2", "The command line is wrong, or names something that does not exist."),
    ("3", "The policy file is missing, unreadable or invalid."),
    ("4", "The provider cannot be reached, or refused the request."),
    ("5", "The run ended with failures."),
    ("6", "Another lastgood holds the state."),
    ("7", "The state cannot be used."),
];

/// And about files and variables.
const FILES: [(&str, &str); 6] = [
    ("/etc/lastgood/policy.toml, ./policy.toml", "The policy file, unless --config or LASTGOOD_CONFIG names one."),
    ("/var/lib/lastgood", "The state, unless [state] dir names another folder."),
    ("VPS_API_TOKEN", "The API token, unless the policy file or a systemd credential names a file with it."),
    ("VPS_API_URL", "The API's address; overrides the policy file."),
    ("JOURNAL_STREAM", "Set by systemd: log lines then begin with their level."),
    ("LASTGOOD_LOG", "What is logged, as in `debug` or `lastgood=debug,warn`."),
];

/// Write the manual pages into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lastgood man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// The folder, created if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes the pages.
///
/// # Errors
/// With exit code 2 if the folder cannot be written to.
pub(super) fn run(args: &ManArgs, lastgood: clap::Command) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    write_pages(folder, lastgood).map_err(|error| {
        CommandError::usage(format!("the manual pages cannot be written to {}: {error}", folder.display()))
    })?;
    Ok(ExitCode::Done)
}

fn write_pages(folder: &Path, lastgood: clap::Command) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut lastgood = lastgood.disable_help_subcommand(true);
    lastgood.build();
    for command in lastgood.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_page(folder, command, &[])?;
    }
    write_page(folder, &lastgood, &[("EXIT STATUS", &EXIT_CODES), ("FILES AND ENVIRONMENT", &FILES)])
}

/// A heading, and terms with what they mean.
type Section<'a> = (&'a str, &'a [(&'a str, &'a str)]);

fn write_page(folder: &Path, command: &clap::Command, more: &[Section<'_>]) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let version = concat!("lastgood ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(name.to_uppercase()).source(version).manual("lastgood");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    for (heading, entries) in more {
        rest.control("SH", [*heading]);
        for (term, meaning) in *entries {
            rest.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    if let Some(example) = command.get_after_help() {
        add_example(&mut rest, &example.to_string());
    }
    rest.to_writer(&mut page)?;
    std::fs::write(folder.join(format!("{name}.1")), page)
}

/// What follows the options in `--help`, line by line: it begins with an example.
fn add_example(page: &mut Roff, after_help: &str) {
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in after_help.lines().filter(|line| !matches!(*line, "Example:" | "Examples:")) {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}
