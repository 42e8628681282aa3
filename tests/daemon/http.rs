//! The status over HTTP, asked by the well-behaved and by the others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Barrier;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::http_client::{address, ask, connect, get, read, send};
use crate::process::{Daemon, changes, eventually, mail_with, status, write_policy};
use crate::support::host::Host;
use crate::support::policy_text::{oncall, policy};

const LISTEN: &str = "[status]\nlisten = \"127.0.0.1:0\"\nhosts = [\"Backup.example.com\"]\n";

/// Policies with a listener.
fn served(policies: &str, status: &str) -> String {
    policies.to_owned() + &oncall("group_wait = \"1s\"") + status
}

/// A daemon whose policy is seldom due, and where it listens.
fn daemon() -> (Host, Daemon, SocketAddr) {
    let host = Host::new(&["--servers", "2"]);
    write_policy(&host, &served(&policy("nightly", "snapshot", "0 0 1 1 *", ""), LISTEN));
    let daemon = Daemon::start(&host);
    let address = address(&daemon);
    (host, daemon, address)
}

#[test]
fn each_path_has_its_answer_and_head_has_the_same_without_the_body() {
    let (host, daemon, address) = daemon();
    for (path, code, content_type) in [
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/status.json", 200, "application/json"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/metrics?name=%E5%90%8D&x=1", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/", 200, "text/html; charset=utf-8"),
        ("/?q=%E5%90%8D&state=x&page=-1&&=%zz", 200, "text/html; charset=utf-8"),
        ("/servers/1", 404, "text/plain; charset=utf-8"),
        ("/servers/%00", 404, "text/plain; charset=utf-8"),
        ("/servers/", 404, "text/plain; charset=utf-8"),
        ("/nothing", 404, "text/plain; charset=utf-8"),
        ("/healthz/", 404, "text/plain; charset=utf-8"),
        ("//healthz", 404, "text/plain; charset=utf-8"),
        ("/%68ealthz", 404, "text/plain; charset=utf-8"),
        ("/../metrics", 404, "text/plain; charset=utf-8"),
        ("/%2e%2e/etc/passwd%00%ff", 404, "text/plain; charset=utf-8"),
    ] {
        let full = get(address, path);
        let header = |name| full.header(name).map(str::to_lowercase);
        assert_eq!((full.status, header("content-type").as_deref()), (code, Some(content_type)), "{path}");
        assert_eq!(header("content-length"), Some(full.body.len().to_string()), "{path}");
        assert_eq!(
            (header("cache-control").as_deref(), header("connection").as_deref()),
            (Some("no-store"), Some("close"))
        );
        let head = ask(address, "HEAD", path, "localhost");
        assert_eq!((head.status, head.body.as_str()), (code, ""), "{path}");
        assert!(head.header("content-length").is_some(), "{head:?}");
    }
    assert_eq!(get(address, "/healthz").body, "ok");
    eventually("the same as `status --json`", || {
        let (_, mut printed) = status(&host);
        let mut served = get(address, "/status.json").json();
        for status in [&mut printed, &mut served] {
            let fields = status.as_object_mut().unwrap();
            // They tell the moment.
            fields.retain(|name, _| name != "at" && name != "last_evaluation");
        }
        (printed == served && !served["policies"].as_array()?.is_empty()).then_some(())
    });
    daemon.stops();
    TcpStream::connect(address).expect_err("it listens no more");
}

