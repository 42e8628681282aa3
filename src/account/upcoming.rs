//! The next due times of many servers. Those of one policy differ by the splay alone, so the calendar is searched once a
//! policy and not once a server: with ten thousand servers that takes long.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::policy::Policy;
use crate::policy::task::Task;

/// A policy that is due more often than this within its splay is asked server by server.
const MOST: usize = 64;

/// The next due times after a moment.
#[derive(Debug)]
pub(super) struct Upcoming {
    now: Timestamp,
    /// Of each policy, the scheduled times that may be the next on some server; `None` where they are too many.
    scheduled: HashMap<*const Policy, (Arc<Policy>, Option<Vec<Timestamp>>)>,
}

impl Upcoming {
    /// The due times after `now`.
    pub(super) fn after(now: Timestamp) -> Self {
        Self { now, scheduled: HashMap::new() }
    }

    /// The next due time of a task.
    pub(super) fn of(&mut self, task: &Task) -> Option<Timestamp> {
        let (policy, now) = (&task.policy, self.now);
        let scheduled = || (Arc::clone(policy), scheduled(policy, now));
        let (_, scheduled) = self.scheduled.entry(Arc::as_ptr(policy)).or_insert_with(scheduled);
        let Some(scheduled) = scheduled else { return task.due_times().next_after(now) };
        let splay = task.splay();
        let after = now.checked_sub(splay).ok()?;
        scheduled.iter().find(|at| **at > after)?.checked_add(splay).ok()
    }
}

/// The scheduled times from the longest splay before `now` to the first one after `now`.
fn scheduled(policy: &Policy, now: Timestamp) -> Option<Vec<Timestamp>> {
    let from = now.checked_sub(policy.splay).ok()?;
    let mut times = Vec::new();
    for at in policy.schedule.iter_after(from) {
        if times.len() == MOST {
            return None;
        }
        times.push(at);
        if at > now {
            break;
        }
    }
    Some(times)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::policy::inventory::{Kind, Server, ServerId, ServerRef, ServerStatus};
    use crate::policy::name::PolicyName;
    use crate::policy::schedule::Schedule;

    #[test]
    fn each_server_has_the_due_time_that_the_schedule_gives_it() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (schedule, splay_minutes) in
            [("@hourly", 0), ("30 2 * * *", 90), ("*/5 * * * *", 120), ("* * * * * *", 30), ("@yearly", 60 * 24)]
        {
            let policy = Arc::new(Policy {
                schedule: Schedule::parse(&[schedule], zone.clone()).unwrap(),
                splay: Duration::from_secs(60 * splay_minutes),
                ..Policy::removed(PolicyName::new("nightly").unwrap(), Kind::Backup)
            });
            for now in ["2026-11-28T01:45:00Z", "2026-10-25T00:30:00Z", "2026-03-29T01:00:00Z", "2026-12-31T23:59:59Z"]
            {
                let now: Timestamp = now.parse().unwrap();
                let mut upcoming = Upcoming::after(now);
                for id in 1..=100 {
                    let reference = ServerRef { id: ServerId::Number(id), name: id.to_string() };
                    let server = Server { reference, keys: Vec::new(), status: ServerStatus::Active };
                    let task = Task { server, policy: Arc::clone(&policy), reserve: 0, others: Vec::new() };
                    assert_eq!(upcoming.of(&task), task.due_times().next_after(now), "{schedule} {id} {now}");
                }
            }
        }
    }
}
