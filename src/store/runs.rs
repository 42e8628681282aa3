//! Runs and their events. `append` is the only way a run moves on: the event, what follows from it for points, tokens
//! and holds of slots, and (at the end) the notices are one transaction.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::journal::event::{Act, Answer, Cause, Event, Found, Outcome, RunKey, Sight};
use crate::journal::notice::{Class, Notice, Topic};
use crate::journal::state::RunState;
use crate::journal::summary::{RunHistory, history};
use crate::policy::inventory::{Id, ServerRef};
use crate::policy::memory::Origin;
use crate::policy::policy::PolicyName;
use crate::store::notices::{close_incidents, insert_notice};
use crate::store::value::{json, nanos, read, time};
use crate::store::{Store, StoreError};

/// A run of the journal.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What its events make of it.
    pub state: RunState,
    /// How many events it has.
    pub events: u32,
}

/// Whether a due time was new to the journal.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// It was: this is its run.
    New(Box<Run>),
    /// It has a run already.
    Before,
}

impl Store {
    /// Records a due time, or a run by hand, and moves the last handled due time on, in one transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_run(&self, key: RunKey, at: Timestamp) -> Result<Recorded, StoreError> {
        self.transact(move |tx| Ok(open(tx, key, at)?.map_or(Recorded::Before, |run| Recorded::New(Box::new(run))))).await
    }

    /// Writes an event: first to the journal, then to `run`. At a run's end, the notices are in the same transaction.
    ///
    /// # Errors
    /// `Illegal` when the event cannot follow, else what the database says; the run is then as it was.
    pub async fn append(
        &self,
        run: &mut Run,
        event: Event,
        at: Timestamp,
        notices: Vec<Notice>,
    ) -> Result<(), StoreError> {
        let mut state = run.state.clone();
        state.apply(&event, at)?;
        let (id, seq, key) = (run.id, run.events, run.state.key.clone());
        let made = state.made.as_ref().map(|made| made.id.clone());
        let before = run.state.clone();
        self.transact(move |tx| {
            tx.execute(
                "INSERT INTO event (run, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
                params![id, seq, nanos(at), json(&event)?],
            )?;
            project(&Projection { tx, run: id, key: &key, before: &before, made: made.as_ref(), at }, &event)?;
            for notice in &notices {
                insert_notice(tx, notice, at)?;
            }
            Ok(())
        })
        .await?;
        run.state = state;
        run.events += 1;
        Ok(())
    }

    /// The runs that have not ended, oldest first. A run does not end while its server still has to be started.
    ///
    /// # Errors
    /// What the database says, or an event that cannot follow.
    pub async fn unfinished(&self) -> Result<Vec<Run>, StoreError> {
        self.transact(|tx| {
            let mut query = tx.prepare("SELECT id FROM run WHERE ended_at IS NULL ORDER BY id")?;
            let ids: Vec<i64> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            ids.into_iter().map(|id| load(tx, id)).collect()
        })
        .await
    }

    /// Runs with their steps, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history(&self, server: Option<Id>, limit: u32) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| {
            let server = server.as_ref().map(json).transpose()?;
            let mut query = tx.prepare(
                "SELECT id FROM run WHERE ?1 IS NULL OR server = ?1 ORDER BY opened_at DESC, id DESC LIMIT ?2",
            )?;
            let ids: Vec<i64> = query.query_map(params![server, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
            ids.into_iter().map(|id| load(tx, id).map(|run| history(id, &run.state))).collect()
        })
        .await
    }

    /// The numbers of the runs that ended at a moment or after it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ended_since(&self, since: Timestamp) -> Result<Vec<i64>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare_cached("SELECT id FROM run WHERE ended_at >= ?1 ORDER BY id")?;
            Ok(query.query_map([nanos(since)], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// These runs with their steps. Ask for some hundred at a time: others wait for the state meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub async fn histories(&self, ids: Vec<i64>) -> Result<Vec<RunHistory>, StoreError> {
        self.transact(move |tx| ids.iter().map(|id| Ok(history(*id, &load(tx, *id)?.state))).collect()).await
    }

    /// How long the last points of a policy took to be made, newest first, for at most ten of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn usual_durations(
        &self,
        server: Id,
        policy: PolicyName,
    ) -> Result<Vec<std::time::Duration>, StoreError> {
        self.transact(move |tx| {
            let mut query = tx.prepare(
                "SELECT id FROM run WHERE server = ?1 AND policy = ?2 AND outcome = 'succeeded' ORDER BY id DESC LIMIT 10",
            )?;
            let ids: Vec<i64> =
                query.query_map(params![json(&server)?, policy.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut durations = Vec::new();
            for id in ids {
                let mut asked = None;
                for (at, event) in events(tx, id)? {
                    match event {
                        Event::Intended { act: Act::Create { .. }, .. } => asked = Some(at),
                        Event::Seen(Sight::Completed { .. }) => {
                            let taken = asked.map(|asked| asked.duration_until(at).unsigned_abs());
                            durations.extend(taken);
                        }
                        _ => {}
                    }
                }
            }
            Ok(durations)
        })
        .await
    }
}

/// Records a due time or a run by hand; `None` when the due time has a run already.
pub(super) fn open(tx: &Transaction<'_>, key: RunKey, at: Timestamp) -> Result<Option<Run>, StoreError> {
    let (server, policy) = (json(&key.server.id)?, key.policy.to_string());
    let mut add = tx.prepare_cached(
        "INSERT INTO run (server, server_name, policy, kind, due, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (server, policy, due) DO NOTHING",
    )?;
    let added =
        add.execute(params![server, key.server.name, policy, key.kind.word(), key.due.map(nanos), nanos(at)])?;
    let id = tx.last_insert_rowid();
    if let Some(due) = key.due {
        let mut handle = tx.prepare_cached(
            "UPDATE due_time SET handled = max(handled, ?3) WHERE server = ?1 AND policy = ?2",
        )?;
        handle.execute(params![server, policy, nanos(due)])?;
    }
    Ok((added > 0).then(|| Run { id, state: RunState::opened(key, at), events: 0 }))
}

/// Ends a run of which nothing was done: its due time is passed over.
pub(super) fn skip(tx: &Transaction<'_>, mut run: Run, error: String, at: Timestamp) -> Result<(), StoreError> {
    let event = Event::Ended { outcome: Outcome::Skipped, error: Some(error) };
    let before = run.state.clone();
    run.state.apply(&event, at)?;
    tx.execute(
        "INSERT INTO event (run, seq, at, body) VALUES (?1, ?2, ?3, ?4)",
        params![run.id, run.events, nanos(at), json(&event)?],
    )?;
    project(&Projection { tx, run: run.id, key: &before.key, before: &before, made: None, at }, &event)
}

/// The run and its state.
pub(super) fn load(tx: &Transaction<'_>, id: i64) -> Result<Run, StoreError> {
    let row = tx
        .query_row("SELECT server, server_name, policy, kind, due, opened_at FROM run WHERE id = ?1", [id], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, Option<i64>>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })
        .optional()?;
    let (server, name, policy, kind, due, opened_at) = row.ok_or_else(|| StoreError::Value(format!("run {id}")))?;
    let key = RunKey {
        server: ServerRef { id: read(&server)?, name },
        policy: PolicyName::new(&policy).ok_or_else(|| StoreError::Value(format!("policy {policy}")))?,
        kind: read(&format!("\"{kind}\""))?,
        due: due.map(time),
    };
    let events = events(tx, id)?;
    let state = RunState::replay(key, time(opened_at), events.iter().map(|(at, event)| (*at, event)))?;
    Ok(Run { id, state, events: u32::try_from(events.len()).expect("a run has few events") })
}

