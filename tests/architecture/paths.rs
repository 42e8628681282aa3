//! Which module paths a file names, and which names it hands on: read from its `use` trees and from the paths in its
//! code. Test code is left out.

use std::collections::BTreeMap;

use crate::modules::Module;
use crate::source::Lexeme;

/// A path of this crate that a file names, from the top-level module down.
pub struct Named {
    /// Where.
    pub line: usize,
    /// Modules, then the item.
    pub path: Vec<String>,
}

/// What a file names.
#[derive(Default)]
pub struct NamedPaths {
    /// What its code uses.
    pub uses: Vec<Named>,
    /// What it hands on with `pub use`: the name here, and what it means.
    pub hands_on: BTreeMap<String, Vec<String>>,
}

/// Reads what a file names.
pub fn names(module: &Module) -> NamedPaths {
    let file = File { module, tokens: &module.source.tokens, children: children(&module.source.tokens) };
    let mut names = NamedPaths::default();
    let mut handed_on = Vec::new();
    let mut words: Vec<&Lexeme> = Vec::new();
    let mut at = 0;
    while at < file.tokens.len() {
        let token = &file.tokens[at];
        if token.test {
            at += 1;
        } else if token.text == "use" && file.text(at + 1) != "<" {
            let end = at + file.tokens[at..].iter().position(|token| token.text == ";").expect("a use ends");
            for branch in branches(&file.tokens[at + 1..end]) {
                let name = branch.name.clone();
                let Some(path) = file.absolute(&branch.path, token.inline_depth) else { continue };
                if file.is_public(at) {
                    handed_on.push((name, token.line, path));
                } else {
                    names.uses.push(Named { line: token.line, path });
                }
            }
            at = end + 1;
        } else if let Some((path, end)) = file.path_at(at) {
            names.uses.extend(file.absolute(&path, token.inline_depth).map(|path| Named { line: token.line, path }));
            at = end;
        } else {
            // A declaration, a method or the end of another path is no use of what has the same name.
            if !["mod", "fn", ".", "::"].contains(&at.checked_sub(1).map_or("", |before| file.text(before))) {
                words.push(token);
            }
            at += 1;
        }
    }
    // What a file hands on and names in its own code as well, it uses.
    for (name, _, path) in &handed_on {
        if let Some(token) = words.iter().find(|token| token.text == *name) {
            names.uses.push(Named { line: token.line, path: path.clone() });
        }
    }
    names.hands_on = handed_on.into_iter().map(|(name, _, path)| (name, path)).collect();
    names
}

struct File<'a> {
    module: &'a Module,
    tokens: &'a [Lexeme],
    /// The modules that it declares and that are files of their own.
    children: Vec<String>,
}

impl File<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    /// Whether the item that begins at `at` is visible outside: `pub`, or `pub(…)`.
    fn is_public(&self, at: usize) -> bool {
        let before = |back: usize| at.checked_sub(back).map_or("", |at| self.text(at));
        before(1) == "pub" || (before(1) == ")" && (before(4) == "pub" || before(3) == "pub"))
    }

    /// The path of this crate that begins at `at` in the code, with the place after it.
    fn path_at(&self, at: usize) -> Option<(Vec<String>, usize)> {
        let before = at.checked_sub(1).map_or("", |at| self.text(at));
        let first = self.text(at);
        let begins = ["crate", "self", "super"].contains(&first) || self.children.iter().any(|child| child == first);
        if !begins || ["::", ".", "in", "mod"].contains(&before) || self.text(at + 1) != "::" {
            return None;
        }
        let (mut path, mut end) = (vec![first.to_owned()], at + 1);
        while self.text(end) == "::" && self.text(end + 1).starts_with(|c: char| c.is_alphabetic() || c == '_') {
            path.push(self.text(end + 1).to_owned());
            end += 2;
        }
        Some((path, end))
    }

    /// The path from the top of the crate. `None` for what is outside the crate, or inside this very file.
    fn absolute(&self, path: &[String], inline_depth: usize) -> Option<Vec<String>> {
        let here = &self.module.path;
        let ups = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" if inline_depth == 0 => (&here[..], &path[1..]),
            "super" if ups > inline_depth => (&here[..here.len().checked_sub(ups - inline_depth)?], &path[ups..]),
            first if inline_depth == 0 && self.children.iter().any(|child| child == first) => (&here[..], path),
            _ => return None,
        };
        Some([base, rest].concat())
    }
}

/// The modules that a file declares as files of their own: `mod x;`.
fn children(tokens: &[Lexeme]) -> Vec<String> {
    let declared = tokens.windows(3).filter(|window| window[0].text == "mod" && window[2].text == ";");
    declared.filter(|window| !window[0].test).map(|window| window[1].text.clone()).collect()
}

/// One path of a `use` tree, and what it is called here.
struct Branch {
    path: Vec<String>,
    name: String,
}

/// Every path of a `use` tree: `a::{b, c::{self, d as e}}` has three.
fn branches(tree: &[Lexeme]) -> Vec<Branch> {
    let mut prefix = Vec::new();
    let mut at = 0;
    while let Some(token) = tree.get(at) {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                let inner = &tree[at + 1..tree.len() - 1];
                return split(inner).into_iter().flat_map(|part| branches_below(&prefix, part)).collect();
            }
            "as" => break,
            part => prefix.push(part.to_owned()),
        }
        at += 1;
    }
    let alias = tree.get(at + 1).map(|token| token.text.clone());
    let name = alias.or_else(|| prefix.last().cloned()).unwrap_or_default();
    vec![Branch { path: prefix, name }]
}

fn branches_below(prefix: &[String], part: &[Lexeme]) -> Vec<Branch> {
    let mut found = branches(part);
    for branch in &mut found {
        let is_self = branch.path == ["self"];
        let own = if is_self { Vec::new() } else { std::mem::take(&mut branch.path) };
        branch.path = [prefix, &own].concat();
        if is_self && branch.name == "self" {
            branch.name = prefix.last().cloned().unwrap_or_default();
        }
    }
    found
}

/// The parts of a list, by the commas that are in no inner braces.
fn split(tokens: &[Lexeme]) -> Vec<&[Lexeme]> {
    let mut depth = 0_usize;
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(&tokens[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[from..]);
    parts.retain(|part| !part.is_empty());
    parts
}
