//! Notices and incidents. A notice waits here until it is reported; an incident is open from the first notice of a
//! problem to the recovery.

use crate::policy::name::PolicyName;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::effects::account_recovered;
use crate::journal::notice::{Class, Notice, Recovery, Topic, is_reported_already};
use crate::policy::inventory::ServerRef;
use crate::store::outbox::{Enqueued, NewMessage, enqueue};
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// A notice that some report may still have to carry.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub notice: Notice,
    /// Its incident.
    pub incident: Option<i64>,
    /// The reports that have carried it.
    pub reported_by: Vec<String>,
}

/// An open incident.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    /// The server's name, where there is one.
    pub server: Option<ServerRef>,
    /// The policy, where there is one.
    pub policy: Option<PolicyName>,
    /// What it is about.
    pub topic: Topic,
    /// The last sentence about it.
    pub text: String,
    /// Since when.
    pub opened_at: Timestamp,
}

/// Notices that a report has carried, or need not carry.
#[derive(Clone, Debug)]
pub struct ReportedNotices {
    /// The report.
    pub report: String,
    /// The notices.
    pub notices: Vec<i64>,
    /// The messages that carry them; none if nothing is sent.
    pub messages: Vec<NewMessage>,
}

impl Store {
    /// Writes notices that belong to no run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_notices(&self, notices: Vec<Notice>, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| notices.iter().try_for_each(|notice| insert_notice(tx, notice, at))).await
    }

    /// Writes a notice about a lasting problem: once an hour while it stays the same, at least ten minutes apart if its
    /// sentence changes. May be called every few seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_lasting_notice(&self, notice: Notice, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| if is_repeat(tx, &notice, at)? { Ok(()) } else { insert_notice(tx, &notice, at) }).await
    }

    /// Closes the incidents of a topic without a mail: the cause is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(&self, server: Option<ServerRef>, topic: Topic, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| close_incidents(tx, server.as_ref(), None, topic, at).map(drop)).await
    }

    /// Closes the incidents without a server that this ends, and reports the recovery if there were any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recover(&self, by: Recovery, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let was = open_text(tx, "", "", by.topic())?;
            let opened = close_incidents(tx, None, None, by.topic(), at)?;
            account_recovered(by, &opened, was).map_or(Ok(()), |notice| insert_notice(tx, &notice, at))
        })
        .await
    }

    /// Marks policies on servers as reported stale, with their notices, in one transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_stale_notices(&self, notices: Vec<Notice>, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let mut mark = tx.prepare_cached("UPDATE due_time SET stale = 1 WHERE server = ?1 AND policy = ?2")?;
            for notice in &notices {
                let server = notice.server.as_ref().map(|server| json(&server.id)).transpose()?;
                mark.execute(params![server, notice.policy])?;
                insert_notice(tx, notice, at)?;
            }
            Ok(())
        })
        .await
    }

    /// The notices that some report may still have to carry, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.transact(|tx| {
            let mut query =
                tx.prepare_cached("SELECT id, at, body, incident FROM notice WHERE closed = 0 ORDER BY id")?;
            let mut told = tx.prepare_cached("SELECT report FROM told WHERE notice = ?1")?;
            let mut rows = query.query([])?;
            let mut waiting = Vec::new();
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                let reports = told.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let (at, notice) = (time(row.get(1)?), read(&row.get::<_, String>(2)?)?);
                waiting.push(Waiting { id, at, notice, incident: row.get(3)?, reported_by: reports });
            }
            Ok(waiting)
        })
        .await
    }

    /// When a report last carried this incident in a message of this class.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_reported(
        &self,
        incident: i64,
        report: String,
        class: Class,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.transact(move |tx| {
            let at: Option<i64> = tx.query_row(
                "SELECT max(at) FROM told WHERE incident = ?1 AND report = ?2 AND class = ?3",
                params![incident, report, class.word()],
                |row| row.get(0),
            )?;
            Ok(at.map(time))
        })
        .await
    }

    /// Puts messages into the outbox and marks their notices as reported, in one transaction.
    ///
    /// # Errors
    /// When the database fails; `MessageIdTaken`.
    pub async fn mark_reported(&self, reported: ReportedNotices, at: Timestamp) -> Result<Enqueued, StoreError> {
        self.transact(move |tx| {
            for notice in &reported.notices {
                let row = tx.query_row("SELECT body, incident FROM notice WHERE id = ?1", [notice], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))
                });
                let Some((body, incident)) = row.optional()? else { continue };
                let class = read::<Notice>(&body)?.class().reported_word(!reported.messages.is_empty());
                tx.execute(
                    "INSERT INTO told (notice, report, incident, class, at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (notice, report) DO NOTHING",
                    params![notice, reported.report, incident, class, nanos(at)],
                )?;
            }
            enqueue(tx, &reported.messages, at)
        })
        .await
    }

    /// Closes notices that no report must carry any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_notices(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.transact(move |tx| {
            for id in ids {
                tx.execute("UPDATE notice SET closed = 1 WHERE id = ?1", [id])?;
            }
            Ok(())
        })
        .await
    }

    /// Closes notices older than `before`; nobody will be told of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_notices_before(&self, before: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute("UPDATE notice SET closed = 1 WHERE closed = 0 AND at < ?1", [nanos(before)])?;
            Ok(())
        })
        .await
    }

    /// The open incidents, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn incidents(&self) -> Result<Vec<Incident>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT id, server, policy, topic, text, name, opened_at FROM incident WHERE closed_at IS NULL ORDER BY id",
            )?;
            let mut rows = query.query([])?;
            let mut incidents = Vec::new();
            while let Some(row) = rows.next()? {
                let (server, policy, name): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(5)?);
                let server = if server.is_empty() { None } else { Some(ServerRef { id: read(&server)?, name }) };
                incidents.push(Incident {
                    id: row.get(0)?,
                    server,
                    policy: PolicyName::new(&policy),
                    topic: read(&format!("\"{}\"", row.get::<_, String>(3)?))?,
                    text: row.get(4)?,
                    opened_at: time(row.get(6)?),
                });
            }
            Ok(incidents)
        })
        .await
    }
}

