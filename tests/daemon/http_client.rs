//! Plain HTTP over a socket: what goes over the wire is what the test writes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::process::{Daemon, PATIENCE, eventually};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    /// The status line and the headers, in lower case.
    pub head: String,
    pub body: String,
}

impl HttpReply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The JSON in its body.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A connection.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends these bytes and reads to the end of the connection.
#[track_caller]
pub fn send(address: SocketAddr, request: &[u8]) -> HttpReply {
    let mut stream = connect(address);
    // An answer may come before everything is sent.
    let _ = stream.write_all(request);
    read(stream).expect("an answer")
}

/// Reads an answer to the end of the connection; `None` when it is closed without one.
#[track_caller]
pub fn read(mut stream: TcpStream) -> Option<HttpReply> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    let text = String::from_utf8(bytes).expect("an answer is text");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    Some(HttpReply { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// Asks for a path with this method and host.
#[track_caller]
pub fn ask(address: SocketAddr, method: &str, path: &str, host: &str) -> HttpReply {
    send(address, format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
}

/// A GET of a path.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> HttpReply {
    ask(address, "GET", path, "localhost")
}

/// Where the daemon listens, as the last line about it in its log says.
#[track_caller]
pub fn address(daemon: &Daemon) -> SocketAddr {
    eventually("the log says where the status is served", || {
        let log = daemon.log();
        let (_, rest) = log.rsplit_once("the status is served at http://")?;
        rest.split_once('/')?.0.parse().ok()
    })
}

/// The value of a sample: the metric with its labels, as written.
pub fn sample(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}
