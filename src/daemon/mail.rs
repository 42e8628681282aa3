//! The service's mail: one task that composes, sends and waits. It is replaced when another policy file comes into
//! force.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::account::{digest_facts, mail_settings};
use crate::clock::Clock;
use crate::config::{Config, SecretError};
use crate::report::message_data::MessageData;
use crate::report::pipeline::{Pipeline, PipelineError, compose_due, log_duplicates, messages, send_due};
use crate::store::{Store, StoreError};

/// The outbox is checked at least this often.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// The pause after a failure.
const RETRY: Duration = Duration::from_secs(5);
/// Notices that arrive within this time are handled in one round.
const GATHER: Duration = Duration::from_millis(500);
/// A last digest further in the future than this shows that a clock was wrong.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);

/// The mail of the running service; dropping it ends it.
#[derive(Debug)]
pub(super) struct MailTask(JoinHandle<()>);

impl MailTask {
    /// Starts to compose and send; `wake` is notified when there is something to report.
    pub(super) fn start(store: Store, clock: Clock, config: Arc<Config>, wake: Arc<Notify>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                let now = clock.now();
                let next = match round(&store, &config, now).await {
                    Ok(next) => next,
                    Err(error) => {
                        tracing::error!("mail: {error}");
                        Some(now + RETRY)
                    }
                };
                let wait = next.map(|next| Duration::try_from(now.duration_until(next)).unwrap_or_default());
                let wait = wait.unwrap_or(CHECK_EVERY).clamp(Duration::from_millis(100), CHECK_EVERY);
                tokio::select! {
                    biased;
                    () = wake.notified() => tokio::time::sleep(GATHER).await,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }))
    }

    /// Whether it has ended, which only a bug can cause.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for MailTask {
    /// A message that is being sent may be interrupted: it is sent again under the same Message-ID.
    fn drop(&mut self) {
        self.0.abort();
    }
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
    Secret(#[from] SecretError),
}

/// Composes what is due and sends what waits. Returns when there is something to do again.
async fn round(store: &Store, config: &Config, now: Timestamp) -> Result<Option<Timestamp>, MailError> {
    let Some(pipeline) = mail_settings(config)? else { return Ok(None) };
    let group_closes = compose_due(store, &pipeline, now, false).await?;
    let digest_due = digests(store, config, &pipeline, now).await?;
    send_due(store, &pipeline.senders, now).await?;
    let retry = store.next_attempt_at(&pipeline.senders.channels()).await?;
    Ok([group_closes, digest_due, retry].into_iter().flatten().min())
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
        let mut handled = store.digest_handled(report.name.clone(), now).await?;
        if now.duration_until(handled) > FUTURE {
            tracing::warn!(report = report.name, "the last digest was of {handled}, in the future: a clock was wrong");
            store.correct_digest_handled(report.name.clone(), now).await?;
            handled = now;
        }
        if let Some(due) = schedule.latest_at_or_before(now).filter(|due| *due > handled) {
            let Some(subscription) = pipeline.reports.iter().find(|other| other.name == report.name) else { continue };
            // The facts of a large account are long: they are read for a digest alone.
            let before = store.last_digest(report.name.clone()).await?;
            let facts = digest_facts(config, store, handled, before.as_deref(), now).await?;
            let stored = serde_json::to_string(&facts).map_err(StoreError::from)?;
            let unique = format!("{}.digest.{}", report.name, due.as_second());
            let messages = messages(pipeline, subscription, &MessageData::Digest(Box::new(facts)), &unique, now)?;
            log_duplicates(&store.digest_written(report.name.clone(), messages, (due, stored), now).await?);
        }
        next = [next, schedule.next_after(now)].into_iter().flatten().min();
    }
    Ok(next)
}
