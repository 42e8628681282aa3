//! How the whole installation is doing at a moment, from the policy file and the state: what `status` and the digest
//! show. The provider is not asked.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::account::file_in_force::file_status;
use crate::account::fleet;
use crate::account::servers::stored_servers;
use crate::account::upcoming::Upcoming;
use crate::config::Config;
use crate::journal::debt::Debt;
use crate::journal::notice::{Good, Topic};
use crate::policy::inventory::{Kind, PointId, PointStatus, Server, ServerId, ServerRef, newest_first};
use crate::policy::slots::{Slots, TakenSlot};
use crate::policy::task::Task;
use crate::report::digest::FormerPoints;
use crate::status::{
    DebtStatus, IncidentStatus, Level, OpenRuns, OutboxStatus, PolicyFacts, PolicyStatus, Status, policy_state,
};
use crate::store::due::Handled;
use crate::store::holds::{Hold, HoldTarget};
use crate::store::notices::Incident;
use crate::store::points::StoredPoint;
use crate::store::{Store, StoreError};

/// Mail that waits longer than this is a warning.
const MAIL_WAITS: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// Reported in place of every selector that matches nothing.
const NO_SERVERS: &str =
    "no server is known: the account has none, or neither the daemon nor a run has listed them yet";

/// What is known of a policy on a server beside its status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surveyed {
    /// How bad it is.
    pub(super) level: Level,
    /// How many completed points the last inventory showed.
    pub(super) points: usize,
    /// When the oldest of them was created.
    pub(super) oldest: Option<Timestamp>,
}

/// The whole installation.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    /// The status.
    pub status: Status,
    /// Every policy on every server, in the order of the status.
    pub(super) policies: Vec<Surveyed>,
    /// Servers without any policy that need none.
    pub(super) exempt: Vec<ServerRef>,
    /// Points of policies that are no longer in the file.
    pub(super) former: Vec<FormerPoints>,
    /// The holds in force.
    pub(super) holds: Vec<Hold>,
}

/// Surveys every policy on every server.
///
/// # Errors
/// What the state says.
pub(crate) async fn survey(config: &Config, store: &Store, now: Timestamp) -> Result<Survey, StoreError> {
    let servers = stored_servers(store).await?;
    let incidents = store.incidents().await?;
    let holds = store.holds(now).await?;
    let running = store.open_keys().await?;
    let listed = store.listed_everywhere().await?;
    let held = holds.iter().filter_map(|hold| match &hold.what {
        HoldTarget::Point(kind, id) => Some((*kind, id)),
        HoldTarget::Server(_) => None,
    });
    let input = SurveyInput {
        config,
        listed: &listed,
        handled: &store.handled_everywhere().await?,
        held: &held.collect(),
        failing: &incidents.iter().filter(|one| one.topic == Topic::Run).filter_map(policy_of_incident).collect(),
        running: &running.iter().map(|run| (&run.server, run.policy.as_str())).collect(),
        now,
    };
    let SurveyedServers { shown: shown_policies, policies, without_policy } = surveyed_servers(&input, &servers);
    let (exempt, unprotected): (Vec<&Server>, Vec<&Server>) =
        without_policy.into_iter().partition(|server| fleet::needs_no_policy(config, server));
    let former = former(config, &listed, &servers);
    // Before the first list, no selector matches anything, which says nothing about the selectors.
    let mut warnings: Vec<String> = if servers.is_empty() {
        vec![NO_SERVERS.to_owned()]
    } else {
        config.unmatched(&servers).iter().map(ToString::to_string).collect()
    };
    warnings.extend(former.iter().map(|former| {
        format!(
            "{} {} of {} belong to policy {}, which is not in the file: they stay and take slots",
            former.points,
            former.kind.plural(),
            former.server,
            former.policy
        )
    }));
    let (policy_file, refusal) = file_status(store).await?;
    if let Some(errors) = refusal {
        warnings.push(format!("the policy file was read again and refused: {errors}"));
    }
    if config.reports.iter().all(|report| report.on.is_empty()) {
        warnings.push("failures reach nobody: give a [report] with `to`".to_owned());
    }
    let backlog = store.backlog().await?;
    let outbox = OutboxStatus { waiting: backlog.waiting, oldest: backlog.oldest, refused: backlog.refused };
    let level = level(&policies, &incidents, &outbox, &warnings, now);
    let active = running.iter().filter(|run| run.works).count();
    let status = Status {
        at: now,
        level,
        policies: shown_policies,
        unprotected: references(&unprotected),
        incidents: incidents.into_iter().map(shown).collect(),
        debts: store.debts().await?.into_iter().map(owed).collect(),
        outbox,
        runs: OpenRuns { active, waiting: running.len() - active },
        policy_file,
        last_evaluation: store.last_evaluation().await?,
        warnings,
    };
    Ok(Survey { status, policies, exempt: references(&exempt), former, holds })
}

/// The policies of all servers.
#[derive(Default)]
struct SurveyedServers<'a> {
    shown: Vec<PolicyStatus>,
    policies: Vec<Surveyed>,
    without_policy: Vec<&'a Server>,
}

