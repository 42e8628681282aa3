//! `lastgood simulator` as a process, and its control endpoint.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::folder::LASTGOOD;
use super::program::TOKEN;

/// A simulated provider in a process of its own.
pub struct Provider {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    /// Kept open, so that later output has somewhere to go.
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

    /// The servers and points as they are.
    pub fn state(&self) -> Value {
        self.control("GET", "state", &Value::Null)
    }

    /// Everything that has happened.
    pub fn record(&self) -> Value {
        self.control("GET", "record", &Value::Null)
    }

    /// Requests that match the rule fail from now on.
    pub fn fault(&self, rule: &Value) {
        self.control("POST", "faults", rule);
    }

    /// Nothing fails any more.
    pub fn no_faults(&self) {
        self.control("DELETE", "faults", &Value::Null);
    }

    /// How long new points are in progress from now on.
    pub fn points_take(&self, seconds: f64) {
        self.control("POST", "options", &json!({ "completion": seconds }));
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended by itself; a child that is gone needs no killing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
