//! Which due times there should have been: every due time of every file, while it was in force, by the daemon's clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::policy::Policy;
use lastgood::seams::policy::schedule::{DueTimes, splay};
use lastgood::simulator::ServerSpec;

/// A policy on a server.
pub type Line = (String, String);

/// A schedule of a policy on a server.
#[derive(Clone, Debug)]
struct Span {
    policy: Arc<Policy>,
    splay: Duration,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// The schedules that were followed.
#[derive(Debug, Default)]
pub struct FollowedSchedules {
    spans: BTreeMap<Line, Vec<Span>>,
    /// Moments at which the clock was set: what is due around them may be passed over.
    jumps: Vec<Timestamp>,
    /// Servers that came later, and from when the daemon must know them.
    came: BTreeMap<String, Timestamp>,
}

impl FollowedSchedules {
    /// A file holds from `now` on.
    pub fn file(&mut self, policies: &BTreeMap<String, Vec<Arc<Policy>>>, specs: &[ServerSpec], now: Timestamp) {
        let mut named = BTreeSet::new();
        for spec in specs {
            let server = crate::fleet::server(spec).reference;
            let name = crate::fleet::first_name(&server.name).to_owned();
            for policy in &policies[&name] {
                let line = (name.clone(), policy.name.to_string());
                named.insert(line.clone());
                let spans = self.spans.entry(line).or_default();
                let same =
                    spans.last().is_some_and(|last| last.until.is_none() && last.policy.schedule == policy.schedule);
                if same {
                    continue;
                }
                spans.iter_mut().filter(|span| span.until.is_none()).for_each(|span| span.until = Some(now));
                let splay = splay(&server.id.to_string(), policy.name.as_str(), policy.splay);
                spans.push(Span { policy: Arc::clone(policy), splay, from: now, until: None });
            }
        }
        let left = self.spans.iter_mut().filter(|(line, _)| !named.contains(*line)).flat_map(|(_, spans)| spans);
        left.filter(|span| span.until.is_none()).for_each(|span| span.until = Some(now));
    }

    /// The daemon's clock was set to `now`.
    pub fn jumped(&mut self, now: Timestamp) {
        self.jumps.push(now);
    }

    /// A server came; from `known` on its due times count.
    pub fn comes(&mut self, server: &str, known: Timestamp) {
        self.came.insert(server.to_owned(), known);
    }

    /// Every due time that there should have been up to `end`. Around the beginning and the end of a schedule, either
    /// way is right.
    pub fn expected(&self, line: &Line, end: Timestamp) -> BTreeSet<Timestamp> {
        let margin = SignedDuration::from_mins(10);
        let mut due = BTreeSet::new();
        for span in self.spans.get(line).into_iter().flatten() {
            let times = DueTimes { schedule: &span.policy.schedule, splay: span.splay };
            let until = span.until.map_or(end, |until| until - margin);
            let mut at = (span.from + margin).max(self.came.get(&line.0).copied().unwrap_or(span.from));
            while let Some(next) = times.next_after(at).filter(|next| *next <= until) {
                due.insert(next);
                at = next;
            }
        }
        due
    }

    /// Every policy on every server that there ever was.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.spans.keys()
    }
}
