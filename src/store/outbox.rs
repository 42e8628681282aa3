//! The outbox: messages as they will be sent, byte for byte, until they are delivered or given up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::journal::effects::Increment;
use crate::journal::redelivery::latest_attempt;
use crate::store::counters;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By mail.
    Mail,
}

/// What the bytes of a message are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayloadKind {
    /// A whole mail (RFC 5322).
    Rfc5322,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 1] = [Self::Mail];

    /// The word in the state and in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }
}

impl PayloadKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Rfc5322 => "rfc5322",
        }
    }
}

/// A message to be stored.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// How it is sent.
    pub channel: Channel,
    /// What its bytes are.
    pub payload: PayloadKind,
    /// Its Message-ID, which a repeat carries again. No two messages have the same one, whatever their channel.
    pub message_id: String,
    /// Its subject, for `status` and the names of files.
    pub subject: String,
    /// The report that it belongs to.
    pub report: String,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// A message that waits to be sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// What is sent.
    pub message: NewMessage,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it was put into the outbox.
    pub first_at: Timestamp,
}

/// How many messages wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many wait.
    pub waiting: u32,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// How many were given up.
    pub refused: u32,
}

/// The result of an attempt to send a message.
#[derive(Clone, Debug)]
pub enum DeliveryOutcome {
    /// Every recipient has it, or has refused it permanently.
    Sent {
        /// What the refusing recipients' server said.
        refused: Option<String>,
    },
    /// It is sent again to those who do not have it yet.
    Later {
        /// When.
        at: Timestamp,
        /// Who still waits for it.
        to: Vec<String>,
        /// Why.
        error: String,
    },
    /// It is not sent again.
    GivenUp {
        /// Why.
        error: String,
    },
}

/// What the outbox did with new messages. Those that are not named here are stored.
#[must_use = "a message that is already in the outbox is not sent again"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The Message-IDs that the outbox already held for the same report and channel. These messages are not stored
    /// again, whether the first one still waits or was sent.
    pub duplicates: Vec<String>,
}

