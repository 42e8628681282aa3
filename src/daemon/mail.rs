//! The mail of the service: one task that composes, sends and waits. A file in force that changes replaces it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::daemon::survey::{Survey, survey};
use crate::journal::notice::Class;
use crate::policy::inventory::ServerRef;
use crate::policy::schedule::Schedule;
use crate::report::digest::{
    DigestFacts, DigestHold, DigestPolicy, DigestServer, DigestSlots, FormerPoints, RunCounts,
};
use crate::report::matter::Matter;
use crate::report::pipeline::{Pipeline, PipelineError, Subscription, compose_due, messages, send_due};
use crate::report::recipients::Recipients;
use crate::report::smtp::{Limits, Login, SmtpSettings, Tls};
use crate::report::transport::Transport;
use crate::store::holds::Held;
use crate::store::{Store, StoreError};

/// The outbox is looked at at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After something failed.
const RETRY: Duration = Duration::from_secs(5);

/// Notices that come together make one round.
const BREATH: Duration = Duration::from_millis(500);
/// So many runs are read for a digest in one transaction.
const READ_AT_ONCE: usize = 200;
/// A digest handled further in the future than this is the trace of a wrong clock.
const FUTURE: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// The mail of the running service.
#[derive(Debug)]
pub struct Mail(JoinHandle<()>);

