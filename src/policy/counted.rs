//! Which points count for a policy's retention, and the verdict on each, with or without a new point.

use jiff::Timestamp;

use crate::policy::evidence::Evidence;
use crate::policy::inventory::{PointId, PointStatus, RestorePoint};
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::{self, Candidate, KeepReason, Verdicts};

/// The points that count for a policy's retention, in the order of the list, and the verdicts on them.
pub(super) struct Counted<'a> {
    points: Vec<&'a RestorePoint>,
    /// `None` if there are no rules: every point is kept. With a new point, its verdict comes last.
    verdicts: Option<Verdicts>,
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
        Self { points, verdicts: decide(evidence.policy, &candidates), with_new: new.is_some() }
    }

    /// The points.
    pub(super) fn points(&self) -> impl Iterator<Item = &'a RestorePoint> {
        self.points.iter().copied()
    }

    /// The points that retention drops.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &'a RestorePoint> {
        let dropped = self.points.iter().enumerate().filter(|&(index, _)| !self.keeps_at(index));
        dropped.map(|(_, point)| *point)
    }

    /// Whether retention keeps a point; `None` if it does not count.
    pub(super) fn keeps(&self, id: &PointId) -> Option<bool> {
        self.index(id).map(|index| self.keeps_at(index))
    }

    /// Why retention keeps or drops a point; nothing if it does not count.
    pub(super) fn why(&self, id: &PointId) -> Vec<KeepReason> {
        let verdict = self.index(id).zip(self.verdicts.as_ref());
        verdict.map(|(index, verdicts)| verdicts.why(index)).unwrap_or_default()
    }

    fn index(&self, id: &PointId) -> Option<usize> {
        self.points.iter().position(|point| point.id == *id)
    }

    fn keeps_at(&self, index: usize) -> bool {
        self.verdicts.as_ref().is_none_or(|verdicts| verdicts.keeps(index))
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

/// The verdicts; `None` if the policy has no rules. Only one with prune = "none" may have none, and it keeps everything.
fn decide(policy: &Policy, candidates: &[Candidate]) -> Option<Verdicts> {
    let decided = retention::decide(candidates, &policy.keep, policy.keep_mode, &policy.timezone).ok();
    debug_assert!(
        decided.is_some() || policy.prune == Prune::None,
        "validation refuses any other policy without rules"
    );
    decided
}
