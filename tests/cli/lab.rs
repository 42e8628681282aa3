//! A folder with a policy file, a played provider in a process of its own, and the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// The program under test.
pub const LASTGOOD: &str = env!("CARGO_BIN_EXE_lastgood");
/// The good token. No output may hold it.
pub const TOKEN: &str = "vps_a-secret-that-nobody-may-see-7391";
/// A token that is refused. No output may hold it either.
pub const BAD_TOKEN: &str = "vps_another-secret-of-these-tests-2846";

/// No command of these tests takes longer.
const DEADLINE: Duration = Duration::from_secs(120);

/// `lastgood simulator` as a child.
pub struct Provider {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    /// Kept open, so that what it says later has somewhere to go.
    _out: BufReader<ChildStdout>,
}

impl Provider {
    /// Starts it and reads where it listens.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_as(Path::new(LASTGOOD), flags)
    }

    /// The same with another build of the program.
    pub fn start_as(program: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["simulator", "--port", "0", "--token", TOKEN, "--completion", "50ms"]).args(flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the simulator starts");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        out.read_line(&mut first).expect("the simulator says where it listens");
        let url = first.trim().strip_prefix("listening on ").expect("the simulator's first line names its URL");
        let origin = url.strip_suffix("/api/v1").expect("the API's path").to_owned();
        Self { child, origin, _out: out }
    }

    /// Asks the control endpoint.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let host = self.origin.strip_prefix("http://").expect("plain http");
        let mut stream = TcpStream::connect(host).expect("the simulator listens");
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "{method} /_control/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("the simulator reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the simulator answers");
        assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// A person makes a snapshot of the server.
    pub fn person_makes_snapshot(&self, server: &str, name: &str, age_seconds: i64) -> Value {
        let act = json!({ "act": "create_point", "kind": "snapshot", "server": server, "name": name, "age_seconds": age_seconds });
        self.control("POST", "act", &act)[0]["id"].clone()
    }

    /// How many backups and snapshots there are, and how many were ever made or deleted by a client.
    pub fn tally(&self) -> (usize, usize, usize) {
        let state = self.control("GET", "state", &Value::Null);
        let record = self.control("GET", "record", &Value::Null);
        let count = |list: &Value| list.as_array().expect("a list").len();
        let entries = record["entries"].as_array().expect("the record");
        let by_client = entries.iter().filter(|entry| entry["change"]["by"] == "client").count();
        (count(&state["backups"]), count(&state["snapshots"]), by_client)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended by itself; a child that is gone needs no killing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Ended with this code; the failure shows everything.
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

    /// The one line that standard error holds.
    #[track_caller]
    pub fn sentence(&self) -> &str {
        let text = self.stderr.trim_end();
        assert_eq!(text.lines().count(), 1, "one sentence: {self:#?}");
        text.strip_prefix("lastgood: ").unwrap_or_else(|| panic!("the sentence begins with our name: {self:#?}"))
    }
}

/// A folder with a policy file.
pub struct Lab {
    pub folder: tempfile::TempDir,
    pub provider: Provider,
}

impl Lab {
    /// A provider with these flags, and a policy of hourly snapshots that keeps the last two.
    pub fn new(flags: &[&str]) -> Self {
        let lab = Self { folder: tempfile::tempdir().expect("a folder"), provider: Provider::start(flags) };
        lab.write_private("token", TOKEN);
        lab.policy("");
        lab
    }

    /// Writes the policy file anew: the usual one, in which `key` (a line such as `servers = ["x"]`) is replaced.
    pub fn policy(&self, line: &str) {
        let text = usual(&self.provider.origin);
        let key = line.split('=').next().unwrap_or_default().trim();
        let lines =
            text.lines().map(|old| if !key.is_empty() && old.starts_with(&format!("{key} =")) { line } else { old });
        self.write_private("policy.toml", &lines.collect::<Vec<_>>().join("\n"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write_private(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(name), text).expect("the folder is ours");
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }

    /// The program in the folder, with a bare environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        bare(self.folder.path(), arguments)
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Done {
        finish(self.command(arguments).stdin(Stdio::null()))
    }

    /// Runs the program with something to read.
    #[track_caller]
    pub fn answer(&self, arguments: &[&str], answer: &str) -> Done {
        let file = self.path("answer");
        std::fs::write(&file, answer).expect("the folder is ours");
        finish(self.command(arguments).stdin(std::fs::File::open(file).expect("it was just written")))
    }

    /// Runs a command that fails for what it was given: this code, one sentence with these words, and the provider's
    /// account as it was.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let before = self.provider.tally();
        let done = self.run(arguments).ends_with(code);
        let sentence = done.sentence();
        for word in words {
            assert!(sentence.contains(word), "`{word}` is not in: {sentence}");
        }
        assert_eq!(self.provider.tally(), before, "something was made or deleted by {arguments:?}");
    }
}

/// The program in this folder, with a bare environment.
pub fn bare(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(LASTGOOD);
    command.args(arguments).current_dir(folder).env_clear().env("HOME", folder).env("TMPDIR", folder);
    command
}

/// Runs a command to its end. No output may hold a token.
#[track_caller]
pub fn finish(command: &mut Command) -> Done {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let id = child.id().to_string();
    let (over, waited) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || over.send(child.wait_with_output()));
    let Ok(output) = waited.recv_timeout(DEADLINE) else {
        let killed = Command::new("kill").args(["-KILL", &id]).status();
        panic!("{command:?} is not over after {DEADLINE:?} (killed: {killed:?})");
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

fn usual(origin: &str) -> String {
    format!(
        r#"[provider]
url = "{origin}/api/v1"
token_file = "token"
requests_per_second = 1000
poll = "50ms"
settle = "500ms"
[state]
dir = "state"
[policy.hourly]
kind = "snapshot"
servers = ["*"]
schedule = "0 * * * *"
keep = {{ last = 2 }}
retries = 0
[smtp]
transport = "file"
dir = "mail"
from = "lastgood <backup@example.com>"
[report.oncall]
to = ["oncall@example.com"]
"#
    )
}
