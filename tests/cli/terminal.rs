//! The program on a terminal of its own, made by `script`: what it shows is read, and answers are typed.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// The program on a terminal.
pub struct Terminal {
    child: Child,
    shown: String,
    /// How much of it was waited for.
    seen: usize,
}

impl Terminal {
    /// Starts this command, with its environment and folder, on a terminal.
    pub fn start(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().expect("plain words"))).collect();
        // A question that the test does not expect would wait for ever.
        let mut script = Command::new("timeout");
        script.args(["60", "script", "--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
        script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.current_dir(command.get_current_dir().expect("a folder of its own"));
        let child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        Self { child: child.expect("`script` of the package bsdutils"), shown: String::new(), seen: 0 }
    }

    /// Reads until it has shown these words since the last ones.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        while !self.shown[self.seen..].contains(words) {
            let mut bytes = [0; 4096];
            let count = self.child.stdout.as_mut().expect("it is piped").read(&mut bytes).expect("it can be read");
            assert!(count > 0, "it ended without `{words}`:\n{}", self.shown);
            self.shown += &String::from_utf8_lossy(&bytes[..count]);
        }
        self.seen += self.shown[self.seen..].find(words).expect("it is there") + words.len();
    }

    /// Presses these keys.
    pub fn types(&mut self, keys: &str) {
        let keyboard = self.child.stdin.as_mut().expect("it is piped");
        keyboard.write_all(keys.as_bytes()).expect("it reads");
        keyboard.flush().expect("it reads");
    }

    /// Waits for its end: the exit code and everything that was shown.
    pub fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.child.stdout.take().expect("it is piped").read_to_end(&mut rest).expect("it can be read");
        self.shown += &String::from_utf8_lossy(&rest);
        (self.child.wait().expect("it ends").code().expect("it ends by itself"), self.shown)
    }
}
