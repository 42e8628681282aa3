//! The policy file: no text makes the reader panic, hang or contradict itself; what is told about it can be printed,
//! and a file that is taken over has no error.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::Timestamp;
use lastgood::seams::config::diagnostic::{render, tally};
use lastgood::seams::config::{Environment, parse};
use libfuzzer_sys::fuzz_target;

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| Environment {
    // Named, so that no probe of the disk decides where it is.
    state_directory: Some(PathBuf::from("/nonexistent/state")),
    ..Environment::default()
});

fuzz_target!(|text: &str| {
    let at: Timestamp = "2026-11-21T06:00:00Z".parse().expect("a time");
    let (config, diagnostics) = parse(text, Path::new("/nonexistent"), &ENVIRONMENT, at);
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    assert_eq!(config.is_some(), errors == 0, "a file is taken over exactly when nothing is wrong with it");
    let shown = render(&diagnostics, text, "policy.toml", false);
    assert!(diagnostics.is_empty() || !shown.is_empty(), "what is wrong is told");
    assert_eq!(tally(&diagnostics).is_empty(), diagnostics.is_empty());
    for one in &diagnostics {
        assert!(one.span.as_ref().is_none_or(|span| span.end <= text.len()), "a place outside the file: {one:?}");
        let _ = one.located(text);
    }
    let Some(config) = config else { return };
    for policy in &config.policies {
        // What a file that is valid means can be worked out.
        let due = policy.schedule.next_after(at);
        assert!(due.is_none_or(|due| due > at), "a due time that is past already");
    }
});
