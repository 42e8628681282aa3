//! How to reach a mail server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use secrecy::{ExposeSecret, SecretString};

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Starts in clear text, then is encrypted; nothing is sent otherwise (`starttls`).
    StartTls,
    /// Encrypted from the first byte (`tls`).
    Wrapper,
    /// Clear text; only to this machine (`none`).
    None,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpLimits {
    /// The TCP connection.
    pub connect: Duration,
    /// Any other step.
    pub step: Duration,
    /// The message and the reply to it: servers scan the message before they reply.
    pub message: Duration,
    /// The whole session, whatever the limits of its steps.
    pub session: Duration,
}

impl Default for SmtpLimits {
    fn default() -> Self {
        let session = Duration::from_mins(2);
        Self { connect: Duration::from_secs(15), step: Duration::from_secs(30), message: session, session }
    }
}

/// A login. The password is never shown.
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl Login {
    pub(super) fn credentials(&self) -> Credentials {
        Credentials::new(self.username.clone(), self.password.expose_secret().to_owned())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("password", &"[redacted]").finish()
    }
}

/// How to reach the mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// A name or an address, which the certificate must match.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// The login; `None` for a server that needs none.
    pub login: Option<Login>,
    /// The user's own certificate authority (PEM); then no other is trusted. Read at every delivery.
    pub ca_file: Option<PathBuf>,
    /// How long each step may take.
    pub limits: SmtpLimits,
}

impl SmtpSettings {
    pub(super) fn via(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
