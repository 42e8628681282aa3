//! A malicious or completely broken provider against the real program: memory is measured from outside,
//! nothing that it sends controls a terminal or shows the token, and no list is endless.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::folder::{Folder, LASTGOOD};

#[path = "support"]
mod support {
    pub mod folder;
}

const TOKEN: &str = "vps_a+token/of=tests";
const SERVERS: &str = r#"{"count":1,"next":null,"results":[{"id":1,"name":"web-1","status":"active"}]}"#;

/// How much more memory it may take than with a provider that behaves.
const MOST_KILOBYTES: u64 = 128 * 1024;

/// An answer: status, headers, body.
struct RawAnswer(u16, &'static str, Vec<u8>);

impl RawAnswer {
    fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self(200, "", body.into())
    }
}

/// A provider in threads of this process.
struct HostileProvider {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl HostileProvider {
    /// `answer` is called with the number of the request, from 0, and its path and query.
    fn new(answer: impl Fn(usize, &str) -> RawAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
                // The client may hang up.
                std::thread::spawn(move || serve(stream.unwrap(), &*answer, &count).ok());
            }
        });
        Self { port, requests }
    }

    /// The same with one server; `answer` is for its lists of points.
    fn of_points(answer: impl Fn(&str) -> RawAnswer + Send + Sync + 'static) -> Self {
        Self::new(move |_, path| if path.contains("/servers/") { RawAnswer::ok(SERVERS) } else { answer(path) })
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn folder(&self) -> Folder {
        let folder = Folder::new();
        folder.write_private("token", TOKEN);
        let text = format!(
            "[provider]\nurl = \"http://127.0.0.1:{}/api/v1\"\ntoken_file = \"token\"\nrequests_per_second = 1000\n\
             [state]\ndir = \"state\"\n[policy.nightly]\nkind = \"backup\"\nservers = [\"*\"]\n\
             schedule = \"30 2 * * *\"\nkeep = {{ last = 3 }}\nretries = 0\n",
            self.port
        );
        folder.write_private("policy.toml", &text);
        folder
    }

    /// Runs a command: its outputs, its exit code and its peak memory in kilobytes.
    fn run(&self, args: &[&str]) -> Done {
        run(&self.folder(), args)
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(usize, &str) -> RawAnswer, count: &AtomicUsize) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let RawAnswer(status, headers, body) = answer(count.fetch_add(1, Ordering::SeqCst), path);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}

#[derive(Debug)]
struct Done {
    stdout: String,
    stderr: String,
    code: i32,
    kilobytes: u64,
}

fn run(folder: &Folder, args: &[&str]) -> Done {
    let output = |name: &str| std::fs::File::create(folder.path(name)).unwrap();
    let mut child = folder
        .prepare(Command::new(LASTGOOD).args(args))
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"))
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut kilobytes = 0;
    let code = loop {
        // The kernel keeps the peak; the last reading before the end counts.
        let peak = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        kilobytes = kilobytes.max(peak.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code().unwrap_or(-1);
        }
        std::thread::yield_now();
    };
    let read = |name: &str| String::from_utf8_lossy(&std::fs::read(folder.path(name)).unwrap()).into_owned();
    Done { stdout: read("stdout"), stderr: read("stderr"), code, kilobytes }
}

