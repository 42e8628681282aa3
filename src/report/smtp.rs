//! One message through one SMTP connection, step by step, each step under its own limit. A connection is never used
//! twice, and every reply must have the code that its step expects: a reply that belongs to another step is a failure,
//! never a delivery.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Auth, Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use secrecy::{ExposeSecret, SecretString};

use crate::report::error::{DeliveryError, Kind, Refusal, Step};
use crate::report::message::OutboxMessage;
use crate::report::text::plain;
use crate::report::transport::Delivery;

mod connect;

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
        Self { connect: Duration::from_secs(15), step: Duration::from_secs(30), message: Duration::from_secs(5 * 60) }
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
            Tls::Wrapper => connect::encrypted(settings).await?,
            Tls::StartTls | Tls::None => connect::in_clear(settings).await?,
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
        let parameters = connect::tls_parameters(self.settings, Step::StartTls).await?;
        let name = ClientId::default();
        let begun = self.connection.starttls(parameters, &name);
        match limited(self.settings.limits.step, begun).await {
            Ok(()) => Ok(()),
            Err(Broken::Smtp(error)) => Err(fail(connect::handshake_kind(&error), &words(&error))),
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
