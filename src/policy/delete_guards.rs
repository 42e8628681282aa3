//! The guards on every delete: checked while it is planned, and again with a fresh list before it is sent. Guards for
//! the whole server are evaluated once, not for each point.

use jiff::Timestamp;

use crate::policy::brake::Brake;
use crate::policy::brakes_in_force::stops_all;
use crate::policy::evidence::Evidence;
use crate::policy::guard::Guard;
use crate::policy::inventory::{PointId, RestorePoint};
use crate::policy::policy::Prune;

/// The guards of one policy on one server, for one list.
#[derive(Clone, Debug)]
pub(crate) struct DeleteGuards<'a> {
    evidence: Evidence<'a>,
    server_wide: Option<Guard>,
}

impl<'a> DeleteGuards<'a> {
    /// The guards for this evidence. Detects the brakes itself.
    #[must_use]
    pub(crate) fn of(evidence: &Evidence<'a>) -> Self {
        Self::with_brake(evidence, stops_all(evidence).as_ref())
    }

    /// As `of`, with the brake that stops every delete, if one was detected.
    #[must_use]
    pub(super) fn with_brake(evidence: &Evidence<'a>, stops_all: Option<&Brake>) -> Self {
        Self { evidence: *evidence, server_wide: server_wide(evidence, stops_all) }
    }

    /// Why nothing may be deleted on this server now.
    #[must_use]
    pub(crate) fn server_wide(&self) -> Option<&Guard> {
        self.server_wide.as_ref()
    }

    /// Why this point may not be deleted now, no matter how many would be left.
    #[must_use]
    pub(crate) fn refuses(&self, point: &RestorePoint) -> Option<Guard> {
        let (evidence, memory) = (&self.evidence, self.evidence.memory);
        if let Some(guard) = evidence.not_ours_to_delete(point) {
            return Some(guard);
        }
        if let Some(guard) = in_progress(point) {
            return Some(guard);
        }
        if let Some(reason) = memory.holds.get(&point.id) {
            return Some(Guard::Held(reason.clone()));
        }
        if memory.deleting.contains(&point.id) {
            return Some(Guard::Deleting);
        }
        self.server_wide.clone()
    }

    /// Checks a planned delete against this list, counting the points in `gone` as deleted.
    ///
    /// # Errors
    /// The guard that refuses.
    pub(crate) fn permits(&self, id: &PointId, created_at: Timestamp, gone: &[PointId]) -> Result<(), Guard> {
        let same = self.evidence.inventory.find(id).filter(|point| point.created_at == created_at);
        let Some(point) = same else { return Err(Guard::NotTheSame) };
        self.refuses(point).or_else(|| self.evidence.leaves_too_little(point, gone)).map_or(Ok(()), Err)
    }
}

fn server_wide(evidence: &Evidence<'_>, stops_all: Option<&Brake>) -> Option<Guard> {
    if let Some(doubt) = evidence.inventory.doubt() {
        return Some(Guard::Doubt(doubt));
    }
    if let Some(reason) = &evidence.memory.server_hold {
        return Some(Guard::ServerHeld(reason.clone()));
    }
    if let Some(stray) = evidence.stray() {
        return Some(Guard::SecondLastgood(stray.id.clone()));
    }
    if let Some(brake) = stops_all {
        return Some(Guard::Brake(brake.to_string()));
    }
    (evidence.policy.prune == Prune::None).then_some(Guard::PruneNone)
}

/// The guard for a point in progress, or with a status we do not know: neither is ever deleted.
pub(super) fn in_progress(point: &RestorePoint) -> Option<Guard> {
    point.status.is_in_progress().then(|| Guard::InProgress(point.status.to_string()))
}
