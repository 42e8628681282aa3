//! What the policy file says about reports and how they are sent, in the terms of `report`.

use crate::config::{self, Config};
use crate::journal::notice::Class;
use crate::report::channel_senders::{ChannelSenders, MailSender};
use crate::report::pipeline::{Pipeline, Subscription};
use crate::report::recipients::Recipients;
use crate::report::smtp::{Login, SmtpLimits, SmtpSettings, Tls};
use crate::report::transport::MailTransport;

/// The reports of the file and what sends them; `None` if nothing does: notices then wait until a file says how.
///
/// # Errors
/// When the password cannot be read.
pub fn mail_settings(config: &Config) -> Result<Option<Pipeline>, config::SecretError> {
    let mail = config.smtp.as_ref().map(mail_sender).transpose()?;
    let senders = ChannelSenders { mail };
    if senders.channels().is_empty() {
        return Ok(None);
    }
    let reports = config.reports.iter().map(|report| Subscription {
        name: report.name.clone(),
        recipients: vec![Recipients::Mail(report.to.clone())],
        on: report.on.iter().map(|class| class_of(*class)).collect(),
        group_wait: report.group_wait,
        repeat: report.repeat,
        timezone: report.timezone.clone(),
    });
    Ok(Some(Pipeline { instance: config.provider.instance.clone(), senders, reports: reports.collect() }))
}

const fn class_of(class: config::ReportTrigger) -> Class {
    match class {
        config::ReportTrigger::Failure => Class::Failure,
        config::ReportTrigger::Stale => Class::Stale,
        config::ReportTrigger::Recovery => Class::Recovery,
        config::ReportTrigger::Success => Class::Success,
    }
}

fn mail_sender(smtp: &config::Smtp) -> Result<MailSender, config::SecretError> {
    Ok(MailSender { from: smtp.from.clone(), transport: transport(smtp)? })
}

fn transport(smtp: &config::Smtp) -> Result<MailTransport, config::SecretError> {
    if let config::SmtpTransport::File { dir } = &smtp.transport {
        return Ok(MailTransport::File(dir.clone()));
    }
    let login = match (&smtp.username, &smtp.password) {
        (Some(username), Some(password)) => {
            let password = password.read()?.expose().to_owned().into();
            Some(Login { username: username.clone(), password })
        }
        _ => None,
    };
    let tls = match smtp.tls {
        config::SmtpTls::StartTls => Tls::StartTls,
        config::SmtpTls::Tls => Tls::Wrapper,
        config::SmtpTls::None => Tls::None,
    };
    let (host, ca_file) = (smtp.host.clone(), smtp.ca_file.clone());
    Ok(MailTransport::Smtp(SmtpSettings { host, port: smtp.port, tls, login, ca_file, limits: SmtpLimits::default() }))
}
