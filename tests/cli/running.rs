//! The program as a child whose log is read line by line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The program, running.
pub struct Running {
    child: Child,
    log: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log }
    }

    /// Reads its log up to a line with these words.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let said = self.log.by_ref().map(Result::unwrap).find(|line| line.contains(words));
        assert!(said.is_some(), "it ended without: {words}");
    }

    /// Waits for its end: the exit code and the rest of its log.
    pub fn end(mut self) -> (i32, String) {
        let rest: Vec<String> = self.log.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code().unwrap(), rest.join("\n"))
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits.
    pub fn terminate(self) -> (i32, String) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.end()
    }
}
