//! Every command, as the program itself lists them: a new one is in all of these tests by itself.

use clap::CommandFactory;
use lastgood::seams::cli::Cli;

use crate::support::folder::Folder;
use crate::support::host::Host;

/// The commands that need no policy file.
const WITHOUT_POLICY_FILE: [&str; 9] =
    ["schedule", "retention", "demo", "simulator", "health", "init", "schema", "completions", "man"];
/// The commands whose document says whether all is well, rather than what is there: it is the same when it is not.
const ANSWERS_YES_OR_NO: [&str; 1] = ["health"];

/// The commands, `help` left out.
pub fn commands() -> Vec<clap::Command> {
    let commands: Vec<_> = Cli::command().get_subcommands().cloned().collect();
    assert!(commands.len() >= 16, "only {} commands were found", commands.len());
    commands
}

/// A command line with a value for every argument that must be given.
pub fn typed(command: &clap::Command) -> Vec<String> {
    let mut line = vec![command.get_name().to_owned()];
    for argument in command.get_arguments().filter(|argument| argument.is_required_set()) {
        line.extend(argument.get_long().map(|long| format!("--{long}")));
        let value = argument.get_possible_values().first().map_or("1", |value| value.get_name()).to_owned();
        line.push(value);
    }
    line.extend(command.get_subcommands().next().map(typed).unwrap_or_default());
    line
}

/// Command lines of every command that reads the policy file.
pub fn readers() -> Vec<Vec<String>> {
    let reads = |command: &clap::Command| !WITHOUT_POLICY_FILE.contains(&command.get_name());
    commands().iter().filter(|command| reads(command)).map(typed).collect()
}

#[test]
fn every_help_shows_an_example() {
    let folder = Folder::new();
    let all = folder.run(&["--help"]).ends_with(0);
    for command in commands() {
        let name = command.get_name();
        let done = folder.run(&[name, "--help"]).ends_with(0);
        assert!(done.stdout.contains("Example") && done.stdout.contains(&format!("lastgood {name}")), "{done:#?}");
        assert!(all.stdout.contains(&format!("\n  {name} ")), "{name} is not in the list of commands");
    }
}

#[test]
fn every_command_with_json_prints_a_document_when_it_fails() {
    let host = Host::new(&[]);
    for command in commands() {
        let has_json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
        if !has_json || ANSWERS_YES_OR_NO.contains(&command.get_name()) {
            continue;
        }
        let mut line = typed(&command);
        line.extend(["--json", "--config", "nowhere.toml"].map(str::to_owned));
        let done = host.run(&line.iter().map(String::as_str).collect::<Vec<_>>());
        assert_ne!(done.code, 0, "{line:?}");
        let document = done.json();
        assert!(document["error"].as_str().is_some_and(|error| !error.is_empty()), "{line:?}: {document:#}");
        let lists = document.as_object().unwrap().values().filter_map(|value| value.as_array());
        assert_eq!(lists.map(Vec::len).collect::<Vec<_>>(), [0], "{line:?}: {document:#}");
    }
}
