//! The schema that `lastgood schema` prints agrees with the reader, as a validator from a registry sees it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use crate::{files, read, root};

/// What compares tables with each other, or asks the calendar: no schema can.
const FOR_THE_READER_ALONE: [&str; 14] = [
    "cron_never_fires",
    "formerly_in_the_file",
    "formerly_itself",
    "formerly_twice",
    "min_keep_above_counts",
    "overfull_by_one_of_two",
    "overfull_named_server",
    "overfull_of_own_slots",
    "overfull_same_selector",
    "overfull_server_own",
    "overfull_with_reserve",
    "report_unknown",
    "server_own_incomplete",
    "splay_too_long",
];

/// The schema, compiled.
struct Validator(Schemas, SchemaIndex);

impl Validator {
    /// Of what the program prints, which must be a valid schema itself.
    fn new() -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_lastgood")).arg("schema").output().unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("policy.json", serde_json::from_slice(&output.stdout).unwrap()).unwrap();
        let schema = compiler.compile("policy.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        Self(schemas, schema)
    }

    fn error(&self, file: &Value) -> Option<String> {
        self.0.validate(file, self.1).err().map(|error| format!("{error:#}"))
    }
}

/// The file as JSON; `None` if it is not TOML.
fn as_json(path: &Path) -> Option<Value> {
    toml::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[test]
fn what_the_reader_accepts_the_schema_accepts() {
    let validator = Validator::new();
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for folder in ["config", "tests/config/warning", "tests/config/invalid"] {
        for path in files(folder).into_iter().filter(|path| read(path).0.is_some()) {
            accepted += 1;
            let json = as_json(&path).unwrap();
            wrong.extend(validator.error(&json).map(|error| format!("{}: {error}", path.display())));
        }
    }
    assert!(accepted >= 12 && wrong.is_empty(), "{accepted} files: {wrong:#?}");
}

#[test]
fn the_schema_refuses_every_mistake_that_a_schema_can_see() {
    let validator = Validator::new();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mistakes = files("tests/config/invalid");
    let unseen: BTreeSet<String> = mistakes
        .iter()
        .filter(|path| as_json(path).is_some_and(|json| validator.error(&json).is_none()))
        .map(|path| stem(path))
        .collect();
    assert_eq!(unseen, FOR_THE_READER_ALONE.map(str::to_owned).into());
}

/// One value a line that a key accepts, so that no pattern of the schema is narrower than the reader.
#[test]
fn unusual_spellings_that_the_reader_accepts_are_fine_in_the_schema_too() {
    let minimal = std::fs::read_to_string(root().join("config/minimal.toml")).unwrap();
    let validator = Validator::new();
    for (table, line) in [
        ("[provider]", "url = \"HTTPS://ADMIN.example.com:8443/v1/\""),
        ("[provider]", "url = \"http://[::1]:80/v1\""),
        ("[provider]", "url = \"http://LocalHost\""),
        ("[provider]", "timeout = \"0090s\""),
        ("[policy.nightly]", "timezone = \"America/Argentina/Buenos_Aires\""),
        ("[policy.nightly]", "formerly = \"daily\""),
        ("[policy.nightly]", "exclude = []"),
        ("[policy.nightly]", "splay = \"0ms\""),
        ("[policy.nightly]", "max_age = \"2w\""),
        ("[policy.nightly]", "report = []"),
        ("[smtp]", "tls = \"none\"\n#"),
        ("[report.oncall]", "digest = \"  @Hourly \""),
        ("[report.oncall]", "digest = [\"0 30 2 * * MON#2\", \"0 8 L * ?\"]"),
        ("[report.oncall]", "on = \"success\""),
        ("[state]", "keep = \"1440m\""),
        ("[state]", "keep = \"86400000ms\""),
        ("[state]", "keep = \"1w\""),
        ("[status]", "listen = \"[::1]:0\""),
        ("[status]", "listen = \"[::ffff:127.0.0.1]:65535\""),
        ("[status]", "allow_remote = true\nlisten = \"[fe80::1]:9810\""),
        ("[status]", "hosts = \"backup\"\nunprotected_ok = 12345"),
        ("[server.\"db.example.com\".nightly]", "keep = { within = \"7d\" }"),
        ("[server.7.own]", "kind = \"snapshot\"\nschedule = \"@daily\"\nprune = \"none\""),
    ] {
        let source = if line.contains("tls") {
            minimal.replace("smtp.example.com", "127.0.0.1").replace(table, &format!("{table}\n{line}"))
        } else if minimal.contains(table) {
            minimal.replace(table, &format!("{table}\n{line}"))
        } else {
            format!("{minimal}\n{table}\n{line}\n")
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, source).unwrap();
        let (config, diagnostics, _) = read(&path);
        assert!(config.is_some(), "{line}: {diagnostics:?}");
        let error = validator.error(&as_json(&path).unwrap());
        assert!(error.is_none(), "{table} {line}: {error:?}");
    }
}
