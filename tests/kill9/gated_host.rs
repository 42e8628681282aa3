//! A host whose provider is behind a gate, and the program as a process that can be killed.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::{ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use lastgood::seams::clock::Clock;
use lastgood::seams::journal::event::RunKey;
use lastgood::seams::journal::summary::RunHistory;
use lastgood::seams::policy::inventory::{Kind, ServerId, ServerRef};
use lastgood::seams::policy::name::PolicyName;
use lastgood::seams::store::Store;
use lastgood::seams::store::runs::Recorded;
use lastgood::simulator::{Options, Simulator, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::gate::{Gate, Stop, Victim};
use crate::support::folder::{Folder, LASTGOOD};
use crate::support::policy_text::{MAIL_TO_FILES, oncall, provider};

/// The due time that is recorded before the program starts.
pub const DUE: &str = "2026-11-21T02:30:00Z";
/// Nothing takes longer.
const DEADLINE: Duration = Duration::from_secs(45);

/// Serves the providers and gates of all tests.
pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// What outlives the program: its folder, the provider, and the gate between them.
pub struct GatedHost {
    pub simulator: Simulator,
    pub gate: Gate,
    folder: Folder,
}

/// The program, running.
pub struct Running {
    victim: Victim,
    stderr: Option<BufReader<ChildStderr>>,
}

impl GatedHost {
    /// A provider that behaves as the options say, and a folder with a policy file that ends in this text.
    pub fn new(options: Options, policies: &str) -> Self {
        let simulator = Simulator::new(options, Arc::new(|| Clock::System.now()));
        let served = simulator.clone();
        let gate = RUNTIME.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(serve(listener, served, std::future::pending()));
            Gate::open(address).await
        });
        let host = Self { simulator, gate, folder: Folder::new() };
        host.folder.write_private("token", "vps_killed-again");
        host.policies(policies);
        host
    }

    /// Writes the policy file again.
    pub fn policies(&self, policies: &str) {
        // Short, and long enough for a busy machine.
        let pauses = "poll = \"50ms\"\nsettle = \"200ms\"\ntimeout = \"800ms\"";
        // Mails are files, one for each success, unless the policies come with a mail server.
        let mail = if policies.contains("[smtp]") {
            String::new()
        } else {
            MAIL_TO_FILES.to_owned() + &oncall("on = [\"success\"]\ngroup_wait = \"0s\"")
        };
        let origin = format!("http://{}", self.gate.address);
        self.folder.write_private("policy.toml", &(provider(&origin, pauses) + &mail + policies));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// Records a due time of `nightly` on the first server, as a daemon does before anything else.
    pub fn record_due(&self, kind: Kind) {
        let key = RunKey {
            server: ServerRef { id: ServerId::Number(12345), name: "web-server-01".to_owned() },
            policy: PolicyName::new("nightly").unwrap(),
            kind,
            due: Some(DUE.parse().unwrap()),
        };
        // Without the owner's lock: a child that another test is starting would inherit it for a moment.
        let store = self.store();
        let recorded = RUNTIME.block_on(store.open_run(key, Clock::System.now())).unwrap();
        assert!(matches!(recorded, Recorded::New(_)));
    }

    /// Starts the program; the gate counts its requests from 1 and kills it at `stop`.
    pub fn start(&self, arguments: &[&str], stop: Option<Stop>) -> Running {
        self.start_by(Command::new(LASTGOOD).args(arguments), stop)
    }

    /// Starts the program by a command of its own, such as `strace … lastgood …`.
    pub fn start_by(&self, command: &mut Command, stop: Option<Stop>) -> Running {
        self.folder.prepare(command).env("NO_COLOR", "1");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = child.stderr.take().map(BufReader::new);
        let victim: Victim = Arc::new(Mutex::new(child));
        self.gate.watch(&victim, stop);
        Running { victim, stderr }
    }

    /// Runs the daemon until nothing is left to do and stops it, or until `stop` kills it.
    pub fn settle(&self, stop: Option<Stop>) {
        let daemon = self.start(&["daemon"], stop);
        // The signal handlers are installed before its first request.
        let over = self.is_so(|| daemon.has_ended() || (!self.gate.seen().is_empty() && self.is_settled()));
        let (status, said) = daemon.terminate();
        assert!(over, "{DEADLINE:?} are over: {said}\n{:#?}\n{:#?}", self.history(), self.gate.seen());
        assert!(status.success() || stop.is_some(), "{status}: {said}");
    }

    /// Waits for something to become true.
    #[track_caller]
    pub fn until(&self, is_so: impl Fn() -> bool) {
        assert!(self.is_so(is_so), "{DEADLINE:?} are over: {:#?}", self.history());
    }

    /// Whether it becomes true in time.
    fn is_so(&self, is_so: impl Fn() -> bool) -> bool {
        let over = tokio::time::Instant::now() + DEADLINE;
        while !is_so() {
            if tokio::time::Instant::now() >= over {
                return false;
            }
            RUNTIME.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
        true
    }

    /// Whether every run is over and every mail is sent.
    pub fn is_settled(&self) -> bool {
        let store = self.store();
        RUNTIME.block_on(async {
            store.unfinished().await.unwrap().is_empty()
                && store.waiting().await.unwrap().is_empty()
                && store.backlog().await.unwrap().waiting == 0
        })
    }

    /// The state, as its owner. A child that another test has just started may hold the lock for a moment.
    pub fn own_store(&self) -> Store {
        let owned = std::cell::RefCell::new(None);
        self.until(|| {
            *owned.borrow_mut() = Store::own(&self.path("state")).ok();
            owned.borrow().is_some()
        });
        owned.into_inner().unwrap()
    }

    /// The state, beside the program.
    pub fn store(&self) -> Store {
        Store::beside_or_new(&self.path("state")).unwrap()
    }

    /// Every run, newest first.
    pub fn history(&self) -> Vec<RunHistory> {
        let store = self.store();
        RUNTIME.block_on(store.history(None, 100_000)).unwrap()
    }

    /// The mails, one for each file.
    pub fn mail_texts(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path("mail")).into_iter().flatten().map(|file| file.unwrap().path());
        let whole = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        whole.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// Their Message-IDs.
    pub fn mails(&self) -> Vec<String> {
        let mails = self.mail_texts();
        let lines = mails.iter().map(|mail| mail.lines().find(|line| line.to_lowercase().starts_with("message-id:")));
        lines.map(|line| line.expect("a mail has a Message-ID").to_owned()).collect()
    }
}

impl Running {
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.victim.lock().unwrap().try_wait().unwrap().is_some()
    }

    /// The process itself, so that others can kill it.
    pub fn victim(&self) -> Victim {
        Arc::clone(&self.victim)
    }

    /// Its process number.
    pub fn id(&self) -> String {
        self.victim.lock().unwrap().id().to_string()
    }

    /// Its standard error, to be read line by line.
    pub fn take_stderr(&mut self) -> BufReader<ChildStderr> {
        self.stderr.take().unwrap()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(self) -> (ExitStatus, String) {
        self.victim.lock().unwrap().kill().unwrap();
        self.wait()
    }

    /// Asks it to stop, for which it has ten seconds.
    pub fn terminate(self) -> (ExitStatus, String) {
        if !self.has_ended() {
            let id = self.id();
            // It may end by itself just now.
            let _ = Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status();
        }
        let asked = tokio::time::Instant::now();
        let ended = self.wait();
        assert!(asked.elapsed() < Duration::from_secs(10), "shutdown took {:?}: {}", asked.elapsed(), ended.1);
        ended
    }

    /// Waits for its end. What it said on standard error.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        // The pipe ends when the process does. The child is locked only then, so that the gate can kill it.
        self.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = self.victim.lock().unwrap().wait().unwrap();
        (status, said)
    }
}

impl Drop for Running {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if let Ok(mut child) = self.victim.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
