//! What the tests of the command line do with a host besides running a command.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::host::Host;
use crate::support::program::{Done, finish};
use crate::support::provider_control::Provider;

impl Host {
    /// Writes the policy file again, with the line of the same key (such as `servers = ["x"]`) replaced by this one.
    pub fn replace_line(&self, line: &str) {
        let text = std::fs::read_to_string(self.path("policy.toml")).expect("the folder is ours");
        let key = line.split('=').next().unwrap_or_default().trim();
        let lines = text.lines().map(|old| if old.starts_with(&format!("{key} =")) { line } else { old });
        self.write_private("policy.toml", &lines.collect::<Vec<_>>().join("\n"));
    }

    /// Runs the program with something to read.
    #[track_caller]
    pub fn answer(&self, arguments: &[&str], answer: &str) -> Done {
        let file = self.path("answer");
        std::fs::write(&file, answer).expect("the folder is ours");
        finish(self.command(arguments).stdin(std::fs::File::open(file).expect("it was just written")))
    }

    /// Runs a command that is refused: this code, one sentence with these words, and nothing created or deleted at the
    /// provider.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let before = self.provider.tally();
        let done = self.run(arguments).ends_with(code);
        let sentence = done.sentence();
        for word in words {
            assert!(sentence.contains(word), "`{word}` is not in: {sentence}");
        }
        assert_eq!(self.provider.tally(), before, "{arguments:?} created or deleted something");
    }

    /// With nothing to read; whatever it prints is dropped.
    pub fn spawn(&self, arguments: &[&str]) -> std::process::Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program starts")
    }
}

impl Done {
    /// The one line of standard error.
    #[track_caller]
    pub fn sentence(&self) -> &str {
        let text = self.stderr.trim_end();
        assert_eq!(text.lines().count(), 1, "one sentence: {self:#?}");
        text.strip_prefix("lastgood: ").unwrap_or_else(|| panic!("the sentence begins with our name: {self:#?}"))
    }
}

impl Provider {
    /// A person makes a snapshot of the server. Its id.
    pub fn person_makes_snapshot(&self, server: &str, name: &str, age_seconds: i64) -> Value {
        let act = json!({ "act": "create_point", "kind": "snapshot", "server": server, "name": name, "age_seconds": age_seconds });
        self.control("POST", "act", &act)[0]["id"].clone()
    }

    /// How many backups and snapshots there are, and how many were ever created or deleted by a client.
    pub fn tally(&self) -> (usize, usize, usize) {
        let (state, record) = (self.state(), self.record());
        let count = |list: &Value| list.as_array().expect("a list").len();
        let entries = record["entries"].as_array().expect("the record");
        let by_client = entries.iter().filter(|entry| entry["change"]["by"] == "client").count();
        (count(&state["backups"]), count(&state["snapshots"]), by_client)
    }
}
