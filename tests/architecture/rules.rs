//! The rules for one file: whom it may use, how it looks, and what has no place in a pure module.

use crate::modules::Module;
use crate::source::{Lexeme, Source};

/// Everything that `cli` puts to use.
const BELOW_CLI: [&str; 13] = [
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
];

/// Everything: tests reach into each of them.
const BELOW_SEAMS: [&str; 14] = {
    let mut all = ["cli"; 14];
    let mut index = 0;
    while index < BELOW_CLI.len() {
        all[index] = BELOW_CLI[index];
        index += 1;
    }
    all
};

/// What each top-level module may use of the others. A module that is not named here is a breach.
pub const MAY_USE: &[(&str, &[&str])] = &[
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
    ("cli", &BELOW_CLI),
    ("main", &["Cli"]),
    // The command line, under the name by which the library exports it.
    ("Cli", &["cli"]),
    ("lib", &["cli"]),
    // What the tests use: nothing else may use it.
    ("seams", &BELOW_SEAMS),
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
/// The longest name of a function; those of tests are sentences.
const LONGEST_NAME: usize = 85;

/// How a file looks: it says what it promises, is short enough, and has a name that means something; its functions have
/// names that fit on a line.
pub fn looks(module: &Module) -> Vec<String> {
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
    found.extend(long_names(&module.source).into_iter().map(|(line, breach)| module.breach(line, breach)));
    found
}

/// Names of functions that do not fit on a line, with their lines.
pub fn long_names(source: &Source) -> Vec<(usize, String)> {
    let names = source.find(&["fn"]).filter_map(|at| source.tokens.get(at + 1));
    let long = names.filter(|name| name.text.len() > LONGEST_NAME);
    long.map(|name| (name.line, format!("`{}` is longer than {LONGEST_NAME} characters", name.text))).collect()
}

/// Whom a file uses, against whom it may use.
pub fn directions(module: &Module) -> Vec<String> {
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
        let Lexeme { line, test, .. } = &tokens[begin];
        used.extend(names.into_iter().map(|name| (*line, name, *test)));
        if alias {
            used.push((*line, "crate under another name".to_owned(), *test));
        }
    }
    used
}

/// The first names of a path: one, or each branch of a `{…}`.
fn branches(tokens: &[Lexeme]) -> Vec<String> {
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
pub fn purity(module: &Module) -> Vec<String> {
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
pub fn chance(module: &Module) -> Vec<String> {
    // What people type is not part of a simulation.
    if module.test || module.top() == "cli" {
        return Vec::new();
    }
    let tokens = &module.source.tokens;
    let by_chance = |at: &usize| !tokens[*at].test && tokens.get(at + 3).is_none_or(|token| token.text != "biased");
    let found = module.source.find(&["select", "!"]).filter(by_chance);
    found.map(|at| module.breach(tokens[at].line, "`select!` without `biased` decides by chance")).collect()
}
