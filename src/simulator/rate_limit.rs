//! The rate limit: a token bucket with one second's worth of requests.

use jiff::Timestamp;

/// The number of requests allowed now.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    level: f64,
    at: Option<Timestamp>,
}

impl RateLimit {
    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Timestamp, rate: f64) -> bool {
        let most = rate.max(1.0);
        self.level = match self.at {
            None => most,
            // Time that goes back adds no tokens.
            Some(at) => (self.level + now.duration_since(at).as_secs_f64().max(0.0) * rate).min(most),
        };
        self.at = Some(now);
        let enough = self.level >= 1.0;
        if enough {
            self.level -= 1.0;
        }
        enough
    }
}
