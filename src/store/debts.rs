//! What is owed to servers. A debt opens with the intent to stop, in the same transaction, and is paid by what looks
//! at the server prove: `journal::debt` decides, here it is written. While one is left open there is an incident.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::journal::debt::{Debt, Look, Start, StopEvidence, Streak, Verdict, What, observe};
use crate::journal::event::{Act, Answer, Event, Found, Sight};
use crate::journal::notice::{Fact, NotStarted, Notice, Recovered, Recovery, Topic};
use crate::policy::inventory::{Id, ServerRef};
use crate::store::notices::{close_incidents, insert_notice};
use crate::store::projection::Projection;
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// The columns of `debt_of`.
const COLUMNS: &str = "server, name, since, run, policy, kind, round,
    (SELECT id FROM run WHERE run.id = debt.in_charge AND ended_at IS NULL), seen_down, start, missing_millis";

/// A look at a server that is owed a start.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The server.
    pub server: Id,
    /// The debt's round when the look began.
    pub round: i64,
    /// How it was found.
    pub look: Look,
    /// What this process saw before.
    pub streak: Streak,
    /// The time since the look before it.
    pub since_last: Option<Duration>,
}

/// What a look has made of a debt.
#[derive(Clone, Debug)]
pub enum Observed {
    /// It is open.
    Owed(Debt, Streak),
    /// This look has paid it.
    Paid,
    /// The server has been gone for so long that nothing is owed to it any more.
    Gone,
    /// There was none, or a newer stop makes the look worthless.
    Nothing,
}

impl Store {
    /// Every open debt, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn debts(&self) -> Result<Vec<Debt>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM debt ORDER BY since, server"))?;
            let mut rows = query.query([])?;
            let mut debts = Vec::new();
            while let Some(row) = rows.next()? {
                debts.push(debt_of(row)?);
            }
            Ok(debts)
        })
        .await
    }

    /// The start that is owed to a server.
    ///
    /// # Errors
    /// What the database says.
    pub async fn debt(&self, server: Id) -> Result<Option<Debt>, StoreError> {
        self.transact(move |tx| find(tx, &server)).await
    }

    /// Writes what a look proves. A debt that it pays closes its incident, which is reported to whom the debt was.
    ///
    /// # Errors
    /// What the database says.
    pub async fn observe_debt(&self, seen: Observation, at: Timestamp) -> Result<Observed, StoreError> {
        self.transact(move |tx| {
            let debt = find(tx, &seen.server)?.filter(|debt| debt.round == seen.round);
            let Some(debt) = debt else { return Ok(Observed::Nothing) };
            let (evidence, streak, verdict) = observe(debt.evidence, seen.streak, seen.look, seen.since_last);
            match verdict {
                Verdict::Owed => {
                    // As a rule a look shows what the one before it showed.
                    if evidence != debt.evidence {
                        write_evidence(tx, &seen.server, evidence)?;
                    }
                    Ok(Observed::Owed(Debt { evidence, ..debt }, streak))
                }
                Verdict::Paid => {
                    end(tx, &debt.server, Recovery::ServerRuns, at)?;
                    Ok(Observed::Paid)
                }
                Verdict::Gone => {
                    end(tx, &debt.server, Recovery::StoppedServerGone, at)?;
                    Ok(Observed::Gone)
                }
            }
        })
        .await
    }

    /// Writes that a start is about to be sent, with what is reported of it. False when nothing is owed any more, a run
    /// keeps the server stopped, or a newer stop was sent.
    ///
    /// # Errors
    /// What the database says.
    pub async fn start_intended(
        &self,
        debt: Debt,
        report: Option<NotStarted>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.transact(move |tx| {
            let same = |now: &Debt| now.round == debt.round && now.in_charge == debt.in_charge;
            let Some(now) = find(tx, &debt.server.id)?.filter(same) else { return Ok(false) };
            write_evidence(tx, &debt.server.id, now.evidence.start_sent())?;
            if let Some(report) = report {
                insert_notice(tx, &about(tx, &debt.server, report)?, at)?;
            }
            Ok(true)
        })
        .await
    }

    /// Writes what was answered to a start.
    ///
    /// # Errors
    /// What the database says.
    pub async fn start_answered(&self, server: Id, start: Start) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let Some(debt) = find(tx, &server)? else { return Ok(()) };
            write_evidence(tx, &server, debt.evidence.start_answered(start))
        })
        .await
    }

    /// Reports that a server is still owed a start, unless the same was the last thing reported.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tell_debt(&self, server: ServerRef, report: NotStarted, at: Timestamp) -> Result<(), StoreError> {
        self.transact(move |tx| {
            let notice = about(tx, &server, report)?;
            match incident_text(tx, &server)? {
                Some(before) if before == notice.to_string() => Ok(()),
                _ => insert_notice(tx, &notice, at),
            }
        })
        .await
    }

    /// Whether the incident of a server's debt is open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_debt_told(&self, server: ServerRef) -> Result<bool, StoreError> {
        self.transact(move |tx| Ok(incident_text(tx, &server)?.is_some())).await
    }

    /// From now on the open run will start the server, unless another is to.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_charge(&self, server: Id, run: i64) -> Result<(), StoreError> {
        self.transact(move |tx| {
            tx.execute(
                "UPDATE debt SET in_charge = ?2 WHERE server = ?1 AND NOT EXISTS
                 (SELECT 1 FROM run WHERE run.id = in_charge AND ended_at IS NULL)",
                params![json(&server)?, run],
            )?;
            Ok(())
        })
        .await
    }

    /// The run will not start its server for now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn leave_charge(&self, run: i64) -> Result<(), StoreError> {
        self.transact(move |tx| leave(tx, run)).await
    }

    /// Forgets what is owed to a server, as a person says. Returns it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn release_debt(&self, server: Id, at: Timestamp) -> Result<Option<Debt>, StoreError> {
        self.transact(move |tx| {
            let Some(debt) = find(tx, &server)? else { return Ok(None) };
            end(tx, &debt.server, Recovery::StartReleased, at)?;
            Ok(Some(debt))
        })
        .await
    }
}

