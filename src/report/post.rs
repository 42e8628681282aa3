//! From notices to delivered mail: composes what is due into the outbox, and sends what the outbox holds.
//!
//! A notice is marked told in the transaction that stores its mail; a mail is stored byte for byte, so that a repeat
//! is seen as the same. Mail that cannot be sent waits and never delays a run.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::notice::{Class as Told, Notice, Topic};
use crate::report::content::{Frame, compose};
use crate::report::error::MessageError;
use crate::report::facts::{Affected, Class, Fact, Good, Matter, Next, Recovery, Stale, Success};
use crate::report::incidents::{Pending, groups, next_close};
use crate::report::message::{self, Letter, OutboxMessage};
use crate::report::notice::{Notice as Other, quoted};
use crate::report::render::render;
use crate::report::sender::{self, deliver};
use crate::report::transport::Transport;
use crate::store::notices::{Told as Done, Waiting};
use crate::store::outbox::{Fate, Message, NewMessage};
use crate::store::{Store, StoreError};

/// A report of the policy file.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Whom it reaches.
    pub to: Vec<String>,
    /// What it tells.
    pub on: Vec<Class>,
    /// What happens within it is one mail.
    pub group_wait: Duration,
    /// An incident that goes on is told again after this long.
    pub repeat: Duration,
    /// The zone of its times.
    pub timezone: TimeZone,
}

/// Everything that mail needs.
#[derive(Clone, Debug)]
pub struct Post {
    /// `provider.instance`.
    pub instance: String,
    /// The sender.
    pub from: String,
    /// How mails go out; `None` when the file has no `[smtp]`.
    pub transport: Option<Transport>,
    /// The reports.
    pub reports: Vec<Subscription>,
}

/// What can go wrong with mail here.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mail cannot be put together.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// Puts every mail whose group has closed into the outbox; all of them with `flush`. Returns when the next group
/// closes.
///
/// # Errors
/// What the state says.
pub async fn compose_due(
    store: &Store,
    post: &Post,
    now: Timestamp,
    flush: bool,
) -> Result<Option<Timestamp>, PostError> {
    let mut next = None;
    for report in &post.reports {
        let closes = compose_report(store, post, report, now, flush).await?;
        next = [next, closes].into_iter().flatten().min();
    }
    let waiting = store.waiting().await?;
    let done = |waiting: &&Waiting| {
        let open = |report: &&Subscription| concerns(report, waiting) && !waiting.told.contains(&report.name);
        !post.reports.iter().any(|report| open(&report))
    };
    let closed: Vec<i64> = waiting.iter().filter(done).map(|waiting| waiting.id).collect();
    if !closed.is_empty() {
        store.close_notices(closed).await?;
    }
    Ok(next)
}

async fn compose_report(
    store: &Store,
    post: &Post,
    report: &Subscription,
    now: Timestamp,
    flush: bool,
) -> Result<Option<Timestamp>, PostError> {
    let (mut pending, mut silent) = (Vec::new(), Vec::new());
    for waiting in store.waiting().await? {
        if waiting.told.contains(&report.name) || !concerns(report, &waiting) {
            continue;
        }
        if is_repeat(store, report, &waiting, now).await? {
            silent.push(waiting.id);
        } else {
            pending.push(Pending {
                event_id: waiting.id,
                at: waiting.at,
                incident: waiting.incident,
                fact: fact(&waiting),
            });
        }
    }
    if !silent.is_empty() {
        store.told(Done { report: report.name.clone(), notices: silent, message: None }, now).await?;
    }
    for group in groups(&pending, report.group_wait, now, flush) {
        let unique =
            format!("{}.{}.{}", report.name, group.opened_at.as_nanosecond(), group.event_ids.first().unwrap_or(&0));
        let mail = mail(post, report, &group.matter, &unique, now)?;
        pending.retain(|one| !group.event_ids.contains(&one.event_id));
        store.told(Done { report: report.name.clone(), notices: group.event_ids, message: Some(mail) }, now).await?;
    }
    Ok(next_close(&pending, report.group_wait))
}

/// Whether the incident was told to this report, in this class, less than `repeat` ago.
async fn is_repeat(
    store: &Store,
    report: &Subscription,
    waiting: &Waiting,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(incident) = waiting.incident else { return Ok(false) };
    if !matches!(waiting.notice.class, Told::Failure | Told::Stale) {
        return Ok(false);
    }
    let last = store.last_told(incident, report.name.clone(), waiting.notice.class).await?;
    Ok(last.is_some_and(|last| last <= now && last + report.repeat > now))
}

/// Whether a report tells this notice at all.
fn concerns(report: &Subscription, waiting: &Waiting) -> bool {
    let named = &waiting.notice.reports;
    (named.is_empty() || named.contains(&report.name)) && fact(waiting).class().told_by(&report.on)
}

/// A mail about a matter, ready for the outbox.
///
/// # Errors
/// When an address cannot be used.
pub fn mail(
    post: &Post,
    report: &Subscription,
    matter: &Matter,
    unique: &str,
    now: Timestamp,
) -> Result<NewMessage, MessageError> {
    let frame = Frame { now, timezone: report.timezone.clone(), instance: post.instance.clone() };
    let rendered = render(&compose(matter, &frame));
    let message_id = message::message_id(unique, &post.from)?;
    let letter = Letter {
        from: &post.from,
        to: &report.to,
        date: now,
        message_id: &message_id,
        in_reply_to: None,
        references: &[],
        rendered: &rendered,
    };
    let composed = message::compose(&letter)?;
    Ok(NewMessage {
        message_id: composed.message_id,
        subject: composed.subject,
        report: report.name.clone(),
        from: composed.envelope.from,
        to: composed.envelope.to,
        bytes: composed.bytes,
    })
}

