//! A mail server that wants to hurt, seen from outside: the daemon's memory, its end on SIGTERM, and that the mail is
//! sent all the same, under the Message-ID that it was written with.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::lab::Lab;
use crate::process::{Daemon, PATIENCE, eventually, fault, policy, write_policy};

/// What an endless line has at the most, so that a daemon without limits fails its test and not the machine.
const FLOOD: usize = 400 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greets {
    /// With a line without end.
    Endlessly,
    /// With a byte a second.
    Slowly,
}

/// A mail server; it counts how many sessions it has begun, and how many are over.
struct Server {
    port: u16,
    begun: Arc<AtomicUsize>,
    over: Arc<AtomicUsize>,
}

impl Server {
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

/// A server that takes one letter; gives its text.
fn take_letter(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = stream.try_clone().unwrap();
    let (mut letter, mut in_letter) = (String::new(), false);
    answer.write_all(b"220 office\r\n").unwrap();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let reply: &[u8] = match line.as_str() {
            "." if in_letter => {
                answer.write_all(b"250 taken\r\n").unwrap();
                return letter;
            }
            _ if in_letter => {
                letter = letter + &line + "\n";
                continue;
            }
            "DATA" => {
                in_letter = true;
                b"354 go on\r\n"
            }
            _ => b"250 fine\r\n",
        };
        answer.write_all(reply).unwrap();
    }
    letter
}

/// A failure is mailed once, by SMTP to this port.
fn lab(port: u16) -> Lab {
    let lab = Lab::new(&["--servers", "1"]);
    send_to(&lab, port);
    fault(&lab, json!({ "call": "create", "effect": { "do": "status", "code": 400 } }));
    lab
}

fn send_to(lab: &Lab, port: u16) {
    let smtp = format!(
        "[smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"backup@example.com\"\n[report.oncall]\n\
         to = [\"oncall@example.com\"]\non = [\"failure\"]\ngroup_wait = \"0s\"\n"
    );
    write_policy(lab, &(policy("busy", "snapshot", "*/2 * * * * *", "") + &smtp));
}

/// The most memory that the process has had, in MB.
fn peak_memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// The mails that wait, by Message-ID.
fn waiting(lab: &Lab) -> Vec<String> {
    let state = rusqlite::Connection::open(lab.path("state").join("lastgood.db")).unwrap();
    let mut rows = state.prepare("SELECT message_id FROM outbox WHERE sent_at IS NULL ORDER BY id").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_line_without_end_from_the_mail_server_takes_no_memory() {
    let office = TcpListener::bind("127.0.0.1:0").unwrap();
    let well = lab(office.local_addr().unwrap().port());
    let daemon = Daemon::start(&well);
    take_letter(&office);
    let usual = peak_memory(&daemon);
    daemon.stops();
    let server = Server::open(Greets::Endlessly);
    let lab = lab(server.port);
    let daemon = Daemon::start(&lab);
    eventually("it has been tried twice", || (server.over.load(Ordering::SeqCst) >= 2).then_some(()));
    let peak = peak_memory(&daemon);
    daemon.stops();
    assert!(peak < usual + 128, "{peak} MB, and {usual} MB with a server that is well");
    assert_eq!(waiting(&lab).len(), 1, "the mail waits");
}

#[test]
fn a_stop_is_obeyed_while_a_mail_is_sent_and_the_mail_is_sent_later_as_the_same() {
    for greets in [Greets::Slowly, Greets::Endlessly] {
        let server = Server::open(greets);
        let lab = lab(server.port);
        let daemon = Daemon::start(&lab);
        eventually("a session has begun", || (server.begun.load(Ordering::SeqCst) > 0).then_some(()));
        daemon.stops();
        let waiting = waiting(&lab);
        assert_eq!(waiting.len(), 1, "{greets:?}");
        let office = TcpListener::bind("127.0.0.1:0").unwrap();
        send_to(&lab, office.local_addr().unwrap().port());
        let daemon = Daemon::start(&lab);
        let letter = take_letter(&office);
        daemon.stops();
        assert!(letter.contains(&format!("Message-ID: {}", waiting[0])), "{greets:?}: {waiting:?} {letter}");
    }
}

#[test]
fn a_run_by_hand_is_ended_while_its_mail_is_sent() {
    let server = Server::open(Greets::Slowly);
    let lab = lab(server.port);
    let mut run = lab.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("a session has begun", || (server.begun.load(Ordering::SeqCst) > 0).then_some(()));
    let begun = tokio::time::Instant::now();
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    let status = eventually("it ends", || run.try_wait().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(5), "the run itself has failed");
    assert_eq!(waiting(&lab).len(), 1);
}
