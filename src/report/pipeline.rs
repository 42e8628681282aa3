//! From notices to delivered messages: composes messages into the outbox when they are due, and sends what the outbox
//! holds.
//!
//! A notice is marked as reported in the transaction that stores its messages. A message is stored byte for byte, so
//! that a repeat is recognized as the same. A message that cannot be sent, or whose channel has no sender, waits; it
//! never delays a run.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::notice::Class;
use crate::report::channel_senders::{ChannelSenders, MailSender};
use crate::report::content::blocks::Content;
use crate::report::content::compose;
use crate::report::content::context::MailContext;
use crate::report::delivery::OutboxMessage;
use crate::report::error::MessageError;
use crate::report::groups::{Pending, groups, next_close};
use crate::report::message::{self, MailDraft};
use crate::report::message_data::MessageData;
use crate::report::recipients::Recipients;
use crate::report::render::render;
use crate::report::sender::{RetryDecision, retry_decision};
use crate::store::notices::{ReportedNotices, Waiting};
use crate::store::outbox::{Channel, DeliveryOutcome, Enqueued, Message, NewMessage, PayloadKind};
use crate::store::{Store, StoreError};

/// A report of the policy file.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// The recipients on each channel.
    pub recipients: Vec<Recipients>,
    /// The classes of notices that it carries.
    pub on: BTreeSet<Class>,
    /// Events within this time share one message.
    pub group_wait: Duration,
    /// How often an incident that lasts is reported again.
    pub repeat: Duration,
    /// The zone of its times.
    pub timezone: TimeZone,
}

/// Everything that reports need.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// `provider.instance`.
    pub instance: String,
    /// What sends the messages of each channel.
    pub senders: ChannelSenders,
    /// The reports.
    pub reports: Vec<Subscription>,
}

/// Why messages cannot be composed or sent.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The state failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mail cannot be composed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A report has recipients on a channel that nothing sends on.
    #[error("report `{report}` has recipients, but there is nothing to send {channel} with")]
    NoSender {
        /// The report.
        report: String,
        /// The channel.
        channel: &'static str,
    },
}

/// Puts the messages of every closed group into the outbox; with `flush`, of all groups. Returns when the next group
/// closes.
///
/// # Errors
/// When the state fails, or a mail cannot be composed.
pub async fn compose_due(
    store: &Store,
    pipeline: &Pipeline,
    now: Timestamp,
    flush: bool,
) -> Result<Option<Timestamp>, PipelineError> {
    let mut next = None;
    for report in &pipeline.reports {
        let closes = compose_report(store, pipeline, report, now, flush).await?;
        next = [next, closes].into_iter().flatten().min();
    }
    let waiting = store.waiting().await?;
    let done = |waiting: &&Waiting| {
        let open = |report: &&Subscription| concerns(report, waiting) && !waiting.reported_by.contains(&report.name);
        !pipeline.reports.iter().any(|report| open(&report))
    };
    let closed: Vec<i64> = waiting.iter().filter(done).map(|waiting| waiting.id).collect();
    if !closed.is_empty() {
        store.close_notices(closed).await?;
    }
    Ok(next)
}

async fn compose_report(
    store: &Store,
    pipeline: &Pipeline,
    report: &Subscription,
    now: Timestamp,
    flush: bool,
) -> Result<Option<Timestamp>, PipelineError> {
    let (mut pending, mut silent) = (Vec::new(), Vec::new());
    for waiting in store.waiting().await? {
        if waiting.reported_by.contains(&report.name) || !concerns(report, &waiting) {
            continue;
        }
        if is_repeat(store, report, &waiting, now).await? {
            silent.push(waiting.id);
        } else {
            let Waiting { id, at, incident, notice, .. } = waiting;
            pending.push(Pending { id, at, incident, notice });
        }
    }
    if !silent.is_empty() {
        let reported = ReportedNotices { report: report.name.clone(), notices: silent, messages: Vec::new() };
        log_duplicates(&store.mark_reported(reported, now).await?);
    }
    for group in groups(&pending, report.group_wait, now, flush) {
        let unique = format!("{}.{}.{}", report.name, group.opened_at.as_nanosecond(), group.ids.first().unwrap_or(&0));
        let messages = messages(pipeline, report, &group.data, &unique, now)?;
        pending.retain(|one| !group.ids.contains(&one.id));
        let reported = ReportedNotices { report: report.name.clone(), notices: group.ids, messages };
        log_duplicates(&store.mark_reported(reported, now).await?);
    }
    Ok(next_close(&pending, report.group_wait))
}

