//! The evaluator: which policies are due now, on which servers. It wakes every second and usually compares one number.
//! At least once a minute it checks everything again, because the clock may have been set.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::journal::event::RunKey;
use crate::journal::notice::{Fact, Good, LatestDue, MissedDueTimes, Notice, StalePolicy, Topic};
use crate::policy::inventory::{Id, Kind};
use crate::policy::policy::PolicyName;
use crate::policy::schedule::{Due, DueTimes, due};
use crate::policy::task::Task;
use crate::store::due::{Followed, FollowedBefore, Opening, PutRight};
use crate::store::runs::Run;
use crate::store::{Store, StoreError};

/// Everything is checked again after this long.
const CHECK_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A policy on a server, as a key.
pub(super) type PolicyOnServer = (Id, PolicyName, Kind);

/// A policy on a server whose due times are followed.
#[derive(Clone, Debug)]
struct FollowedTask {
    task: Task,
    /// The splay on this server.
    splay: Duration,
    handled: Timestamp,
    next: Option<Timestamp>,
    first_at: Timestamp,
    stale_reported: bool,
    last_good: Option<Good>,
}

/// Decides what is due.
#[derive(Debug)]
pub struct Evaluator {
    store: Store,
    started: Timestamp,
    followed: Vec<FollowedTask>,
    /// Where a policy on a server is in `followed`.
    positions: HashMap<PolicyOnServer, usize>,
    /// The earliest moment at which something can be due.
    next: Option<Timestamp>,
    checked_at: Option<Timestamp>,
}

/// What one check found, before it is written.
#[derive(Default)]
struct CheckFindings {
    /// With the position in `followed`, and the new last handled due time.
    openings: Vec<(usize, Timestamp, Opening)>,
    put_right: Vec<(usize, PutRight)>,
}

impl Evaluator {
    /// An evaluator that follows nothing yet; `started` is the start of the process.
    #[must_use]
    pub fn new(store: Store, started: Timestamp) -> Self {
        Self { store, started, followed: Vec::new(), positions: HashMap::new(), next: None, checked_at: None }
    }

    /// Follows these from now on. One seen for the first time, or with a changed schedule, starts from `now`; one that
    /// was renamed continues.
    ///
    /// # Errors
    /// What the state says.
    pub async fn follow(&mut self, tasks: Vec<Task>, now: Timestamp) -> Result<(), StoreError> {
        let handled = self.store.handled(tasks.iter().map(followed).collect(), now).await?;
        let wanted = tasks.iter().map(|task| (task.server.reference.id.clone(), task.policy.kind, names(task)));
        let goods = self.store.last_goods(wanted.collect()).await?;
        let followed = tasks.into_iter().zip(handled).zip(goods).map(|((task, handled), last_good)| FollowedTask {
            splay: task.splay(),
            next: self.known_next(&task, handled.handled),
            task,
            handled: handled.handled,
            first_at: handled.first_at,
            stale_reported: handled.stale_told,
            last_good,
        });
        self.followed = followed.collect();
        self.positions =
            self.followed.iter().enumerate().map(|(index, one)| (policy_on_server(&one.task), index)).collect();
        // What is new is checked now.
        self.next = Some(now);
        Ok(())
    }

    /// The next due time of a task that is already followed with the same schedule. Computing thousands of them again
    /// for each list of servers would take longer than everything else.
    fn known_next(&self, task: &Task, handled: Timestamp) -> Option<Timestamp> {
        let one = &self.followed[*self.positions.get(&policy_on_server(task))?];
        let same = one.handled == handled
            && one.task.policy.schedule == task.policy.schedule
            && one.task.policy.splay == task.policy.splay;
        one.next.filter(|_| same)
    }

    /// The earliest due time to come.
    #[must_use]
    pub const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether a check is due: the next due time is reached, a minute has passed, or the clock was set back.
    #[must_use]
    pub fn is_time(&self, now: Timestamp) -> bool {
        let Some(checked_at) = self.checked_at else { return true };
        self.next.is_some_and(|next| next <= now) || now < checked_at || checked_at.duration_until(now) >= CHECK_EVERY
    }

