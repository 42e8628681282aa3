//! One message through one SMTP connection, step by step, each step under its own limit. A connection is never used
//! twice, and every reply must have the code that its step expects: a reply that belongs to another step is a failure,
//! never a delivery.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Auth, Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

use crate::report::error::{DeliveryError, Kind, Refusal, Step};
use crate::report::message::OutboxMessage;
use crate::report::text::plain;
use crate::report::transport::Delivery;

type SmtpError = lettre::transport::smtp::Error;

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Begun in clear text, then encrypted; never sent without (`starttls`).
    StartTls,
    /// Encrypted from the first byte (`tls`).
    Wrapper,
    /// Clear text; refused but to this machine (`none`).
    None,
}

impl Tls {
    /// The port where servers usually listen for it.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Wrapper => 465,
            Self::None => 25,
        }
    }
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The TCP connection.
    pub connect: Duration,
    /// Any other step.
    pub step: Duration,
    /// The message and the answer to its end: servers look into it before they answer.
    pub message: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            step: Duration::from_secs(30),
            message: Duration::from_secs(5 * 60),
        }
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

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).field("password", &"[redacted]").finish()
    }
}

/// How to reach the mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// A name or an address; the certificate must be for it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// The login; `None` for a server that asks for none.
    pub login: Option<Login>,
    /// An authority of one's own (PEM). Then no other is trusted. Read at every delivery.
    pub ca_file: Option<PathBuf>,
    /// How long each step may take.
    pub limits: Limits,
}

impl SmtpSettings {
    fn via(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Sends a message to all its recipients in one transaction.
///
/// # Errors
/// When nobody got it, or nobody knows.
pub async fn send(settings: &SmtpSettings, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
    let (sender, recipients) = addresses(settings, message)?;
    let mut session = Session::open(settings).await?;
    let sent = session.transfer(&sender, &recipients, &message.bytes).await;
    // The answer to QUIT says nothing about the message. A broken connection is just dropped.
    if !matches!(&sent, Err(error) if matches!(error.kind, Kind::NeverSent | Kind::Ambiguous)) {
        let _ = tokio::time::timeout(Duration::from_secs(1).min(settings.limits.step), session.connection.quit()).await;
    }
    sent
}

fn addresses(settings: &SmtpSettings, message: &OutboxMessage) -> Result<(Address, Vec<Address>), DeliveryError> {
    let parse = |step, text: &String| {
        text.parse::<Address>().map_err(|error| {
            DeliveryError::new(&settings.via(), step, Kind::Permanent, &format!("`{text}` is not an address: {error}"))
        })
    };
    let recipients: Result<Vec<_>, _> = message.to.iter().map(|text| parse(Step::Recipients, text)).collect();
    Ok((parse(Step::Sender, &message.from)?, recipients?))
}

struct Session<'a> {
    settings: &'a SmtpSettings,
    connection: AsyncSmtpConnection,
}

impl<'a> Session<'a> {
    /// A connection that is encrypted and logged in as the settings ask.
    async fn open(settings: &'a SmtpSettings) -> Result<Self, DeliveryError> {
        let connection = match settings.tls {
            Tls::Wrapper => connect_encrypted(settings).await?,
            Tls::StartTls | Tls::None => connect_plain(settings).await?,
        };
        let mut session = Self { settings, connection };
        if settings.tls == Tls::StartTls {
            session.start_tls().await?;
        }
        if let Some(login) = &settings.login {
            session.log_in(login).await?;
        }
        Ok(session)
    }

