//! Which points count for a policy's retention, and the verdict on each, with or without a new point.

use jiff::Timestamp;

use crate::policy::evidence::Evidence;
use crate::policy::inventory::{PointId, PointStatus, RestorePoint};
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::{self, Candidate, KeepVerdict};

/// The points that count for a policy's retention, each with its verdict, in the order of the list.
pub(super) struct Counted<'a> {
    verdicts: Vec<(&'a RestorePoint, KeepVerdict)>,
    /// Whether a new point was counted, too.
    pub with_new: bool,
}

impl<'a> Counted<'a> {
    /// Asks retention, counting a new point dated `new` if given.
    pub(super) fn of(evidence: &Evidence<'a>, new: Option<Timestamp>) -> Self {
        let points: Vec<&RestorePoint> =
            evidence.inventory.points.iter().filter(|point| counts(evidence, point)).collect();
        let mut candidates: Vec<Candidate> = points.iter().map(|point| Candidate::of(point)).collect();
        if let Some(at) = new {
            // The provider's clock dates all points, and ours may be days away from it.
            let newest = candidates.iter().map(|candidate| candidate.at).max().unwrap_or(at);
            candidates.push(Candidate { at: at.max(newest), due: Some(Timestamp::MAX), id: None });
        }
        // The verdict on the new point comes last and is left out by the zip.
        let verdicts = points.into_iter().zip(decide(evidence.policy, &candidates)).collect();
        Self { verdicts, with_new: new.is_some() }
    }

    /// The points.
    pub(super) fn points(&self) -> impl Iterator<Item = &'a RestorePoint> {
        self.verdicts.iter().map(|(point, _)| *point)
    }

    /// The points that retention drops.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &'a RestorePoint> {
        self.verdicts.iter().filter(|(_, verdict)| !verdict.keep).map(|(point, _)| *point)
    }

    /// The verdict on a point; `None` if it does not count.
    pub(super) fn verdict(&self, id: &PointId) -> Option<&KeepVerdict> {
        self.verdicts.iter().find(|(point, _)| point.id == *id).map(|(_, verdict)| verdict)
    }
}

/// Whether a point counts for the policy's retention: completed, its own, not protected, not in the future, not being
/// deleted.
pub(super) fn counts(evidence: &Evidence<'_>, point: &RestorePoint) -> bool {
    point.status == PointStatus::Completed
        && evidence.not_ours_to_delete(point).is_none()
        && !evidence.memory.deleting.contains(&point.id)
}

/// The points that retention drops now, without a new point, and that are not on hold.
pub(super) fn dropped_by_retention<'a>(evidence: &Evidence<'a>) -> Vec<&'a RestorePoint> {
    if evidence.policy.prune == Prune::None {
        return Vec::new();
    }
    Counted::of(evidence, None).dropped().filter(|point| !evidence.is_held(point)).collect()
}

fn decide(policy: &Policy, candidates: &[Candidate]) -> Vec<KeepVerdict> {
    let decided = retention::decide(candidates, &policy.keep, policy.keep_mode, &policy.timezone);
    // Only a policy with prune = "none" may have no rules. It keeps everything.
    decided.unwrap_or_else(|_no_rules| {
        debug_assert!(policy.prune == Prune::None, "validation refuses any other policy without rules");
        vec![KeepVerdict { keep: true, why: Vec::new() }; candidates.len()]
    })
}
