//! Where the demo runs: a new folder with a policy file, and a simulated provider on loopback with some points.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::policy::mark::{Mark, Token};
use crate::policy::name::PolicyName;
use crate::simulator::{By, ChangeKind, Options, PointKind, PointSpec, ServerSpec, Simulator, What, serve};

/// The only token that the simulated provider accepts.
const TOKEN: &str = "vps_of-the-demo-alone";

/// Dropping the sender stops the simulator; the handle is its task.
type Serving = (oneshot::Sender<()>, JoinHandle<std::io::Result<()>>);

/// Everything that the demo sets up.
pub(super) struct Sandbox {
    /// The folder that holds everything.
    pub folder: PathBuf,
    /// The policy file.
    pub policy: PathBuf,
    /// Its text.
    pub text: String,
    /// Where the mails are written.
    pub mails: PathBuf,
    /// The simulated provider's address.
    pub url: String,
    /// The simulated provider.
    pub simulator: Simulator,
    /// The time.
    pub clock: Clock,
    serving: Mutex<Option<Serving>>,
}

impl Sandbox {
    /// Creates the folder, starts the provider and writes the policy file.
    ///
    /// # Errors
    /// When the folder cannot be created, or loopback cannot be listened on.
    pub(super) async fn build(clock: &Clock) -> anyhow::Result<Self> {
        let now = clock.now();
        let folder = make_folder(now)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("loopback cannot be listened on")?;
        let url = format!("http://127.0.0.1:{}/api/v1", listener.local_addr()?.port());
        let time = clock.clone();
        let simulator = Simulator::new(options(now), Arc::new(move || time.now()));
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = async move {
            // Ends when the sandbox is dropped, too.
            let _ = ended.await;
        };
        let serving = tokio::spawn(serve(listener, simulator.clone(), shutdown));
        let text = policy_text(&url);
        let (policy, mails) = (folder.join("policy.toml"), folder.join("mail"));
        write_private(&folder.join("token"), TOKEN)?;
        write_private(&policy, &text)?;
        let serving = Mutex::new(Some((end, serving)));
        Ok(Self { folder, policy, text, mails, url, simulator, clock: clock.clone(), serving })
    }

    /// Stops the provider and waits for its end.
    ///
    /// # Errors
    /// When serving has failed.
    pub(super) async fn close(&self) -> anyhow::Result<()> {
        let serving = self.serving.lock().expect("no code panics while it holds the sandbox").take();
        if let Some((end, serving)) = serving {
            drop(end);
            serving.await?.context("the simulator stopped serving")?;
        }
        Ok(())
    }

    /// What the provider counted.
    pub(super) fn tally(&self) -> String {
        let by_us = |change: ChangeKind| {
            let entries = self.simulator.account().record().entries().to_vec();
            let ours = |what: &What| matches!(what, What::Change(one) if one.change == change && one.by == By::Client);
            entries.iter().filter(|entry| ours(&entry.what)).count()
        };
        format!(
            "\nThe provider's own record: lastgood created {} points and deleted {}; no server was ever over its limit.",
            by_us(ChangeKind::PointCreated),
            by_us(ChangeKind::PointDeleted)
        )
    }
}

/// Creates a folder that only this user can use. An existing one is an error: it may be somebody else's.
fn make_folder(now: Timestamp) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let name = format!("lastgood-demo-{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&folder).with_context(|| {
        format!("the demo's folder {} cannot be created; set TMPDIR to use another place", folder.display())
    })?;
    Ok(folder)
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{}", text.trim_end()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn policy_text(url: &str) -> String {
    format!(
        r#"[provider]
url = "{url}"
token_file = "token"
requests_per_second = 50
poll = "250ms"                      # with a real provider: 15 s
settle = "3s"                       # how long a list may lag behind

[state]
dir = "state"

[policy.frequent]
kind = "snapshot"
servers = ["*"]
schedule = "*/6 * * * * *"          # every 6 seconds; in real life "0 * * * *"
keep = {{ last = 3 }}
retries = 0
max_age = "1h"

[policy.nightly]
kind = "backup"
servers = ["web-server-01", "web-server-02"]
schedule = "*/18 * * * * *"         # in real life "30 2 * * *"
keep = {{ last = 2 }}
max_age = "1h"

[smtp]
transport = "file"                  # writes files; otherwise a mail server is named here
dir = "mail"
from = "lastgood <backup@example.com>"

[report.oncall]
to = ["oncall@example.com"]
on = ["failure", "stale", "recovery"]
group_wait = "2s"
"#
    )
}

fn options(now: Timestamp) -> Options {
    let mut foreign = Vec::new();
    for (server, people) in [("web-server-01", 1), ("web-server-02", 2), ("web-server-03", 5)] {
        foreign.extend((1..=people).map(|number| of_a_person(server, number)));
        if people < 5 {
            foreign.extend((1..=3).map(|hours| of_lastgood(server, now, hours)));
        }
    }
    let mut backup = PointSpec::aged(PointKind::Backup, "web-server-01", 9 * 86_400);
    backup.description = "before the new shop".to_owned();
    foreign.push(backup);
    Options {
        servers: ServerSpec::numbered(3, crate::simulator::Style::Integer),
        foreign,
        token: Some(TOKEN.to_owned()),
        completion: Duration::from_millis(1500),
        ..Options::default()
    }
}

fn of_a_person(server: &str, number: i64) -> PointSpec {
    let mut spec = PointSpec::aged(PointKind::Snapshot, server, number * 86_400);
    spec.name = Some(format!("before-upgrade-{number}"));
    spec.description = "made by hand".to_owned();
    spec
}

/// A snapshot that an earlier lastgood created.
fn of_lastgood(server: &str, now: Timestamp, hours: i64) -> PointSpec {
    let age = SignedDuration::from_hours(hours);
    let due = now - age;
    let due = Timestamp::from_second(due.as_second()).unwrap_or(due);
    let seed = server.bytes().fold(hours.unsigned_abs(), |seed, byte| seed.wrapping_mul(1_000_003) ^ u64::from(byte));
    let mark = Mark {
        token: Token::from_random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        instance: "main".to_owned(),
        policy: PolicyName::new("frequent").expect("letters alone"),
        due,
    };
    let mut spec = PointSpec::aged(PointKind::Snapshot, server, age.as_secs());
    spec.name = Some(mark.name());
    spec.description = mark.description();
    spec
}