/// What an event of a run makes of the debt to its server.
pub(super) fn project(p: &Projection<'_>, event: &Event) -> Result<(), StoreError> {
    let (tx, server) = (p.tx, &p.key.server.id);
    match event {
        Event::Intended { act: Act::StopServer, step } => stop_intended(p, *step),
        Event::Intended { act: Act::StartServer, .. } => change(tx, server, StopEvidence::start_sent),
        Event::Answered { step, answer } => match p.before.steps.get(*step as usize - 1).map(|step| &step.act) {
            Some(Act::StopServer) if matches!(answer, Answer::Refused { .. }) => stop_refused(p, *step),
            Some(Act::StartServer) => match answer {
                Answer::Accepted { .. } | Answer::AlreadyGone => {
                    change(tx, server, |evidence| evidence.start_answered(Start::Accepted))
                }
                Answer::Refused { error, .. } => {
                    change(tx, server, |evidence| evidence.start_answered(Start::refused(error)))
                }
                Answer::Unknown { .. } => Ok(()),
            },
            _ => Ok(()),
        },
        // The stop may be carried out yet, however the server looks.
        Event::Settled { step, found: Found::NotDone } => {
            match p.before.steps.get(*step as usize - 1).map(|step| &step.act) {
                Some(Act::StopServer) => leave(tx, p.run),
                _ => Ok(()),
            }
        }
        Event::FoundOwed => {
            let takes = "UPDATE debt SET in_charge = ?2 WHERE server = ?1";
            tx.execute(takes, params![json(server)?, p.run])?;
            change(tx, server, down)
        }
        Event::Seen(Sight::ServerStopped) => change(tx, server, down),
        Event::Seen(Sight::ServerRunning) => {
            leave(tx, p.run)?;
            let Some(debt) = find(tx, server)? else { return Ok(()) };
            let (.., verdict) = observe(debt.evidence, Streak::default(), Look::Running, None);
            if verdict == Verdict::Paid { end(tx, &debt.server, Recovery::ServerRuns, p.at) } else { Ok(()) }
        }
        Event::Seen(Sight::ServerGone) | Event::StartLeft | Event::Ended { .. } => leave(tx, p.run),
        _ => Ok(()),
    }
}

fn down(evidence: StopEvidence) -> StopEvidence {
    StopEvidence { seen_down: true, ..evidence }
}

fn stop_intended(p: &Projection<'_>, step: u32) -> Result<(), StoreError> {
    let server = &p.key.server;
    p.tx.execute(
        "INSERT INTO debt (server, what, name, since, run, step, policy, kind, in_charge)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5)
         ON CONFLICT (server, what) DO UPDATE SET name = ?3, round = round + 1, in_charge = ?5, seen_down = 0,
         start = 'not_sent', missing_millis = 0",
        params![
            json(&server.id)?,
            What::Start.word(),
            server.name,
            nanos(p.at),
            p.run,
            step,
            p.key.policy.as_str(),
            p.key.kind.word()
        ],
    )?;
    Ok(())
}

