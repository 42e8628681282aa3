//! PURE: the metrics as text in Prometheus' format 0.0.4, from values alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::{Display, Write as _};

use jiff::Timestamp;

use crate::journal::effects::{Counter, DELETE_REASONS, MESSAGE_RESULTS, OUTCOMES};
use crate::journal::notice::Topic;
use crate::policy::inventory::{Kind, ServerId};
use crate::status::histogram::Histogram;
use crate::status::process_counters::ProcessCounts;
use crate::status::process_usage::ProcessUsage;
use crate::status::value::{PolicyState, PolicyStatus, Status};
use crate::store::counters::CounterValue;
use crate::store::outbox::Channel;

/// What the metrics are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics<'a> {
    /// The status.
    pub(crate) status: &'a Status,
    /// The counters of the state.
    pub(crate) counters: &'a [CounterValue],
    /// The counters of this process.
    pub(crate) process: &'a ProcessCounts,
    /// What this process uses.
    pub(crate) usage: &'a ProcessUsage,
}

const BYTES_IN_MB: u64 = 1_000_000;

/// The metrics.
#[must_use]
pub(crate) fn text(metrics: &Metrics<'_>) -> String {
    let Metrics { status, counters, process, usage } = *metrics;
    // A policy on a server takes about 1.5 KB.
    let mut page = MetricsText(String::with_capacity(8 * 1024 + status.policies.len() * 1536));
    page.family("lastgood_build_info", GAUGE, "The version of the running lastgood; always 1.");
    page.sample("lastgood_build_info", label("version", env!("CARGO_PKG_VERSION")), 1);
    policies(&mut page, status);
    slots(&mut page, status);
    of_state(&mut page, status, counters);
    page.family(
        "lastgood_run_duration_seconds",
        HISTOGRAM,
        "How long runs took, from their due time's record to their end.",
    );
    for (policy, times) in &process.run_times {
        page.histogram("lastgood_run_duration_seconds", &label("policy", policy), times);
    }
    requests(&mut page, process);
    installation(&mut page, status);
    usage_of_process(&mut page, usage);
    page.0
}

/// What each policy on each server is doing.
fn policies(page: &mut MetricsText, status: &Status) {
    let labelled: Vec<(String, &PolicyStatus)> =
        status.policies.iter().map(|policy| (labels_of(policy), policy)).collect();
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&PolicyStatus) -> Option<Seconds>| {
        page.family(name, GAUGE, help);
        for (labels, policy) in &labelled {
            if let Some(value) = value(policy) {
                page.sample(name, labels, value);
            }
        }
    };
    gauge(
        "lastgood_last_good_timestamp_seconds",
        "When the newest completed restore point of the policy was created; absent before the first one.",
        &|policy| policy.last_good.as_ref().map(|good| Seconds::of(good.created_at)),
    );
    gauge("lastgood_max_age_seconds", "The age at which the last good restore point is stale.", &|policy| {
        Some(Seconds::whole(policy.max_age_seconds))
    });
    gauge("lastgood_next_due_timestamp_seconds", "When the policy is due next.", &|policy| {
        policy.next_due.map(Seconds::of)
    });
    let name = "lastgood_last_good_size_bytes";
    page.family(name, GAUGE, "The size of the newest completed restore point, where the provider gives one.");
    for (labels, policy) in &labelled {
        if let Some(size) = policy.size_mb {
            page.sample(name, labels, size.saturating_mul(BYTES_IN_MB));
        }
    }
    let name = "lastgood_policy_state";
    page.family(name, GAUGE, "Whether the policy is in this state on the server: 1 for one of them, 0 for the others.");
    for (labels, policy) in &labelled {
        for state in PolicyState::ALL {
            let labels = format_args!("{labels},state=\"{}\"", state.word());
            page.sample(name, labels, u8::from(state == policy.state));
        }
    }
}

/// The slots of each server and kind, once for all of its policies.
fn slots(page: &mut MetricsText, status: &Status) {
    let mut seen: HashSet<(&ServerId, Kind)> = HashSet::new();
    let places = status.policies.iter().filter(|policy| seen.insert((&policy.server.id, policy.kind)));
    let places: Vec<(String, &PolicyStatus)> = places.map(|policy| (place_of(policy), policy)).collect();
    page.family("lastgood_slots_limit", GAUGE, "How many slots the server has for restore points of the kind.");
    for (labels, policy) in &places {
        page.sample("lastgood_slots_limit", labels, policy.slots.limit);
    }
    page.family("lastgood_slots_used", GAUGE, "How many of them are taken, by points of ours and by those of others.");
    for (labels, policy) in &places {
        page.sample("lastgood_slots_used", format_args!("{labels},whose=\"own\""), policy.slots.own);
        page.sample("lastgood_slots_used", format_args!("{labels},whose=\"foreign\""), policy.slots.foreign);
    }
    page.family("lastgood_points_held", GAUGE, "How many listed restore points are on hold.");
    for (labels, policy) in &places {
        page.sample("lastgood_points_held", labels, policy.slots.held);
    }
}

