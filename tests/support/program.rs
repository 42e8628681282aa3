//! The program, run to its end: its exit code and its output, in which no token may appear.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::folder::{Folder, LASTGOOD};

/// The valid token. No output may contain it.
pub const TOKEN: &str = "vps_a-secret-that-nobody-may-see-7391";
/// A token that the provider refuses. No output may contain it either.
pub const BAD_TOKEN: &str = "vps_another-secret-of-these-tests-2846";

/// No command takes longer.
const DEADLINE: Duration = Duration::from_secs(120);

/// How a command ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Asserts the exit code; a failure shows all output.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Standard output, which is one JSON document and nothing else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON document: {error}: {self:#?}"))
    }
}

impl Folder {
    /// The program in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LASTGOOD);
        self.prepare(command.args(arguments));
        command
    }

    /// Runs the program to its end, with nothing to read.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Done {
        finish(self.command(arguments).stdin(Stdio::null()))
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn finish(command: &mut Command) -> Done {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let id = child.id().to_string();
    let (over, waited) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || over.send(child.wait_with_output()));
    let Ok(output) = waited.recv_timeout(DEADLINE) else {
        let killed = Command::new("kill").args(["-KILL", &id]).status();
        panic!("{command:?} has not ended after {DEADLINE:?} (killed: {killed:?})");
    };
    waiter.join().expect("it only waits").expect("the other end is here");
    let output = output.expect("its output can be read");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    let code = output.status.code().expect("the program ends by itself");
    let done = Done { code, stdout: text(output.stdout), stderr: text(output.stderr) };
    for secret in [TOKEN, BAD_TOKEN] {
        assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret), "a token is shown: {done:#?}");
    }
    done
}