#[test]
fn the_host_is_checked_first_then_the_method_then_the_path() {
    let (_host, daemon, address) = daemon();
    for (host, code) in [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:9810", 200),
        ("192.0.2.1", 200),
        ("[::1]:9810", 200),
        ("backup.EXAMPLE.com:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example:9810", 421),
        ("", 400),
        ("user@localhost", 400),
        ("a b", 400),
    ] {
        assert_eq!(ask(address, "GET", "/healthz", host).status, code, "{host}");
    }
    for request in [
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
    ] {
        assert_eq!(send(address, request.as_bytes()).status, 400, "{request}");
    }
    let absolute = |target: &str| send(address, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    assert_eq!(absolute("http://127.0.0.1/healthz").status, 200);
    assert_eq!(absolute("http://evil.example/healthz").status, 421);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"] {
        let path = if method == "CONNECT" { "localhost:1" } else { "/nothing" };
        let reply = ask(address, method, path, "localhost");
        assert_eq!((reply.status, reply.header("allow")), (405, Some("get, head")), "{method}");
        assert_eq!(ask(address, method, path, "evil.example").status, 421, "{method}");
    }
    daemon.stops();
}

#[test]
fn what_is_too_large_old_or_no_http_gets_a_plain_answer() {
    let (_host, daemon, address) = daemon();
    assert_eq!(send(address, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").body, "ok");
    let with = |bytes: usize| {
        let filler = "x".repeat(bytes);
        send(address, format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Filler: {filler}\r\n\r\n").as_bytes())
    };
    assert_eq!(with(8_000).status, 200);
    assert_eq!(with(8_200).status, 431);
    assert_eq!(with(1_000_000).status, 431);
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(1_000_000));
    assert_eq!(send(address, long.as_bytes()).status, 431);
    let many = "a: b\r\n".repeat(1_000);
    assert_eq!(send(address, format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes()).status, 431);
    let body = "x".repeat(1_000_000);
    let head = format!("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    assert_eq!(send(address, (head + &body).as_bytes()).status, 405);
    for garbage in
        [&b"hello\r\n\r\n"[..], b"\0\xff\xfe\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nno header\r\n\r\n"]
    {
        assert_eq!(send(address, garbage).status, 400, "{garbage:?}");
    }
    // Somebody who closes his half after asking gets his answer.
    let mut stream = connect(address);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read(stream).unwrap().body, "ok");
    assert_eq!(get(address, "/healthz").body, "ok");
    daemon.stops();
}

#[test]
fn a_slow_client_has_ten_seconds_and_sixty_four_of_them_turn_the_next_away() {
    let (_host, daemon, address) = daemon();
    let begun = Instant::now();
    let mut slow: Vec<TcpStream> = (0..64).map(|_| connect(address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    }
    let refused = get(address, "/healthz");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")), "{refused:?}");
    assert_eq!(read(connect(address)).unwrap().status, 503, "it need not even ask");
    // One of them finishes, and leaves its place.
    let mut first = slow.remove(0);
    first.write_all(b"alhost\r\n\r\n").unwrap();
    assert_eq!(read(first).unwrap().body, "ok");
    eventually("its place is free", || (get(address, "/healthz").status == 200).then_some(()));
    let mut last = slow.pop().unwrap();
    assert_eq!(last.read(&mut [0; 64]).unwrap_or(0), 0, "it is closed without an answer");
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(20), "{took:?}");
    eventually("all places are free", || (get(address, "/healthz").status == 200).then_some(()));
    daemon.stops();
}

#[test]
fn a_thousand_clients_are_answered_or_turned_away_and_runs_go_on() {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &served(&policy("busy", "snapshot", "* * * * * *", ""), LISTEN));
    let daemon = Daemon::start(&host);
    let address = address(&daemon);
    let created = || changes(&host, "point_created").len();
    eventually("it runs", || (created() > 0).then_some(()));
    let before = created();
    // So many threads that all connect at one moment; each asks several times.
    let (threads, each) = (100, 10);
    let barrier = Barrier::new(threads);
    let paths = ["/healthz", "/metrics", "/status.json"];
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            barrier.wait();
            let streams: Vec<TcpStream> = (0..each).map(|_| connect(address)).collect();
            let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", paths[number % paths.len()]);
            let asked = streams.into_iter().map(|mut stream| {
                // One that is turned away may be closed by now.
                let _ = stream.write_all(request.as_bytes());
                read(stream).map_or(0, |reply| reply.status)
            });
            asked.collect::<Vec<_>>()
        };
        let clients: Vec<_> = (0..threads).map(|number| scope.spawn(move || ask(number))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(200) + count(503), statuses.len(), "200: {}, 503: {}, {statuses:?}", count(200), count(503));
    assert!(count(200) >= 64, "200: {}", count(200));
    eventually("runs go on", || (created() > before + 2).then_some(()));
    assert_eq!(get(address, "/healthz").body, "ok");
    daemon.stops();
}