impl Mail {
    /// It ends with the service alone: before that, by a bug.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Mail {
    /// A mail that is on its way may be cut off: it is sent again under the same Message-ID.
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts to compose and send; `wake` is notified when there is something new.
#[must_use]
pub fn start(store: Store, clock: Clock, config: Arc<Config>, wake: Arc<Notify>) -> Mail {
    Mail(tokio::spawn(async move {
        loop {
            let now = clock.now();
            let next = match round(&store, &config, now, false).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!("mail: {error}");
                    Some(now + RETRY)
                }
            };
            let wait = next.map_or(LOOK_AGAIN, |next| Duration::try_from(now.duration_until(next)).unwrap_or_default());
            let wait = wait.clamp(Duration::from_millis(100), LOOK_AGAIN);
            tokio::select! {
                biased;
                () = wake.notified() => tokio::time::sleep(BREATH).await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }))
}

/// Composes and sends everything now, without `group_wait`, for a run by hand.
///
/// # Errors
/// What the state says, or that a mail cannot be put together. What a server refuses waits in the outbox.
pub async fn deliver_now(store: &Store, clock: &Clock, config: &Config) -> Result<(), MailError> {
    round(store, config, clock.now(), true).await.map(drop)
}

/// Why mail cannot be composed.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The state, or the mail itself.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password.
    #[error(transparent)]
    Secret(#[from] config::SecretError),
}

async fn round(store: &Store, config: &Config, now: Timestamp, flush: bool) -> Result<Option<Timestamp>, MailError> {
    let Some(pipeline) = pipeline(config)? else { return Ok(None) };
    let mut next = compose_due(store, &pipeline, now, flush).await?;
    if !flush {
        next = [next, digests(store, config, &pipeline, now).await?].into_iter().flatten().min();
    }
    if let Some(transport) = &pipeline.transport {
        send_due(store, transport, now).await?;
    }
    let waiting = store.next_mail().await?;
    Ok([next, waiting].into_iter().flatten().min())
}

/// What the file says about reports; `None` without `[smtp]`.
///
/// # Errors
/// When the password cannot be read.
pub fn pipeline(config: &Config) -> Result<Option<Pipeline>, config::SecretError> {
    let Some(smtp) = &config.smtp else { return Ok(None) };
    let reports = config.reports.iter().map(|report| Subscription {
        name: report.name.clone(),
        recipients: vec![Recipients::Mail(report.to.clone())],
        on: report.on.iter().map(|class| class_of(*class)).collect(),
        group_wait: report.group_wait,
        repeat: report.repeat,
        timezone: report.timezone.clone(),
    });
    let transport = Some(transport(smtp)?);
    let instance = config.provider.instance.clone();
    Ok(Some(Pipeline { instance, from: smtp.from.clone(), transport, reports: reports.collect() }))
}

const fn class_of(class: config::Class) -> Class {
    match class {
        config::Class::Failure => Class::Failure,
        config::Class::Stale => Class::Stale,
        config::Class::Recovery => Class::Recovery,
        config::Class::Success => Class::Success,
    }
}

/// Writes the digests that are due. Returns when the next one is.
///
/// # Errors
/// When the state cannot be read or written, or a digest cannot be made.
pub async fn digests(
    store: &Store,
    config: &Config,
    pipeline: &Pipeline,
    now: Timestamp,
) -> Result<Option<Timestamp>, MailError> {
    let mut next = None;
    for report in &config.reports {
        let Some(schedule) = &report.digest else { continue };
        let (mut handled, before) = store.digest_handled(report.name.clone(), now).await?;
        if now.duration_until(handled) > FUTURE {
            tracing::warn!(report = report.name, "the last digest was of {handled}, in the future: a clock was wrong");
            store.put_digest_right(report.name.clone(), now).await?;
            handled = now;
        }
        if let Some(due) = schedule.latest_at_or_before(now).filter(|due| *due > handled) {
            let Some(subscription) = pipeline.reports.iter().find(|other| other.name == report.name) else { continue };
            let facts = digest(config, store, handled, before.as_deref(), now).await?;
            let stored = serde_json::to_string(&facts).map_err(StoreError::from)?;
            let unique = format!("{}.digest.{}", report.name, due.as_second());
            let messages = messages(pipeline, subscription, &Matter::Digest(Box::new(facts)), &unique, now);
            let messages = messages.map_err(PipelineError::from)?;
            store.digest_written(report.name.clone(), messages, (due, stored), now).await?;
        }
        next = [next, next_of(schedule, now)].into_iter().flatten().min();
    }
    Ok(next)
}

fn next_of(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    schedule.next_after(now)
}

/// The digest of everything since the last one.
///
/// # Errors
/// What the state says.
pub async fn digest(
    config: &Config,
    store: &Store,
    since: Timestamp,
    before: Option<&str>,
    now: Timestamp,
) -> Result<DigestFacts, StoreError> {
    let before: Option<DigestFacts> = before.and_then(|text| serde_json::from_str(text).ok());
    let seen = survey(config, store, now).await?;
    let mut names: Vec<(String, crate::policy::inventory::Kind)> =
        config.policies.iter().map(|policy| (policy.name.to_string(), policy.kind)).collect();
    for one in &seen.policies {
        let name = (one.status.policy.clone(), one.status.kind);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let policies = names.into_iter().map(|(name, kind)| {
        let servers = seen.policies.iter().filter(|one| one.status.policy == name && one.status.kind == kind);
        let servers = servers.map(|one| digest_server(one, size_before(before.as_ref(), &name, &one.status.server)));
        DigestPolicy { servers: servers.collect(), name, kind }
    });
    let former = seen.former.iter().map(|former| FormerPoints {
        policy: former.policy.clone(),
        server: former.server.clone(),
        kind: former.kind,
        points: former.points,
    });
    Ok(DigestFacts {
        since,
        runs: counts(store, since).await?,
        policies: policies.collect(),
        unprotected: seen.status.unprotected.clone(),
        holds: seen.holds.iter().filter_map(|hold| digest_hold(hold, now)).collect(),
        former: former.collect(),
        mails_waiting: seen.status.outbox.waiting as usize,
    })
}

fn digest_server(one: &crate::daemon::survey::Surveyed, size_before_mb: Option<u64>) -> DigestServer {
    let status = &one.status;
    let slots = status.slots;
    DigestServer {
        server: status.server.clone(),
        standing: Survey::standing(status.state),
        points: one.points.len(),
        last_good: status.last_good.clone(),
        oldest: one.points.last().and_then(|point| point.created_at),
        size_mb: one.points.first().and_then(|point| point.size_mb),
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
fn digest_hold(hold: &crate::store::holds::Hold, now: Timestamp) -> Option<DigestHold> {
    let soon = hold.until.is_none_or(|until| now.duration_until(until) < jiff::SignedDuration::from_hours(7 * 24));
    let (server, point) = match &hold.what {
        Held::Server(server) => (server.clone(), None),
        Held::Point(kind, id) => {
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

fn transport(smtp: &config::Smtp) -> Result<Transport, config::SecretError> {
    if let config::SmtpTransport::File { dir } = &smtp.transport {
        return Ok(Transport::File(dir.clone()));
    }
    let login = match (&smtp.username, &smtp.password) {
        (Some(username), Some(password)) => {
            let password = password.read()?.expose().to_owned().into();
            Some(Login { username: username.clone(), password })
        }
        _ => None,
    };
    let tls = match smtp.tls {
        config::Tls::StartTls => Tls::StartTls,
        config::Tls::Tls => Tls::Wrapper,
        config::Tls::None => Tls::None,
    };
    let (host, ca_file) = (smtp.host.clone(), smtp.ca_file.clone());
    Ok(Transport::Smtp(SmtpSettings { host, port: smtp.port, tls, login, ca_file, limits: Limits::default() }))
}
