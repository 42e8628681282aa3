//! The end of a simulation: every due time has its one point or a reported failure, every failure was mailed, and nothing
//! is left over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::store::Store;
use lastgood::simulator::Simulator;

use crate::figures::Figures;
use crate::fleet::{first_name, first_policy_name};
use crate::followed::Line;
use crate::harvest::{JournalNotice, JournalRun};
use crate::life::Life;

impl Life {
    /// Checks everything that must be so in the end.
    pub async fn finish(&mut self, store: &Store) {
        self.audit.quiet(&mut self.figures);
        let mut harvest = std::mem::take(&mut self.harvest);
        harvest.reap(store).await;
        let (runs, told) = harvest.all();
        for run in &runs {
            let word = run.outcome.clone().unwrap_or_else(|| "open".to_owned());
            *self.figures.runs.entry(word).or_default() += 1;
        }
        self.check_runs(&runs, &told);
        self.check_due_times(&runs, &told);
        check_told(&told, self.now(), &mut self.figures);
        self.check_outbox(store).await;
        let there: BTreeSet<&str> = self.specs.iter().filter_map(|spec| spec.name.as_deref()).map(first_name).collect();
        check_incidents(store, &there, (&runs, &told), &mut self.figures).await;
        check_servers(&self.simulator, &mut self.figures);
    }

    /// A success has its point in the record; a failure has its notice.
    fn check_runs(&mut self, runs: &[JournalRun], told: &[JournalNotice]) {
        let now = self.now();
        let failures: BTreeSet<(&Line, Timestamp)> = told
            .iter()
            .filter(|told| told.class == "failure")
            .filter_map(|told| Some((told.line.as_ref()?, told.at)))
            .collect();
        for run in runs {
            let name = format!("the run of {:?} due {:?}", run.line, run.due);
            match (run.outcome.as_deref(), run.ended_at) {
                (Some("succeeded"), _) => {
                    let done = run.due.is_some_and(|due| {
                        self.audit.done.contains_key(&(
                            run.line.0.clone(),
                            first_policy_name(&run.line.1).to_owned(),
                            due,
                        ))
                    });
                    if !done {
                        self.figures.violation(format!("{name} succeeded without a point"));
                    }
                }
                (Some(_), Some(at)) if failures.contains(&(&run.line, at)) => {}
                // It would only have taken the place of a point that is new enough: nothing needs to be reported.
                (Some("skipped"), Some(at)) if self.has_recent(&run.line, at) || self.was_far_ahead(at) => {}
                (Some(outcome), _) => {
                    let why = run.last_event.as_deref().unwrap_or_default();
                    self.figures.violation(format!("{name} is {outcome}, and that is not reported: {why}"));
                }
                // What is due shortly before the end may go on.
                (None, _) if run.due.is_some_and(|due| due.duration_until(now) < SignedDuration::from_hours(1)) => {}
                (None, _) => self.figures.violation(format!("{name} has not ended")),
            }
        }
    }

    /// Whether a policy, by whatever name, had a new point in the day before `at` by our clock. How old a point is does not
    /// change when that clock is set.
    fn has_recent(&self, (server, policy): &Line, at: Timestamp) -> bool {
        let day = SignedDuration::from_hours(26);
        let moments: Vec<Timestamp> = self.true_times(at).collect();
        let recent = |made: &Timestamp| moments.iter().any(|now| made <= now && made.duration_until(*now) <= day);
        let of = |due| (server.clone(), first_policy_name(policy).to_owned(), due);
        self.audit.done.range(of(Timestamp::MIN)..of(Timestamp::MAX)).any(|(_, made)| recent(made))
    }

    /// Whether our clock was so far off at that time by it that this was reported, and no point dated by the provider could
    /// be a new one.
    fn was_far_ahead(&self, at: Timestamp) -> bool {
        self.true_times(at).any(|now| now.duration_until(at) > SignedDuration::from_hours(1))
    }

    /// When our clock showed that time: not once alone where it was set back over it.
    fn true_times(&self, ours: Timestamp) -> impl Iterator<Item = Timestamp> {
        let ends = self.clocks.iter().skip(1).map(|(from, _)| *from).chain([Timestamp::MAX]);
        let spans = self.clocks.iter().zip(ends);
        spans.filter_map(move |((from, ahead), end)| {
            let at = ours - SignedDuration::from_secs(*ahead);
            (*from <= at && at <= end).then_some(at)
        })
    }

