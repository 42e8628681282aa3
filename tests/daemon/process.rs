//! The real daemon as a child: its messages to systemd arrive on a socket of the test, its log is in a file, and nothing
//! is waited for longer than a deadline.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::simulated_daemon::read_mails;
use crate::support::folder::LASTGOOD;
use crate::support::host::Host;
use crate::support::policy_text::MAIL_TO_FILES;
use crate::support::program::TOKEN;

/// Generous, since the machine may be busy with other tests. Promised times are asserted separately.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A message from the daemon to systemd.
#[derive(Clone, Debug)]
pub struct Sign {
    pub text: String,
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    signs: Receiver<Sign>,
    log: PathBuf,
}

/// Writes the policy file with these lines of policies and reports. Mails are files where the lines say nothing else.
pub fn write_policy(host: &Host, lines: &str) {
    host.write_private("policy.toml", &policy_file(host, lines));
}

/// What `write_policy` writes.
pub fn policy_file(host: &Host, lines: &str) -> String {
    let mail = if lines.contains("[smtp]") { "" } else { MAIL_TO_FILES };
    host.policy_text(&(mail.to_owned() + lines))
}

impl Daemon {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(host: &Host) -> Self {
        let daemon = Self::start_with(host, &[], None);
        daemon.hears("READY=1");
        daemon
    }

    /// Starts it with these variables. `watchdog_pid`: "own" is the daemon's own.
    pub fn start_with(host: &Host, variables: &[(&str, &str)], watchdog_pid: Option<&str>) -> Self {
        Self::start_as(host, Path::new(LASTGOOD), variables, watchdog_pid)
    }

    /// The same with another build of the program.
    pub fn start_as(host: &Host, program: &Path, variables: &[(&str, &str)], watchdog_pid: Option<&str>) -> Self {
        let socket = host.path("notify");
        let _ = std::fs::remove_file(&socket);
        let ear = UnixDatagram::bind(&socket).expect("the folder is ours");
        let (tell, signs) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = ear.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if tell.send(Sign { text }).is_err() {
                    return;
                }
            }
        });
        let log = host.path("daemon.log");
        let file = std::fs::File::options().create(true).append(true).open(&log).expect("the folder is ours");
        let mut command = match watchdog_pid {
            // Only the shell knows the process id that the program will have.
            Some("own") => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("WATCHDOG_PID=$$ exec {} daemon", program.display())]);
                shell
            }
            _ => {
                let mut plain = Command::new(program);
                plain.arg("daemon");
                plain
            }
        };
        host.folder.prepare(&mut command);
        command.env("PATH", "/usr/bin:/bin").env("NOTIFY_SOCKET", &socket).envs(variables.iter().copied());
        if let Some(pid) = watchdog_pid.filter(|pid| *pid != "own") {
            command.env("WATCHDOG_PID", pid);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("it starts");
        Self { child, signs, log }
    }

    /// Waits for the next message with this line and skips those before it.
    #[track_caller]
    pub fn hears(&self, line: &str) -> Sign {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.signs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(sign) if sign.text.lines().any(|it| it == line) => return sign,
                Ok(_) => {}
                Err(error) => panic!("{line} was not heard ({error}); the log:\n{}", self.log()),
            }
        }
    }

    /// Every message that arrives during this time.
    pub fn heard_for(&self, time: Duration) -> Vec<Sign> {
        let until = Instant::now() + time;
        let mut signs = Vec::new();
        loop {
            match self.signs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(sign) => signs.push(sign),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return signs,
            }
        }
    }

    /// Sends a signal: `TERM`, `HUP`, `KILL`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.id().to_string()]).status();
        assert!(sent.expect("kill is there").success(), "{signal}");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. How long that took.
    #[track_caller]
    pub fn ends(&mut self, code: i32) -> Duration {
        let begun = Instant::now();
        let status = eventually("the daemon ends", || self.child.try_wait().expect("it is our child"));
        assert_eq!(status.code(), Some(code), "the log:\n{}", self.log());
        begun.elapsed()
    }

    /// Sends SIGTERM; the daemon must exit with 0 within the promised ten seconds.
    #[track_caller]
    pub fn stops(mut self) {
        self.signal("TERM");
        self.hears("STOPPING=1");
        let took = self.ends(0);
        assert!(took < Duration::from_secs(10), "it took {took:?}; the log:\n{}", self.log());
    }

    /// `kill -9`.
    pub fn dies(mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Its log, which must not contain the token.
    #[track_caller]
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(!log.contains(TOKEN), "the token is in the log");
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until there is an answer, or fails after a deadline.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "it did not come to pass: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits for a mail with all of these texts.
#[track_caller]
pub fn mail_with(host: &Host, texts: &[&str]) -> String {
    eventually(&format!("a mail with {texts:?}"), || {
        mails(host).into_iter().find(|mail| texts.iter().all(|text| mail.contains(text)))
    })
}

/// The mails so far, oldest first, with soft line breaks and folded headers undone.
pub fn mails(host: &Host) -> Vec<String> {
    let plain = |mail: String| mail.replace("\r\n", "\n").replace("=\n", "").replace("\n ", " ").replace("=3D", "=");
    read_mails(&host.path("mail")).into_iter().map(plain).collect()
}

/// The subject of a mail.
pub fn subject(mail: &str) -> &str {
    mail.lines().find_map(|line| line.strip_prefix("Subject: ")).expect("a mail has a subject")
}

/// The changes of this kind (such as `point_created`) in the provider's record.
pub fn changes(host: &Host, word: &str) -> Vec<Value> {
    let record = host.provider.record();
    let entries = record["entries"].as_array().expect("the record").iter();
    entries.filter(|entry| entry["change"]["change"] == word).cloned().collect()
}

/// The requests in the provider's record with this method (empty: any) whose paths begin so.
pub fn requests(host: &Host, method: &str, path: &str) -> Vec<Value> {
    let record = host.provider.record();
    let entries = record["entries"].as_array().expect("the record").iter();
    let is_it = |entry: &&Value| {
        let request = &entry["request"];
        (method.is_empty() || request["method"] == method)
            && request["path"].as_str().is_some_and(|it| it.starts_with(path))
    };
    entries.filter(is_it).cloned().collect()
}

/// `history --json`, newest first.
#[track_caller]
pub fn history(host: &Host) -> Vec<Value> {
    let done = host.run(&["history", "--json"]).ends_with(0);
    done.json()["runs"].as_array().expect("runs").clone()
}

/// `status --json`, with the exit code.
pub fn status(host: &Host) -> (i32, Value) {
    let done = host.run(&["status", "--json"]);
    (done.code, done.json())
}
