//! The files of `src`, read, each with its place in the module tree.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Source;

/// A file of `src`, with its place in the module tree.
pub struct Module {
    pub file: PathBuf,
    /// `src/policy/plan.rs` is `["policy", "plan"]`, `src/policy/mod.rs` is `["policy"]`.
    pub path: Vec<String>,
    pub text: String,
    pub source: Source,
    /// Whether the whole file is test code.
    pub test: bool,
}

impl Module {
    /// The name of the top-level module.
    pub fn top(&self) -> &str {
        &self.path[0]
    }

    /// A breach of a rule, at a line.
    pub fn breach(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.file.display())
    }
}

/// Every file under `root/src`.
pub fn modules(root: &Path) -> Vec<Module> {
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