    async fn start_tls(&mut self) -> Result<(), DeliveryError> {
        let fail = |kind, text: &str| DeliveryError::new(&self.settings.via(), Step::StartTls, kind, text);
        if !self.connection.can_starttls() {
            return Err(fail(
                Kind::Misconfigured,
                "the server does not offer STARTTLS; write tls = \"tls\" if this port is encrypted from the start",
            ));
        }
        let parameters = tls_parameters(self.settings, Step::StartTls).await?;
        let name = client_id();
        let begun = self.connection.starttls(parameters, &name);
        match limited(self.settings.limits.step, begun).await {
            Ok(()) => Ok(()),
            Err(Broken::Smtp(error)) => Err(fail(handshake_kind(&error), &words(&error))),
            Err(Broken::Silent(limit)) => Err(fail(Kind::NeverSent, &silence(limit))),
        }
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), DeliveryError> {
        let credentials = Credentials::new(login.username.clone(), login.password.expose_secret().to_owned());
        let attempt = self.connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        let result = limited(self.settings.limits.step, attempt).await;
        let fail = |kind, text: &str| {
            // A server may send back what it was sent.
            DeliveryError::new(&self.settings.via(), Step::Login, kind, &without_secrets(text, login, &credentials))
        };
        match result {
            Ok(reply) if reply.has_code(235) => Ok(()),
            Ok(reply) => Err(fail(Kind::NeverSent, &unexpected(&reply))),
            Err(Broken::Smtp(error)) if error.is_permanent() || error.is_client() => {
                Err(fail(Kind::Misconfigured, &words(&error)))
            }
            Err(Broken::Smtp(error)) if error.is_transient() => Err(fail(Kind::RetryLater, &words(&error))),
            Err(Broken::Smtp(error)) => Err(fail(Kind::NeverSent, &words(&error))),
            Err(Broken::Silent(limit)) => Err(fail(Kind::NeverSent, &silence(limit))),
        }
    }

    /// MAIL, RCPT for each, DATA, the message.
    async fn transfer(
        &mut self,
        sender: &Address,
        recipients: &[Address],
        bytes: &[u8],
    ) -> Result<Delivery, DeliveryError> {
        let parameters = self.mail_parameters(sender, recipients, bytes)?;
        let step = self.settings.limits.step;
        let reply = limited(step, self.connection.command(Mail::new(Some(sender.clone()), parameters))).await;
        self.expect(Step::Sender, &[250], reply)?;
        let mut delivery = Delivery::default();
        for recipient in recipients {
            match limited(step, self.connection.command(Rcpt::new(recipient.clone(), vec![]))).await {
                Err(Broken::Smtp(error)) if error.status().is_some() => delivery.refused.push(Refusal {
                    address: recipient.to_string(),
                    reply: plain(&words(&error)),
                    permanent: error.is_permanent(),
                }),
                reply => {
                    self.expect(Step::Recipients, &[250, 251, 252], reply)?;
                    delivery.accepted.push(recipient.to_string());
                }
            }
        }
        if delivery.accepted.is_empty() {
            return Err(self.nobody(delivery.refused));
        }
        let reply = limited(step, self.connection.command(Data)).await;
        self.expect(Step::Data, &[354], reply).map_err(|error| with(error, &delivery.refused))?;
        let reply = limited(self.settings.limits.message, self.connection.message(bytes)).await;
        self.expect(Step::Message, &[250], reply).map_err(|error| with(error, &delivery.refused))?;
        Ok(delivery)
    }

