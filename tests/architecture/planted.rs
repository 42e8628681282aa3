//! Planted breaches of every rule: the checker must see them, and must not see what is none.

use std::fs;

use crate::breaches;

/// The breaches of a tree of planted files.
pub fn planted(files: &[(&str, &str)]) -> Vec<String> {
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
fn a_file_without_a_promise_too_long_or_with_an_empty_or_long_name_is_refused() {
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
    for (length, breaches) in [(85, 0), (86, 1)] {
        let text = format!("//! .\n#[cfg(test)]\nmod tests {{ fn {}() {{}} }}\n", "x".repeat(length));
        let found = planted(&[("clock.rs", &text)]);
        assert!(found.len() == breaches && found.iter().all(|breach| breach.contains("is longer than")), "{found:?}");
    }
}
