//! The evaluator: which policies are due now, on which servers. It is woken every second and looks at one number then;
//! at least once a minute it looks at everything again, since the clock may have been set.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::journal::event::{Event, Outcome, RunKey};
use crate::journal::notice::{Class, Notice, Topic};
use crate::policy::schedule::{Due, DueTimes, Lost, due, splay};
use crate::run::Task;
use crate::store::due::Followed as Place;
use crate::store::runs::{Recorded, Run};
use crate::store::{Store, StoreError};

/// Everything is looked at again after this long.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A policy on a server whose due times are followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The policy and the server.
    pub task: Task,
    /// The splay of this server.
    pub splay: Duration,
    handled: Timestamp,
    next: Option<Timestamp>,
    first_at: Timestamp,
    stale_told: bool,
    last_good: Option<Timestamp>,
}

/// Decides what is due.
#[derive(Debug)]
pub struct Evaluator {
    store: Store,
    started: Timestamp,
    followed: Vec<Followed>,
    /// The earliest moment at which something can be due.
    next: Option<Timestamp>,
    looked_at: Option<Timestamp>,
}

impl Evaluator {
    /// An evaluator that follows nothing yet; `started` is the start of the process.
    #[must_use]
    pub const fn new(store: Store, started: Timestamp) -> Self {
        Self { store, started, followed: Vec::new(), next: None, looked_at: None }
    }

    /// Follows these from now on. One seen for the first time, or with a changed schedule, starts from `now`.
    ///
    /// # Errors
    /// What the state says.
    pub async fn follow(&mut self, tasks: Vec<Task>, now: Timestamp) -> Result<(), StoreError> {
        let spread = |task: &Task| {
            let policy = &task.policy;
            splay(&task.server.reference.id.to_string(), policy.name.as_str(), policy.splay)
        };
        let places = tasks.iter().map(|task| Place {
            server: task.server.reference.id.clone(),
            policy: task.policy.name.clone(),
            schedule: in_words(task, spread(task)),
        });
        let handled = self.store.handled(places.collect(), now).await?;
        let mut followed = Vec::with_capacity(tasks.len());
        for (task, handled) in tasks.into_iter().zip(handled) {
            let splay = spread(&task);
            let last_good = last_good(&self.store, &task).await?;
            let (first_at, stale_told) = (handled.first_at, handled.stale_told);
            let handled = handled.handled;
            followed.push(Followed { task, splay, handled, next: None, first_at, stale_told, last_good });
        }
        self.followed = followed;
        self.looked_at = None;
        Ok(())
    }

    /// What is followed.
    #[must_use]
    pub fn followed(&self) -> &[Followed] {
        &self.followed
    }

    /// The earliest due time to come.
    #[must_use]
    pub const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether a look is due: the next due time is reached, a minute has passed, or the clock was set back.
    #[must_use]
    pub fn is_time(&self, now: Timestamp) -> bool {
        let Some(looked_at) = self.looked_at else { return true };
        self.next.is_some_and(|next| next <= now) || now < looked_at || looked_at.duration_until(now) >= LOOK_AGAIN
    }

    /// The runs that are due now, recorded, each with its task. `busy` says whether a run of the same policy on the
    /// same server is still under way: then the due time is passed over, and that is told.
    ///
    /// # Errors
    /// What the state says. What was recorded before it is then open in the journal.
    pub async fn take(
        &mut self,
        now: Timestamp,
        busy: impl Fn(&Task) -> bool,
    ) -> Result<Vec<(Task, Run)>, StoreError> {
        let mut runs = Vec::new();
        for index in 0..self.followed.len() {
            let one = &self.followed[index];
            if one.next.is_some_and(|next| next > now) && self.looked_at.is_some_and(|at| at <= now) && one.handled <= now {
                continue;
            }
            let times = DueTimes { schedule: &one.task.policy.schedule, splay: one.splay };
            let decision = due(&times, one.handled, self.started, now, one.task.policy.catch_up);
            let next = match decision {
                Due::NotYet { next } => next,
                Due::Now { due, lost, .. } => {
                    let next = times.next_after(now);
                    runs.extend(self.record(index, due, lost, now, &busy).await?);
                    next
                }
                Due::Lost { lost, next } => {
                    self.pass_over(index, lost, now).await?;
                    next
                }
                Due::HandledInFuture { handled, put_right, next } => {
                    self.put_right(index, handled, put_right, now).await?;
                    next
                }
            };
            self.followed[index].next = next;
        }
        self.next = self.followed.iter().filter_map(|one| one.next).min();
        self.looked_at = Some(now);
        Ok(runs)
    }

    async fn record(
        &mut self,
        index: usize,
        due: Timestamp,
        lost: Option<Lost>,
        now: Timestamp,
        busy: impl Fn(&Task) -> bool,
    ) -> Result<Option<(Task, Run)>, StoreError> {
        let task = self.followed[index].task.clone();
        self.followed[index].handled = due;
        let Recorded::New(mut run) = self.store.open_run(key(&task, due), now).await? else { return Ok(None) };
        if busy(&task) {
            let error = "the run before it was still under way".to_owned();
            let text = format!("the due time {due} was passed over: {error}");
            let ended = Event::Ended { outcome: Outcome::Skipped, error: Some(error) };
            self.store.append(&mut run, ended, now, vec![notice(&task, Topic::Missed, text)]).await?;
            return Ok(None);
        }
        if let Some(lost) = lost {
            let text = format!("{}; the latest, {due}, is made up for now", in_one_sentence(&lost));
            self.store.tell(vec![notice(&task, Topic::Missed, text)], now).await?;
        }
        Ok(Some((task, *run)))
    }

