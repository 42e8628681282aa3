//! The facts of a digest: how every policy is doing, and what its runs did since the last digest.

use jiff::Timestamp;

use crate::account::survey::{Survey, Surveyed, survey};
use crate::config::Config;
use crate::journal::summary::RunStatus;
use crate::policy::inventory::{Kind, ServerId, ServerRef};
use crate::policy::name::PolicyName;
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
pub(crate) async fn digest_facts(
    config: &Config,
    store: &Store,
    since: Timestamp,
    before: Option<&str>,
    now: Timestamp,
) -> Result<DigestFacts, StoreError> {
    let before: Option<DigestFacts> = before.and_then(|text| serde_json::from_str(text).ok());
    let seen = survey(config, store, now).await?;
    let mut names: Vec<(PolicyName, Kind)> =
        config.policies.iter().map(|policy| (policy.name.clone(), policy.kind)).collect();
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
        DigestPolicy { servers: servers.collect(), name: name.to_string(), kind }
    });
    let mut holds = Vec::new();
    for hold in seen.holds.iter().filter(|hold| ends_soon_or_never(hold, now)) {
        holds.push(digest_hold(store, &seen, hold).await?);
    }
    Ok(DigestFacts {
        since,
        runs: counts(store, since).await?,
        policies: policies.collect(),
        unprotected: seen.status.unprotected.clone(),
        holds,
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

/// Whether a hold ends within a week, or never.
fn ends_soon_or_never(hold: &Hold, now: Timestamp) -> bool {
    hold.until.is_none_or(|until| now.duration_until(until) < jiff::SignedDuration::from_hours(7 * 24))
}

async fn digest_hold(store: &Store, seen: &Survey, hold: &Hold) -> Result<DigestHold, StoreError> {
    let (server, point) = match &hold.what {
        HoldTarget::Server(server) => (Some(server.clone()), None),
        HoldTarget::Point(kind, id) => {
            let server = store.server_of_point(*kind, id.clone()).await?.map(|(server, _)| named(seen, server));
            (server, Some((*kind, id.clone())))
        }
    };
    Ok(DigestHold { server, point, reason: hold.reason.clone(), since: hold.since, until: hold.until })
}

/// A server under the name that the account has for it.
fn named(seen: &Survey, id: ServerId) -> ServerRef {
    let mut servers = seen.status.policies.iter().map(|one| &one.server).chain(&seen.status.unprotected);
    let name = servers.find(|server| server.id == id).map(|server| server.name.clone());
    ServerRef { name: name.unwrap_or_else(|| id.to_string()), id }
}

async fn counts(store: &Store, since: Timestamp) -> Result<RunCounts, StoreError> {
    let mut counts = RunCounts::default();
    for some in store.ended_since(since).await?.chunks(READ_AT_ONCE) {
        for run in store.histories(some.to_vec()).await? {
            match run.summary.outcome {
                RunStatus::Succeeded => counts.succeeded += 1,
                RunStatus::Failed => counts.failed += 1,
                RunStatus::Unknown => counts.unknown += 1,
                RunStatus::Skipped | RunStatus::Running => counts.skipped += 1,
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