    /// Every due time has a run, or was reported as missed.
    fn check_due_times(&mut self, runs: &[JournalRun], told: &[JournalNotice]) {
        let mut handled: BTreeMap<&Line, BTreeSet<Timestamp>> = BTreeMap::new();
        for run in runs {
            handled.entry(&run.line).or_default().extend(run.due);
        }
        let mut missed: BTreeMap<&Line, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for told in told.iter().filter(|told| told.topic == "missed") {
            let Some(line) = &told.line else { continue };
            missed.entry(line).or_default().extend(told.missed);
        }
        let end = self.now() - SignedDuration::from_mins(10);
        let lines: Vec<Line> = self.followed.lines().cloned().collect();
        for line in lines {
            let handled = handled.get(&line).cloned().unwrap_or_default();
            for due in self.followed.expected(&line, end).difference(&handled) {
                if missed.get(&line).is_some_and(|spans| spans.iter().any(|(from, to)| from <= due && due <= to)) {
                    self.figures.missed += 1;
                } else {
                    let near = |told: &&JournalNotice| {
                        told.line.as_ref() == Some(&line)
                            && told.at.duration_until(*due).abs() < SignedDuration::from_hours(48)
                    };
                    let near: Vec<String> =
                        told.iter().filter(near).map(|told| format!("{} {}", told.at, told.text)).collect();
                    self.figures.violation(format!(
                        "the due time {due} of {line:?} was neither handled nor reported: {near:?}"
                    ));
                }
            }
        }
    }

    /// The outbox is empty, and what it calls sent was sent.
    async fn check_outbox(&mut self, store: &Store) {
        let backlog = store.backlog().await.expect("the outbox can be read");
        if (backlog.waiting, backlog.refused) != (0, 0) {
            self.figures.violation(format!("mail is left: {backlog:?}"));
        }
        let ids: Vec<String> = store
            .transact(|tx| {
                let mut query = tx.prepare("SELECT message_id FROM outbox WHERE sent_at IS NOT NULL")?;
                let ids = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(ids)
            })
            .await
            .expect("the outbox can be read");
        let unsent: Vec<&String> = ids.iter().filter(|id| !self.post.has_sent(id)).collect();
        for id in unsent {
            self.figures.violation(format!("the mail {id} is called sent and was not"));
        }
    }
}

/// Every failure is mailed, or suppressed soon after a mail of its incident.
fn check_told(told: &[JournalNotice], now: Timestamp, figures: &mut Figures) {
    for told in told.iter().filter(|told| told.class == "failure" || told.class == "stale") {
        // It may wait for others of its group yet.
        if told.by.is_none() && told.at.duration_until(now) > SignedDuration::from_mins(10) {
            let JournalNotice { line, topic, text, at, .. } = told;
            figures.violation(format!("{topic} of {line:?} at {at} was not reported: {text}"));
        }
    }
}

/// An incident that is open has a reason: no run of its policy has succeeded since it was last reported. What a plan
/// reports lasts until the next plan, so there it must be two.
async fn check_incidents(
    store: &Store,
    there: &BTreeSet<&str>,
    (runs, told): (&[JournalRun], &[JournalNotice]),
    figures: &mut Figures,
) {
    for incident in store.incidents().await.expect("the incidents can be read") {
        // Nothing ends what is wrong with a server that is gone.
        if incident.server.as_ref().is_some_and(|server| !there.contains(first_name(&server.name))) {
            continue;
        }
        let topic = incident.topic.to_string();
        let line = incident.server.as_ref().zip(incident.policy.clone());
        let line = line.map(|(server, policy)| (first_name(&server.name).to_owned(), policy.to_string()));
        let last = told.iter().filter(|told| told.line == line && told.topic == topic).map(|told| told.at).max();
        let mut since = last.unwrap_or(incident.opened_at);
        if topic == "clock" {
            // What ended while the clock was ahead did not end after it was corrected.
            since += SignedDuration::from_hours(30);
        }
        let good = |run: &&JournalRun| {
            Some(&run.line) == line.as_ref()
                && run.outcome.as_deref() == Some("succeeded")
                && run.ended_at.is_some_and(|at| at > since)
        };
        let enough = if topic == "attention" { 2 } else { 1 };
        if line.is_none() || runs.iter().filter(good).count() >= enough {
            let text = format!("{line:?} {topic}: {}", incident.text);
            figures.violation(format!("an incident is open without a reason since {}: {text}", incident.opened_at));
        }
    }
}

fn check_servers(simulator: &Simulator, figures: &mut Figures) {
    simulator.with_account(|account| {
        for server in account.servers().iter().filter(|server| server.status != "active" && !server.removed) {
            figures.violation(format!("{} is {} in the end", server.name(), server.status));
        }
    });
}
