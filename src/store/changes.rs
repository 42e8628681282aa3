//! Writes the changes that `journal::effects` returns: one or two statements each, and no rule about their meaning.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use crate::journal::effects::{Change, ENDED_BY_A_POINT, point_created, point_gone, policy_recovered};
use crate::journal::event::Outcome;
use crate::journal::notice::{Good, Topic};
use crate::policy::memory::Origin;
use crate::store::notices::{close_incidents, insert_notice, open_text};
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, nanos, time};
use crate::store::{StoreError, brake_rows, debt_rows, point_rows, tokens};

/// Writes these changes, in order.
pub(super) fn write_all(scope: &Scope<'_>, changes: &[Change]) -> Result<(), StoreError> {
    changes.iter().try_for_each(|change| write(scope, change))
}

fn write(scope: &Scope<'_>, change: &Change) -> Result<(), StoreError> {
    let Scope { tx, at, .. } = *scope;
    let of = &ServerKind::of(&scope.server.id, scope.kind)?;
    match change {
        Change::TokenOpened { token, policy } => tokens::open_token(tx, of, (token, policy, scope.run()?), at),
        Change::TokenSettled { token, state } => tokens::settle_token(tx, token, *state),
        Change::PointCreated { point, token } => {
            let known = point_rows::find(tx, of, point)?;
            write_all(scope, &point_created(known.as_ref(), (point, token.as_ref()), scope.policy()?, at))
        }
        Change::PointGone(point) => write_all(scope, &point_gone(point_rows::find(tx, of, point)?.as_ref())),
        Change::DeleteIntended { point, since } => point_rows::record_delete_intent(tx, of, (point, *since)),
        Change::DeleteAccepted(point) => point_rows::delete_accepted(tx, of, point, at),
        Change::PointRemembered(point) => point_rows::remember(tx, of, point),
        Change::PointForgotten(point) => point_rows::forget(tx, of, point),
        Change::PointVanished(point) => point_rows::vanish(tx, of, point, at),
        Change::PointsSeenAgain(points) => point_rows::seen_again(tx, of, points, at),
        Change::InventoryRead => point_rows::inventory_read(tx, of, at),
        Change::PointAccepted { kind, point } => {
            point_rows::set_origin(tx, &ServerKind { kind: kind.word(), ..of.clone() }, point, &Origin::First)
        }
        Change::PointEvicted => count_eviction(scope, of),
        Change::EvictionsReplaced { policy } => forget_evictions(tx, of, policy),
        Change::LeadMeasured(lead) => write_lead(scope, *lead),
        Change::CreationMeasured(time) => write_creation_time(scope, *time),
        Change::RunEnded(outcome) => end_run(scope, *outcome),
        Change::NoLongerStale => clear_stale(scope, of),
        Change::IncidentsClosed { policy, topic } => {
            close_incidents(tx, Some(scope.server), policy.as_deref(), *topic, at).map(drop)
        }
        Change::PolicyRecovered { reports, last_good } => recover(scope, of, (reports, last_good.as_ref())),
        Change::Debt(event) => debt_rows::write(scope, event),
        Change::BrakeSet { kind, brake } => brake_rows::set(tx, (of, *kind), brake, at),
        Change::BrakeAccepted(number) => brake_rows::accept(tx, *number, at),
        Change::BrakeReleased(number) => brake_rows::release(tx, *number),
        Change::RetentionRemembered { kind, policy, looked } => {
            brake_rows::remember_retention(tx, (of, *kind), policy, looked)
        }
        Change::RetentionForgotten { kind, policy } => brake_rows::forget_retention(tx, (of, *kind), policy),
    }
}

fn count_eviction(scope: &Scope<'_>, of: &ServerKind) -> Result<(), StoreError> {
    // One count for each policy and server; it starts over if the policy's kind changes.
    scope.tx.execute(
        "INSERT INTO evicted (server, policy, kind, count) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (server, policy) DO UPDATE SET kind = ?3,
         count = CASE WHEN coalesce(kind, ?3) = ?3 THEN count + 1 ELSE 1 END",
        params![of.server, scope.policy()?, of.kind],
    )?;
    Ok(())
}

fn forget_evictions(tx: &Transaction<'_>, of: &ServerKind, policy: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM evicted WHERE server = ?1 AND policy = ?2 AND coalesce(kind, ?3) = ?3",
        params![of.server, policy, of.kind],
    )?;
    Ok(())
}

fn write_lead(scope: &Scope<'_>, lead: Duration) -> Result<(), StoreError> {
    scope.tx.execute(
        "UPDATE run SET lead_ms = max(coalesce(lead_ms, 0), ?2) WHERE id = ?1",
        params![scope.run()?, milliseconds(lead)],
    )?;
    Ok(())
}

fn write_creation_time(scope: &Scope<'_>, time: Duration) -> Result<(), StoreError> {
    scope.tx.execute("UPDATE run SET creation_ms = ?2 WHERE id = ?1", params![scope.run()?, milliseconds(time)])?;
    Ok(())
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn end_run(scope: &Scope<'_>, outcome: Outcome) -> Result<(), StoreError> {
    scope.tx.execute(
        "UPDATE run SET ended_at = ?2, outcome = ?3 WHERE id = ?1",
        params![scope.run()?, nanos(scope.at), outcome.to_string()],
    )?;
    Ok(())
}

fn clear_stale(scope: &Scope<'_>, of: &ServerKind) -> Result<(), StoreError> {
    scope.tx.execute(
        "UPDATE due_time SET stale = 0 WHERE server = ?1 AND policy = ?2",
        params![of.server, scope.policy()?],
    )?;
    Ok(())
}

/// Closes the incidents that a good point ends, and writes the notice about it.
fn recover(
    scope: &Scope<'_>,
    of: &ServerKind,
    (reports, last_good): (&[String], Option<&Good>),
) -> Result<(), StoreError> {
    let Scope { tx, server, kind, at, .. } = *scope;
    let policy = scope.policy()?;
    let was = open_text(tx, &of.server, policy, Topic::Run)?;
    let mut since: Option<Timestamp> = None;
    for topic in ENDED_BY_A_POINT {
        let closed = close_incidents(tx, Some(server), Some(policy), topic, at)?;
        since = closed.into_iter().chain(since).min();
    }
    let Some(since) = since else { return Ok(()) };
    let lost = due_times_without_point(scope, of, since)?;
    insert_notice(tx, &policy_recovered((server, policy, kind), (since, was), lost, (reports, last_good)), at)
}

/// The due times whose runs have ended without a good point since this time.
fn due_times_without_point(scope: &Scope<'_>, of: &ServerKind, since: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
    let mut query = scope.tx.prepare_cached(
        "SELECT due FROM run WHERE server = ?1 AND policy = ?2 AND due IS NOT NULL AND outcome != 'succeeded'
         AND ended_at >= ?3 AND id != ?4 AND kind = ?5 ORDER BY due",
    )?;
    let params = params![of.server, scope.policy()?, nanos(since), scope.run()?, of.kind];
    let due = query.query_map(params, |row| row.get::<_, i64>(0))?;
    due.map(|due| Ok(time(due?))).collect()
}
