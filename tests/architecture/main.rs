//! Who may use whom, how a file looks, and what names mean: the rules of docs/architecture.md, checked against the source itself.
//! The same checker is shown to refuse planted breaches, so that a rule cannot go blind.

mod circles;
mod modules;
mod paths;
mod planted;
mod rules;
mod source;
mod test_files;
mod type_names;

use std::collections::BTreeSet;
use std::path::Path;

use rules::MAY_USE;
use source::Source;

/// Every breach under `root`, which has a `src` folder; sorted, empty when all is well.
fn breaches(root: &Path) -> Vec<String> {
    let modules = modules::modules(root);
    let mut found = BTreeSet::new();
    for module in &modules {
        found.extend(rules::looks(module));
        found.extend(rules::directions(module));
        found.extend(rules::purity(module));
        found.extend(rules::chance(module));
    }
    found.extend(circles::circles(&modules));
    found.into_iter().collect()
}

#[test]
fn the_source_keeps_to_the_architecture() {
    let found = breaches(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_tests_keep_to_their_limits() {
    let found = test_files::breaches(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_type_name_has_one_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = type_names::breaches(&modules::modules(root), &type_names::test_files(&root.join("tests")));
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_module_of_the_library_has_its_rule() {
    let library = include_str!("../../src/lib.rs");
    let source = Source::read(library);
    let modules: Vec<_> = source.find(&["mod"]).map(|at| source.tokens[at + 1].text.clone()).collect();
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
