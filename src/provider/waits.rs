//! A pause that the provider asks for is reported once, not at each try: in the log, and to anyone waiting at a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::provider::error::ErrorKind;

/// From this long on a person wonders why nothing happens.
const NOTICED: Duration = Duration::from_secs(5);

type Hear = Arc<dyn Fn(&str) + Send + Sync>;

/// The pauses of one client.
#[derive(Default)]
pub(crate) struct Waits {
    /// Whether the pause that lasts now was reported.
    said: AtomicBool,
    hear: Mutex<Option<Hear>>,
}

impl Waits {
    /// Calls `hear` from now on.
    pub(crate) fn tell(&self, hear: impl Fn(&str) + Send + Sync + 'static) {
        *self.hear.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hear));
    }

    /// The provider has answered as it should: the next pause is another one.
    pub(crate) fn over(&self) {
        self.said.store(false, Ordering::Relaxed);
    }

    /// Reports a long pause before the next try, and a refusal that asks for a longer one than is waited out.
    pub(crate) fn heed(&self, kind: &ErrorKind, pause: Option<Duration>, doing: &str) {
        let ErrorKind::Status { status, retry_after: Some(asked), .. } = kind else { return };
        let Some(pause) = pause.filter(|pause| *pause >= NOTICED) else { return };
        if self.said.swap(true, Ordering::Relaxed) {
            return;
        }
        let text = format!(
            "the provider asks to wait {} s ({status}): waiting {} s before trying again ({doing})",
            asked.as_secs(),
            pause.as_secs()
        );
        tracing::warn!("{text}");
        let hear = self.hear.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hear) = hear {
            hear(&text);
        }
    }
}
