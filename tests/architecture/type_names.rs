//! One type name, one meaning: no two types of the program have the same name, and no test gives a type of its own the
//! name of one of the program's.

use std::collections::BTreeMap;
use std::path::Path;

use crate::modules::Module;
use crate::source::{Lexeme, Source};

/// Every type name with a second meaning, among the files of `src` and the test files with their names.
pub fn breaches(modules: &[Module], tests: &[(String, Source)]) -> Vec<String> {
    let mut of_program: BTreeMap<&str, String> = BTreeMap::new();
    let mut found = Vec::new();
    for module in modules.iter().filter(|module| !module.test) {
        for name in types(&module.source).into_iter().filter(|name| !name.test) {
            let place = format!("{}:{}", module.file.display(), name.line);
            if let Some(other) = of_program.get(name.text.as_str()) {
                found.push(format!("{place}: `{}` is also a type in {other}", name.text));
            } else {
                of_program.insert(&name.text, place);
            }
        }
    }
    let of_modules = modules.iter().map(|module| (module.file.display().to_string(), &module.source, module.test));
    for (file, source, test) in of_modules.chain(tests.iter().map(|(file, source)| (file.clone(), source, true))) {
        for name in types(source).into_iter().filter(|name| test || name.test) {
            if let Some(other) = of_program.get(name.text.as_str()) {
                found.push(format!("{file}:{}: `{}` is also a type in {other}", name.line, name.text));
            }
        }
    }
    found
}

/// The names that a file gives to types, outside of functions and `impl` blocks.
fn types(source: &Source) -> Vec<&Lexeme> {
    let (mut depth, mut names) = (0_usize, Vec::new());
    for (at, lexeme) in source.tokens.iter().enumerate() {
        match lexeme.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "struct" | "enum" | "trait" | "type" if depth == lexeme.inline_depth => {
                names.extend(source.tokens.get(at + 1))
            }
            _ => {}
        }
    }
    names
}

/// The test files below a folder, read.
pub fn test_files(tests: &Path) -> Vec<(String, Source)> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(tests).expect("the folder can be read");
    for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
        if path.is_dir() {
            files.extend(test_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("the file can be read");
            files.push((path.display().to_string(), Source::read(&text)));
        }
    }
    files
}

#[test]
fn a_planted_second_meaning_is_found() {
    let module = |name: &str, text: &str, test| Module {
        file: format!("src/{name}.rs").into(),
        path: vec![name.to_owned()],
        text: text.to_owned(),
        source: Source::read(text),
        test,
    };
    let one = || module("a", "//! .\nstruct Ours;\nimpl Iterator for Ours { type Item = u8; }\n", false);
    for (other, expected) in [
        (module("b", "//! .\nstruct Theirs;\nimpl Iterator for Theirs { type Item = u8; }\n", false), None),
        (module("b", "//! .\nenum Ours {}\n", false), Some("src/b.rs:2: `Ours` is also a type in src/a.rs:2")),
        (
            module("b", "//! .\nmod c { trait Ours {} }\n", false),
            Some("src/b.rs:2: `Ours` is also a type in src/a.rs:2"),
        ),
        (module("b", "//! .\ntype Ours = u8;\n", true), Some("src/b.rs:2: `Ours` is also a type in src/a.rs:2")),
        (
            module("b", "//! .\n#[cfg(test)]\nmod tests {\n  type Ours = u8;\n}\n", false),
            Some("src/b.rs:4: `Ours` is also a type in src/a.rs:2"),
        ),
        (module("b", "//! .\nfn f() { type Ours = u8; }\n", false), None),
    ] {
        assert_eq!(breaches(&[one(), other], &[]), Vec::from_iter(expected));
    }
    let test = ("tests/c.rs".to_owned(), Source::read("//! .\nstruct Ours;\n"));
    assert_eq!(breaches(&[one()], &[test]), ["tests/c.rs:2: `Ours` is also a type in src/a.rs:2"]);
}