fn repeated(count: usize, entry: impl Fn(usize) -> String) -> Vec<u8> {
    let entries: Vec<String> = (0..count).map(entry).collect();
    format!(r#"{{"count":{count},"next":null,"results":[{}]}}"#, entries.join(",")).into_bytes()
}

fn point(id: usize) -> String {
    format!(
        r#"{{"id":{id},"server":{{"id":1,"name":"web-1"}},"backup_type":"manual","status":"completed","size_mb":4523,"created_at":"2025-01-16T03:00:00Z","expires_at":null,"description":"Pre-deployment backup"}}"#
    )
}

fn minimal(id: usize) -> String {
    format!(r#"{{"id":{id},"server":1,"status":"x","created_at":"2025-01-16T03:00:00Z"}}"#)
}

fn fat(id: usize) -> String {
    let long = "n".repeat(240);
    format!(
        r#"{{"id":"{id}-{long}","server":{{"id":1,"uuid":"{id}-{long}","name":"{id}-{long}"}},"name":"{long}","status":"completed","created_at":"2025-01-16T03:00:00Z","description":"{long}"}}"#
    )
}

#[test]
fn no_answer_takes_more_memory_than_its_bytes() {
    let calm = HostileProvider::of_points(|_| RawAnswer::ok(repeated(5, point)));
    let calm = ["list backups --json", "list backups"].map(|command| {
        let done = calm.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 0, "{done:?}");
        done.kilobytes
    });
    let many = |one: &str, count: usize| format!("[{}]", vec![one; count].join(","));
    let bombs: Vec<(&str, u16, Vec<u8>)> = vec![
        ("empty lists", 200, repeated(10_000_000, |_| "[]".to_owned())),
        ("empty objects", 200, repeated(3_300_000, |_| r#"{"":{}}"#.to_owned())),
        ("a field", 200, repeated(1, |_| format!(r#"{{"id":1,"x":{}}}"#, many(r#"{"":{}}"#, 3_000_000)))),
        (
            "a server's fields",
            200,
            repeated(1, |_| format!(r#"{{"id":1,"server":{{"x":{}}}}}"#, many("[]", 9_000_000))),
        ),
        ("fields by the million", 200, repeated(1, |_| format!("{{{}\"id\":1}}", "\"k\":[],".repeat(3_000_000)))),
        ("minimal points", 200, repeated(149_999, minimal)),
        ("points with long texts", 200, repeated(24_000, fat)),
        ("one long text", 200, repeated(1, |_| point(1).replace("Pre-", &"\\u00e9".repeat(5_000_000)))),
        ("an error", 503, format!(r#"{{"detail":{}}}"#, many(r#"{"":{}}"#, 3_000_000)).into_bytes()),
        ("a refusal", 400, many("[]", 9_000_000).into_bytes()),
        ("no JSON", 200, vec![b'x'; 31_000_000]),
        ("deep", 200, vec![b'['; 31_000_000]),
        ("an endless page", 200, vec![b' '; 40_000_000]),
    ];
    for (name, status, body) in bombs {
        let provider = HostileProvider::of_points(move |_| RawAnswer(status, "", body.clone()));
        for (command, calm) in ["list backups --json", "list backups"].into_iter().zip(calm) {
            // Laying out a table of these takes a minute in an unoptimised build.
            if name == "points with long texts" && !command.ends_with("--json") {
                continue;
            }
            let done = provider.run(&command.split(' ').collect::<Vec<_>>());
            assert!(done.kilobytes < calm + MOST_KILOBYTES, "{name}: {command} took {} MB", done.kilobytes / 1024);
            assert!(done.stderr.len() < 20_000, "{name}: {} bytes of messages", done.stderr.len());
        }
    }
}

#[test]
fn pages_that_were_announced_are_taken_one_by_one() {
    let calm = HostileProvider::of_points(|_| RawAnswer::ok(repeated(5, point))).run(&["list", "backups"]).kilobytes;
    let bomb = repeated(3_000_000, |_| r#"{"":{}}"#.to_owned());
    let first: Vec<String> = (0..100).map(point).collect();
    let first = format!(r#"{{"count":800,"next":"?page=2","results":[{}]}}"#, first.join(","));
    let provider = HostileProvider::of_points(move |path| {
        if path.contains("page=") && !path.ends_with("page_size=100") {
            RawAnswer::ok(bomb.clone())
        } else {
            RawAnswer::ok(first.clone())
        }
    });
    let done = provider.run(&["list", "backups"]);
    assert!(done.kilobytes < calm + MOST_KILOBYTES, "{} MB", done.kilobytes / 1024);
    assert_eq!(done.code, 4, "{done:?}");
}

#[test]
fn a_list_without_end_is_an_error_at_once() {
    let provider = HostileProvider::of_points(|path| {
        let page: usize = path.rsplit("page=").next().and_then(|page| page.parse().ok()).unwrap_or(1);
        let five: Vec<String> = (page * 5..page * 5 + 5).map(point).collect();
        RawAnswer::ok(format!(r#"{{"count":5,"next":"?page={}","results":[{}]}}"#, page + 1, five.join(",")))
    });
    let done = provider.run(&["list", "backups"]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stderr.contains("10 entries received, the provider counts 5"), "{done:?}");
    assert!(provider.requests() < 10, "{} requests", provider.requests());
}

#[test]
fn the_token_is_shown_nowhere_when_the_provider_repeats_it() {
    let encoded = TOKEN.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let servers = format!(
        r#"{{"count":1,"results":[{{"id":1,"name":"web {TOKEN}","status":"active","note":"Bearer {TOKEN}","{TOKEN}":1}}]}}"#
    );
    let list = repeated(1, |_| {
        point(1)
            .replace("Pre-deployment", &format!("{TOKEN} ?token={encoded} "))
            .replace(r#""id":1,"name""#, &format!(r#""id":1,"deep":{{"x":["{TOKEN}"]}},"name""#))
    });
    let provider = HostileProvider::new(move |_, path| match path {
        path if path.contains("/servers/") => RawAnswer::ok(servers.clone()),
        path if path.contains("/snapshots/") => RawAnswer(401, "", format!(r#"{{"detail":"bad {TOKEN}"}}"#).into()),
        _ => RawAnswer::ok(list.clone()),
    });
    let folder = provider.folder();
    for command in
        ["list servers", "list servers --json", "list backups", "list backups --json", "list snapshots", "plan"]
    {
        let done = run(&folder, &command.split(' ').collect::<Vec<_>>());
        let all = format!("{}{}", done.stdout, done.stderr);
        assert!(all.contains("[token]"), "{command}: {all}");
        assert!(!all.contains("token/of") && !all.contains(&encoded), "{command}: {all}");
    }
}

#[test]
fn names_and_ids_drive_no_terminal() {
    let evil = r"a\u001b[2Jb\r\nERROR x\u202e\u2066\u200b\u2028\udb40\udc41c";
    let servers = format!(
        r#"{{"count":3,"results":[{{"id":1,"name":"{evil}","status":"{evil}"}},{{"uuid":"{evil}","name":"web-2"}},{{"uuid":"2","hostname":"{evil}","status":"active"}}]}}"#
    );
    let list = repeated(2, |id| {
        let id = if id == 0 { "7".to_owned() } else { format!(r#""{evil}""#) };
        format!(
            r#"{{"id":{id},"server":{{"id":1,"name":"{evil}"}},"backup_type":"manual","status":"{evil}","created_at":"2025-01-16T03:00:00Z","description":"{evil}","{evil}":["{evil}"]}}"#
        )
    });
    let provider = HostileProvider::new(move |_, path| match path {
        path if path.contains("/servers/") => RawAnswer::ok(servers.clone()),
        path if path.contains("/snapshots/") => RawAnswer(400, "", format!(r#"{{"detail":"{evil}"}}"#).into()),
        _ => RawAnswer::ok(list.clone()),
    });
    let folder = provider.folder();
    for command in [
        "list servers",
        "list servers --json",
        "list backups",
        "list backups --json",
        "list snapshots",
        "plan",
        "plan --json",
        "run --policy nightly --server 1",
        "history",
        "history --json",
    ] {
        let done = run(&folder, &command.split(' ').collect::<Vec<_>>());
        let all = format!("{}{}", done.stdout, done.stderr);
        let bad = |c: char| c != '\n' && lastgood::seams::policy::text::misleads(c);
        assert!(!all.contains(bad), "{command}: {all:?}");
        assert!(!all.lines().any(|line| line.starts_with("ERROR")), "{command}: {all}");
    }
}

#[test]
fn a_command_says_once_that_the_provider_asks_it_to_wait() {
    let provider = HostileProvider::new(|number, _| match number {
        0 | 1 => RawAnswer(429, "Retry-After: 5\r\n", Vec::new()),
        _ => RawAnswer::ok(SERVERS),
    });
    let done = provider.run(&["list", "servers"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.stderr.matches("asks us to wait 5 s").count(), 1, "{done:?}");
}

#[test]
fn an_argument_or_a_variable_that_is_no_text_is_a_usage_error_and_no_panic() {
    let bad = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    for args in [vec!["list"], vec!["list", "--json"], vec!["plan", "--policy"], vec!["daemon"], vec!["status"]] {
        let done = Command::new(LASTGOOD).args(&args).arg(bad).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    for name in ["LASTGOOD_LOG", "VPS_API_TOKEN", "VPS_API_URL", "LASTGOOD_CONFIG", "STATE_DIRECTORY", "HOME"] {
        let done = Command::new(LASTGOOD).arg("check").env(name, bad).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!said.contains("panicked") && done.status.code() != Some(101), "{name}: {said}");
    }
}