    /// Due times that are too old to be made up for.
    async fn pass_over(&mut self, index: usize, lost: Lost, now: Timestamp) -> Result<(), StoreError> {
        let task = self.followed[index].task.clone();
        self.followed[index].handled = lost.last;
        let text = format!("{}; none is made up for: the latest was longer ago than catch_up", in_one_sentence(&lost));
        if let Recorded::New(mut run) = self.store.open_run(key(&task, lost.last), now).await? {
            let ended = Event::Ended { outcome: Outcome::Skipped, error: Some(text.clone()) };
            self.store.append(&mut run, ended, now, vec![notice(&task, Topic::Missed, text)]).await?;
        }
        Ok(())
    }

    async fn put_right(
        &mut self,
        index: usize,
        handled: Timestamp,
        put_right: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let task = self.followed[index].task.clone();
        self.followed[index].handled = put_right;
        let (server, policy) = (task.server.reference.id.clone(), task.policy.name.clone());
        self.store.set_handled(server, policy, put_right).await?;
        let text = format!(
            "the last handled due time was {handled}, in the future: a clock was wrong. It is put right to {put_right}"
        );
        self.store.tell(vec![notice(&task, Topic::Clock, text)], now).await
    }

    /// A run of this policy on this server has ended: its last good point may be another.
    ///
    /// # Errors
    /// What the state says.
    pub async fn ended(&mut self, task: &Task) -> Result<(), StoreError> {
        let same = |one: &&mut Followed| is_same(&one.task, task);
        if let Some(one) = self.followed.iter_mut().find(same) {
            one.last_good = last_good(&self.store, task).await?;
            if one.last_good.is_some_and(|good| good > one.first_at) {
                one.stale_told = false;
            }
        }
        Ok(())
    }

    /// Tells what has become stale, once for each incident.
    ///
    /// # Errors
    /// What the state says.
    pub async fn tell_stale(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for index in 0..self.followed.len() {
            let one = &self.followed[index];
            let since = one.last_good.unwrap_or(one.first_at);
            let age = Duration::try_from(since.duration_until(now)).unwrap_or_default();
            if one.stale_told || age <= one.task.policy.max_age {
                continue;
            }
            let good = self.last_good_of(&one.task).await?;
            let text = match &good {
                Some(good) => format!("the last good {} is {} of {}", one.task.policy.kind, good.id, good.created_at),
                None => format!("no {} was ever completed", one.task.policy.kind),
            };
            let stale = Notice {
                class: Class::Stale,
                last_good: good,
                next: one.next,
                since: Some(since),
                ..notice(&one.task, Topic::Stale, text)
            };
            self.store.tell_stale(stale, now).await?;
            self.followed[index].stale_told = true;
        }
        Ok(())
    }

    async fn last_good_of(&self, task: &Task) -> Result<Option<crate::journal::notice::Good>, StoreError> {
        self.store.last_good(task.server.reference.id.clone(), task.policy.kind, names(task)).await
    }
}

/// Whether both are the same policy on the same server.
#[must_use]
pub(super) fn is_same(one: &Task, other: &Task) -> bool {
    one.server.reference.id == other.server.reference.id && one.policy.name == other.policy.name
}

fn names(task: &Task) -> Vec<String> {
    let former = task.policy.formerly.iter().map(ToString::to_string);
    std::iter::once(task.policy.name.to_string()).chain(former).collect()
}

async fn last_good(store: &Store, task: &Task) -> Result<Option<Timestamp>, StoreError> {
    let good = store.last_good(task.server.reference.id.clone(), task.policy.kind, names(task)).await?;
    Ok(good.map(|good| good.created_at))
}

fn key(task: &Task, due: Timestamp) -> RunKey {
    let (server, policy) = (task.server.reference.clone(), task.policy.name.clone());
    RunKey { server, policy, kind: task.policy.kind, due: Some(due) }
}

/// What a change of makes the due times start from now.
fn in_words(task: &Task, splay: Duration) -> String {
    let schedule = &task.policy.schedule;
    let zone = schedule.zone().iana_name().unwrap_or("UTC");
    format!("{} {zone} {}", schedule.expressions().join(", "), splay.as_secs())
}

fn in_one_sentence(lost: &Lost) -> String {
    if lost.count == 1 {
        format!("the due time {} was missed", lost.last)
    } else {
        format!("{} due times were missed, from {} to {}", lost.count, lost.first, lost.last)
    }
}

fn notice(task: &Task, topic: Topic, text: String) -> Notice {
    Notice {
        class: Class::Failure,
        topic,
        server: Some(task.server.reference.clone()),
        policy: Some(task.policy.name.to_string()),
        kind: Some(task.policy.kind),
        text,
        last_good: None,
        next: None,
        since: None,
        lost: Vec::new(),
        reports: task.policy.report.clone(),
    }
}