/// Whether this report sent the incident, in this class, less than `repeat` ago.
async fn is_repeat(
    store: &Store,
    report: &Subscription,
    waiting: &Waiting,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(incident) = waiting.incident else { return Ok(false) };
    let class = waiting.notice.class();
    if !class.opens_incident() {
        return Ok(false);
    }
    let last = store.last_reported(incident, report.name.clone(), class).await?;
    Ok(last.is_some_and(|last| last <= now && last + report.repeat > now))
}

/// Whether a report carries this notice.
fn concerns(report: &Subscription, waiting: &Waiting) -> bool {
    let named = &waiting.notice.reports;
    (named.is_empty() || named.contains(&report.name)) && report.on.contains(&waiting.notice.class())
}

/// The messages for the outbox, one for each channel of the report.
///
/// # Errors
/// When an address cannot be used, or the report has recipients on a channel without a sender.
pub(crate) fn messages(
    pipeline: &Pipeline,
    report: &Subscription,
    data: &MessageData,
    unique: &str,
    now: Timestamp,
) -> Result<Vec<NewMessage>, PipelineError> {
    let context = MailContext { now, timezone: report.timezone.clone(), instance: pipeline.instance.clone() };
    let content = compose(data, &context);
    let message = |recipients: &Recipients| match recipients {
        Recipients::Mail(to) => {
            let no_sender = || PipelineError::NoSender { report: report.name.clone(), channel: "mail" };
            let sender = pipeline.senders.mail.as_ref().ok_or_else(no_sender)?;
            Ok(mail((sender, report), to, &content, unique, now)?)
        }
    };
    report.recipients.iter().map(message).collect()
}

fn mail(
    (sender, report): (&MailSender, &Subscription),
    to: &[String],
    content: &Content,
    unique: &str,
    now: Timestamp,
) -> Result<NewMessage, MessageError> {
    let rendered = render(content);
    let message_id = message::message_id(unique, &sender.from)?;
    let draft = MailDraft {
        from: &sender.from,
        to,
        date: now,
        message_id: &message_id,
        in_reply_to: None,
        references: &[],
        rendered: &rendered,
    };
    let composed = message::compose(&draft)?;
    Ok(NewMessage {
        channel: Channel::Mail,
        payload: PayloadKind::Rfc5322,
        message_id: composed.message_id,
        subject: composed.subject,
        report: report.name.clone(),
        from: composed.envelope.from,
        to: composed.envelope.to,
        bytes: composed.bytes,
    })
}

/// Logs which messages the outbox held already: each was composed twice, and is sent once.
pub(crate) fn log_duplicates(enqueued: &Enqueued) {
    for message_id in &enqueued.duplicates {
        tracing::warn!(message = message_id, "the outbox already holds this message: it is not sent again");
    }
}

/// Tries every message that is due and whose channel has a sender, once. Returns how many were accepted. Why a message
/// was not delivered is recorded in the outbox.
///
/// # Errors
/// When the state fails.
pub(crate) async fn send_due(store: &Store, senders: &ChannelSenders, now: Timestamp) -> Result<usize, StoreError> {
    let mut sent = 0;
    for message in store.messages_due(&senders.channels(), now).await? {
        let outgoing = outgoing(&message);
        let message_id = message.message.message_id.as_str();
        let Some(result) = senders.send(message.message.channel, &outgoing).await else { continue };
        let outcome = match retry_decision(&outgoing, &result, now) {
            RetryDecision::Done { refused } => {
                sent += 1;
                let refused = (!refused.is_empty()).then(|| format!("permanently refused: {refused:?}"));
                if let Some(refused) = &refused {
                    tracing::error!(message_id, "{refused}");
                }
                DeliveryOutcome::Sent { refused }
            }
            RetryDecision::Retry { at, to, reason, .. } => {
                tracing::warn!(message_id, "a message will be sent again at {at}: {reason}");
                DeliveryOutcome::Later { at, to, error: reason }
            }
            RetryDecision::GivenUp { to, reason } => {
                tracing::error!(message_id, "the message to {} was given up: {reason}", to.join(", "));
                DeliveryOutcome::GivenUp { error: reason }
            }
        };
        store.attempt_ended(message.id, outcome, now).await?;
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

#[cfg(test)]
mod tests;
