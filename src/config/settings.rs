//! The validated policy file: every default filled in, every name resolved, secrets not read yet.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::environment::Environment;
use crate::config::error::SecretError;
use crate::config::file;
use crate::config::secret::Secret;
use crate::policy::inventory::Kind;
use crate::policy::name::PolicyName;
use crate::policy::policy::Policy;
use crate::policy::schedule::Schedule;
use crate::policy::selector::Selector;

/// A valid policy file.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[provider]`.
    pub provider: ProviderSettings,
    /// `[state] dir`, or its default.
    pub state_dir: PathBuf,
    /// `[state] keep`: how long a finished run is remembered.
    pub state_keep: Duration,
    /// Every `[policy.NAME]`, in the order of the file.
    pub policies: Vec<Arc<Policy>>,
    /// Every `[server.NAME.POLICY]`.
    pub overrides: Vec<Override>,
    /// `[smtp]`.
    pub smtp: Option<Smtp>,
    /// Every `[report.NAME]`.
    pub reports: Vec<Report>,
    /// `[status]`.
    pub status: StatusSettings,
    /// The text of the file. It holds no secrets; they are in files of their own.
    pub source: String,
}

/// What differs on one server, or a policy of that server only.
#[derive(Clone, Debug)]
pub struct Override {
    /// The server.
    pub selector: Selector,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Whether it is a policy of this server only, because no `[policy.NAME]` exists.
    pub own: bool,
}

/// `[provider]`.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The base URL.
    pub url: String,
    /// Part of the mark.
    pub instance: String,
    /// Where the token comes from.
    pub token: SecretSource,
    /// The time limit for one request.
    pub timeout: Duration,
    /// The rate limit for all requests together.
    pub requests_per_second: u32,
    /// Restore points being created at once.
    pub parallel_runs: u32,
    /// The shortest time between two reads of a list.
    pub poll: Duration,
    /// How long a list may lag behind an accepted request.
    pub settle: Duration,
    /// The provider's limits per server.
    pub slots: SlotLimits,
    /// A certificate authority of the user's own.
    pub ca_file: Option<PathBuf>,
}

/// `provider.slots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotLimits {
    /// Manual backups.
    pub backup: u32,
    /// Snapshots.
    pub snapshot: u32,
}

impl SlotLimits {
    /// The limit for a kind.
    #[must_use]
    pub const fn of(self, kind: Kind) -> u32 {
        match kind {
            Kind::Backup => self.backup,
            Kind::Snapshot => self.snapshot,
        }
    }
}

/// Where a secret comes from. It is read when it is needed, not before.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// A file that the policy file names, or a systemd credential.
    File {
        /// The file.
        path: PathBuf,
        /// What messages call it: the key or the credential.
        from: String,
        /// Where the policy file names it, if it does.
        span: Option<Range<usize>>,
    },
    /// The value of an environment variable, read at start.
    Variable(Secret),
    /// Nothing names one; the text says how to provide one.
    Missing(String),
}

impl SecretSource {
    /// Where the API token comes from if the policy file names no file.
    pub(crate) fn token_without_file(environment: &Environment) -> Self {
        let credential = || {
            let path = environment.credential("vps-api-token")?;
            Some(Self::File { path, from: "the systemd credential vps-api-token".to_owned(), span: None })
        };
        let variable = || environment.api_token.clone().map(Self::Variable);
        credential().or_else(variable).unwrap_or_else(|| {
            let text = "there is no API token: name a file with provider.token_file, provide the systemd credential \
                        vps-api-token, or set the variable VPS_API_TOKEN";
            Self::Missing(text.to_owned())
        })
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// If there is none, or its file is missing, unreadable or empty.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Variable(secret) => Ok(secret.clone()),
            Self::Missing(text) => Err(SecretError::Missing(text.clone())),
            Self::File { path, from, .. } => {
                let (text, _) = file::read(path, file::SECRET_BYTES).map_err(|source| SecretError::Unreadable {
                    path: path.clone(),
                    from: from.clone(),
                    source,
                })?;
                if text.trim().is_empty() || text.trim().contains(char::is_whitespace) {
                    return Err(SecretError::Empty { path: path.clone(), from: from.clone() });
                }
                Ok(Secret::new(&text))
            }
        }
    }
}

/// `[smtp]`.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// The login.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// The sender.
    pub from: String,
    /// A certificate authority of the user's own.
    pub ca_file: Option<PathBuf>,
    /// Over the network or into a folder.
    pub transport: SmtpTransport,
}

/// How mails are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmtpTransport {
    /// By SMTP.
    Smtp,
    /// As `.eml` files.
    File {
        /// The folder.
        dir: PathBuf,
    },
}

/// How the SMTP connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None; only to loopback.
    None,
}

/// `[report.NAME]`.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// The recipients.
    pub to: Vec<String>,
    /// What it reports.
    pub on: BTreeSet<ReportTrigger>,
    /// Events within this time share one mail.
    pub group_wait: Duration,
    /// How often an incident that lasts is reported again.
    pub repeat: Duration,
    /// When its digest is due.
    pub digest: Option<Schedule>,
    /// The zone of its times.
    pub timezone: TimeZone,
}

/// A word of `on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportTrigger {
    /// A run failed, or somebody must look.
    Failure,
    /// There is no recent good point.
    Stale,
    /// An incident is over.
    Recovery,
    /// A run succeeded.
    Success,
}

/// `[status]`.
#[derive(Clone, Debug, Default)]
pub struct StatusSettings {
    /// Where the page is served; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// The names, in lower case, that the listener answers to besides `localhost` and IP addresses.
    pub hosts: Vec<String>,
    /// Servers that need no policy.
    pub unprotected_ok: Vec<Selector>,
}

impl Config {
    /// Whether a policy in the file has this name, or had it before.
    #[must_use]
    pub fn knows_policy(&self, name: &str, kind: Kind) -> bool {
        let of_servers = self.overrides.iter().map(|one| &one.policy);
        self.policies.iter().chain(of_servers).any(|policy| policy.kind == kind && policy.answers_to(name))
    }

    /// The names of all policies, each once.
    #[must_use]
    pub fn policy_names(&self) -> BTreeSet<&PolicyName> {
        let of_servers = self.overrides.iter().map(|one| &one.policy);
        self.policies.iter().chain(of_servers).map(|policy| &policy.name).collect()
    }
}