impl Store {
    /// The messages on these channels that are due, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages_due(&self, channels: &[Channel], at: Timestamp) -> Result<Vec<Message>, StoreError> {
        let channels = json(&channels)?;
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT id, message_id, report, sender, recipients, bytes, attempts, first_at, subject,
                 channel, payload FROM outbox
                 WHERE sent_at IS NULL AND failed_at IS NULL AND (next_at <= ?1 OR next_at > ?2)
                 AND channel IN (SELECT value FROM json_each(?3)) ORDER BY id LIMIT 100",
            )?;
            let mut rows = query.query(params![nanos(at), nanos(latest_attempt(at)), channels])?;
            let mut messages = Vec::new();
            while let Some(row) = rows.next()? {
                let word = |column: usize| Ok::<_, StoreError>(format!("\"{}\"", row.get::<_, String>(column)?));
                let message = NewMessage {
                    channel: read(&word(9)?)?,
                    payload: read(&word(10)?)?,
                    message_id: row.get(1)?,
                    subject: row.get(8)?,
                    report: row.get(2)?,
                    from: row.get(3)?,
                    to: read(&row.get::<_, String>(4)?)?,
                    bytes: row.get(5)?,
                };
                messages.push(Message { id: row.get(0)?, message, attempts: row.get(6)?, first_at: time(row.get(7)?) });
            }
            Ok(messages)
        })
        .await
    }

    /// The subjects of all messages in the outbox, sent or not, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn subjects(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT id, subject FROM outbox")?;
            let subjects = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(subjects.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// When the next message on these channels is to be sent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_attempt_at(&self, channels: &[Channel]) -> Result<Option<Timestamp>, StoreError> {
        let channels = json(&channels)?;
        self.transact(move |tx| {
            let next: Option<i64> = tx.query_row(
                "SELECT min(next_at) FROM outbox WHERE sent_at IS NULL AND failed_at IS NULL
                 AND channel IN (SELECT value FROM json_each(?1))",
                [channels],
                |row| row.get(0),
            )?;
            Ok(next.map(time))
        })
        .await
    }

    /// Records the result of an attempt to send a message.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attempt_ended(&self, id: i64, outcome: DeliveryOutcome, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let sent = match &outcome {
                DeliveryOutcome::Sent { .. } => Some(true),
                DeliveryOutcome::GivenUp { .. } => Some(false),
                DeliveryOutcome::Later { .. } => None,
            };
            if let Some(sent) = sent {
                let channel: String =
                    tx.query_row("SELECT channel FROM outbox WHERE id = ?1", [id], |row| row.get(0))?;
                counters::add(tx, [Increment::message(&channel, sent)])?;
            }
            match outcome {
                DeliveryOutcome::Sent { refused } => tx.execute(
                    "UPDATE outbox SET sent_at = ?2, attempts = attempts + 1, error = ?3 WHERE id = ?1",
                    params![id, nanos(at), refused],
                )?,
                DeliveryOutcome::Later { at: next, to, error } => tx.execute(
                    "UPDATE outbox SET next_at = ?2, recipients = ?3, attempts = attempts + 1, error = ?4 WHERE id = ?1",
                    params![id, nanos(next), json(&to)?, error],
                )?,
                DeliveryOutcome::GivenUp { error } => tx.execute(
                    "UPDATE outbox SET failed_at = ?2, attempts = attempts + 1, error = ?3 WHERE id = ?1",
                    params![id, nanos(at), error],
                )?,
            };
            Ok(())
        })
        .await
    }

    /// Makes every waiting message due now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_now(&self, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("UPDATE outbox SET next_at = ?1 WHERE sent_at IS NULL AND failed_at IS NULL", [nanos(at)])?;
            Ok(())
        })
        .await
    }

    /// How many messages wait, and how many were given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.transact(|tx| {
            let (waiting, oldest): (u32, Option<i64>) = tx.query_row(
                "SELECT count(*), min(first_at) FROM outbox WHERE sent_at IS NULL AND failed_at IS NULL",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let refused =
                tx.query_row("SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL", [], |row| row.get(0))?;
            Ok(Backlog { waiting, oldest: oldest.map(time), refused })
        })
        .await
    }

    /// The due time of the last digest that was written for a report; `at` if the report is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn digest_handled(&self, report: String, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.transact(move |tx| {
            let handled = tx
                .query_row("SELECT handled FROM digest WHERE report = ?1", [&report], |row| row.get::<_, i64>(0))
                .optional()?;
            if let Some(handled) = handled {
                return Ok(time(handled));
            }
            tx.execute("INSERT INTO digest (report, handled) VALUES (?1, ?2)", params![report, nanos(at)])?;
            Ok(at)
        })
        .await
    }

    /// The facts of the last digest of a report, as they were stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_digest(&self, report: String) -> Result<Option<String>, StoreError> {
        self.transact(move |tx| {
            let facts = tx.query_row("SELECT facts FROM digest WHERE report = ?1", [&report], |row| row.get(0));
            Ok(facts.optional()?.flatten())
        })
        .await
    }

    /// Corrects the due time of the last digest of a report, which was in the future because a clock was wrong.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn correct_digest_handled(&self, report: String, to: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("UPDATE digest SET handled = ?2 WHERE report = ?1", params![report, nanos(to)])?;
            Ok(())
        })
        .await
    }

    /// Puts the messages of a digest into the outbox and records its due time and facts, in one transaction.
    ///
    /// # Errors
    /// When the database fails; `MessageIdTaken`.
    pub async fn digest_written(
        &self,
        report: String,
        messages: Vec<NewMessage>,
        (due, facts): (Timestamp, String),
        at: Timestamp,
    ) -> Result<Enqueued, StoreError> {
        self.transact(move |tx| {
            tx.execute(
                "UPDATE digest SET handled = ?2, facts = ?3 WHERE report = ?1",
                params![report, nanos(due), facts],
            )?;
            enqueue(tx, &messages, at)
        })
        .await
    }
}

/// Puts messages into the outbox. A message whose id the outbox holds already, sent or not, is not stored again.
pub(super) fn enqueue(tx: &Transaction<'_>, messages: &[NewMessage], at: Timestamp) -> Result<Enqueued, StoreError> {
    let mut known = tx.prepare_cached("SELECT report, channel FROM outbox WHERE message_id = ?1")?;
    let mut duplicates = Vec::new();
    for message in messages {
        let known = known.query_row([&message.message_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let known: Option<(String, String)> = known;
        match known {
            None => insert_message(tx, message, at)?,
            Some((report, channel)) if report == message.report && channel == message.channel.word() => {
                duplicates.push(message.message_id.clone());
            }
            Some(_) => return Err(StoreError::MessageIdTaken(message.message_id.clone())),
        }
    }
    Ok(Enqueued { duplicates })
}

fn insert_message(tx: &Transaction<'_>, message: &NewMessage, at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO outbox (message_id, report, sender, recipients, bytes, first_at, next_at, subject, channel, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9)",
        params![
            message.message_id,
            message.report,
            message.from,
            json(&message.to)?,
            message.bytes,
            nanos(at),
            message.subject,
            message.channel.word(),
            message.payload.word()
        ],
    )?;
    Ok(())
}
