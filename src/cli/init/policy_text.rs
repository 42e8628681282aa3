//! The text of a first policy file, from the answers alone. Names of servers are the provider's text: they stand in
//! comments, cleaned, and nothing in them can end the comment.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cli::init::answers::{Answers, ChosenServer, KeepAnswer, MailAnswer, TokenLine};
use crate::policy::inventory::ServerId;
use crate::policy::text::{shortened, visible};

/// The name of the policy.
pub(super) const POLICY: &str = "daily";
/// Where comments begin, if the line is short enough.
const COMMENT_COLUMN: usize = 32;
/// The most characters of a name in a comment.
const NAME_LENGTH: usize = 60;
/// The most points that fitting rules keep.
const MOST_KEPT: u32 = 7;

/// How many points a policy keeps on a server where this many of the slots are taken by others: one slot stays free, so
/// that the new point is created before an old one goes.
pub(super) fn fitting(slots: u32, taken: u32) -> u32 {
    slots.saturating_sub(taken).saturating_sub(1).clamp(1, MOST_KEPT)
}

/// Whether a server has too few free slots for a point to be replaced.
pub(super) fn is_crowded(slots: u32, taken: u32) -> bool {
    slots.saturating_sub(taken) < 2
}

/// Rules that keep this many points: about three weeks for four days.
fn rules(points: u32) -> String {
    match points * 3 / 7 {
        0 => format!("daily = {points}"),
        weekly => format!("daily = {}, weekly = {weekly}", points - weekly),
    }
}

/// What the policy keeps on most servers.
pub(super) fn usual_rules(slots: u32, servers: &[ChosenServer]) -> String {
    rules(usual_count(slots, servers))
}

fn usual_count(slots: u32, servers: &[ChosenServer]) -> u32 {
    let mut tally: BTreeMap<u32, usize> = BTreeMap::new();
    for server in servers {
        *tally.entry(fitting(slots, server.taken)).or_default() += 1;
    }
    // Of several that are equally frequent, the largest: the others have tables of their own.
    tally.into_iter().max_by_key(|(points, servers)| (*servers, *points)).map_or_else(|| fitting(slots, 0), |(n, _)| n)
}

/// The policy file.
pub(super) fn policy_text(answers: &Answers) -> String {
    let mut text = String::new();
    let account = in_comment(&answers.account);
    let _ = writeln!(text, "# Written by `lastgood init` for the account {account}.");
    text.push_str("# `lastgood check` shows what it means; docs/policy.md explains every key.\n\n");
    provider(&mut text, answers);
    policy(&mut text, answers);
    if answers.keep == KeepAnswer::Fitting {
        servers_with_less_room(&mut text, answers);
    }
    match &answers.mail {
        Some(mail) => send_mail(&mut text, mail),
        None => text.push_str(NO_MAIL),
    }
    text
}

const NO_MAIL: &str = "\n# Nobody receives failure reports until these lines are filled in.\n# [smtp]\n# host = \
                       \"smtp.example.com\"\n# from = \"lastgood <backup@example.com>\"\n#\n# [report.oncall]\n# to = \
                       [\"oncall@example.com\"]\n";

fn provider(text: &mut String, answers: &Answers) {
    text.push_str("[provider]\n");
    if let Some(url) = &answers.url {
        let _ = writeln!(text, "url = {}", quoted(url));
    }
    match &answers.token {
        TokenLine::File(file) => {
            line(text, &format!("token_file = {}", quoted(file)), "the API token and nothing else; chmod 600");
        }
        TokenLine::Credential => text.push_str("# The API token is the systemd credential vps-api-token.\n"),
        TokenLine::Variable => {
            text.push_str(
                "# The API token is in the variable VPS_API_TOKEN; token_file = \"token\" would name a file.\n",
            );
        }
    }
}

fn policy(text: &mut String, answers: &Answers) {
    let (at, slots) = (answers.at, answers.slots);
    let _ = writeln!(text, "\n[policy.{POLICY}]");
    line(
        text,
        &format!("kind = {}", quoted(answers.kind.word())),
        "backup (separate storage) | snapshot (quick, same storage)",
    );
    if answers.servers.is_empty() {
        line(text, "servers = [\"*\"]", "every server; the account has none yet");
    } else {
        line(text, "servers = [", "\"*\" would be every server, also those to come");
        for server in &answers.servers {
            line(text, &format!("    {},", id(&server.reference.id)), &in_comment(&server.reference.name));
        }
        text.push_str("]\n");
    }
    let schedule = format!("{} {} * * *", at.minute, at.hour);
    line(
        text,
        &format!("schedule = {}", quoted(&schedule)),
        &format!("every day at {:02}:{:02} in this zone", at.hour, at.minute),
    );
    let _ = writeln!(text, "timezone = {}", quoted(&answers.timezone));
    match &answers.keep {
        KeepAnswer::Rules(rules) => {
            let _ = writeln!(text, "keep = {{ {rules} }}");
        }
        KeepAnswer::Fitting => {
            let points = usual_count(slots, &answers.servers);
            let fits = format!("{points} of the {slots} {} that a server may have", answers.kind.plural());
            line(text, &format!("keep = {{ {} }}", rules(points)), &fits);
        }
    }
}

fn servers_with_less_room(text: &mut String, answers: &Answers) {
    let slots = answers.slots;
    let usual = usual_count(slots, &answers.servers);
    for server in answers.servers.iter().filter(|server| fitting(slots, server.taken) < usual) {
        let name = in_comment(&server.reference.name);
        let _ = writeln!(
            text,
            "\n# {name}: other points take {} of its {slots} slots{}.",
            server.taken,
            if is_crowded(slots, server.taken) { "; delete some of them, or runs fail or replace nothing" } else { "" }
        );
        let _ = writeln!(text, "[server.{}.{POLICY}]", key(&server.reference.id));
        let _ = writeln!(text, "keep = {{ {} }}", rules(fitting(slots, server.taken)));
    }
}

fn send_mail(text: &mut String, mail: &MailAnswer) {
    let to: Vec<String> = mail.to.iter().map(|address| quoted(address)).collect();
    let _ = write!(
        text,
        "\n[smtp]\nhost = {}\n# username = \"lastgood\"            # if the mail server asks for a login\n# password_file = \
         \"smtp-password\"\nfrom = {}\n\n[report.oncall]\nto = [{}]\n",
        quoted(&mail.host),
        quoted(&mail.from),
        to.join(", ")
    );
}

fn line(text: &mut String, code: &str, comment: &str) {
    let _ = writeln!(text, "{code:COMMENT_COLUMN$} # {comment}");
}

/// Text from outside, with nothing in it that could end a comment.
fn in_comment(text: &str) -> String {
    shortened(&visible(text), NAME_LENGTH)
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// An id as a value.
fn id(id: &ServerId) -> String {
    match id {
        ServerId::Number(number) => number.to_string(),
        ServerId::Text(text) => quoted(text),
    }
}

/// An id as a key.
fn key(id: &ServerId) -> String {
    match id {
        ServerId::Number(number) if *number >= 0 => number.to_string(),
        other => basic_string(&other.to_string()),
    }
}

/// A key in double quotes: unlike values, keys may not be written as multi-line strings.
fn basic_string(text: &str) -> String {
    let mut written = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(written, "\\u{:04X}", u32::from(c));
            }
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

#[cfg(test)]
mod tests;
