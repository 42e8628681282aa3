//! A policy on a server, with what it shares with the server's other policies. Each run carries out one task.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::policy::inventory::Server;
use crate::policy::name::PolicyName;
use crate::policy::policy::Policy;
use crate::policy::schedule::{DueTimes, splay};

/// A policy on a server.
#[derive(Clone, Debug)]
pub struct Task {
    /// The server.
    pub server: Server,
    /// The policy, as it applies to it.
    pub policy: Arc<Policy>,
    /// The largest `reserve` of all policies of this server and kind.
    pub reserve: u32,
    /// The other enabled policies of this server and kind.
    pub others: Vec<Arc<Policy>>,
}

impl Task {
    /// How much later than the schedule the policy is due on this server.
    #[must_use]
    pub fn splay(&self) -> Duration {
        self.splay_of(&self.policy.name)
    }

    /// How much later it would be due under another name.
    #[must_use]
    pub fn splay_of(&self, name: &PolicyName) -> Duration {
        splay(&self.server.reference.id.to_string(), name.as_str(), self.policy.splay)
    }

    /// The due times of the policy on this server.
    #[must_use]
    pub fn due_times(&self) -> DueTimes<'_> {
        DueTimes { schedule: &self.policy.schedule, splay: self.splay() }
    }

    /// The policy's next due time on this server after a moment; none while it is disabled.
    #[must_use]
    pub fn next_due(&self, at: Timestamp) -> Option<Timestamp> {
        self.due_times().next_after(at).filter(|_| self.policy.enabled)
    }

    /// The slots that our points leave to people in a run with this task, while `current` is what has become of it: the
    /// smaller number of both.
    #[must_use]
    pub fn reserve_beside(&self, current: Option<&Self>) -> u32 {
        current.map_or(self.reserve, |current| current.reserve.min(self.reserve))
    }

    /// What has become of this task, among the tasks of its server and kind in a later policy file: the one whose policy
    /// has the same name, else the one whose policy had it before.
    #[must_use]
    pub fn present_among<'a>(&self, tasks: &'a [Arc<Self>]) -> Option<&'a Arc<Self>> {
        let name = &self.policy.name;
        let named = tasks.iter().find(|task| task.policy.name == *name);
        named.or_else(|| tasks.iter().find(|task| task.policy.formerly.contains(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::inventory::{Kind, ServerId, ServerRef, ServerStatus};

    fn task(name: &str, formerly: &[&str]) -> Arc<Task> {
        let parse = |name: &str| PolicyName::new(name).unwrap();
        let formerly = formerly.iter().copied().map(parse).collect();
        let policy = Policy { formerly, ..Policy::removed(parse(name), Kind::Snapshot) };
        let reference = ServerRef { id: ServerId::Number(1), name: "web".to_owned() };
        let server = Server { reference, keys: Vec::new(), status: ServerStatus::Active };
        Arc::new(Task { server, policy: Arc::new(policy), reserve: 0, others: Vec::new() })
    }

    #[test]
    fn a_reload_gives_slots_back_to_people_and_takes_none_from_a_run() {
        let with = |reserve| Task { reserve, ..(*task("nightly", &[])).clone() };
        for (case, current, expected) in [
            ("the policy is gone", None, 2),
            ("it reserves fewer now", Some(with(1)), 1),
            ("it reserves more now", Some(with(3)), 2),
        ] {
            assert_eq!(with(2).reserve_beside(current.as_ref()), expected, "{case}");
        }
    }

    #[test]
    fn a_policy_that_is_disabled_has_no_next_due_time() {
        let (disabled, at) = (task("nightly", &[]), Timestamp::UNIX_EPOCH);
        let policy = Policy { enabled: true, ..(*disabled.policy).clone() };
        let enabled = Task { policy: Arc::new(policy), ..(*disabled).clone() };
        assert!(disabled.next_due(at).is_none() && enabled.next_due(at).is_some_and(|due| due > at));
    }

    #[test]
    fn a_policy_is_found_by_its_name_first_and_then_by_its_former_one() {
        let run = task("nightly", &[]);
        let present = |tasks: &[Arc<Task>]| run.present_among(tasks).map(|task| task.policy.name.to_string());
        let renamed = || task("daily", &["nightly"]);
        assert_eq!(present(&[task("hourly", &[]), renamed()]).as_deref(), Some("daily"));
        assert_eq!(present(&[renamed(), task("nightly", &[])]).as_deref(), Some("nightly"));
        assert_eq!(present(&[task("hourly", &[])]), None);
    }
}
