//! How a file of tests looks: it says what it promises, is short enough, and its tests have names that fit on a line.

use std::path::Path;

use crate::rules::long_names;
use crate::source::Source;

const MOST_LINES: usize = 400;

/// Every breach in the files below `tests`.
pub fn breaches(tests: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(tests).expect("the folder can be read");
    for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
        if path.is_dir() {
            found.extend(breaches(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("the file can be read");
            found.extend(breaches_of(&text).into_iter().map(|breach| format!("{}: {breach}", path.display())));
        }
    }
    found.sort();
    found
}

fn breaches_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push("does not open with `//!` and what it promises".to_owned());
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        found.push(format!("has {lines} lines, {MOST_LINES} is the most"));
    }
    let source = Source::read(text);
    found.extend(long_names(&source).into_iter().map(|(line, breach)| format!("line {line}: {breach}")));
    found
}

#[test]
fn planted_breaches_are_found() {
    let good = "//! A promise.\n\n#[test]\nfn a_rule_holds() {}\n";
    assert_eq!(breaches_of(good), Vec::<String>::new());
    for (bad, words) in [
        (good.replacen("//!", "//", 1), "does not open"),
        (good.replace("a_rule_holds", &"x".repeat(86)), "is longer than"),
        (good.to_owned() + &"\n".repeat(MOST_LINES), "is the most"),
    ] {
        let found = breaches_of(&bad);
        assert!(found.len() == 1 && found[0].contains(words), "{bad}: {found:?}");
    }
}
