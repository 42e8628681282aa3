//! The policies in force, which a reload replaces while runs are in progress.
//!
//! A run is performed under the policy that it began with, but the one in force must agree to each delete.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::policy::conditions::RetentionRules;
use crate::policy::inventory::{Kind, ServerId};
use crate::run::Task;

type OfServers = HashMap<(ServerId, Kind), Vec<Arc<Task>>>;

/// The policies in force on each server. Clones share them. Until they are set for the first time, each run's own policy
/// is the one in force.
#[derive(Clone, Debug, Default)]
pub struct InForce(Arc<RwLock<Option<OfServers>>>);

impl InForce {
    /// Replaces the policies in force by these.
    pub fn set(&self, tasks: &[Task]) {
        let mut all = OfServers::new();
        for task in tasks {
            let place = (task.server.reference.id.clone(), task.policy.kind);
            all.entry(place).or_default().push(Arc::new(task.clone()));
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
    }

    /// The slots that our points leave to people now in a run with this task.
    #[must_use]
    pub fn reserve(&self, task: &Task) -> u32 {
        task.reserve_beside(self.of(task).as_deref())
    }

    /// The run's policy as it is now on its server. `None` if it is no longer in the file, or no longer applies to the
    /// server.
    #[must_use]
    pub fn of(&self, task: &Task) -> Option<Arc<Task>> {
        let in_force = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = in_force.as_ref() else { return Some(Arc::new(task.clone())) };
        let tasks = all.get(&(task.server.reference.id.clone(), task.policy.kind))?;
        task.present_among(tasks).map(Arc::clone)
    }

    /// The same, if it still keeps what the run's policy keeps.
    pub(super) fn with_same_retention(&self, task: &Task) -> Option<Arc<Task>> {
        self.of(task).filter(|current| RetentionRules::of(&current.policy) == RetentionRules::of(&task.policy))
    }
}
