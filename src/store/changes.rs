//! Writes the changes that `journal::effects` returns: one or two statements each, and no rule about their meaning.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::journal::effects::{
    Change, ENDED_BY_A_POINT, EndedRun, EvictionCount, lead_of_run, point_created, point_gone, policy_recovered,
};
use crate::journal::notice::{Good, Topic};
use crate::policy::inventory::Kind;
use crate::policy::looks::Took;
use crate::policy::memory::Origin;
use crate::store::notices::{close_incidents, insert_notice, open_text};
use crate::store::scope::Scope;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, duration, milliseconds, nanos, read_word, time};
use crate::store::{StoreError, brake_rows, debt_rows, point_rows, tokens};

/// The outcome of a run that cannot be read back.
const UNREADABLE: &str = "unreadable";

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
        Change::EvictionsReplaced { policy } => forget_evictions(scope, of, policy),
        Change::LeadMeasured(lead) => write_lead(scope, *lead),
        Change::CreationMeasured(time) => write_creation_time(scope, *time),
        Change::RunEnded(outcome) => end_run(scope, &outcome.to_string()),
        Change::RunSetAside => end_run(scope, UNREADABLE),
        Change::NoLongerStale => clear_stale(scope, of),
        Change::ServerIncidentClosed(topic) => close_incidents(tx, Some(scope.server), Some(""), *topic, at).map(drop),
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
    let known = eviction_count(scope.tx, of, scope.policy()?)?;
    let EvictionCount { kind, count } = EvictionCount::one_more(known, scope.kind);
    scope.tx.execute(
        "INSERT OR REPLACE INTO evicted (server, policy, kind, count) VALUES (?1, ?2, ?3, ?4)",
        params![of.server, scope.policy()?, kind.map(Kind::word), count],
    )?;
    Ok(())
}

fn forget_evictions(scope: &Scope<'_>, of: &ServerKind, policy: &str) -> Result<(), StoreError> {
    if eviction_count(scope.tx, of, policy)?.is_some_and(|known| known.is_of(scope.kind)) {
        scope.tx.execute("DELETE FROM evicted WHERE server = ?1 AND policy = ?2", params![of.server, policy])?;
    }
    Ok(())
}

/// The evictions that are counted for a policy on a server.
pub(super) fn eviction_count(
    tx: &Transaction<'_>,
    of: &ServerKind,
    policy: &str,
) -> Result<Option<EvictionCount>, StoreError> {
    let sql = "SELECT kind, count FROM evicted WHERE server = ?1 AND policy = ?2";
    let row = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?));
    let Some((kind, count)) = tx.query_row(sql, params![of.server, policy], row).optional()? else { return Ok(None) };
    Ok(Some(EvictionCount { kind: kind.as_deref().map(read_word).transpose()?, count }))
}

fn write_lead(scope: &Scope<'_>, lead: Duration) -> Result<(), StoreError> {
    let run = scope.run()?;
    let known: Option<i64> = scope.tx.query_row("SELECT lead_ms FROM run WHERE id = ?1", [run], |row| row.get(0))?;
    let lead = lead_of_run(known.map(duration), lead);
    scope.tx.execute("UPDATE run SET lead_ms = ?2 WHERE id = ?1", params![run, milliseconds(lead)])?;
    Ok(())
}

fn write_creation_time(scope: &Scope<'_>, took: Took) -> Result<(), StoreError> {
    let (at_least, at_most) = (milliseconds(took.at_least), milliseconds(took.at_most));
    let sql = "UPDATE run SET creation_ms = ?2, in_progress_ms = ?3 WHERE id = ?1";
    scope.tx.execute(sql, params![scope.run()?, at_most, at_least])?;
    Ok(())
}

fn end_run(scope: &Scope<'_>, outcome: &str) -> Result<(), StoreError> {
    scope.tx.execute(
        "UPDATE run SET ended_at = ?2, outcome = ?3 WHERE id = ?1",
        params![scope.run()?, nanos(scope.at), outcome],
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
    let ended = ended_since(scope, of, since)?;
    insert_notice(tx, &policy_recovered((server, policy, kind), (since, was), &ended, (reports, last_good)), at)
}

/// The other runs of the policy for due times that have ended since this time.
fn ended_since(scope: &Scope<'_>, of: &ServerKind, since: Timestamp) -> Result<Vec<EndedRun>, StoreError> {
    let mut query = scope.tx.prepare_cached(
        "SELECT due, outcome FROM run WHERE server = ?1 AND policy = ?2 AND due IS NOT NULL AND outcome IS NOT NULL
         AND ended_at >= ?3 AND id != ?4 AND kind = ?5 ORDER BY due",
    )?;
    let params = params![of.server, scope.policy()?, nanos(since), scope.run()?, of.kind];
    let ended = query.query_map(params, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    ended.map(|ended| ended.map(|(due, outcome)| EndedRun { due: time(due), outcome }).map_err(Into::into)).collect()
}