/// Sends every mail whose moment has come, once. Returns how many were taken.
///
/// # Errors
/// What the state says; what a mail server says is written to the outbox.
pub async fn send_due(store: &Store, transport: &Transport, now: Timestamp) -> Result<usize, StoreError> {
    let mut sent = 0;
    for message in store.mails_due(now).await? {
        let outgoing = outgoing(&message);
        let result = deliver(transport, &outgoing).await;
        let fate = match sender::fate(&outgoing, &result, now) {
            sender::Fate::Done { refused } => {
                sent += 1;
                let refused = (!refused.is_empty()).then(|| format!("refused for good: {refused:?}"));
                if let Some(refused) = &refused {
                    tracing::error!(message = message.message.message_id, "{refused}");
                }
                Fate::Sent { refused }
            }
            sender::Fate::Again { at, to, reason, .. } => {
                tracing::warn!("mail waits until {at}: {reason}");
                Fate::Later { at, to, error: reason }
            }
            sender::Fate::GivenUp { to, reason } => {
                tracing::error!("mail to {} is given up: {reason}", to.join(", "));
                Fate::GivenUp { error: reason }
            }
        };
        store.mail_tried(message.id, fate, now).await?;
    }
    Ok(sent)
}

fn outgoing(message: &Message) -> OutboxMessage {
    OutboxMessage {
        id: message.id,
        message_id: message.message.message_id.clone(),
        subject: message.message.subject.clone(),
        from: message.message.from.clone(),
        to: message.message.to.clone(),
        bytes: message.message.bytes.clone(),
        attempts: message.attempts,
        first_at: message.first_at,
    }
}

/// A notice in the words of reports.
fn fact(waiting: &Waiting) -> Fact {
    let (notice, at) = (&waiting.notice, waiting.at);
    match (notice.class, notice.topic) {
        (Told::Stale, _) => {
            let since = notice.since.unwrap_or(at);
            let max_age = Duration::try_from(since.duration_until(at)).unwrap_or_default();
            Fact::Stale(Stale { affected: affected(notice, at), max_age })
        }
        (Told::Recovery, _) => Fact::Recovered(Recovery {
            server: notice.server.clone(),
            policy: notice.policy.clone(),
            kind: notice.kind,
            since: notice.since.unwrap_or(at),
            at,
            cause: notice.text.clone(),
            last_good: good(notice),
            lost: notice.lost.clone(),
            command: command(notice),
        }),
        (Told::Success, _) => success(notice, at).map_or_else(|| other(notice), Fact::Succeeded),
        (Told::Failure, Topic::Run) => Fact::Failed(affected(notice, at)),
        (Told::Failure, Topic::ServerStopped) => match &notice.server {
            Some(server) => Fact::Notice(Other::NotStarted {
                server: server.clone(),
                policy: notice.policy.clone().unwrap_or_default(),
                since: notice.since.unwrap_or(at),
                cause: notice.text.clone(),
            }),
            None => other(notice),
        },
        (Told::Failure, _) => other(notice),
    }
}

fn affected(notice: &Notice, at: Timestamp) -> Affected {
    Affected {
        server: notice.server.clone(),
        policy: notice.policy.clone(),
        kind: notice.kind,
        at,
        cause: notice.text.clone(),
        done: done(notice),
        last_good: good(notice),
        next: notice.next.map(Next::Due),
        command: command(notice),
    }
}

/// What a failed run has done all the same.
fn done(notice: &Notice) -> Vec<String> {
    let kind = notice.kind.map_or_else(|| "restore point".to_owned(), |kind| kind.to_string());
    let made = notice.made.iter().map(|id| format!("asked for {kind} {id}"));
    made.chain(notice.deleted.iter().map(|id| format!("deleted {kind} {id}"))).collect()
}

fn success(notice: &Notice, at: Timestamp) -> Option<Success> {
    Some(Success {
        server: notice.server.clone()?,
        policy: notice.policy.clone()?,
        kind: notice.kind?,
        at,
        made: good(notice)?,
        size_mb: notice.size_mb,
        deleted: notice.deleted.clone(),
    })
}

fn other(notice: &Notice) -> Fact {
    let headline = match notice.topic {
        Topic::Missed => "due times were missed",
        Topic::ServerGone => "a server is gone",
        Topic::NewJournal => "the journal is new, holds are gone",
        Topic::SecondLastgood => "is a second lastgood at work? Deletes are stopped",
        Topic::Brake => "something looks wrong: deletes wait for you",
        Topic::Attention => "please look",
        Topic::Clock => "the clock was wrong",
        Topic::Reload => "the policy file was not taken over",
        Topic::Overfilled => "the policies want more slots than there are",
        Topic::Run | Topic::Stale | Topic::ServerStopped => "news",
    };
    Fact::Notice(Other::Other {
        server: notice.server.clone(),
        policy: notice.policy.clone(),
        headline: headline.to_owned(),
        text: notice.text.clone(),
    })
}

fn good(notice: &Notice) -> Option<Good> {
    notice.last_good.as_ref().map(|good| Good { id: good.id.clone(), created_at: good.created_at })
}

fn command(notice: &Notice) -> String {
    match &notice.server {
        Some(server) if notice.topic == Topic::Brake => format!("lastgood plan --server {}", quoted(&server.name)),
        Some(server) => format!("lastgood history --server {}", quoted(&server.name)),
        None => "lastgood status".to_owned(),
    }
}

#[cfg(test)]
mod tests;
