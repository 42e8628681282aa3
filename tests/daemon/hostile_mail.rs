//! A malicious mail server, seen from outside: the daemon's memory stays small, SIGTERM ends it in time, and the mail is
//! still sent later, under the Message-ID that it was written with.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::letters::MailServer;
use crate::process::{Daemon, eventually, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};
use crate::support::smtp_server;

/// An endless line ends here, so that a daemon without limits fails its test and not the machine.
const FLOOD: usize = 400 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greets {
    /// With an endless line.
    Endlessly,
    /// With one byte a second.
    Slowly,
}

/// A mail server that counts how many sessions have begun and how many are over.
struct HostileServer {
    port: u16,
    begun: Arc<AtomicUsize>,
    over: Arc<AtomicUsize>,
}

impl HostileServer {
    fn open(greets: Greets) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (begun, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begins, ends) = (Arc::clone(&begun), Arc::clone(&over));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                begins.fetch_add(1, Ordering::SeqCst);
                match greets {
                    Greets::Endlessly => flood(stream),
                    Greets::Slowly => drip(stream),
                }
                ends.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, begun, over }
    }
}

fn flood(mut stream: TcpStream) {
    let block = [b'2'; 64 * 1024];
    let mut sent = 0;
    while sent < FLOOD && stream.write_all(&block).is_ok() {
        sent += block.len();
    }
}

fn drip(mut stream: TcpStream) {
    while stream.write_all(b"2").is_ok() {
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// A host whose runs fail, which is mailed once by SMTP to this port.
fn host(port: u16) -> Host {
    let host = Host::new(&["--servers", "1"]);
    send_to(&host, port);
    host.provider.fault(&json!({ "call": "create", "effect": { "do": "status", "code": 400 } }));
    host
}

fn send_to(host: &Host, port: u16) {
    let report = oncall(
        "on = [\"failure\"]
group_wait = \"0s\"",
    );
    write_policy(host, &(policy("busy", "snapshot", "*/2 * * * * *", "") + &smtp_server::settings(port) + &report));
}

/// The peak memory of the process in MB.
fn peak_memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// The Message-IDs of waiting mails.
fn waiting(host: &Host) -> Vec<String> {
    let state = rusqlite::Connection::open(host.path("state").join("lastgood.db")).unwrap();
    let mut rows = state.prepare("SELECT message_id FROM outbox WHERE sent_at IS NULL ORDER BY id").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_line_without_end_from_the_mail_server_takes_no_memory() {
    let healthy = MailServer::open();
    let well = host(healthy.port);
    let daemon = Daemon::start(&well);
    healthy.next();
    let usual = peak_memory(&daemon);
    daemon.stops();
    let server = HostileServer::open(Greets::Endlessly);
    let host = host(server.port);
    let daemon = Daemon::start(&host);
    eventually("it has been tried twice", || (server.over.load(Ordering::SeqCst) >= 2).then_some(()));
    let peak = peak_memory(&daemon);
    daemon.stops();
    assert!(peak < usual + 128, "{peak} MB, and {usual} MB with a server that is well");
    assert_eq!(waiting(&host).len(), 1, "the mail waits");
}

#[test]
fn a_stop_is_obeyed_while_a_mail_is_sent_and_the_mail_is_sent_later_as_the_same() {
    for greets in [Greets::Slowly, Greets::Endlessly] {
        let server = HostileServer::open(greets);
        let host = host(server.port);
        let daemon = Daemon::start(&host);
        eventually("a session has begun", || (server.begun.load(Ordering::SeqCst) > 0).then_some(()));
        daemon.stops();
        let waiting = waiting(&host);
        assert_eq!(waiting.len(), 1, "{greets:?}");
        let healthy = MailServer::open();
        send_to(&host, healthy.port);
        let daemon = Daemon::start(&host);
        let letter = healthy.next();
        daemon.stops();
        assert!(letter.text.contains(&format!("Message-ID: {}", waiting[0])), "{greets:?}: {waiting:?} {letter:?}");
    }
}

#[test]
fn a_run_by_hand_is_ended_while_its_mail_is_sent() {
    let server = HostileServer::open(Greets::Slowly);
    let host = host(server.port);
    let mut run = host.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("a session has begun", || (server.begun.load(Ordering::SeqCst) > 0).then_some(()));
    let begun = tokio::time::Instant::now();
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    let status = eventually("it ends", || run.try_wait().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(5), "the run itself has failed");
    assert_eq!(waiting(&host).len(), 1);
}
