//! What this process has counted since its start: requests to the provider, and how long runs took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::status::histogram::Histogram;

/// The upper bounds of the buckets for runs, in seconds.
const RUN_BOUNDS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0];
/// The same for requests.
const REQUEST_BOUNDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The status with which the provider asks for fewer requests.
const TOO_MANY_REQUESTS: u16 = 429;

/// The counters of this process, which every part of it may add to.
#[derive(Debug, Default)]
pub(crate) struct ProcessCounters(Mutex<ProcessCounts>);

/// What they say at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessCounts {
    /// Requests by endpoint and status; `None`: without a complete answer.
    pub(crate) requests: BTreeMap<(&'static str, Option<u16>), u64>,
    /// How long requests took, by endpoint.
    pub(crate) request_times: BTreeMap<&'static str, Histogram>,
    /// How often the provider asked for fewer requests.
    pub(crate) throttled: u64,
    /// How long runs took, by policy.
    pub(crate) run_times: BTreeMap<String, Histogram>,
}

impl ProcessCounters {
    /// Counts a request to the provider; `status` is that of its answer, `None` without a complete one.
    pub(crate) fn request_ended(&self, endpoint: &'static str, status: Option<u16>, took: Duration) {
        self.add(|counts| {
            *counts.requests.entry((endpoint, status)).or_default() += 1;
            let times = counts.request_times.entry(endpoint);
            times.or_insert_with(|| Histogram::new(REQUEST_BOUNDS)).observe(took);
            counts.throttled += u64::from(status == Some(TOO_MANY_REQUESTS));
        });
    }

    /// Counts a run that ended this long after it was recorded.
    pub(crate) fn run_ended(&self, policy: &str, took: Duration) {
        self.add(|counts| match counts.run_times.get_mut(policy) {
            Some(times) => times.observe(took),
            None => {
                let mut times = Histogram::new(RUN_BOUNDS);
                times.observe(took);
                counts.run_times.insert(policy.to_owned(), times);
            }
        });
    }

    /// What they say now.
    pub(crate) fn counts(&self) -> ProcessCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, add: impl FnOnce(&mut ProcessCounts)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