/// The counters that go on over restarts.
fn of_state(page: &mut MetricsText, status: &Status, counters: &[CounterValue]) {
    let of = |counter: Counter| {
        counters.iter().filter(move |one| one.counter == counter).map(|one| ((&*one.subject, &*one.detail), one.value))
    };
    // What nothing was added to yet is 0, so that its first increase is seen.
    let policies: BTreeSet<&str> = status.policies.iter().map(|policy| policy.policy.as_str()).collect();
    let zero = |details: &[&'static str]| -> BTreeMap<(&str, &str), u64> {
        policies
            .iter()
            .flat_map(|policy| details.iter().map(|detail| ((*policy, *detail), 0)).collect::<Vec<_>>())
            .collect()
    };
    let mut counter = |name: &str, help: &str, (subject, detail): (&str, &str), values: BTreeMap<(&str, &str), u64>| {
        page.family(name, COUNTER, help);
        for ((of, word), value) in values {
            let mut labels = label(subject, of);
            if !detail.is_empty() {
                let _ = write!(labels, ",{}", label(detail, word));
            }
            page.sample(name, &labels, value);
        }
    };
    let mut values = zero(&OUTCOMES.map(|outcome| outcome.word()));
    values.extend(of(Counter::Runs));
    counter("lastgood_runs_total", "Runs that ended.", ("policy", "outcome"), values);
    let mut values = zero(&[""]);
    values.extend(of(Counter::PointsCreated));
    counter("lastgood_points_created_total", "Restore points that were created.", ("policy", ""), values);
    let mut values = zero(&DELETE_REASONS.map(|reason| reason.word()));
    values.extend(of(Counter::PointsDeleted));
    counter("lastgood_points_deleted_total", "Restore points that runs deleted.", ("policy", "cause"), values);
    let mut values = zero(&[""]);
    values.extend(of(Counter::DueTimesMissed));
    counter("lastgood_due_times_missed_total", "Due times that passed without a run.", ("policy", ""), values);
    let mut values: BTreeMap<_, _> =
        MESSAGE_RESULTS.iter().map(|result| ((Channel::Mail.word(), *result), 0)).collect();
    values.extend(of(Counter::Messages));
    counter("lastgood_messages_total", "Messages that were sent or given up.", ("channel", "result"), values);
}

/// What this process has asked the provider.
fn requests(page: &mut MetricsText, process: &ProcessCounts) {
    let name = "lastgood_provider_requests_total";
    page.family(name, COUNTER, "Requests to the provider; status error: without a complete answer.");
    for ((endpoint, status), count) in &process.requests {
        let status = status.map_or_else(|| "error".to_owned(), |status| status.to_string());
        page.sample(name, format_args!("endpoint=\"{endpoint}\",status=\"{status}\""), count);
    }
    let name = "lastgood_provider_request_duration_seconds";
    page.family(name, HISTOGRAM, "How long requests to the provider took, to the end of the answer.");
    for (endpoint, times) in &process.request_times {
        page.histogram(name, &label("endpoint", endpoint), times);
    }
    let name = "lastgood_provider_throttled_total";
    page.family(name, COUNTER, "Requests that the provider refused because there were too many (429).");
    page.single(name, process.throttled);
}

