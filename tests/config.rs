//! The shipped policy files are valid and complete; every mistake in `config/invalid` and every doubt in
//! `config/warning` is told in the words of the `.txt` beside it. `UPDATE=1` writes those texts anew: read them then.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lastgood::config::diagnostic::{render, tally};
use lastgood::config::{Config, Diagnostic, Environment, Found, load, parse};

fn at() -> Timestamp {
    "2026-11-21T06:00:00Z".parse().unwrap()
}

fn environment() -> Environment {
    Environment { state_home: Some(PathBuf::from("/nowhere")), ..Environment::default() }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}

fn read(path: &Path) -> (Option<Config>, Vec<Diagnostic>, String) {
    let source = fs::read_to_string(path).unwrap();
    let (config, diagnostics) = parse(&source, path.parent().unwrap(), &environment(), at());
    (config, diagnostics, source)
}

/// What is told about a file, compared to the text beside it.
fn compare(path: &Path, wrong: &mut Vec<String>) -> (Option<Config>, Vec<Diagnostic>) {
    let (config, diagnostics, source) = read(path);
    let name = path.file_name().unwrap().to_str().unwrap();
    let text = format!("{}\n{}\n", render(&diagnostics, &source, name, false), tally(&diagnostics));
    let golden = path.with_extension("txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if text != expected {
        wrong.push(format!("=== {name}: is\n{text}=== and should be\n{expected}"));
    }
    assert!(!text.contains("hunter2"), "{name} shows a secret:\n{text}");
    (config, diagnostics)
}

#[test]
fn every_shipped_file_is_valid_and_leaves_no_doubt() {
    let files = files("config");
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["example.toml", "fleet.toml", "minimal.toml"]);
    // A copy: whose the files are, and how wide their modes, is a matter of how they were checked out.
    let copies = tempfile::tempdir().unwrap();
    for path in files {
        let copy = copies.path().join(path.file_name().unwrap());
        fs::write(&copy, fs::read(&path).unwrap()).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
        let loaded = load(&Found::named(copy), &environment(), at()).unwrap_or_else(|error| panic!("{error}"));
        let warnings = render(&loaded.warnings, &loaded.source, &loaded.name, false);
        assert!(loaded.warnings.is_empty(), "{warnings}");
    }
}

/// Every key that the code knows, as the code itself lists them to those who write an unknown one.
fn known_keys() -> BTreeSet<String> {
    const UNKNOWN: &str = "q-q-q-q-q-q = 1\n";
    let tables = ["", "provider", "state", "defaults", "defaults.keep", "provider.slots", "smtp", "report.r", "status"];
    let source: String = tables
        .iter()
        .map(|table| if table.is_empty() { UNKNOWN.to_owned() } else { format!("[{table}]\n{UNKNOWN}") })
        .collect();
    let (_, diagnostics) = parse(&source, Path::new(""), &environment(), at());
    let lists: Vec<&str> =
        diagnostics.iter().filter_map(|one| one.help.as_deref()?.strip_prefix("the keys here are: ")).collect();
    assert_eq!(lists.len(), tables.len(), "every table must list its keys");
    lists.iter().flat_map(|list| list.split(", ")).map(str::to_owned).collect()
}

#[test]
fn the_example_shows_every_key_that_the_code_knows() {
    let example = fs::read_to_string(root().join("config/example.toml")).unwrap();
    let known = known_keys();
    assert!(known.len() > 60, "{known:?}");
    let words: BTreeSet<&str> =
        example.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let absent: Vec<_> = known.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(absent.is_empty(), "config/example.toml does not mention {absent:?}");
}

#[test]
fn every_mistake_is_told_in_its_own_words() {
    let files = files("tests/config/invalid");
    assert!(files.len() >= 32);
    let mut wrong = Vec::new();
    for path in files {
        let (config, diagnostics) = compare(&path, &mut wrong);
        if config.is_some() {
            wrong.push(format!("=== {} is taken", path.display()));
        }
        let errors = diagnostics.iter().filter(|one| one.is_error());
        for one in errors {
            assert!(one.help.is_some(), "{}: no help: {}", path.display(), one.message);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_doubt_is_told_and_the_file_is_taken() {
    let mut wrong = Vec::new();
    for path in files("tests/config/warning") {
        let (config, diagnostics) = compare(&path, &mut wrong);
        assert!(config.is_some(), "{} is refused", path.display());
        if diagnostics.is_empty() {
            wrong.push(format!("=== {} leaves no doubt", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_run_of_a_policy_that_has_another_kind_now_is_a_former_policys() {
    use lastgood::account::task_of_run;
    use lastgood::journal::event::RunKey;
    use lastgood::journal::state::RunState;
    use lastgood::policy::inventory::{Id, Kind, ServerRef};
    use lastgood::policy::policy::{PolicyName, Prune};
    use lastgood::store::runs::Run;

    let (config, _, _) = read(&root().join("config/minimal.toml"));
    let config = config.unwrap();
    let policy = &config.policies[0];
    let run = |name: &str, kind: Kind| {
        let server = ServerRef { id: Id::Number(12345), name: "web-server-01".to_owned() };
        let key = RunKey { server, policy: PolicyName::new(name).unwrap(), kind, due: None };
        Run { id: 1, state: RunState::opened(key, at()), events: 0 }
    };
    let other = Kind::ALL.into_iter().find(|kind| *kind != policy.kind).unwrap();
    let task = task_of_run(&config, &[], &run(policy.name.as_str(), policy.kind));
    assert_eq!((task.policy.kind, task.policy.enabled), (policy.kind, true));
    let task = task_of_run(&config, &[], &run(policy.name.as_str(), other));
    assert_eq!((task.policy.kind, task.policy.enabled, task.policy.prune), (other, false, Prune::None));
    // Its points are named as those of a policy that is not in the file.
    assert!(
        config.knows_policy(policy.name.as_str(), policy.kind) && !config.knows_policy(policy.name.as_str(), other)
    );
}