/// The stop was certainly not carried out: what it alone has opened is not owed.
fn stop_refused(p: &Projection<'_>, step: u32) -> Result<(), StoreError> {
    let server = &p.key.server;
    let gone = p.tx.execute(
        "DELETE FROM debt WHERE server = ?1 AND run = ?2 AND step = ?3 AND round = 1",
        params![json(&server.id)?, p.run, step],
    )?;
    if gone > 0 {
        close_incidents(p.tx, Some(server), None, Topic::ServerStopped, p.at)?;
        return Ok(());
    }
    leave(p.tx, p.run)
}

pub(super) fn leave(tx: &Transaction<'_>, run: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE debt SET in_charge = NULL WHERE in_charge = ?1", [run])?;
    Ok(())
}

fn change(tx: &Transaction<'_>, server: &Id, to: impl FnOnce(StopEvidence) -> StopEvidence) -> Result<(), StoreError> {
    let Some(debt) = find(tx, server)? else { return Ok(()) };
    write_evidence(tx, server, to(debt.evidence))
}

fn write_evidence(tx: &Transaction<'_>, server: &Id, evidence: StopEvidence) -> Result<(), StoreError> {
    let StopEvidence { seen_down, start, missing_for } = evidence;
    let missing = i64::try_from(missing_for.as_millis()).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE debt SET seen_down = ?2, start = ?3, missing_millis = ?4 WHERE server = ?1",
        params![json(server)?, seen_down, start.word(), missing],
    )?;
    Ok(())
}

fn find(tx: &Transaction<'_>, server: &Id) -> Result<Option<Debt>, StoreError> {
    let mut query = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM debt WHERE server = ?1"))?;
    let mut rows = query.query([json(server)?])?;
    rows.next()?.map(debt_of).transpose()
}

fn debt_of(row: &Row<'_>) -> Result<Debt, StoreError> {
    let kind: Option<String> = row.get(5)?;
    let missing: i64 = row.get(10)?;
    Ok(Debt {
        server: ServerRef { id: read(&row.get::<_, String>(0)?)?, name: row.get(1)? },
        what: What::Start,
        since: time(row.get(2)?),
        run: row.get(3)?,
        policy: row.get(4)?,
        kind: kind.map(|kind| read(&format!("\"{kind}\""))).transpose()?,
        round: row.get(6)?,
        in_charge: row.get(7)?,
        evidence: StopEvidence {
            seen_down: row.get(8)?,
            start: Start::of_word(&row.get::<_, String>(9)?),
            missing_for: Duration::from_millis(u64::try_from(missing).unwrap_or_default()),
        },
    })
}

/// Nothing is owed any more: this is reported to whom the debt was.
fn end(tx: &Transaction<'_>, server: &ServerRef, by: Recovery, at: Timestamp) -> Result<(), StoreError> {
    tx.execute("DELETE FROM debt WHERE server = ?1", [json(&server.id)?])?;
    let last = last_told(tx, server)?;
    let closed = close_incidents(tx, Some(server), None, Topic::ServerStopped, at)?;
    let (Some(last), Some(since)) = (last, closed.into_iter().min()) else { return Ok(()) };
    let (since, was) = (Some(since), Some(last.to_string()));
    let recovered = Recovered { by, since, was, lost: Vec::new(), last_good: None };
    insert_notice(tx, &Notice { policy: None, kind: None, fact: Fact::Recovered(recovered), ..last }, at)
}

/// A report about the server's open incident, to whom the last one went; else about a new one.
fn about(tx: &Transaction<'_>, server: &ServerRef, report: NotStarted) -> Result<Notice, StoreError> {
    let fact = Fact::ServerNotStarted(report);
    Ok(match last_told(tx, server)? {
        Some(last) => Notice { fact, ..last },
        None => Notice::of_server(server.clone(), fact),
    })
}

fn last_told(tx: &Transaction<'_>, server: &ServerRef) -> Result<Option<Notice>, StoreError> {
    let body: Option<String> = tx
        .query_row(
            "SELECT notice.body FROM incident JOIN notice ON notice.incident = incident.id
             WHERE incident.server = ?1 AND topic = 'server_stopped' AND closed_at IS NULL ORDER BY notice.id DESC LIMIT 1",
            [json(&server.id)?],
            |row| row.get(0),
        )
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

fn incident_text(tx: &Transaction<'_>, server: &ServerRef) -> Result<Option<String>, StoreError> {
    let sql = "SELECT text FROM incident WHERE server = ?1 AND topic = 'server_stopped' AND closed_at IS NULL";
    Ok(tx.query_row(sql, [json(&server.id)?], |row| row.get(0)).optional()?)
}
