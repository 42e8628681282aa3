//! The shipped policy files are valid and complete; every mistake in `config/invalid` and every doubt in
//! `config/warning` is reported in the words of the `.txt` beside it. `UPDATE=1` writes those texts again: read them then.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "config/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lastgood::seams::config::diagnostic::{render, tally};
use lastgood::seams::config::{Config, Diagnostic, Environment, FileLocation, load, parse, reference};

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

/// Compares what is reported about a file to the text beside it.
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
    // A copy: the owners and modes of the files depend on how they were checked out.
    let copies = tempfile::tempdir().unwrap();
    for path in files {
        let copy = copies.path().join(path.file_name().unwrap());
        fs::write(&copy, fs::read(&path).unwrap()).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
        let loaded = load(&FileLocation::named(copy), &environment(), at()).unwrap_or_else(|error| panic!("{error}"));
        let warnings = render(&loaded.warnings, &loaded.source, &loaded.name, false);
        assert!(loaded.warnings.is_empty(), "{warnings}");
    }
}

/// Every key with the heading of its table, as the reference in the docs lists them.
fn known_keys() -> Vec<(String, String)> {
    let (mut heading, mut keys) = (String::new(), Vec::new());
    for line in reference().lines() {
        if let Some(new) = line.strip_prefix("### ") {
            new.clone_into(&mut heading);
        } else if let Some(key) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            keys.push((heading.clone(), key.to_owned()));
        }
    }
    keys
}

#[test]
fn the_example_shows_every_key() {
    let example = fs::read_to_string(root().join("config/example.toml")).unwrap();
    let known = known_keys();
    assert!(known.len() > 60, "{known:?}");
    let words: BTreeSet<&str> =
        example.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let absent: Vec<_> = known.iter().filter(|(_, key)| !words.contains(key.as_str())).collect();
    assert!(absent.is_empty(), "config/example.toml does not mention {absent:?}");
}

/// A key that is listed and never read would accept any value.
#[test]
fn every_key_is_read() {
    let mut unread = Vec::new();
    for (heading, key) in known_keys() {
        let line = format!("{key} = 2026-11-21\n");
        let source = match heading.as_str() {
            "The file" => line,
            "provider.slots" => format!("[provider.slots]\n{line}"),
            "keep" => format!("[policy.nightly.keep]\n{line}"),
            heading => format!("{}\n{line}", heading.replace("NAME", "nightly")),
        };
        let (_, diagnostics) = parse(&source, Path::new(""), &environment(), at());
        let wrong_type = |one: &lastgood::seams::config::Diagnostic| {
            one.is_error() && one.message.contains(&format!("{key}`")) && one.message.contains("datetime")
        };
        if !diagnostics.iter().any(wrong_type) {
            unread
                .push(format!("{heading} {key}: {:?}", diagnostics.iter().map(|one| &one.message).collect::<Vec<_>>()));
        }
    }
    assert!(unread.is_empty(), "{unread:#?}");
}

/// `LASTGOOD_WRITE=1 cargo test --test config the_reference` writes it.
#[test]
fn the_reference_in_the_docs_is_made_from_the_keys() {
    const BEGINS: &str = "<!-- made from src/config/keys.rs -->\n";
    let path = root().join("docs/policy.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, _) = page.split_once(BEGINS).expect("the page has the mark");
    let wanted = format!("{before}{BEGINS}{}", reference());
    if std::env::var_os("LASTGOOD_WRITE").is_some() {
        return fs::write(&path, &wanted).unwrap();
    }
    assert!(page == wanted, "docs/policy.md differs: LASTGOOD_WRITE=1 cargo test --test config the_reference");
}

#[test]
fn every_mistake_is_reported_in_its_own_words() {
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
fn every_doubt_is_reported_and_the_file_is_accepted() {
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
    use lastgood::seams::account::task_of_run;
    use lastgood::seams::journal::event::RunKey;
    use lastgood::seams::journal::state::RunState;
    use lastgood::seams::policy::inventory::{Kind, ServerId, ServerRef};
    use lastgood::seams::policy::name::PolicyName;
    use lastgood::seams::policy::policy::Prune;
    use lastgood::seams::store::runs::Run;

    let (config, _, _) = read(&root().join("config/minimal.toml"));
    let config = config.unwrap();
    let policy = &config.policies[0];
    let run = |name: &str, kind: Kind| {
        let server = ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() };
        let key = RunKey { server, policy: PolicyName::new(name).unwrap(), kind, due: None };
        Run { id: 1, state: RunState::opened(key, at()), events: 0 }
    };
    let other = Kind::ALL.into_iter().find(|kind| *kind != policy.kind).unwrap();
    let task = task_of_run(&config, &[], &run(policy.name.as_str(), policy.kind));
    assert_eq!((task.policy.kind, task.policy.enabled), (policy.kind, true));
    let task = task_of_run(&config, &[], &run(policy.name.as_str(), other));
    assert_eq!((task.policy.kind, task.policy.enabled, task.policy.prune), (other, false, Prune::None));
    // Its points count as those of a policy that is not in the file.
    assert!(
        config.knows_policy(policy.name.as_str(), policy.kind) && !config.knows_policy(policy.name.as_str(), other)
    );
}