fn surveyed_servers<'a>(input: &SurveyInput<'_>, servers: &'a [Server]) -> SurveyedServers<'a> {
    let mut all = SurveyedServers::default();
    let mut upcoming = Upcoming::after(input.now);
    // Server by server: all tasks of a large account would take much memory at once.
    for server in servers {
        let tasks = fleet::tasks_of_server(input.config, server);
        if tasks.is_empty() {
            all.without_policy.push(server);
        }
        for task in &tasks {
            let (shown, one) = surveyed(input, task, upcoming.of(task));
            all.shown.push(shown);
            all.policies.push(one);
        }
    }
    all
}

fn references(servers: &[&Server]) -> Vec<ServerRef> {
    servers.iter().map(|server| server.reference.clone()).collect()
}

fn level(
    policies: &[Surveyed],
    incidents: &[Incident],
    outbox: &OutboxStatus,
    warnings: &[String],
    now: Timestamp,
) -> Level {
    let of_incident = |incident: &Incident| match incident.topic {
        Topic::ServerStopped | Topic::Run => Level::Critical,
        _ => Level::Warning,
    };
    let mail = outbox.oldest.is_some_and(|oldest| oldest.duration_until(now) > MAIL_WAITS);
    let others = if mail || !warnings.is_empty() { Level::Warning } else { Level::Ok };
    let policies = policies.iter().map(|one| one.level);
    policies.chain(incidents.iter().map(of_incident)).chain([others]).max().unwrap_or(Level::Ok)
}

/// The points of all servers, by server and kind.
type ListedEverywhere = HashMap<(ServerId, Kind), Vec<StoredPoint>>;

struct SurveyInput<'a> {
    config: &'a Config,
    listed: &'a ListedEverywhere,
    handled: &'a HashMap<(ServerId, String), Handled>,
    held: &'a HashSet<(Kind, &'a PointId)>,
    failing: &'a HashSet<(&'a ServerId, &'a str)>,
    running: &'a HashSet<(&'a ServerId, &'a str)>,
    now: Timestamp,
}

fn policy_of_incident(incident: &Incident) -> Option<(&ServerId, &str)> {
    Some((&incident.server.as_ref()?.id, incident.policy.as_deref()?))
}

fn surveyed(input: &SurveyInput<'_>, task: &Task, next_due: Option<Timestamp>) -> (PolicyStatus, Surveyed) {
    let (policy, server) = (&task.policy, &task.server.reference);
    let listed = input.listed.get(&(server.id.clone(), policy.kind)).map(Vec::as_slice).unwrap_or_default();
    let handled = input.handled.get(&(server.id.clone(), policy.name.to_string()));
    let key = (&server.id, policy.name.as_str());
    let own = |point: &&StoredPoint| point.policy.as_deref().is_some_and(|name| policy.answers_to(name));
    let completed = |point: &&StoredPoint| point.status == Some(PointStatus::Completed) && point.created_at.is_some();
    let points = || listed.iter().filter(own).filter(completed);
    let newest = points().min_by(|a, b| newest_first((a.created_at, &a.id), (b.created_at, &b.id)));
    let last_good =
        newest.and_then(|point| point.created_at.map(|created_at| Good { id: point.id.clone(), created_at }));
    let facts = PolicyFacts {
        last_good: last_good.as_ref().map(|good| good.created_at),
        first_at: handled.map(|handled| handled.first_at),
        running: input.running.contains(&key),
        failing: input.failing.contains(&key),
        max_age: policy.max_age,
    };
    let (state, level) = policy_state(&facts, input.now);
    let status = PolicyStatus {
        server: server.clone(),
        policy: policy.name.clone(),
        kind: policy.kind,
        age_seconds: facts.last_good.map(|at| at.duration_until(input.now).as_secs()),
        last_good,
        size_mb: newest.and_then(|point| point.size_mb),
        max_age_seconds: policy.max_age.as_secs(),
        next_due,
        slots: slots(input, task, listed),
        state,
    };
    let oldest = points().filter_map(|point| point.created_at).min();
    (status, Surveyed { level, points: points().count(), oldest })
}

/// The slots by the last inventory.
fn slots(input: &SurveyInput<'_>, task: &Task, listed: &[StoredPoint]) -> Slots {
    let kind = task.policy.kind;
    let taken = listed
        .iter()
        .map(|point| TakenSlot { own: point.policy.is_some(), held: input.held.contains(&(kind, &point.id)) });
    Slots::sum(input.config.provider.slots.of(kind), taken)
}

fn former(config: &Config, listed: &ListedEverywhere, servers: &[Server]) -> Vec<FormerPoints> {
    let mut former = Vec::new();
    for server in servers {
        for kind in Kind::ALL {
            let Some(listed) = listed.get(&(server.reference.id.clone(), kind)) else { continue };
            let names: BTreeSet<&str> = listed.iter().filter_map(|point| point.policy.as_deref()).collect();
            for name in names {
                if config.knows_policy(name, kind) {
                    continue;
                }
                let points = listed.iter().filter(|point| point.policy.as_deref() == Some(name)).count();
                former.push(FormerPoints { policy: name.to_owned(), server: server.reference.clone(), kind, points });
            }
        }
    }
    former
}

fn owed(debt: Debt) -> DebtStatus {
    DebtStatus { what: debt.what.word(), since: debt.since, run: debt.start().in_charge, server: debt.server }
}

fn shown(incident: Incident) -> IncidentStatus {
    IncidentStatus {
        server: incident.server,
        policy: incident.policy,
        topic: incident.topic.to_string(),
        text: incident.text,
        since: incident.opened_at,
    }
}
