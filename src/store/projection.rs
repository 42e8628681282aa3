//! What follows from a run's events for the tables that the next plan reads: points, tokens, evictions, incidents.

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::event::{Act, Answer, DeleteReason, Event, Found, Outcome, RunKey, Sight};
use crate::journal::notice::{Fact, Notice, Recovered, Recovery, Topic};
use crate::journal::state::RunState;
use crate::policy::inventory::Id;
use crate::policy::memory::Origin;
use crate::store::StoreError;
use crate::store::brakes::mean_to_delete;
use crate::store::debts;
use crate::store::notices::{close_incidents, insert_notice, open_text};
use crate::store::runs::{write_creation_time, write_lead};
use crate::store::transaction::Transaction;
use crate::store::value::{json, nanos, time};
use crate::store::vanished::{forget, keep};

/// An event of a run, in the transaction that writes it.
pub(super) struct Projection<'a> {
    pub tx: &'a Transaction<'a>,
    pub run: i64,
    pub key: &'a RunKey,
    pub before: &'a RunState,
    pub made: Option<&'a Id>,
    pub at: Timestamp,
    /// What is told with it.
    pub notices: &'a [Notice],
}

/// What follows from an event for the tables that the next plan reads.
pub(super) fn project(p: &Projection<'_>, event: &Event) -> Result<(), StoreError> {
    debts::project(p, event)?;
    match event {
        Event::Intended { act: Act::Create { mark, .. }, .. } => {
            let (server, kind) = (json(&p.key.server.id)?, p.key.kind.word());
            p.tx.execute(
                "INSERT INTO token (token, server, kind, policy, run, sent_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open')
                 ON CONFLICT (token) DO UPDATE SET state = 'open', sent_at = ?6",
                params![mark.token.as_str(), server, kind, mark.policy, p.run, nanos(p.at)],
            )?;
        }
        Event::Intended { act: Act::Delete { id, .. }, .. } => {
            mean_to_delete(p.tx, &p.key.server.id, p.key.kind, (id, Some(p.at)))?;
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
                if let Some(plan) = &p.before.plan {
                    write_lead(p.tx, p.run, plan.at, p.at)?;
                }
            }
        }
        Act::Delete { id, cause, .. } if outcome == Some("made") || gone => {
            // Its row stays until a list lacks it: a point that is forgotten while it is listed would look like a
            // second lastgood's.
            p.tx.execute(
                "UPDATE point SET deleting = ?4 WHERE server = ?1 AND kind = ?2 AND id = ?3",
                params![server, kind, json(id)?, nanos(p.at)],
            )?;
            if *cause == DeleteReason::Eviction {
                p.tx.execute(
                    "INSERT INTO evicted (server, policy, kind, count) VALUES (?1, ?2, ?3, 1)
                     ON CONFLICT (server, policy) DO UPDATE SET kind = ?3,
                     count = CASE WHEN coalesce(kind, ?3) = ?3 THEN count + 1 ELSE 1 END",
                    params![server, p.key.policy.as_str(), kind],
                )?;
            }
        }
        Act::Delete { id, .. } if outcome == Some("not_made") => {
            mean_to_delete(p.tx, &p.key.server.id, p.key.kind, (id, None))?;
        }
        _ => {}
    }
    Ok(())
}

/// A point of ours exists. Its text is remembered when a list next shows it; what the journal knew of an earlier point
/// with the same id does not hold for it.
fn made(p: &Projection<'_>, id: &Id, token: &str) -> Result<(), StoreError> {
    let policy = p.key.policy.as_str();
    let (server, kind, key) = (json(&p.key.server.id)?, p.key.kind.word(), json(id)?);
    keep(p.tx, "server = ?1 AND kind = ?2 AND id = ?3", params![server, kind, key], p.at)?;
    p.tx.execute(
        "INSERT INTO point (server, kind, id, origin, policy, made_at, token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (server, kind, id) DO UPDATE SET origin = ?4, policy = ?5, made_at = ?6, token = ?7,
         created_at = NULL, first_text = NULL, status = NULL, size_mb = NULL, deleting = NULL, seen_at = NULL, asked_gone = NULL",
        params![server, kind, key, json(&Origin::Made(policy.to_owned()))?, policy, nanos(p.at), token],
    )?;
    Ok(())
}

fn seen(p: &Projection<'_>, sight: &Sight) -> Result<(), StoreError> {
    let (server, kind) = (json(&p.key.server.id)?, p.key.kind.word());
    match sight {
        Sight::Completed { .. } => {
            p.tx.execute(
                "DELETE FROM evicted WHERE server = ?1 AND policy = ?2 AND coalesce(kind, ?3) = ?3",
                params![server, p.key.policy.as_str(), kind],
            )?;
            if let Some(create) = p.before.steps.iter().rfind(|step| step.act.is_create()) {
                write_creation_time(p.tx, p.run, create.intended_at.duration_until(p.at).unsigned_abs())?;
            }
        }
        Sight::Gone(id) => {
            forget(p.tx, "server = ?1 AND kind = ?2 AND id = ?3", params![server, kind, json(id)?], p.at)?;
            // It counts as not made until a list shows it after all.
            if let (Some(made), Some(mark)) = (&p.before.created, p.before.mark())
                && made.id == *id
            {
                p.tx.execute("UPDATE token SET state = 'not_made' WHERE token = ?1", [mark.token.as_str()])?;
            }
        }
        Sight::Duplicate { id, adopted, .. } => {
            let token = p.before.mark().map(|mark| mark.token.to_string()).unwrap_or_default();
            made(p, adopted, &token)?;
            made(p, id, &token)?;
        }
        Sight::ServerStopped | Sight::ServerRunning | Sight::ServerGone | Sight::PointFailed { .. } => {}
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
    let was = open_text(p.tx, &server, policy, Topic::Run)?;
    let mut since: Option<Timestamp> = None;
    for topic in [Topic::Run, Topic::Stale, Topic::Missed] {
        let closed = close_incidents(p.tx, Some(&p.key.server), Some(policy), topic, p.at)?;
        since = closed.into_iter().chain(since).min();
    }
    let Some(since) = since else { return Ok(()) };
    let mut query = p.tx.prepare_cached(
        "SELECT due FROM run WHERE server = ?1 AND policy = ?2 AND due IS NOT NULL AND outcome != 'succeeded'
         AND ended_at >= ?3 AND id != ?4 AND kind = ?5 ORDER BY due",
    )?;
    let kind = p.key.kind.word();
    let rows = query.query_map(params![server, policy, nanos(since), p.run, kind], |row| row.get::<_, i64>(0))?;
    let lost: Vec<Timestamp> = rows.map(|row| Ok(time(row?))).collect::<Result<_, StoreError>>()?;
    // Where the success is reported, the recovery is, too, and with the same last good point.
    let success = p.notices.first();
    let last_good = success.and_then(|notice| notice.fact.last_good().cloned());
    let recovered = Recovered { by: Recovery::PointMade, since: Some(since), was, lost, last_good };
    let recovery = Notice {
        policy: Some(policy.to_owned()),
        kind: Some(p.key.kind),
        reports: success.map(|notice| notice.reports.clone()).unwrap_or_default(),
        ..Notice::of_server(p.key.server.clone(), Fact::Recovered(recovered))
    };
    insert_notice(p.tx, &recovery, p.at)
}