    /// The runs that are due now, recorded in one transaction, each with its task. `busy` says whether a run of the
    /// same policy on the same server is still in progress: then the due time is skipped, and that is reported.
    ///
    /// # Errors
    /// What the state says. Nothing is recorded then.
    pub async fn take(&mut self, now: Timestamp, busy: impl Fn(&Task) -> bool) -> Result<Vec<(Task, Run)>, StoreError> {
        let mut found = CheckFindings::default();
        // Thousands of servers share a policy, and most of them the same due times.
        let mut decided: HashMap<(*const (), Duration, Timestamp), (Due, Option<Timestamp>)> = HashMap::new();
        for (index, one) in self.followed.iter_mut().enumerate() {
            if one.is_idle(now, self.checked_at) {
                continue;
            }
            let key = (Arc::as_ptr(&one.task.policy).cast::<()>(), one.splay, one.handled);
            let (decision, next) = *decided.entry(key).or_insert_with(|| one.decide(self.started, now));
            one.next = next;
            found.add(index, one, decision, &busy);
        }
        self.next = self.followed.iter().filter_map(|one| one.next).min();
        self.checked_at = Some(now);
        self.write(found, now).await
    }

    async fn write(&mut self, found: CheckFindings, now: Timestamp) -> Result<Vec<(Task, Run)>, StoreError> {
        if found.openings.is_empty() && found.put_right.is_empty() {
            return Ok(Vec::new());
        }
        let mut handled: Vec<(usize, Timestamp)> = found.put_right.iter().map(|(index, it)| (*index, it.to)).collect();
        handled.extend(found.openings.iter().map(|(index, due, _)| (*index, *due)));
        let opened: Vec<usize> = found.openings.iter().map(|(index, ..)| *index).collect();
        let openings = found.openings.into_iter().map(|(_, _, opening)| opening).collect();
        let put_right = found.put_right.into_iter().map(|(_, it)| it).collect();
        let runs = self.store.take_up(openings, put_right, now).await?;
        for (index, handled) in handled {
            self.followed[index].handled = handled;
        }
        let runs = opened.into_iter().zip(runs);
        Ok(runs.filter_map(|(index, run)| run.map(|run| (self.followed[index].task.clone(), run))).collect())
    }

    /// A run of this policy on this server has ended: its last good point may have changed.
    ///
    /// # Errors
    /// What the state says.
    pub async fn ended(&mut self, task: &Task) -> Result<(), StoreError> {
        let Some(index) = self.positions.get(&policy_on_server(task)).copied() else { return Ok(()) };
        let (server, kind) = (task.server.reference.id.clone(), task.policy.kind);
        let good = self.store.last_good(server, kind, names(&self.followed[index].task)).await?;
        let one = &mut self.followed[index];
        if good.as_ref().is_some_and(|good| good.created_at > one.good_since()) {
            one.stale_reported = false;
        }
        one.last_good = good;
        Ok(())
    }

    /// Reports what has become stale, once for each incident.
    ///
    /// # Errors
    /// What the state says.
    pub async fn report_stale(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let stale: Vec<usize> = (0..self.followed.len()).filter(|index| self.followed[*index].is_stale(now)).collect();
        if stale.is_empty() {
            return Ok(());
        }
        let causes = self.causes(&stale).await?;
        let notices = stale.iter().zip(causes).map(|(index, cause)| self.followed[*index].stale_notice(cause));
        self.store.tell_stale(notices.collect(), now).await?;
        for index in stale {
            self.followed[index].stale_reported = true;
        }
        Ok(())
    }

    /// Why the runs of each of these fail: the last sentence about its open incident.
    async fn causes(&self, of: &[usize]) -> Result<Vec<Option<String>>, StoreError> {
        let open = self.store.incidents().await?.into_iter().filter(|incident| incident.topic == Topic::Run);
        let mut open: HashMap<(Id, String), String> =
            open.filter_map(|one| Some(((one.server?.id, one.policy?), one.text))).collect();
        let key = |task: &Task| (task.server.reference.id.clone(), task.policy.name.to_string());
        Ok(of.iter().map(|index| open.remove(&key(&self.followed[*index].task))).collect())
    }
}

impl FollowedTask {
    /// Whether nothing can be due: its next due time is in the future, and the clock was not set back.
    fn is_idle(&self, now: Timestamp, checked_at: Option<Timestamp>) -> bool {
        self.next.is_some_and(|next| next > now) && checked_at.is_some_and(|at| at <= now) && self.handled <= now
    }

