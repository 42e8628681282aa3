//! Prunes: deletes after the new point is completed.

use super::draft::Draft;
use crate::policy::brake::Brake;
use crate::policy::counted::counts;
use crate::policy::guard::Guard;
use crate::policy::inventory::{PointId, RestorePoint};
use crate::policy::plan::Delete;

impl Draft<'_, '_> {
    /// The deletes once the new point is completed, and how many more `max_deletes` prevents.
    pub(super) fn prune(&mut self, stops_retention: Option<&Brake>) -> (Vec<Delete>, u32) {
        let mut deletes = Vec::new();
        let mut left = 0;
        for delete in self.droppable() {
            if self.gone.contains(&delete.id) {
                continue;
            }
            if delete.completed
                && let Some(brake) = stops_retention
            {
                self.keep(&delete.id, Guard::Brake(brake.to_string()));
                continue;
            }
            if self.budget == 0 {
                left += 1;
                self.keep(&delete.id, Guard::MaxDeletes(self.max_deletes));
                continue;
            }
            if delete.completed
                && let Some(guard) = self.too_little_after(&delete.id)
            {
                self.keep(&delete.id, guard);
                continue;
            }
            self.budget -= 1;
            self.gone.push(delete.id.clone());
            deletes.push(delete);
        }
        (deletes, left)
    }

    /// The guard that refuses a delete because too few points would be left once the new point is completed. Only
    /// `min_keep` can, because the new point is the newest then.
    fn too_little_after(&self, id: &PointId) -> Option<Guard> {
        let evidence = self.evidence();
        let own = |point: &&RestorePoint| counts(&evidence, point) && point.id != *id && !self.gone.contains(&point.id);
        let remaining = evidence.inventory.manual().filter(own).count() + 1;
        let min_keep = evidence.policy.min_keep;
        (remaining < min_keep as usize).then_some(Guard::MinKeep(min_keep))
    }
}
