//! What the program writes about itself: schema, completions, manual pages. None of them needs a policy file.

use std::fs;
use std::process::Command;

use crate::support::folder::Folder;

/// The commands that `--help` lists.
fn commands(folder: &Folder) -> Vec<String> {
    let help = folder.run(&["--help"]).ends_with(0).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let list = list.split("\n\n").next().unwrap();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_schema_is_one_json_document_that_needs_no_policy_file() {
    let folder = Folder::new();
    let schema = folder.run(&["schema"]).ends_with(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["policy"]["additionalProperties"]["$ref"], "#/$defs/policy");
    assert!(schema["$defs"]["policy"]["properties"]["keep"]["description"].is_string(), "{schema:#}");
    // Not even a bad one is read.
    folder.write_private("policy.toml", "[[[");
    folder.run(&["schema"]).ends_with(0);
}

#[test]
fn completions_know_every_command_and_what_bash_reads_is_bash() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.run(&["completions", shell]).ends_with(0).stdout;
        for command in commands(&folder) {
            assert!(script.contains(&command), "{shell} does not know {command}");
        }
        fs::write(folder.path(shell), script).unwrap();
    }
    let read = Command::new("bash").arg("-n").arg(folder.path("bash")).status().unwrap();
    assert!(read.success(), "bash cannot read its completions");
    let done = folder.run(&["completions", "csh"]).ends_with(2);
    assert!(done.stderr.contains("bash") && done.stdout.is_empty(), "{done:#?}");
}

#[test]
fn there_is_a_manual_page_for_the_program_and_one_for_each_command() {
    let folder = Folder::new();
    folder.run(&["man", "share/man1"]).ends_with(0);
    let mut pages: Vec<String> = fs::read_dir(folder.path("share/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let named = commands(&folder).into_iter().filter(|name| name != "help").map(|name| format!("lastgood-{name}.1"));
    let mut wanted: Vec<String> = named.chain(["lastgood.1".to_owned()]).collect();
    wanted.sort();
    assert_eq!(pages, wanted);
    for page in pages {
        let text = fs::read_to_string(folder.path("share/man1").join(&page)).unwrap();
        let heading = page.trim_end_matches(".1").to_uppercase();
        assert!(text.contains(&format!(".TH {heading} 1 ")) || text.contains(&format!(".TH \"{heading}\" ")), "{text}");
        let section = if page == "lastgood.1" { ".SH \"EXIT STATUS\"" } else { ".SH EXAMPLES" };
        assert!(text.contains(section), "{page} has no {section}:\n{text}");
    }
}

#[test]
fn manual_pages_that_cannot_be_written_end_with_2() {
    let folder = Folder::new();
    fs::write(folder.path("taken"), "").unwrap();
    let done = folder.run(&["man", "taken"]).ends_with(2);
    assert!(done.sentence().contains("taken"), "{done:#?}");
}
