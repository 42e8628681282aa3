//! Who may use whom, and how a file looks: the rules of docs/architecture.md, checked against the source itself.
//! The same checker is shown to refuse planted breaches, so that a rule cannot go blind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/source.rs"]
mod source;

use source::{Source, Token};

/// What each top-level module may use of the others. A module that is not named here is a breach.
const MAY_USE: &[(&str, &[&str])] = &[
    ("policy", &[]),
    ("clock", &[]),
    ("simulator", &[]),
    ("exit_code", &[]),
    ("journal", &["policy"]),
    ("config", &["policy"]),
    ("provider", &["policy", "clock"]),
    ("store", &["journal", "policy"]),
    ("run", &["provider", "store", "journal", "policy", "clock"]),
    ("report", &["store", "journal", "policy", "clock"]),
    ("status", &["store", "journal", "policy", "clock"]),
    ("account", &["report", "status", "provider", "store", "config", "journal", "policy", "clock"]),
    ("daemon", &["account", "run", "report", "status", "provider", "store", "journal", "config", "policy", "clock"]),
    (
        "cli",
        &[
            "daemon",
            "account",
            "run",
            "report",
            "status",
            "provider",
            "store",
            "journal",
            "config",
            "policy",
            "clock",
            "simulator",
            "exit_code",
        ],
    ),
    ("main", &["cli", "exit_code"]),
    ("lib", &[]),
];

/// The only file of `cli` that may use `daemon`: it starts it.
const STARTS_DAEMON: [&str; 2] = ["cli", "daemon"];

/// Modules that decide from arguments alone.
const PURE: [&str; 2] = ["policy", "journal"];

/// What has no place in a pure module, and what it would bring in.
const IMPURE: &[(&[&str], &str)] = &[
    (&["async"], "async code"),
    (&["tokio"], "the runtime"),
    (&["tracing"], "log lines"),
    (&["reqwest"], "the network"),
    (&["rusqlite"], "the database"),
    (&["Timestamp", "::", "now"], "the time"),
    (&["SystemTime"], "the time"),
];

/// Modules of the standard library that have no place in a pure module.
const IMPURE_STD: [&str; 6] = ["fs", "net", "env", "process", "thread", "os"];

/// Names that say nothing about what a file promises.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"];

const MOST_LINES: usize = 400;

/// A file of `src`, with its place in the module tree.
struct Module {
    file: PathBuf,
    /// `src/policy/plan.rs` is `["policy", "plan"]`, `src/policy/mod.rs` is `["policy"]`.
    path: Vec<String>,
    text: String,
    source: Source,
    /// Whether the whole file is test code.
    test: bool,
}

impl Module {
    fn top(&self) -> &str {
        &self.path[0]
    }

    fn breach(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.file.display())
    }
}

/// Every breach under `root`, which has a `src` folder; sorted, empty when all is well.
fn breaches(root: &Path) -> Vec<String> {
    let modules = modules(root);
    let mut found = BTreeSet::new();
    for module in &modules {
        found.extend(looks(module));
        found.extend(directions(module));
        found.extend(purity(module));
        found.extend(chance(module));
    }
    found.into_iter().collect()
}

fn modules(root: &Path) -> Vec<Module> {
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    let mut modules: Vec<Module> = files
        .into_iter()
        .map(|file| {
            let file = file.strip_prefix(root).expect("collected below the root").to_owned();
            let text = fs::read_to_string(root.join(&file)).expect("a source file can be read");
            let mut path: Vec<String> = file
                .with_extension("")
                .components()
                .skip(1)
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            if path.len() > 1 && path.last().is_some_and(|name| name == "mod") {
                path.pop();
            }
            let test = path.iter().any(|part| part == "tests");
            Module { file, path, source: Source::read(&text), text, test }
        })
        .collect();
    let test_modules: Vec<Vec<String>> = modules
        .iter()
        .flat_map(|module| {
            module.source.test_modules.iter().map(|name| [&module.path[..], std::slice::from_ref(name)].concat())
        })
        .collect();
    for module in &mut modules {
        module.test |= test_modules.iter().any(|path| module.path.starts_with(path));
    }
    modules
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("a folder's entry can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// How a file looks: it says what it promises, is short enough, and has a name that means something.
fn looks(module: &Module) -> Vec<String> {
    let mut found = Vec::new();
    if !module.text.starts_with("//!") {
        found.push(module.breach(1, "does not open with `//!` and what it promises"));
    }
    let lines = module.source.lines_without_tests;
    if !module.test && lines > MOST_LINES {
        found.push(module.breach(MOST_LINES, format!("has {lines} lines without its tests, {MOST_LINES} is the most")));
    }
    for part in &module.path {
        if part.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
            found.push(module.breach(1, format!("`{part}` says nothing about what it promises")));
        }
    }
    found
}

/// Whom a file uses, against whom it may use.
fn directions(module: &Module) -> Vec<String> {
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module.top()) else {
        return vec![module.breach(1, format!("nobody says whom `{}` may use", module.top()))];
    };
    let mut found = Vec::new();
    for (line, used, test) in uses(module) {
        // Tests may play the provider; nothing else is forgiven them.
        let played = (test || module.test) && used == "simulator";
        if used != module.top() && !allowed.contains(&used.as_str()) && !played {
            found.push(module.breach(line, format!("`{}` may not use `{used}`", module.top())));
        } else if module.top() == "cli" && used == "daemon" && module.path != STARTS_DAEMON {
            found.push(module.breach(line, "`cli` uses `daemon` in cli/daemon.rs alone"));
        }
    }
    let may_use_anyhow = ["cli", "main"].contains(&module.top());
    for at in module.source.find(&["anyhow"]).filter(|_| !may_use_anyhow) {
        found.push(module.breach(module.source.tokens[at].line, "`anyhow` is for `cli` and `main` alone"));
    }
    found
}