/// What concerns the whole installation.
fn installation(page: &mut MetricsText, status: &Status) {
    let mut single = |name: &str, help: &str, value: Option<&dyn Display>| {
        page.family(name, GAUGE, help);
        if let Some(value) = value {
            page.single(name, value);
        }
    };
    let seconds = |at: Option<Timestamp>| at.map(Seconds::of);
    single("lastgood_runs_active", "Runs that work on their servers now.", Some(&status.runs.active));
    let help = "Runs that wait for a place, for their server, or for their next attempt.";
    single("lastgood_runs_waiting", help, Some(&status.runs.waiting));
    single("lastgood_outbox_waiting", "Messages that wait to be sent.", Some(&status.outbox.waiting));
    let oldest = seconds(status.outbox.oldest);
    let help = "Since when the oldest of them waits; absent when none waits.";
    single("lastgood_outbox_oldest_timestamp_seconds", help, oldest.as_ref().map(|at| at as _));
    let evaluated = seconds(status.last_evaluation);
    let help = "When the daemon last looked at what is due, to about 20 seconds.";
    single("lastgood_last_evaluation_timestamp_seconds", help, evaluated.as_ref().map(|at| at as _));
    let loaded = seconds(status.policy_file.loaded_at);
    let help = "When the policy file in force was loaded.";
    single("lastgood_policy_file_loaded_timestamp_seconds", help, loaded.as_ref().map(|at| at as _));
    let refused = u8::from(status.policy_file.refused);
    single("lastgood_policy_file_refused", "Whether a policy file was refused since.", Some(&refused));
    let mut open: BTreeMap<String, u32> = Topic::ALL.iter().map(|topic| (topic.to_string(), 0)).collect();
    for incident in &status.incidents {
        *open.entry(incident.topic.clone()).or_default() += 1;
    }
    page.family("lastgood_incidents_open", GAUGE, "Incidents that are open.");
    for (topic, count) in open {
        page.sample("lastgood_incidents_open", label("topic", &topic), count);
    }
}

fn usage_of_process(page: &mut MetricsText, usage: &ProcessUsage) {
    page.family("process_resident_memory_bytes", GAUGE, "Memory of this process that is resident.");
    if let Some(bytes) = usage.resident_bytes {
        page.single("process_resident_memory_bytes", bytes);
    }
    page.family("process_cpu_seconds_total", COUNTER, "CPU time of this process.");
    page.single("process_cpu_seconds_total", usage.cpu_seconds);
    page.family("process_start_time_seconds", GAUGE, "When this process started.");
    page.single("process_start_time_seconds", Seconds::of(usage.started));
}

/// The labels of a policy on a server.
fn labels_of(policy: &PolicyStatus) -> String {
    format!(
        "{},{},{},{}",
        label("server", &policy.server.name),
        label("server_id", &policy.server.id.to_string()),
        label("policy", &policy.policy),
        label("kind", policy.kind.word())
    )
}

/// The labels of a server's slots of a kind.
fn place_of(policy: &PolicyStatus) -> String {
    format!(
        "{},{},{}",
        label("server", &policy.server.name),
        label("server_id", &policy.server.id.to_string()),
        label("kind", policy.kind.word())
    )
}

/// A label with its value, escaped.
fn label(name: &str, value: &str) -> String {
    let mut label = String::with_capacity(name.len() + value.len() + 3);
    label.push_str(name);
    label.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => label.push_str("\\\\"),
            '"' => label.push_str("\\\""),
            '\n' => label.push_str("\\n"),
            c => label.push(c),
        }
    }
    label.push('"');
    label
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";
const HISTOGRAM: &str = "histogram";

/// A time since 1970, or a span, in seconds: whole ones, or to the millisecond.
#[derive(Clone, Copy, Debug)]
struct Seconds {
    whole: i64,
    millis: i16,
}

impl Seconds {
    fn of(at: Timestamp) -> Self {
        let millis = at.as_millisecond();
        let part = i16::try_from(millis.rem_euclid(1000)).expect("below a thousand");
        Self { whole: millis.div_euclid(1000), millis: part }
    }

    fn whole(seconds: u64) -> Self {
        Self { whole: i64::try_from(seconds).unwrap_or(i64::MAX), millis: 0 }
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.millis {
            0 => write!(f, "{}", self.whole),
            millis => write!(f, "{}.{millis:03}", self.whole),
        }
    }
}

/// The text so far.
struct MetricsText(String);

impl MetricsText {
    /// Begins a metric.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One value of it; `labels` are escaped.
    fn sample(&mut self, name: &str, labels: impl Display, value: impl Display) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    /// The value of a metric without labels.
    fn single(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        for (bound, count) in histogram.cumulative() {
            self.sample(&format!("{name}_bucket"), format_args!("{labels},le=\"{bound}\""), count);
        }
        self.sample(&format!("{name}_bucket"), format_args!("{labels},le=\"+Inf\""), histogram.count());
        self.sample(&format!("{name}_sum"), labels, histogram.sum_seconds());
        self.sample(&format!("{name}_count"), labels, histogram.count());
    }
}

#[cfg(test)]
mod tests;