fn events(tx: &Transaction<'_>, run: i64) -> Result<Vec<(Timestamp, Event)>, StoreError> {
    let mut query = tx.prepare_cached("SELECT at, body FROM event WHERE run = ?1 ORDER BY seq")?;
    let rows = query.query_map([run], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (at, body) = row?;
        Ok((time(at), read(&body)?))
    })
    .collect()
}

struct Projection<'a> {
    tx: &'a Transaction<'a>,
    run: i64,
    key: &'a RunKey,
    before: &'a RunState,
    made: Option<&'a Id>,
    at: Timestamp,
}

/// What follows from an event for the tables that the next plan reads.
fn project(p: &Projection<'_>, event: &Event) -> Result<(), StoreError> {
    match event {
        Event::Intended { act: Act::Create { mark, .. }, .. } => {
            let (server, kind) = (json(&p.key.server.id)?, p.key.kind.word());
            p.tx.execute(
                "INSERT INTO token (token, server, kind, policy, run, sent_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open')
                 ON CONFLICT (token) DO UPDATE SET state = 'open', sent_at = ?6",
                params![mark.token.as_str(), server, kind, mark.policy, p.run, nanos(p.at)],
            )?;
        }
        Event::Answered { step, answer } => {
            let outcome = match answer {
                Answer::Accepted { .. } => Some("made"),
                Answer::Refused { .. } => Some("not_made"),
                Answer::AlreadyGone | Answer::Unknown { .. } => None,
            };
            resolve(p, *step, outcome, matches!(answer, Answer::AlreadyGone))?;
        }
        Event::Settled { step, found } => {
            let (outcome, gone) = match found {
                Found::Done { .. } => (Some("made"), true),
                Found::NotDone => (Some("not_made"), false),
                Found::Undecided { .. } => (Some("undecided"), false),
            };
            resolve(p, *step, outcome, gone)?;
        }
        Event::Seen(sight) => seen(p, sight)?,
        Event::Ended { outcome, .. } => end(p, *outcome)?,
        _ => {}
    }
    Ok(())
}