/// Whether the open incident of this notice has one that is recent enough.
fn is_repeat(tx: &Transaction<'_>, notice: &Notice, at: Timestamp) -> Result<bool, StoreError> {
    let (server, policy, topic) = key(notice)?;
    let mut last = tx.prepare_cached(
        "SELECT incident.text, notice.at FROM incident JOIN notice ON notice.incident = incident.id
         WHERE server = ?1 AND policy = ?2 AND topic = ?3 AND closed_at IS NULL ORDER BY notice.id DESC LIMIT 1",
    )?;
    let last: Option<(String, i64)> =
        last.query_row(params![server, policy, topic], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let last = last.as_ref().map(|(text, reported)| (text.as_str(), time(*reported)));
    Ok(is_reported_already(last, &notice.to_string(), at))
}

/// Writes a notice. A failure or staleness opens its incident, or continues the open one.
pub(super) fn insert_notice(tx: &Transaction<'_>, notice: &Notice, at: Timestamp) -> Result<(), StoreError> {
    let (server, policy, topic) = key(notice)?;
    let mut incident: Option<i64> = tx
        .query_row(
            "SELECT id FROM incident WHERE server = ?1 AND policy = ?2 AND topic = ?3 AND closed_at IS NULL",
            params![server, policy, topic],
            |row| row.get(0),
        )
        .optional()?;
    if notice.class().opens_incident() {
        let name = notice.server.as_ref().map_or("", |server| &server.name);
        tx.execute(
            "INSERT INTO incident (server, policy, topic, text, name, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (server, policy, topic) WHERE closed_at IS NULL DO UPDATE SET text = ?4",
            params![server, policy, topic, notice.to_string(), name, nanos(at)],
        )?;
        incident = incident.or_else(|| Some(tx.last_insert_rowid()));
    }
    tx.execute(
        "INSERT INTO notice (at, body, incident) VALUES (?1, ?2, ?3)",
        params![nanos(at), json(notice)?, incident],
    )?;
    Ok(())
}

fn key(notice: &Notice) -> Result<(String, String, String), StoreError> {
    let server = notice.server.as_ref().map(|server| json(&server.id)).transpose()?.unwrap_or_default();
    Ok((
        server,
        notice.policy.as_ref().map(ToString::to_string).unwrap_or_default(),
        notice.topic().of_incident().to_string(),
    ))
}

/// The last sentence about the open incident of a server (its stored key), policy and topic.
pub(super) fn open_text(
    tx: &Transaction<'_>,
    server: &str,
    policy: &str,
    topic: Topic,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT text FROM incident WHERE server = ?1 AND policy = ?2 AND topic = ?3 AND closed_at IS NULL";
    Ok(tx.query_row(sql, params![server, policy, topic.to_string()], |row| row.get(0)).optional()?)
}

/// Closes the open incidents of a topic; with `policy`, only those of that policy. Returns since when they were open.
pub(super) fn close_incidents(
    tx: &Transaction<'_>,
    server: Option<&ServerRef>,
    policy: Option<&str>,
    topic: Topic,
    at: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    let server = server.map(|server| json(&server.id)).transpose()?.unwrap_or_default();
    let topic = topic.to_string();
    // Almost always there is none, and checking is much cheaper than an UPDATE with RETURNING.
    let mut open = tx.prepare_cached(
        "SELECT opened_at FROM incident WHERE server = ?1 AND (?2 IS NULL OR policy = ?2) AND topic = ?3
         AND closed_at IS NULL",
    )?;
    let opened = open.query_map(params![server, policy, topic], |row| row.get::<_, i64>(0))?;
    let opened: Vec<Timestamp> = opened.map(|at| Ok(time(at?))).collect::<Result<_, StoreError>>()?;
    if !opened.is_empty() {
        tx.execute(
            "UPDATE incident SET closed_at = ?4 WHERE server = ?1 AND (?2 IS NULL OR policy = ?2) AND topic = ?3
             AND closed_at IS NULL",
            params![server, policy, topic, nanos(at)],
        )?;
    }
    Ok(opened)
}
