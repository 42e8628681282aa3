//! When the evaluator last worked, for those who watch the daemon from outside: written to the state now and then, and
//! known to the listener at any time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::store::Store;

/// It is written this often. With one tick more it is not more than 20 seconds old.
const WRITE_EVERY: Duration = Duration::from_secs(15);
/// An evaluator that has not worked for so long is reported.
const SILENT: Duration = Duration::from_mins(1);

/// When the evaluator last worked. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct EvaluationRecord(Arc<Mutex<LastEvaluation>>);

#[derive(Debug, Default)]
struct LastEvaluation {
    worked: Option<Instant>,
    /// The last write, by elapsed time and by the clock.
    written: Option<(Instant, Timestamp)>,
    /// Why the last write failed.
    failed: Option<String>,
}

impl LastEvaluation {
    fn is_write_due(&self, now: Timestamp) -> bool {
        // After a clock was set back, what is written is in the future.
        self.written.is_none_or(|(written, at)| written.elapsed() >= WRITE_EVERY || now < at)
    }
}

impl EvaluationRecord {
    /// The evaluator has worked. What cannot be written is logged, and reported by `check`: it ends nothing.
    pub(super) async fn worked(&self, store: &Store, now: Timestamp) {
        let is_write_due = {
            let mut last = self.lock();
            last.worked = Some(Instant::now());
            last.is_write_due(now)
        };
        if !is_write_due {
            return;
        }
        let failed = store.evaluated(now).await.err().map(|error| error.to_string());
        let mut last = self.lock();
        last.written = Some((Instant::now(), now));
        if let Some(error) = failed.as_ref().filter(|error| last.failed.as_ref() != Some(error)) {
            tracing::error!("that the daemon works cannot be written: {error}");
        }
        last.failed = failed;
    }

    /// Whether the evaluator works.
    ///
    /// # Errors
    /// Why it does not, as far as is known.
    pub(super) fn check(&self) -> Result<(), String> {
        let last = self.lock();
        match (last.worked.map(|worked| worked.elapsed()), &last.failed) {
            (None, _) => Err("the daemon is starting: nothing has been checked for due times yet".to_owned()),
            (Some(ago), _) if ago > SILENT => {
                Err(format!("nothing has been checked for due times for {} s", ago.as_secs()))
            }
            (Some(_), Some(error)) => Err(format!("the last write to the state failed: {error}")),
            (Some(_), None) => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LastEvaluation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_written_every_quarter_of_a_minute_and_when_the_clock_was_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::own_simulated(dir.path()).unwrap();
        let record = EvaluationRecord::default();
        assert!(record.check().unwrap_err().contains("starting"));
        let begin: Timestamp = "2026-11-21T02:30:00Z".parse().unwrap();
        for second in 0..40 {
            record.worked(&store, begin + SignedDuration::from_secs(second)).await;
            let written = store.last_evaluation().await.unwrap().unwrap();
            assert_eq!(begin.duration_until(written).as_secs(), second / 15 * 15);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        record.worked(&store, begin).await;
        assert_eq!(store.last_evaluation().await.unwrap(), Some(begin));
        assert_eq!(record.check(), Ok(()));
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(record.check().unwrap_err().contains("for 61 s"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_fails_is_reported_until_one_goes_well() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::own(dir.path()).unwrap();
        // A connection that may not write.
        let reading = Store::reading(dir.path()).unwrap();
        let record = EvaluationRecord::default();
        let now: Timestamp = "2026-11-21T02:30:00Z".parse().unwrap();
        record.worked(&reading, now).await;
        assert!(record.check().unwrap_err().contains("the last write to the state failed"));
        tokio::time::sleep(WRITE_EVERY).await;
        record.worked(&store, now).await;
        assert_eq!(record.check(), Ok(()));
    }
}
