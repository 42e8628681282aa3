//! Sends one message over one SMTP connection, step by step, each step with its own time limit. A connection is never
//! reused, and every reply must have the code that its step expects: a reply that belongs to another step is a failure,
//! never a delivery.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo};
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;

use crate::report::delivery::{Delivery, OutboxMessage};
use crate::report::error::{DeliveryError, DeliveryStep, FailureKind, RecipientRefusal};
use crate::report::smtp::dialogue::{Dialogue, ReplyError, SessionDeadline};
use crate::report::text::plain;

mod connect;
mod dialogue;
mod settings;

pub use settings::{Login, SmtpLimits, SmtpSettings, Tls};

type SmtpError = lettre::transport::smtp::Error;

/// Sends a message to all its recipients in one transaction.
///
/// # Errors
/// When nobody received it, or that is unknown.
pub(crate) async fn send(settings: &SmtpSettings, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
    let (sender, recipients) = addresses(settings, message)?;
    let mut session = Session::open(settings).await?;
    let sent = session.transfer(&sender, &recipients, &message.bytes).await;
    // The reply to QUIT says nothing about the message. A broken connection is just dropped.
    if !matches!(&sent, Err(error) if matches!(error.kind, FailureKind::NeverSent | FailureKind::Ambiguous)) {
        let limit = Duration::from_secs(1).min(settings.limits.step);
        let _ = session.deadline.within(limit, session.dialogue.command(Quit)).await;
    }
    sent
}

fn addresses(settings: &SmtpSettings, message: &OutboxMessage) -> Result<(Address, Vec<Address>), DeliveryError> {
    let parse = |step, text: &String| {
        text.parse::<Address>().map_err(|error| {
            DeliveryError::new(
                &settings.via(),
                step,
                FailureKind::Permanent,
                &format!("`{text}` is not an address: {error}"),
            )
        })
    };
    let recipients: Result<Vec<_>, _> = message.to.iter().map(|text| parse(DeliveryStep::Recipients, text)).collect();
    Ok((parse(DeliveryStep::Sender, &message.from)?, recipients?))
}

struct Session<'a> {
    settings: &'a SmtpSettings,
    deadline: SessionDeadline,
    dialogue: Dialogue,
    /// What the server offered last: after STARTTLS, nothing that it said in clear text.
    offers: ServerInfo,
}

impl<'a> Session<'a> {
    /// Opens a connection, encrypted and logged in as the settings require.
    async fn open(settings: &'a SmtpSettings) -> Result<Self, DeliveryError> {
        let deadline = SessionDeadline::begin(settings.limits);
        let dialogue = connect::connect(settings, &deadline).await?;
        let mut session = Self { settings, deadline, dialogue, offers: ServerInfo::default() };
        let greeting = session.deadline.within(settings.limits.step, session.dialogue.reply()).await;
        session.expect(DeliveryStep::Greeting, &[220], greeting)?;
        session.hello(DeliveryStep::Greeting).await?;
        if settings.tls == Tls::StartTls {
            session = session.start_tls().await?;
        }
        if let Some(login) = &settings.login {
            session.log_in(login).await?;
        }
        Ok(session)
    }

    /// EHLO: who we are, and what the server offers.
    async fn hello(&mut self, step: DeliveryStep) -> Result<(), DeliveryError> {
        let command = self.dialogue.command(Ehlo::new(ClientId::default()));
        let reply = self.deadline.within(self.settings.limits.step, command).await;
        let reply = self.expect(step, &[250], reply)?;
        self.offers = ServerInfo::from_response(&reply)
            .map_err(|_| self.fail(step, FailureKind::NeverSent, "the server's reply to EHLO has no name"))?;
        Ok(())
    }

