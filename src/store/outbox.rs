//! The outbox: messages as they will be sent, byte for byte, until somebody has taken them or three days have passed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::journal::effects::Count;
use crate::store::counters;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// How a message leaves.
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
    /// How it leaves.
    pub channel: Channel,
    /// What its bytes are.
    pub payload: PayloadKind,
    /// Its Message-ID, which a repeat carries again.
    pub message_id: String,
    /// Its subject, for `status` and the names of files.
    pub subject: String,
    /// The report that it belongs to.
    pub report: String,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The mail.
    pub bytes: Vec<u8>,
}

/// A mail that waits.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// The mail.
    pub message: NewMessage,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it waits.
    pub first_at: Timestamp,
}

/// How much mail waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many mails.
    pub waiting: u32,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// How many were given up.
    pub refused: u32,
}

/// What became of a mail.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Every recipient has it, or has refused it permanently.
    Sent {
        /// What the refusing recipients' server said.
        refused: Option<String>,
    },
    /// It is tried again for those who do not have it yet.
    Later {
        /// When.
        at: Timestamp,
        /// Who still waits for it.
        to: Vec<String>,
        /// Why.
        error: String,
    },
    /// It is given up.
    GivenUp {
        /// Why.
        error: String,
    },
}

impl Store {
    /// The mails that are due, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mails_due(&self, at: Timestamp) -> Result<Vec<Message>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached(
                "SELECT id, message_id, report, sender, recipients, bytes, attempts, first_at, subject,
                 channel, payload FROM outbox
                 WHERE sent_at IS NULL AND failed_at IS NULL AND (next_at <= ?1 OR next_at > ?2) ORDER BY id LIMIT 100",
            )?;
            // No mail waits for more than 15 minutes: one that seems to was put off by a clock that was wrong.
            let wrong = at.saturating_add(SignedDuration::from_mins(16)).unwrap_or(at);
            let mut rows = query.query([nanos(at), nanos(wrong)])?;
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

    /// The subjects of all mails that were ever composed, by number.
    ///
    /// # Errors
    /// What the database says.
    pub async fn subjects(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached("SELECT id, subject FROM outbox")?;
            let subjects = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(subjects.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// When the next waiting mail is to be tried.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_mail(&self) -> Result<Option<Timestamp>, StoreError> {
        self.transact(|tx| {
            let next: Option<i64> = tx.query_row(
                "SELECT min(next_at) FROM outbox WHERE sent_at IS NULL AND failed_at IS NULL",
                [],
                |row| row.get(0),
            )?;
            Ok(next.map(time))
        })
        .await
    }

    /// Writes what became of a mail.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mail_tried(&self, id: i64, fate: Fate, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let sent = match &fate {
                Fate::Sent { .. } => Some(true),
                Fate::GivenUp { .. } => Some(false),
                Fate::Later { .. } => None,
            };
            if let Some(sent) = sent {
                let channel: String =
                    tx.query_row("SELECT channel FROM outbox WHERE id = ?1", [id], |row| row.get(0))?;
                counters::add(tx, [Count::message(&channel, sent)])?;
            }
            match fate {
                Fate::Sent { refused } => tx.execute(
                    "UPDATE outbox SET sent_at = ?2, attempts = attempts + 1, error = ?3 WHERE id = ?1",
                    params![id, nanos(at), refused],
                )?,
                Fate::Later { at: next, to, error } => tx.execute(
                    "UPDATE outbox SET next_at = ?2, recipients = ?3, attempts = attempts + 1, error = ?4 WHERE id = ?1",
                    params![id, nanos(next), json(&to)?, error],
                )?,
                Fate::GivenUp { error } => tx.execute(
                    "UPDATE outbox SET failed_at = ?2, attempts = attempts + 1, error = ?3 WHERE id = ?1",
                    params![id, nanos(at), error],
                )?,
            };
            Ok(())
        })
        .await
    }

    /// Lets every waiting mail be tried at once, at a start.
    ///
    /// # Errors
    /// What the database says.
    pub async fn try_mails_now(&self, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("UPDATE outbox SET next_at = ?1 WHERE sent_at IS NULL AND failed_at IS NULL", [nanos(at)])?;
            Ok(())
        })
        .await
    }

    /// How much mail waits.
    ///
    /// # Errors
    /// What the database says.
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

    /// Up to when the digests of a report are written; starts at `at` when it is new.
    ///
    /// # Errors
    /// What the database says.
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
    /// What the database says.
    pub async fn last_digest(&self, report: String) -> Result<Option<String>, StoreError> {
        self.transact(move |tx| {
            let facts = tx.query_row("SELECT facts FROM digest WHERE report = ?1", [&report], |row| row.get(0));
            Ok(facts.optional()?.flatten())
        })
        .await
    }

    /// Corrects the time up to which the digests of a report are written: a clock was wrong.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put_digest_right(&self, report: String, to: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("UPDATE digest SET handled = ?2 WHERE report = ?1", params![report, nanos(to)])?;
            Ok(())
        })
        .await
    }

    /// Puts the messages of a digest into the outbox and moves its due time on, in one transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn digest_written(
        &self,
        report: String,
        messages: Vec<NewMessage>,
        (due, facts): (Timestamp, String),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute(
                "UPDATE digest SET handled = ?2, facts = ?3 WHERE report = ?1",
                params![report, nanos(due), facts],
            )?;
            messages.iter().try_for_each(|message| insert_message(tx, message, at))
        })
        .await
    }
}

pub(super) fn insert_message(tx: &Transaction<'_>, message: &NewMessage, at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO outbox (message_id, report, sender, recipients, bytes, first_at, next_at, subject, channel, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9) ON CONFLICT (message_id) DO NOTHING",
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