/// A step is known to be carried out, or not.
fn resolve(p: &Projection<'_>, step: u32, outcome: Option<&str>, gone: bool) -> Result<(), StoreError> {
    let (server, kind) = (json(&p.key.server.id)?, p.key.kind.word());
    let step = p.before.steps.get(step as usize - 1).ok_or_else(|| StoreError::Value(format!("step {step}")))?;
    match &step.act {
        Act::Create { mark, .. } => {
            let Some(outcome) = outcome else { return Ok(()) };
            p.tx.execute("UPDATE token SET state = ?2 WHERE token = ?1", params![mark.token.as_str(), outcome])?;
            if let (Some(id), "made") = (p.made, outcome) {
                made(p, id, mark.token.as_str())?;
            }
        }
        Act::Delete { id, cause, .. } if outcome == Some("made") || gone => {
            // Its row stays until a list lacks it: a point that is forgotten while it is listed would look like a
            // second lastgood's.
            p.tx.execute(
                "UPDATE point SET deleting = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
                params![server, kind, json(id)?, nanos(p.at)],
            )?;
            if *cause == Cause::Eviction {
                p.tx.execute(
                    "INSERT INTO evicted (server, policy, count) VALUES (?1, ?2, 1)
                     ON CONFLICT (server, policy) DO UPDATE SET count = count + 1",
                    params![server, p.key.policy.as_str()],
                )?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A point of ours exists. Its text is remembered when a list next shows it; what the journal knew of an earlier point
/// with the same id does not hold for it.
fn made(p: &Projection<'_>, id: &Id, token: &str) -> Result<(), StoreError> {
    let policy = p.key.policy.as_str();
    p.tx.execute(
        "INSERT INTO point (server, kind, id, origin, policy, made_at, token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (server, kind, id) DO UPDATE SET origin = ?4, policy = ?5, made_at = ?6, token = ?7,
         created_at = NULL, first_text = NULL, status = NULL, size_mb = NULL, deleting = NULL, seen_at = NULL",
        params![
            json(&p.key.server.id)?,
            p.key.kind.word(),
            json(id)?,
            json(&Origin::Made(policy.to_owned()))?,
            policy,
            nanos(p.at),
            token
        ],
    )?;
    Ok(())
}

fn seen(p: &Projection<'_>, sight: &Sight) -> Result<(), StoreError> {
    let (server, kind) = (json(&p.key.server.id)?, p.key.kind.word());
    match sight {
        Sight::Completed { .. } => {
            p.tx.execute(
                "DELETE FROM evicted WHERE server = ?1 AND policy = ?2",
                params![server, p.key.policy.as_str()],
            )?;
        }
        Sight::Gone(id) => {
            p.tx.execute(
                "DELETE FROM point WHERE server = ?1 AND kind = ?2 AND id = ?3",
                params![server, kind, json(id)?],
            )?;
        }
        Sight::Duplicate { id, adopted, .. } => {
            let token = p.before.mark().map(|mark| mark.token.to_string()).unwrap_or_default();
            made(p, adopted, &token)?;
            made(p, id, &token)?;
        }
        Sight::ServerRunning | Sight::ServerGone => {
            let server = &p.key.server;
            close_incidents(p.tx, Some(server), None, Topic::ServerStopped, p.at)?;
        }
        Sight::ServerStopped | Sight::PointFailed { .. } => {}
    }
    Ok(())
}

/// The run is over: its row says so, and a success closes the policy's incidents with a recovery.
fn end(p: &Projection<'_>, outcome: Outcome) -> Result<(), StoreError> {
    p.tx.execute(
        "UPDATE run SET ended_at = ?2, outcome = ?3 WHERE id = ?1",
        params![p.run, nanos(p.at), outcome.to_string()],
    )?;
    if outcome != Outcome::Succeeded {
        return Ok(());
    }
    let (server, policy) = (json(&p.key.server.id)?, p.key.policy.as_str());
    p.tx.execute("UPDATE due_time SET stale = 0 WHERE server = ?1 AND policy = ?2", params![server, policy])?;
    // A clock that was wrong has done its harm, and its due times follow each other again: no recovery to tell.
    close_incidents(p.tx, Some(&p.key.server), Some(policy), Topic::Clock, p.at)?;
    let mut since: Option<Timestamp> = None;
    for topic in [Topic::Run, Topic::Stale, Topic::Missed] {
        let closed = close_incidents(p.tx, Some(&p.key.server), Some(policy), topic, p.at)?;
        since = closed.into_iter().chain(since).min();
    }
    let Some(since) = since else { return Ok(()) };
    let mut query = p.tx.prepare(
        "SELECT due FROM run WHERE server = ?1 AND policy = ?2 AND due IS NOT NULL AND outcome != 'succeeded'
         AND ended_at >= ?3 AND id != ?4 ORDER BY due",
    )?;
    let rows = query.query_map(params![server, policy, nanos(since), p.run], |row| row.get::<_, i64>(0))?;
    let lost: Vec<Timestamp> = rows.map(|row| Ok(time(row?))).collect::<Result<_, StoreError>>()?;
    let recovery = Notice {
        class: Class::Recovery,
        topic: Topic::Run,
        server: Some(p.key.server.clone()),
        policy: Some(policy.to_owned()),
        kind: Some(p.key.kind),
        text: format!("{policy} makes {} of {} again", p.key.kind.plural(), p.key.server),
        last_good: None,
        next: None,
        since: Some(since),
        lost,
        reports: Vec::new(),
    };
    insert_notice(p.tx, &recovery, p.at)
}
