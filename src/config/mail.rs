//! `[smtp]` and `[report.NAME]`.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::config::diagnostic::Diagnostic;
use crate::config::duration;
use crate::config::environment::Environment;
use crate::config::keys::REPORT;
use crate::config::reader::{Findings, TableReader, choice_of};
use crate::config::settings::{Report, ReportTrigger, SecretSource, Smtp, SmtpTls, SmtpTransport};
use crate::config::value_error::ValueError;
use crate::config::values::{self, filled};

const CLASSES: [(&str, ReportTrigger); 4] = [
    ("failure", ReportTrigger::Failure),
    ("stale", ReportTrigger::Stale),
    ("recovery", ReportTrigger::Recovery),
    ("success", ReportTrigger::Success),
];

/// Reads `[smtp]`.
pub(super) fn smtp(root: &TableReader<'_>, folder: &Path, environment: &Environment) -> Option<Smtp> {
    let reader = root.table("smtp")?;
    let transports = [("smtp", false), ("file", true)];
    let file = reader.choice("transport", &transports).unwrap_or(false);
    let dir = reader.parsed("dir", filled).map(|dir| folder.join(dir));
    let host = reader.parsed("host", filled);
    let tls = reader.choice("tls", &[("starttls", SmtpTls::StartTls), ("tls", SmtpTls::Tls), ("none", SmtpTls::None)]);
    let tls = tls.unwrap_or(SmtpTls::StartTls);
    let standard = match tls {
        SmtpTls::StartTls => 587,
        SmtpTls::Tls => 465,
        SmtpTls::None => 25,
    };
    let port = reader.number("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(standard);
    let username = reader.parsed("username", filled);
    let file_of_password = values::file_of_secret(&reader, "password_file", folder);
    let from = reader.parsed("from", address);
    let ca_file = reader.parsed("ca_file", filled).map(|file| folder.join(file));
    let findings = reader.findings();
    let here = |message: String, help: &str| {
        findings.push(Diagnostic::error(message).at(&reader.name, reader.span.clone()).help(help));
    };
    if reader.lacks("from") {
        here("[smtp] has no `from`".to_owned(), "add from = \"lastgood <backup@example.com>\"");
    }
    if file && dir.is_none() && reader.lacks("dir") {
        here("[smtp] writes files but has no `dir`".to_owned(), "add dir = \"mail\"");
    }
    if !file && reader.lacks("host") {
        here("[smtp] has no `host`".to_owned(), "add host = \"smtp.example.com\"");
    }
    if let Some(host) = host.as_deref().filter(|host| !file && tls == SmtpTls::None && !is_loopback(host)) {
        let message = format!("tls = \"none\" would send mail in the clear to {}", host.escape_debug());
        let span = reader.value("tls").map_or_else(|| reader.span.clone(), |value| value.span());
        let error = Diagnostic::error(message).at(reader.path("tls"), span);
        findings.push(error.help("use \"starttls\" or \"tls\"; \"none\" is for loopback only"));
    }
    let password = password(file_of_password, username.is_some(), environment);
    let transport = match dir {
        Some(dir) if file => SmtpTransport::File { dir },
        _ => SmtpTransport::Smtp,
    };
    reader.finish();
    Some(Smtp { host: host.unwrap_or_default(), port, tls, username, password, from: from?, ca_file, transport })
}

fn password(from_file: Option<SecretSource>, needed: bool, environment: &Environment) -> Option<SecretSource> {
    let credential = || {
        let path = environment.credential("smtp-password")?;
        Some(SecretSource::File { path, from: "the systemd credential smtp-password".to_owned(), span: None })
    };
    from_file.or_else(credential).or_else(|| {
        let text = "there is no SMTP password: name a file with smtp.password_file, or provide the systemd credential smtp-password";
        needed.then(|| SecretSource::Missing(text.to_owned()))
    })
}

/// Reads every `[report.NAME]`.
pub(super) fn reports(root: &TableReader<'_>, zone: &TimeZone) -> (Vec<Report>, Vec<String>) {
    let (mut reports, mut names) = (Vec::new(), Vec::new());
    let Some(tables) = root.table("report") else { return (reports, names) };
    for (name, span, value) in tables.entries() {
        let Some(reader) = tables.below(name, value) else { continue };
        names.push(name.to_owned());
        if let Err(wrong) = values::name(name) {
            let error = Diagnostic::error(format!("the report's name {}", wrong.message));
            reader.findings().push(error.at(&reader.name, span).help(wrong.help));
        }
        reports.extend(report(name, reader, zone));
    }
    (reports, names)
}

fn report(name: &str, reader: TableReader<'_>, zone: &TimeZone) -> Option<Report> {
    let timezone = reader.parsed("timezone", values::zone).unwrap_or_else(|| zone.clone());
    let digest = values::schedule(&reader, "digest", &timezone);
    let on = classes(&reader);
    let mut to = Vec::new();
    for (text, value) in reader.texts("to").unwrap_or_default() {
        match address(text) {
            Ok(address) => to.push(address),
            Err(wrong) => reader.wrong("to", value, format!("`{}` {}", reader.path("to"), wrong.message), wrong.help),
        }
    }
    if reader.lacks("to") || reader.list("to").is_some_and(|(list, _)| list.is_empty()) {
        let error = Diagnostic::error(format!("report `{name}` has no recipients: it has no `to`"));
        reader.findings().push(error.at(&reader.name, reader.span.clone()).help("add to = [\"oncall@example.com\"]"));
    }
    let all = || [ReportTrigger::Failure, ReportTrigger::Stale, ReportTrigger::Recovery].into();
    let on = on.unwrap_or_else(|| if reader.has("digest") { BTreeSet::new() } else { all() });
    let group_wait = reader.duration("group_wait", duration::duration).unwrap_or_else(|| REPORT.duration("group_wait"));
    let repeat = reader.duration("repeat", duration::duration).unwrap_or_else(|| REPORT.duration("repeat"));
    reader.finish();
    Some(Report { name: name.to_owned(), to, on, group_wait, repeat, digest, timezone })
}

fn classes(reader: &TableReader<'_>) -> Option<BTreeSet<ReportTrigger>> {
    debug_assert!(CLASSES.iter().map(|(word, _)| word).eq(REPORT.choices("on")), "`on` and its table disagree");
    let mut on = BTreeSet::new();
    for (text, value) in reader.texts("on")? {
        match choice_of(text, &CLASSES) {
            Ok(class) => {
                on.insert(class);
            }
            Err(wrong) => reader.wrong("on", value, format!("`{}` {}", reader.path("on"), wrong.message), wrong.help),
        }
    }
    Some(on)
}

/// An address, with or without a name before it.
fn address(text: &str) -> Result<String, ValueError> {
    let clean = !text.chars().any(char::is_control);
    if clean && text.parse::<lettre::message::Mailbox>().is_ok() {
        return Ok(text.to_owned());
    }
    let message = format!("is \"{}\", which is not a mail address", crate::config::mask::excerpt(text));
    Err(ValueError::new(message, "as in \"oncall@example.com\" or \"On call <oncall@example.com>\""))
}

/// Reports files whose failures reach nobody.
pub(super) fn check_failures_reach_someone(smtp: Option<&Smtp>, reports: &[Report], findings: &Findings) {
    let reported = reports.iter().any(|report| report.on.contains(&ReportTrigger::Failure) && !report.to.is_empty());
    if smtp.is_none() && !reports.is_empty() {
        let error = Diagnostic::error("the file has reports but no [smtp] to send them");
        findings.push(error.help("add [smtp] with host and from"));
    } else if (!reported || smtp.is_none()) && !findings.has_errors() {
        // A report with an error may be the one that covers failures.
        let warning = Diagnostic::warning("failures reach nobody");
        findings.push(warning.help("add [smtp], and a [report.NAME] with to = [\"oncall@example.com\"]"));
    }
}

/// Whether a host is the loopback interface.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