/// The top-level modules a file names, each with its line and whether it is test code.
fn uses(module: &Module) -> Vec<(usize, String, bool)> {
    let tokens = &module.source.tokens;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let file_depth = if ["lib", "main"].contains(&module.top()) { 0 } else { module.path.len() };
    let mut used = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begin = at;
        at += 1;
        let depth = file_depth + tokens[begin].inline_depth;
        let continues = begin > 0 && text(begin - 1) == "::";
        let ups = match text(begin) {
            _ if continues => continue,
            "crate" | "lastgood" => depth,
            "super" => {
                let mut ups = 1;
                while text(at) == "::" && text(at + 1) == "super" {
                    ups += 1;
                    at += 2;
                }
                ups
            }
            _ => continue,
        };
        if ups < depth {
            continue;
        }
        let names = if text(at) == "::" { branches(&tokens[at + 1..]) } else { Vec::new() };
        let alias = text(at) == "as";
        let Token { line, test, .. } = &tokens[begin];
        used.extend(names.into_iter().map(|name| (*line, name, *test)));
        if alias {
            used.push((*line, "crate under another name".to_owned(), *test));
        }
    }
    used
}

/// The first names of a path: one, or each branch of a `{…}`.
fn branches(tokens: &[Token]) -> Vec<String> {
    if tokens.first().is_none_or(|token| token.text != "{") {
        return tokens.first().map(|token| token.text.clone()).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," => {}
            name if depth == 1 && matches!(tokens[at - 1].text.as_str(), "{" | ",") => names.push(name.to_owned()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// What a pure module must not touch.
fn purity(module: &Module) -> Vec<String> {
    if module.test || !PURE.contains(&module.top()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (parts, what) in IMPURE {
        for at in module.source.find(parts).filter(|&at| !module.source.tokens[at].test) {
            let line = module.source.tokens[at].line;
            found.push(module.breach(line, format!("`{}` brings {what} into a pure module", parts.concat())));
        }
    }
    for at in module.source.find(&["std", "::"]).filter(|&at| !module.source.tokens[at].test) {
        for name in branches(&module.source.tokens[at + 2..]).iter().filter(|name| IMPURE_STD.contains(&name.as_str()))
        {
            let line = module.source.tokens[at].line;
            found.push(module.breach(line, format!("`std::{name}` brings the world into a pure module")));
        }
    }
    found
}

/// A `select!` that is not `biased` takes any branch that is ready: no simulated year would ever be lived again.
fn chance(module: &Module) -> Vec<String> {
    // What people type is not part of a simulation.
    if module.test || module.top() == "cli" {
        return Vec::new();
    }
    let tokens = &module.source.tokens;
    let by_chance = |at: &usize| !tokens[*at].test && tokens.get(at + 3).is_none_or(|token| token.text != "biased");
    let found = module.source.find(&["select", "!"]).filter(by_chance);
    found.map(|at| module.breach(tokens[at].line, "`select!` without `biased` decides by chance")).collect()
}

/// The breaches of a tree of planted files.
fn planted(files: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().expect("a temporary folder can be made");
    fs::create_dir(root.path().join("src")).expect("a folder can be made");
    for (file, text) in files {
        let file = root.path().join("src").join(file);
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs::write(file, text).expect("a file can be written");
    }
    breaches(root.path())
}

#[test]
fn the_source_keeps_to_the_architecture() {
    let found = breaches(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_module_of_the_library_has_its_rule() {
    let library = include_str!("../src/lib.rs");
    let source = Source::read(library);
    let modules: Vec<_> = source.find(&["pub", "mod"]).map(|at| source.tokens[at + 2].text.clone()).collect();
    assert!(modules.len() >= 13, "only {modules:?} were seen in lib.rs");
    for module in modules {
        assert!(MAY_USE.iter().any(|(name, _)| *name == module), "`{module}` has no rule");
    }
}

#[test]
fn no_direction_goes_round_in_a_circle() {
    // What a module uses must not, by any way, use the module.
    fn reaches(from: &str, to: &str) -> bool {
        let (_, uses) = MAY_USE.iter().find(|(name, _)| *name == from).expect("every used module has a rule");
        uses.iter().any(|used| *used == to || reaches(used, to))
    }
    for (name, _) in MAY_USE {
        assert!(!reaches(name, name), "`{name}` reaches itself");
    }
}

#[test]
fn a_planted_use_upwards_is_refused() {
    for (file, text, breach) in [
        ("policy/plan.rs", "//! .\nuse crate::store::Store;", "src/policy/plan.rs:2: `policy` may not use `store`"),
        ("run/mod.rs", "//! .\nfn f() { crate::report::send(); }", "src/run/mod.rs:2: `run` may not use `report`"),
        ("run/mod.rs", "//! .\nuse super::cli;", "src/run/mod.rs:2: `run` may not use `cli`"),
        ("run/step.rs", "//! .\nuse super::super::cli;", "src/run/step.rs:2: `run` may not use `cli`"),
        (
            "store/mod.rs",
            "//! .\nuse crate::{\n  journal::{event, state},\n  run,\n};",
            "src/store/mod.rs:2: `store` may not use `run`",
        ),
        ("store/a.rs", "//! .\nmod b { use super::super::super::run; }", "src/store/a.rs:2: `store` may not use `run`"),
        ("simulator/mod.rs", "//! .\nuse crate::provider::wire;", "`simulator` may not use `provider`"),
        ("provider/mod.rs", "//! .\nuse crate::simulator::App;", "`provider` may not use `simulator`"),
        ("daemon/mod.rs", "//! .\nuse crate::exit_code::ExitCode;", "`daemon` may not use `exit_code`"),
        ("account/mod.rs", "//! .\nuse crate::run::World;", "`account` may not use `run`"),
        ("account/mod.rs", "//! .\nuse crate::daemon;", "`account` may not use `daemon`"),
        ("report/mod.rs", "//! .\nuse crate::account;", "`report` may not use `account`"),
        ("status/mod.rs", "//! .\nuse crate::account::survey;", "`status` may not use `account`"),
        ("run/mod.rs", "//! .\nuse crate::account::tasks;", "`run` may not use `account`"),
        ("cli/status.rs", "//! .\nuse crate::daemon::Service;", "`cli` uses `daemon` in cli/daemon.rs alone"),
        ("clock.rs", "//! .\nuse crate::policy;", "src/clock.rs:2: `clock` may not use `policy`"),
        ("main.rs", "//! .\nuse lastgood::store;", "src/main.rs:2: `main` may not use `store`"),
        ("run/mod.rs", "//! .\nuse crate as all;", "`run` may not use `crate under another name`"),
        ("run/mod.rs", "//! .\nuse crate::*;", "`run` may not use `*`"),
        ("run/mod.rs", "//! .\n#[cfg(test)]\nmod tests { use crate::cli; }", "`run` may not use `cli`"),
        ("run/mod.rs", "//! .\nuse anyhow::Context;", "`anyhow` is for `cli` and `main` alone"),
        ("newcomer/mod.rs", "//! .\n", "nobody says whom `newcomer` may use"),
    ] {
        let found = planted(&[(file, text)]);
        assert_eq!(found.len(), 1, "{text:?} gave {found:?}");
        assert!(found[0].contains(breach), "{text:?} gave {found:?}");
    }
}

#[test]
fn a_use_downwards_or_in_words_alone_is_fine() {
    for (file, text) in [
        ("run/step.rs", "//! .\nuse crate::policy::plan::Plan;\nuse super::lease;\nuse crate::run::power;"),
        ("policy/plan.rs", "//! .\n// crate::store would be a breach\n/* crate::store /* crate::run */ crate::cli */"),
        ("policy/plan.rs", "//! .\nconst A: &str = \"crate::store\"; const B: &str = r#\"crate::\"store\"#;"),
        ("policy/plan.rs", "//! .\nfn f<'a>(c: char) -> bool { c == '\"' || c == '\\'' } // \" crate::store"),
        ("policy/plan.rs", "//! .\n#[cfg(test)]\nmod tests {\n  use super::*;\n  use crate::policy::mark;\n}"),
        ("provider/mod.rs", "//! .\n#[cfg(test)]\nmod tests { use crate::simulator::App; }"),
        ("provider/tests.rs", "//! .\nuse crate::simulator::App;"),
        ("cli/mod.rs", "//! .\nuse crate::{account, exit_code::ExitCode, simulator};\nuse anyhow::Result;"),
        ("cli/daemon.rs", "//! .\nuse crate::daemon::Service;"),
        ("daemon/mod.rs", "//! .\nuse crate::{account, run::World};"),
    ] {
        assert_eq!(planted(&[(file, text)]), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn a_file_that_only_tests_declare_is_test_code() {
    let long = "//! .\n".to_owned() + &"const A: u8 = 1;\n".repeat(500);
    let parent = "//! .\n#[cfg(test)]\nmod properties;\n";
    let found = planted(&[("policy/mod.rs", parent), ("policy/properties.rs", &long)]);
    assert_eq!(found, Vec::<String>::new());
    let found = planted(&[("policy/mod.rs", "//! .\nmod properties;\n"), ("policy/properties.rs", &long)]);
    assert_eq!(found, ["src/policy/properties.rs:400: has 501 lines without its tests, 400 is the most"]);
}

#[test]
fn a_planted_impurity_is_refused() {
    for (text, breach) in [
        ("//! .\npub async fn f() {}", "`async` brings async code"),
        ("//! .\nuse std::fs::File;", "`std::fs` brings the world"),
        ("//! .\nuse std::{fmt, fs};", "`std::fs` brings the world"),
        ("//! .\nuse tokio::time;", "`tokio` brings the runtime"),
        ("//! .\nfn f() { tracing::info!(\"x\"); }", "`tracing` brings log lines"),
        ("//! .\nuse std::net::IpAddr;", "`std::net` brings the world"),
    ] {
        for file in ["policy/plan.rs", "journal/state.rs"] {
            let found = planted(&[(file, text)]);
            assert_eq!(found.len(), 1, "{text:?} gave {found:?}");
            assert!(found[0].contains(breach), "{text:?} gave {found:?}");
        }
        assert_eq!(planted(&[("run/mod.rs", text)]), Vec::<String>::new());
    }
}

#[test]
fn a_planted_choice_by_chance_is_refused() {
    let by_chance = "//! .\nasync fn f() {\n  tokio::select! { () = a() => {} () = b() => {} }\n}";
    for file in ["run/mod.rs", "daemon/mail.rs", "provider/watch.rs"] {
        assert_eq!(
            planted(&[(file, by_chance)]),
            [format!("src/{file}:3: `select!` without `biased` decides by chance")]
        );
        let biased = by_chance.replace("{ () = a()", "{\n    // In this order.\n    biased;\n    () = a()");
        assert_eq!(planted(&[(file, &biased)]), Vec::<String>::new());
    }
    assert_eq!(planted(&[("cli/run.rs", by_chance)]), Vec::<String>::new());
}

#[test]
fn a_file_without_a_promise_too_long_or_with_an_empty_name_is_refused() {
    assert_eq!(
        planted(&[("clock.rs", "fn f() {}")]),
        ["src/clock.rs:1: does not open with `//!` and what it promises"]
    );
    let lines = |count: usize| "//! .\n".to_owned() + &"const A: u8 = 1;\n".repeat(count - 1);
    let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"  const B: u8 = 1;\n".repeat(300) + "}\n";
    assert_eq!(planted(&[("clock.rs", &(lines(400) + &tests))]), Vec::<String>::new());
    // Tests at the top do not hide what comes after them.
    let found = planted(&[("clock.rs", &("//! .\n".to_owned() + &tests + &lines(401)))]);
    assert_eq!(found, ["src/clock.rs:400: has 402 lines without its tests, 400 is the most"]);
    for name in ["run/util.rs", "run/step_helpers.rs", "run/common/mod.rs", "run/manager.rs"] {
        let found = planted(&[(name, "//! .\n")]);
        assert_eq!(found.len(), 1, "{name} gave {found:?}");
        assert!(found[0].contains("says nothing about what it promises"), "{name} gave {found:?}");
    }
}
