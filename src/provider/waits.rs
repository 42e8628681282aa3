//! Reports a pause that the provider asks for once, not at each attempt: in the log, and to anyone waiting at a
//! terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::provider::error::ErrorKind;

/// From this length on, a person notices that nothing happens.
const NOTICED: Duration = Duration::from_secs(5);

type PauseListener = Arc<dyn Fn(&str) + Send + Sync>;

/// Reports the pauses of one client.
#[derive(Default)]
pub(crate) struct Waits {
    /// Whether the current pause was reported.
    reported: AtomicBool,
    listener: Mutex<Option<PauseListener>>,
}

impl Waits {
    /// Calls `listener` from now on.
    pub(crate) fn set_listener(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(listener));
    }

    /// The provider answered normally: the next pause is a new one.
    pub(crate) fn answered(&self) {
        self.reported.store(false, Ordering::Relaxed);
    }

    /// Reports a long pause before the next attempt, once.
    pub(crate) fn report(&self, kind: &ErrorKind, pause: Option<Duration>, doing: &str) {
        let ErrorKind::Status { status, retry_after: Some(asked), .. } = kind else { return };
        let Some(pause) = pause.filter(|pause| *pause >= NOTICED) else { return };
        if self.reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let text = format!(
            "the provider asks us to wait {} s ({status}): waiting {} s before trying again ({doing})",
            asked.as_secs(),
            pause.as_secs()
        );
        tracing::warn!("{text}");
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(listener) = listener {
            listener(&text);
        }
    }
}