    /// What is due, and the due time after it.
    fn decide(&self, started: Timestamp, now: Timestamp) -> (Due, Option<Timestamp>) {
        let times = DueTimes { schedule: &self.task.policy.schedule, splay: self.splay };
        let decision = due(&times, self.handled, started, now, self.task.policy.catch_up);
        let next = match decision {
            Due::NotYet { next } | Due::Lost { next, .. } | Due::HandledInFuture { next, .. } => next,
            Due::Now { .. } => times.next_after(now),
        };
        (decision, next)
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        let age = Duration::try_from(self.good_since().duration_until(now)).unwrap_or_default();
        !self.stale_reported && age > self.task.policy.max_age
    }

    /// Since when there is no newer good point.
    fn good_since(&self) -> Timestamp {
        self.last_good.as_ref().map_or(self.first_at, |good| good.created_at)
    }

    fn stale_notice(&self, cause: Option<String>) -> Notice {
        self.task.notice(Fact::Stale(StalePolicy {
            last_good: self.last_good.clone(),
            since: Some(self.good_since()),
            max_age_seconds: Some(self.task.policy.max_age.as_secs()),
            cause,
            next: self.next,
        }))
    }
}

impl CheckFindings {
    fn add(&mut self, index: usize, one: &FollowedTask, decision: Due, busy: &impl Fn(&Task) -> bool) {
        let task = &one.task;
        let missed = |lost, latest| task.notice(Fact::Missed(MissedDueTimes { lost, latest, next: one.next }));
        let (due, passed_over, notice) = match decision {
            Due::NotYet { .. } => return,
            Due::HandledInFuture { handled, corrected, .. } => {
                let (server, policy, _) = policy_on_server(task);
                let notice = task.notice(Fact::ClockCorrected { handled, corrected });
                self.put_right.push((index, PutRight { server, policy, to: corrected, notice }));
                return;
            }
            Due::Now { due, lost, .. } if busy(task) => {
                let error = "the run before it was still in progress".to_owned();
                (due, Some(error), Some(missed(lost, LatestDue::Skipped(due))))
            }
            Due::Now { due, lost, .. } => (due, None, lost.map(|lost| missed(Some(lost), LatestDue::CaughtUp(due)))),
            // Too old to catch up.
            Due::Lost { lost, .. } => {
                let notice = missed(Some(lost), LatestDue::TooOld);
                (lost.last, Some(notice.to_string()), Some(notice))
            }
        };
        let opening = Opening { key: key(task, due), passed_over, notices: notice.into_iter().collect() };
        self.openings.push((index, due, opening));
    }
}

/// The policy on the server that a task is about.
pub(super) fn policy_on_server(task: &Task) -> PolicyOnServer {
    (task.server.reference.id.clone(), task.policy.name.clone(), task.policy.kind)
}

/// The policy's name and its earlier ones.
pub(super) fn names(task: &Task) -> Vec<String> {
    task.policy.all_names()
}

fn key(task: &Task, due: Timestamp) -> RunKey {
    let (server, policy) = (task.server.reference.clone(), task.policy.name.clone());
    RunKey { server, policy, kind: task.policy.kind, due: Some(due) }
}

/// What the store is asked about a task: how far it was handled, under this name or an earlier one.
fn followed(task: &Task) -> Followed {
    let before = |name: &PolicyName| {
        let splay = task.splay_of(name);
        let later = SignedDuration::try_from(task.splay()).unwrap_or_default()
            - SignedDuration::try_from(splay).unwrap_or_default();
        FollowedBefore { policy: name.clone(), schedule: in_words(task, splay), later }
    };
    Followed {
        server: task.server.reference.id.clone(),
        policy: task.policy.name.clone(),
        kind: task.policy.kind,
        schedule: in_words(task, task.splay()),
        formerly: task.policy.formerly.iter().map(before).collect(),
    }
}

/// If this text changes, due times start over from now.
fn in_words(task: &Task, splay: Duration) -> String {
    let schedule = &task.policy.schedule;
    let zone = schedule.zone().iana_name().unwrap_or("UTC");
    format!("{} {zone} {}", schedule.expressions().join(", "), splay.as_secs())
}