    /// The same session, encrypted.
    async fn start_tls(mut self) -> Result<Self, DeliveryError> {
        if !self.offers.supports_feature(Extension::StartTls) {
            let text = "the server does not offer STARTTLS; set tls = \"tls\" if this port is encrypted from the start";
            return Err(self.fail(DeliveryStep::StartTls, FailureKind::Misconfigured, text));
        }
        let reply = self.deadline.within(self.settings.limits.step, self.dialogue.command(Starttls)).await;
        self.expect(DeliveryStep::StartTls, &[220], reply)?;
        self.dialogue = connect::encrypt(self.dialogue, self.settings, &self.deadline, DeliveryStep::StartTls).await?;
        self.hello(DeliveryStep::StartTls).await?;
        Ok(self)
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), DeliveryError> {
        let Some(mechanism) = self.offers.get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login]) else {
            let text = "the server offers no login that lastgood supports (AUTH PLAIN or LOGIN)";
            return Err(self.fail(DeliveryStep::Login, FailureKind::Misconfigured, text));
        };
        let credentials = login.credentials();
        let attempt = authenticate(&mut self.dialogue, mechanism, &credentials);
        let result = self.deadline.within(self.settings.limits.step, attempt).await;
        let kind = match &result {
            Ok(reply) if reply.has_code(235) => return Ok(()),
            Err(broken @ ReplyError::Refused(_)) if is_permanent(broken) => FailureKind::Misconfigured,
            Err(ReplyError::Refused(_)) => FailureKind::RetryLater,
            _ => FailureKind::NeverSent,
        };
        let text = result.map_or_else(|broken| broken.to_string(), |reply| unexpected(&reply));
        Err(self.fail(DeliveryStep::Login, kind, &text))
    }

    /// MAIL, RCPT for each, DATA, the message.
    async fn transfer(
        &mut self,
        sender: &Address,
        recipients: &[Address],
        bytes: &[u8],
    ) -> Result<Delivery, DeliveryError> {
        let parameters = self.mail_parameters(sender, recipients, bytes)?;
        let (deadline, step) = (self.deadline, self.settings.limits.step);
        let reply = deadline.within(step, self.dialogue.command(Mail::new(Some(sender.clone()), parameters))).await;
        self.expect(DeliveryStep::Sender, &[250], reply)?;
        let mut delivery = Delivery::default();
        for recipient in recipients {
            match deadline.within(step, self.dialogue.command(Rcpt::new(recipient.clone(), vec![]))).await {
                Err(broken @ ReplyError::Refused(_)) => delivery.refused.push(RecipientRefusal {
                    address: recipient.to_string(),
                    reply: plain(&self.without_secrets(&broken.to_string())),
                    permanent: is_permanent(&broken),
                }),
                reply => {
                    self.expect(DeliveryStep::Recipients, &[250, 251, 252], reply)?;
                    delivery.accepted.push(recipient.to_string());
                }
            }
        }
        if delivery.accepted.is_empty() {
            return Err(self.nobody(delivery.refused));
        }
        let reply = deadline.within(step, self.dialogue.command(Data)).await;
        self.expect(DeliveryStep::Data, &[354], reply).map_err(|error| with(error, &delivery.refused))?;
        let reply = deadline.within(self.settings.limits.message, self.dialogue.message(bytes)).await;
        self.expect(DeliveryStep::Message, &[250], reply).map_err(|error| with(error, &delivery.refused))?;
        Ok(delivery)
    }

    fn mail_parameters(
        &self,
        sender: &Address,
        recipients: &[Address],
        bytes: &[u8],
    ) -> Result<Vec<MailParameter>, DeliveryError> {
        let offers = |extension| self.offers.supports_feature(extension);
        let lacks = |what: &str| {
            let text = format!("the server does not offer {what}, which this message needs");
            self.fail(DeliveryStep::Sender, FailureKind::Permanent, &text)
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

    /// The reply, if it is one that the step expects.
    fn expect(
        &self,
        step: DeliveryStep,
        codes: &[u16],
        reply: Result<Response, ReplyError>,
    ) -> Result<Response, DeliveryError> {
        let lost = if step == DeliveryStep::Message { FailureKind::Ambiguous } else { FailureKind::NeverSent };
        let broken = match reply {
            Ok(reply) if codes.iter().any(|code| reply.has_code(*code)) => return Ok(reply),
            Ok(reply) => return Err(self.fail(step, lost, &unexpected(&reply))),
            Err(broken) => broken,
        };
        let begins = matches!(step, DeliveryStep::Greeting | DeliveryStep::StartTls);
        let kind = match &broken {
            ReplyError::Refused(_) if !is_permanent(&broken) => FailureKind::RetryLater,
            // A server that refuses us now may accept us tomorrow; it has not seen the message yet.
            ReplyError::Refused(_) if begins => FailureKind::NeverSent,
            ReplyError::Refused(reply) if wants_login(reply) => FailureKind::Misconfigured,
            ReplyError::Refused(_) => FailureKind::Permanent,
            // Seen before anything of the step was sent.
            ReplyError::Unsolicited => FailureKind::NeverSent,
            _ => lost,
        };
        let silent = matches!(broken, ReplyError::StepTimeout(_))
            && step == DeliveryStep::Greeting
            && self.settings.tls != Tls::Wrapper;
        let hint = if silent { "; a port that is encrypted from the start needs tls = \"tls\"" } else { "" };
        Err(self.fail(step, kind, &format!("{broken}{hint}")))
    }

    fn fail(&self, step: DeliveryStep, kind: FailureKind, text: &str) -> DeliveryError {
        DeliveryError::new(&self.settings.via(), step, kind, &self.without_secrets(text))
    }

    /// Removes secrets: a server may repeat what it was sent, at login or later.
    fn without_secrets(&self, text: &str) -> String {
        self.settings.login.as_ref().map_or_else(|| text.to_owned(), |login| without_secrets(text, login))
    }

    fn nobody(&self, refused: Vec<RecipientRefusal>) -> DeliveryError {
        let kind =
            if refused.iter().all(|one| one.permanent) { FailureKind::Permanent } else { FailureKind::RetryLater };
        let text = match refused.as_slice() {
            [only] => format!("{} was refused: {}", only.address, only.reply),
            [first, ..] => format!("all {} were refused; {}: {}", refused.len(), first.address, first.reply),
            [] => "the message has no recipient".to_owned(),
        };
        with(self.fail(DeliveryStep::Recipients, kind, &text), &refused)
    }
}

fn with(mut error: DeliveryError, refused: &[RecipientRefusal]) -> DeliveryError {
    error.refused = refused.to_vec();
    error
}

/// AUTH, and answers to the server's challenges; only a few, so that it ends.
async fn authenticate(
    dialogue: &mut Dialogue,
    mechanism: Mechanism,
    credentials: &Credentials,
) -> Result<Response, ReplyError> {
    let to_text = |error: SmtpError| ReplyError::Malformed(error.to_string());
    let begin = Auth::new(mechanism, credentials.clone(), None).map_err(to_text)?;
    let mut reply = dialogue.command(begin).await?;
    for _ in 0..10 {
        if !reply.has_code(334) {
            break;
        }
        let answer = Auth::new_from_response(mechanism, credentials.clone(), &reply).map_err(to_text)?;
        reply = dialogue.command(answer).await?;
    }
    Ok(reply)
}

/// Whether the refusal is permanent (5xx).
fn is_permanent(broken: &ReplyError) -> bool {
    matches!(broken, ReplyError::Refused(reply) if u16::from(reply.code()) >= 500)
}

/// 530, 534, 535 and 538 say that the login or the encryption is missing, not that the message is unwanted.
fn wants_login(reply: &Response) -> bool {
    matches!(u16::from(reply.code()), 530 | 534 | 535 | 538)
}

fn unexpected(reply: &Response) -> String {
    format!("a reply that belongs to another step: {} {}", reply.code(), reply.first_line().unwrap_or_default())
}

/// A text without the password, in clear text and in the forms that the two login mechanisms send.
fn without_secrets(text: &str, login: &Login) -> String {
    let credentials = login.credentials();
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
