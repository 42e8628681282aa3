//! The facts of a digest: how every policy is doing, and what its runs did since the last digest.

use jiff::Timestamp;

use crate::account::survey::{Surveyed, survey};
use crate::config::Config;
use crate::policy::inventory::{Kind, ServerRef};
use crate::report::digest::{DigestFacts, DigestHold, DigestPolicy, DigestServer, DigestSlots, DigestState, RunCounts};
use crate::status::{PolicyState, PolicyStatus};
use crate::store::holds::{Hold, HoldTarget};
use crate::store::{Store, StoreError};

/// This many runs are read in one transaction.
const READ_AT_ONCE: usize = 200;

/// The facts since the last digest; `before` is what that one stored.
///
/// # Errors
/// What the state says.
pub async fn digest_facts(
    config: &Config,
    store: &Store,
    since: Timestamp,
    before: Option<&str>,
    now: Timestamp,
) -> Result<DigestFacts, StoreError> {
    let before: Option<DigestFacts> = before.and_then(|text| serde_json::from_str(text).ok());
    let seen = survey(config, store, now).await?;
    let mut names: Vec<(String, Kind)> =
        config.policies.iter().map(|policy| (policy.name.to_string(), policy.kind)).collect();
    for one in &seen.status.policies {
        let name = (one.policy.clone(), one.kind);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let policies = names.into_iter().map(|(name, kind)| {
        let all = seen.status.policies.iter().zip(&seen.policies);
        let servers = all.filter(|(status, _)| status.policy == name && status.kind == kind);
        let size_before = |status: &PolicyStatus| size_before(before.as_ref(), &name, &status.server);
        let servers = servers.map(|(status, one)| digest_server(status, *one, size_before(status)));
        DigestPolicy { servers: servers.collect(), name, kind }
    });
    Ok(DigestFacts {
        since,
        runs: counts(store, since).await?,
        policies: policies.collect(),
        unprotected: seen.status.unprotected.clone(),
        holds: seen.holds.iter().filter_map(|hold| digest_hold(hold, now)).collect(),
        former: seen.former,
        mails_waiting: seen.status.outbox.waiting as usize,
    })
}

fn digest_server(status: &PolicyStatus, one: Surveyed, size_before_mb: Option<u64>) -> DigestServer {
    let slots = status.slots;
    DigestServer {
        server: status.server.clone(),
        state: digest_state(status.state),
        points: one.points,
        last_good: status.last_good.clone(),
        oldest: one.oldest,
        size_mb: status.size_mb,
        size_before_mb,
        next_due: status.next_due,
        slots: DigestSlots {
            limit: slots.limit as usize,
            own: slots.own as usize,
            foreign: slots.foreign as usize,
            held: slots.held as usize,
        },
    }
}

fn size_before(before: Option<&DigestFacts>, policy: &str, server: &ServerRef) -> Option<u64> {
    let policy = before?.policies.iter().find(|other| other.name == policy)?;
    policy.servers.iter().find(|other| other.server.id == server.id)?.size_mb
}

/// A hold that ends within a week, or never.
fn digest_hold(hold: &Hold, now: Timestamp) -> Option<DigestHold> {
    let soon = hold.until.is_none_or(|until| now.duration_until(until) < jiff::SignedDuration::from_hours(7 * 24));
    let (server, point) = match &hold.what {
        HoldTarget::Server(server) => (server.clone(), None),
        HoldTarget::Point(kind, id) => {
            (ServerRef { id: id.clone(), name: format!("{kind} {id}") }, Some((*kind, id.clone())))
        }
    };
    soon.then(|| DigestHold { server, point, reason: hold.reason.clone(), since: hold.since, until: hold.until })
}

async fn counts(store: &Store, since: Timestamp) -> Result<RunCounts, StoreError> {
    let mut counts = RunCounts::default();
    for some in store.ended_since(since).await?.chunks(READ_AT_ONCE) {
        for run in store.histories(some.to_vec()).await? {
            match run.summary.outcome.as_str() {
                "succeeded" => counts.succeeded += 1,
                "failed" => counts.failed += 1,
                "unknown" => counts.unknown += 1,
                _ => counts.skipped += 1,
            }
            counts.made += usize::from(run.summary.created.is_some());
            counts.deleted += run.summary.deleted.len();
        }
    }
    Ok(counts)
}

/// The state of a policy in the words of the digest.
const fn digest_state(state: PolicyState) -> DigestState {
    match state {
        PolicyState::Ok => DigestState::Ok,
        PolicyState::Running => DigestState::Running,
        PolicyState::Failing => DigestState::Failing,
        PolicyState::Stale => DigestState::Stale,
        PolicyState::Never => DigestState::Never,
    }
}