#[test]
fn a_port_that_is_taken_ends_the_start_and_refuses_a_reload() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let host = Host::new(&["--servers", "1"]);
    let policies = policy("nightly", "snapshot", "0 0 1 1 *", "");
    let write = |status: &str| write_policy(&host, &served(&policies, status));
    write(&format!("[status]\nlisten = \"{port}\"\n"));
    let refused = host.run(&["daemon"]).ends_with(3);
    assert!(refused.stderr.contains("status.listen") && refused.stderr.contains(&port.to_string()), "{refused:?}");
    write("[status]\nlisten = \"192.0.2.1:9810\"\nallow_remote = true\n");
    let refused = host.run(&["daemon"]).ends_with(3);
    assert!(refused.stderr.contains("status.listen: 192.0.2.1:9810"), "{refused:?}");

    write(LISTEN);
    let daemon = Daemon::start(&host);
    let first = address(&daemon);
    let reload = |status: &str| {
        write(status);
        daemon.signal("HUP");
        daemon.hears("READY=1");
    };
    reload(&format!("[status]\nlisten = \"{port}\"\n"));
    mail_with(&host, &["the changed policy file was refused", "status.listen"]);
    let served = get(first, "/status.json").json();
    assert!(served["policy_file"]["refused"] == Value::Bool(true), "{served}");
    assert!(get(first, "/metrics").body.contains("\nlastgood_policy_file_refused 1\n"));
    assert_eq!(ask(first, "GET", "/healthz", "backup.example.com").status, 200, "the old names count");

    // The same address under other names.
    reload("[status]\nlisten = \"127.0.0.1:0\"\nhosts = [\"other.example.com\"]\n");
    assert_eq!(address(&daemon), first);
    assert_eq!(ask(first, "GET", "/healthz", "backup.example.com").status, 421);
    assert_eq!(ask(first, "GET", "/healthz", "other.example.com").status, 200);
    // The same port on every address, which is free only once the old listener is closed; then another one, then none.
    reload(&format!("[status]\nlisten = \"0.0.0.0:{}\"\nallow_remote = true\n", first.port()));
    assert_eq!(get(first, "/healthz").status, 200);
    drop(taken);
    reload(&format!("[status]\nlisten = \"{port}\"\n"));
    assert_eq!(get(port, "/healthz").status, 200);
    TcpStream::connect(first).expect_err("the old port is closed");
    reload("");
    TcpStream::connect(port).expect_err("there is no listener any more");
    daemon.stops();
}

#[test]
fn check_says_where_it_listens() {
    let host = Host::new(&["--servers", "1"]);
    write_policy(&host, &served(&policy("nightly", "snapshot", "@daily", ""), "[status]\nlisten = \"[::1]:9810\"\n"));
    let done = host.run(&["check"]).ends_with(0);
    assert!(done.stdout.contains("http://[::1]:9810/"), "{done:?}");
    assert_eq!(host.run(&["check", "--json"]).ends_with(0).json()["status"]["listen"], "[::1]:9810");
    write_policy(&host, &served(&policy("nightly", "snapshot", "@daily", ""), "[status]\nlisten = \"[::]:9810\"\n"));
    let done = host.run(&["check"]).ends_with(3);
    assert!(done.stderr.contains("allow_remote"), "{done:?}");
}