    fn mail_parameters(
        &self,
        sender: &Address,
        recipients: &[Address],
        bytes: &[u8],
    ) -> Result<Vec<MailParameter>, DeliveryError> {
        let offers = |extension| self.connection.server_info().supports_feature(extension);
        let lacks = |what: &str| {
            let text = format!("the server does not offer {what}, which this message needs");
            DeliveryError::new(&self.settings.via(), Step::Sender, Kind::Permanent, &text)
        };
        let mut parameters = Vec::new();
        if recipients.iter().chain([sender]).any(|address| !address.to_string().is_ascii()) {
            if !offers(Extension::SmtpUtfEight) {
                return Err(lacks("SMTPUTF8"));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !bytes.is_ascii() {
            if !offers(Extension::EightBitMime) {
                return Err(lacks("8BITMIME"));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    /// The reply of a step, if it is one that the step expects.
    fn expect(&self, step: Step, codes: &[u16], reply: Result<Response, Broken>) -> Result<(), DeliveryError> {
        let lost = if step == Step::Message { Kind::Ambiguous } else { Kind::NeverSent };
        let (kind, text) = match reply {
            Ok(reply) if codes.iter().any(|code| reply.has_code(*code)) => return Ok(()),
            Ok(reply) => (lost, unexpected(&reply)),
            Err(Broken::Smtp(error)) if error.is_transient() => (Kind::RetryLater, words(&error)),
            Err(Broken::Smtp(error)) if wants_login(&error) => (Kind::Misconfigured, words(&error)),
            Err(Broken::Smtp(error)) if error.is_permanent() => (Kind::Permanent, words(&error)),
            Err(Broken::Smtp(error)) => (lost, words(&error)),
            Err(Broken::Silent(limit)) => (lost, silence(limit)),
        };
        Err(DeliveryError::new(&self.settings.via(), step, kind, &text))
    }

    fn nobody(&self, refused: Vec<Refusal>) -> DeliveryError {
        let kind = if refused.iter().all(|one| one.permanent) { Kind::Permanent } else { Kind::RetryLater };
        let text = match refused.as_slice() {
            [only] => format!("{} was refused: {}", only.address, only.reply),
            [first, ..] => format!("all {} were refused, {}: {}", refused.len(), first.address, first.reply),
            [] => "the message has no recipient".to_owned(),
        };
        with(DeliveryError::new(&self.settings.via(), Step::Recipients, kind, &text), &refused)
    }
}

fn with(mut error: DeliveryError, refused: &[Refusal]) -> DeliveryError {
    error.refused = refused.to_vec();
    error
}

/// Why a step gave no reply to go on with.
enum Broken {
    Smtp(SmtpError),
    Silent(Duration),
}

/// lettre limits the TCP connection alone; a server that falls silent would be waited for without end.
async fn limited<T>(limit: Duration, step: impl Future<Output = Result<T, SmtpError>>) -> Result<T, Broken> {
    match tokio::time::timeout(limit, step).await {
        Ok(result) => result.map_err(Broken::Smtp),
        Err(_) => Err(Broken::Silent(limit)),
    }
}

async fn connect_plain(settings: &SmtpSettings) -> Result<AsyncSmtpConnection, DeliveryError> {
    let fail = |step, kind, text: &str| DeliveryError::new(&settings.via(), step, kind, text);
    let stream = tcp(settings).await?;
    let is_near = stream.peer_addr().is_ok_and(|address| address.ip().is_loopback());
    if settings.tls == Tls::None && !is_near {
        let text = "tls = \"none\" is for this machine alone; write \"starttls\" or \"tls\"";
        return Err(fail(Step::Connect, Kind::Misconfigured, text));
    }
    let name = client_id();
    let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &name);
    match limited(settings.limits.step, greeting).await {
        Ok(connection) => Ok(connection),
        Err(Broken::Smtp(error)) if error.is_transient() => Err(fail(Step::Greeting, Kind::RetryLater, &words(&error))),
        Err(Broken::Smtp(error)) => Err(fail(Step::Greeting, Kind::NeverSent, &words(&error))),
        Err(Broken::Silent(limit)) => {
            let hint = "a port that is encrypted from the start needs tls = \"tls\"";
            Err(fail(Step::Greeting, Kind::NeverSent, &format!("{}; {hint}", silence(limit))))
        }
    }
}

async fn tcp(settings: &SmtpSettings) -> Result<TcpStream, DeliveryError> {
    let limit = settings.limits.connect;
    let fail = |text: &str| DeliveryError::new(&settings.via(), Step::Connect, Kind::NeverSent, text);
    match tokio::time::timeout(limit, TcpStream::connect((settings.host.as_str(), settings.port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(fail(&error.to_string())),
        Err(_) => Err(fail(&silence(limit))),
    }
}

/// TCP, the handshake and the greeting are one call of lettre's, so one step with the limits of all three.
async fn connect_encrypted(settings: &SmtpSettings) -> Result<AsyncSmtpConnection, DeliveryError> {
    let fail = |kind, text: &str| DeliveryError::new(&settings.via(), Step::Connect, kind, text);
    let parameters = tls_parameters(settings, Step::Connect).await?;
    let limits = settings.limits;
    let (target, name) = ((settings.host.as_str(), settings.port), client_id());
    let connected =
        AsyncSmtpConnection::connect_tokio1(target, Some(limits.connect), &name, Some(parameters), None);
    match limited(limits.connect + limits.step, connected).await {
        Ok(connection) => Ok(connection),
        Err(Broken::Smtp(error)) if error.is_transient() => Err(fail(Kind::RetryLater, &words(&error))),
        Err(Broken::Smtp(error)) => {
            let kind = handshake_kind(&error);
            let hint = if kind == Kind::Misconfigured { "; a port that begins in clear text needs \"starttls\"" } else { "" };
            Err(fail(kind, &format!("{}{hint}", words(&error))))
        }
        Err(Broken::Silent(limit)) => {
            let hint = "a port that begins in clear text needs tls = \"starttls\"";
            Err(fail(Kind::NeverSent, &format!("{}; {hint}", silence(limit))))
        }
    }
}

async fn tls_parameters(settings: &SmtpSettings, step: Step) -> Result<TlsParameters, DeliveryError> {
    let (host, ca_file, via) = (settings.host.clone(), settings.ca_file.clone(), settings.via());
    // Reads files: the authority, or the system's.
    tokio::task::spawn_blocking(move || {
        let builder = TlsParameters::builder(host);
        trusted(builder, ca_file.as_deref())
            .and_then(|builder| builder.build().map_err(|error| error.to_string()))
            .map_err(|text| DeliveryError::new(&via, step, Kind::Misconfigured, &text))
    })
    .await
    .map_err(|error| DeliveryError::new(&settings.via(), step, Kind::NeverSent, &error.to_string()))?
}

fn trusted(builder: TlsParametersBuilder, ca_file: Option<&Path>) -> Result<TlsParametersBuilder, String> {
    let Some(path) = ca_file else { return Ok(builder) };
    let told = |what: &dyn fmt::Display| format!("the authority in {}: {what}", path.display());
    let pem = std::fs::read(path).map_err(|error| told(&error))?;
    let certificate = Certificate::from_pem(&pem).map_err(|error| told(&error))?;
    if !pem.windows(10).any(|window| window == b"-----BEGIN") {
        return Err(told(&"it holds no certificate (PEM)"));
    }
    Ok(builder.certificate_store(CertificateStore::None).add_root_certificate(certificate))
}

fn client_id() -> ClientId {
    ClientId::default()
}

/// A failed handshake is a matter of certificates or of the wrong port; a broken connection may be well tomorrow.
fn handshake_kind(error: &SmtpError) -> Kind {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData) {
            return Kind::Misconfigured;
        }
        source = cause.source();
    }
    Kind::NeverSent
}

/// 530, 534, 535 and 538 say that the login or the encryption is missing, not that the message is unwanted.
fn wants_login(error: &SmtpError) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// The server's own words with their code; else what happened to the connection.
fn words(error: &SmtpError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => format!("{code} {source}"),
        None if error.is_response() && source == "incomplete response" => {
            "the server closed the connection without an answer".to_owned()
        }
        None if source.is_empty() => error.to_string(),
        None => source,
    }
}

fn unexpected(reply: &Response) -> String {
    format!("an answer that belongs to another step: {} {}", reply.code(), reply.first_line().unwrap_or_default())
}

fn silence(limit: Duration) -> String {
    format!("no answer within {} ms", limit.as_millis())
}

/// A text without the password, as it is and as the two ways to log in send it.
fn without_secrets(text: &str, login: &Login, credentials: &Credentials) -> String {
    let sent = |mechanism, challenge: Option<&str>| {
        let auth = Auth::new(mechanism, credentials.clone(), challenge.map(str::to_owned)).ok()?;
        auth.to_string().split_whitespace().last().map(str::to_owned)
    };
    let secrets = [
        Some(login.password.expose_secret().to_owned()),
        sent(Mechanism::Plain, None),
        sent(Mechanism::Login, Some("Password:")),
    ];
    let mut text = text.to_owned();
    for secret in secrets.into_iter().flatten().filter(|secret| !secret.is_empty()) {
        text = text.replace(&secret, "[redacted]");
    }
    text
}

#[cfg(test)]
mod tests;
