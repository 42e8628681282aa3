//! Notices of what happened to a policy on a server: what a plan notes, and new brakes.

use jiff::Timestamp;

use crate::journal::notice::{Fact, NotStarted, Notice, StartProblem, StoppedFor};
use crate::policy::brake::{Brake, BrakeCause};
use crate::policy::inventory::{Inventory, PointId};
use crate::policy::plan::Note;
use crate::policy::task::Task;

impl Task {
    /// What happened to this policy on this server, for the policy's reports.
    #[must_use]
    pub fn notice(&self, fact: Fact) -> Notice {
        Notice {
            policy: Some(self.policy.name.clone()),
            kind: Some(self.policy.kind),
            reports: self.policy.report.clone(),
            ..Notice::of_server(self.server.reference.clone(), fact)
        }
    }
}

impl Notice {
    /// The notes of a plan, with what the list says about their points.
    #[must_use]
    pub fn of_note(task: &Task, note: &Note, inventory: &Inventory) -> Self {
        let created_at = |id: &PointId| inventory.find(id).map(|point| point.created_at);
        task.notice(match note {
            Note::Stray(id) => Fact::SecondLastgood { id: id.clone() },
            Note::NewJournal(points) => Fact::NewJournal { points: *points },
            Note::Future(id) => Fact::DatedInFuture { id: id.clone(), created_at: created_at(id) },
            Note::Braked { left, max_deletes } => Fact::MoreToDelete { left: *left, max_deletes: *max_deletes },
            Note::Stuck(id) => Fact::Stuck {
                id: id.clone(),
                created_at: created_at(id),
                stuck_after_seconds: task.policy.stuck_after.as_secs(),
            },
        })
    }

    /// The server that was stopped for this policy does not run; the start is owed to it since `since`. There is one
    /// incident a server, whichever policies have stopped it.
    #[must_use]
    pub fn of_not_started(task: &Task, problem: StartProblem, since: Option<Timestamp>) -> Self {
        let stopped_for = Some(StoppedFor { policy: task.policy.name.clone(), kind: task.policy.kind });
        let fact = Fact::ServerNotStarted(NotStarted { problem, stopped_for, since });
        Self { policy: None, kind: None, ..task.notice(fact) }
    }

    /// The new brakes of a policy on a server. A second lastgood is reported by the plan's note about it.
    #[must_use]
    pub fn of_brakes(task: &Task, new: &[Brake]) -> Option<Self> {
        let brakes: Vec<Brake> =
            new.iter().filter(|brake| brake.cause != BrakeCause::SecondLastgood).cloned().collect();
        (!brakes.is_empty()).then(|| task.notice(Fact::Braked { brakes }))
    }
}
