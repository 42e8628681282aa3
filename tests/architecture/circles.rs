//! No circles among the files of a folder: what a file uses must not, in any way, use the file. A face that only hands
//! names on represents the files that it takes them from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::modules::Module;
use crate::paths::{NamedPaths, names};

/// The files that each file of the same folder uses, with the line of the first use.
type Uses = BTreeMap<usize, BTreeMap<usize, usize>>;

/// Every circle among the files of a top-level folder.
pub fn circles(modules: &[Module]) -> Vec<String> {
    found(modules).iter().map(|circle| in_words(modules, circle)).collect()
}

fn in_words(modules: &[Module], circle: &[usize]) -> String {
    let names: Vec<String> =
        circle.iter().chain(&circle[..1]).map(|file| modules[*file].file.display().to_string()).collect();
    format!("{}: files use each other in a circle: {}", names[0], names.join(" -> "))
}

/// A shortest circle through each group of files that all reach each other.
fn found(modules: &[Module]) -> Vec<Vec<usize>> {
    let uses = uses(modules);
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in uses.keys() {
        if !seen.contains(file)
            && let Some(circle) = circle_through(*file, &uses)
        {
            // Everything that is reached from here and reaches here is the same group.
            let below = reached(*file, &uses);
            seen.extend(below.into_iter().filter(|other| reached(*other, &uses).contains(file)));
            circles.push(circle);
        }
    }
    circles
}

fn reached(from: usize, uses: &Uses) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        queue.extend(uses.get(&file).into_iter().flatten().map(|(used, _)| *used).filter(|used| reached.insert(*used)));
    }
    reached
}

fn circle_through(file: usize, uses: &Uses) -> Option<Vec<usize>> {
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([file]);
    while let Some(at) = queue.pop_front() {
        for used in uses.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if *used == file {
                let mut circle = vec![at];
                while let Some(before) = circle.last().filter(|last| **last != file).and_then(|last| from.get(last)) {
                    circle.push(*before);
                }
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(used) {
                from.insert(*used, at);
                queue.push_back(*used);
            }
        }
    }
    None
}

fn uses(modules: &[Module]) -> Uses {
    let by_path: BTreeMap<&[String], usize> =
        modules.iter().enumerate().map(|(at, module)| (&module.path[..], at)).collect();
    let names: Vec<NamedPaths> =
        modules.iter().map(|module| if module.test { NamedPaths::default() } else { names(module) }).collect();
    let mut uses = Uses::new();
    for (at, module) in modules.iter().enumerate() {
        for named in &names[at].uses {
            let Some(used) = home(&named.path, &by_path, &names, 8) else { continue };
            if used != at && modules[used].top() == module.top() {
                uses.entry(at).or_default().entry(used).or_insert(named.line);
            }
        }
    }
    uses
}

/// The file in which a path ends: where its item is, however many faces hand it on.
fn home(path: &[String], by_path: &BTreeMap<&[String], usize>, names: &[NamedPaths], faces: u32) -> Option<usize> {
    let length = (1..=path.len()).rev().find(|length| by_path.contains_key(&path[..*length]))?;
    let file = by_path[&path[..length]];
    let handed_on = path.get(length).and_then(|item| names[file].hands_on.get(item));
    match handed_on {
        Some(from) if faces > 0 => home(&[from, &path[length + 1..]].concat(), by_path, names, faces - 1),
        _ => Some(file),
    }
}

#[cfg(test)]
mod tests {
    use crate::planted::planted;

    const PROMISE: &str = "//! .\n";

    fn plant(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(&str, String)> = files.iter().map(|(file, text)| (*file, PROMISE.to_owned() + text)).collect();
        planted(&files.iter().map(|(file, text)| (*file, text.as_str())).collect::<Vec<_>>())
    }

    #[test]
    fn a_planted_circle_is_refused() {
        for (files, circle) in [
            (
                vec![("daemon/a.rs", "use crate::daemon::b::B;"), ("daemon/b.rs", "use crate::daemon::a::A;")],
                "src/daemon/a.rs -> src/daemon/b.rs -> src/daemon/a.rs",
            ),
            // By another file.
            (
                vec![
                    ("daemon/a.rs", "use super::b::B;"),
                    ("daemon/b.rs", "use crate::daemon::{c::{self, D}, x};"),
                    ("daemon/c.rs", "fn f() { super::a::f() }"),
                ],
                "src/daemon/a.rs -> src/daemon/b.rs -> src/daemon/c.rs -> src/daemon/a.rs",
            ),
            // By a face that hands the name on, under another name, too.
            (
                vec![
                    ("daemon/mod.rs", "mod a;\nmod b;\npub use a::A as Other;\npub(crate) use b::{B, C};"),
                    ("daemon/a.rs", "use crate::daemon::C;"),
                    ("daemon/b.rs", "fn f(a: super::Other) {}"),
                ],
                "src/daemon/a.rs -> src/daemon/b.rs -> src/daemon/a.rs",
            ),
            // A face that is more than a face: it uses what it hands on, and a file below uses what is in it.
            (
                vec![
                    ("daemon/mod.rs", "mod a;\npub use a::A;\npub struct World(A);"),
                    ("daemon/a.rs", "use crate::daemon::World;"),
                ],
                "src/daemon/a.rs -> src/daemon/mod.rs -> src/daemon/a.rs",
            ),
            // A file and its folder.
            (
                vec![
                    ("daemon/a.rs", "mod deep;\nfn f() { deep::f() }\npub fn g() {}"),
                    ("daemon/a/deep.rs", "use super::g;\npub fn f() {}"),
                ],
                "src/daemon/a.rs -> src/daemon/a/deep.rs -> src/daemon/a.rs",
            ),
            (
                vec![("daemon/a.rs", "mod inner { use super::super::b::B; }"), ("daemon/b.rs", "use super::a::*;")],
                "src/daemon/a.rs -> src/daemon/b.rs -> src/daemon/a.rs",
            ),
        ] {
            let found = plant(&files);
            assert_eq!(found.len(), 1, "{files:?} gave {found:?}");
            assert!(found[0].ends_with(&format!("files use each other in a circle: {circle}")), "{files:?}: {found:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_circle_is_fine() {
        for files in [
            // A face hands on what is used beside it.
            vec![
                ("daemon/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"),
                ("daemon/a.rs", "use crate::daemon::B;"),
                ("daemon/b.rs", ""),
            ],
            // A face with what all files below it share, and none of their own.
            vec![("daemon/mod.rs", "mod a;\npub use a::run;\npub struct World;"), ("daemon/a.rs", "use super::World;")],
            // Tests may look around.
            vec![
                ("daemon/a.rs", "use super::b::B;"),
                ("daemon/b.rs", "#[cfg(test)]\nmod tests { use crate::daemon::a::A; }"),
            ],
            // Another folder, another crate, words, visibility.
            vec![
                ("daemon/a.rs", "use super::b::B;\nuse crate::run::a::A;"),
                (
                    "daemon/b.rs",
                    "use tokio::a::A;\n// super::a::A\npub(in crate::daemon) struct B;\nfn f() -> impl Sized + use<> {}",
                ),
                ("run/a.rs", ""),
            ],
            vec![("daemon/a.rs", "fn f() { self::g(); }\nfn g() { crate::daemon::a::f() }")],
        ] {
            assert_eq!(plant(&files), Vec::<String>::new(), "{files:?}");
        }
    }
}
