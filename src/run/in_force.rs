//! The policies in force now, which a reload exchanges while runs are in progress.
//!
//! A run is driven by the policy that it began with; what it deletes, the one in force must let go of, too.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::policy::inventory::{Id, Kind};
use crate::policy::policy::{Policy, PolicyName};
use crate::run::Task;

type OfServers = HashMap<(Id, Kind), Vec<Arc<Policy>>>;

/// The policies in force on each server. Clones are the same ones. Until they are set for the first time, each run's own
/// policy is the one in force.
#[derive(Clone, Debug, Default)]
pub struct InForce(Arc<RwLock<Option<OfServers>>>);

impl InForce {
    /// From now on these are in force, and no others.
    pub fn set(&self, tasks: &[Task]) {
        let mut all = OfServers::new();
        for task in tasks {
            let place = (task.server.reference.id.clone(), task.policy.kind);
            all.entry(place).or_default().push(Arc::clone(&task.policy));
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
    }

    /// What the run's policy is called now, as it applies to its server: the policy of the same name and kind, else the
    /// one that was formerly called so. `None`: it is no longer in the file, or no longer for this server.
    #[must_use]
    pub fn of(&self, task: &Task) -> Option<Arc<Policy>> {
        let in_force = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = in_force.as_ref() else { return Some(Arc::clone(&task.policy)) };
        let policies = all.get(&(task.server.reference.id.clone(), task.policy.kind))?;
        let named = |wanted: &PolicyName| policies.iter().find(|policy| policy.name == *wanted);
        let formerly = |wanted: &PolicyName| policies.iter().find(|policy| policy.formerly.contains(wanted));
        named(&task.policy.name).or_else(|| formerly(&task.policy.name)).map(Arc::clone)
    }
}
