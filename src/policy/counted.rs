//! Which points take part in a policy's retention, and what retention says of them, with a new point counted in or
//! without.

use jiff::Timestamp;

use crate::policy::evidence::Evidence;
use crate::policy::inventory::{Id, PointStatus, RestorePoint};
use crate::policy::mark::Mark;
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::{self, Candidate, KeepVerdict};

/// The points that take part in a policy's retention, each with its verdict, in the order of the list.
pub(super) struct Counted<'a> {
    verdicts: Vec<(&'a RestorePoint, KeepVerdict)>,
    /// Whether a new point took part as well.
    pub with_new: bool,
}

impl<'a> Counted<'a> {
    /// What retention says when a new point is dated `new`; without it, of the points as they are.
    pub fn of(evidence: &Evidence<'a>, new: Option<Timestamp>) -> Self {
        let points: Vec<&RestorePoint> =
            evidence.inventory.points.iter().filter(|point| counts(evidence, point)).collect();
        let mut candidates: Vec<Candidate> = points.iter().map(|point| candidate(point)).collect();
        if let Some(at) = new {
            // The provider's clock will date the new point, and has dated the others: ours may be days away from it.
            let newest = candidates.iter().map(|candidate| candidate.at).max().unwrap_or(at);
            candidates.push(Candidate { at: at.max(newest), due: Some(Timestamp::MAX), id: None });
        }
        // The verdict on the new point comes last, and no listed one goes with it.
        let verdicts = points.into_iter().zip(decide(evidence.policy, &candidates)).collect();
        Self { verdicts, with_new: new.is_some() }
    }

    /// The points.
    pub fn points(&self) -> impl Iterator<Item = &'a RestorePoint> {
        self.verdicts.iter().map(|(point, _)| *point)
    }

    /// The points that retention drops.
    pub fn dropped(&self) -> impl Iterator<Item = &'a RestorePoint> {
        self.verdicts.iter().filter(|(_, verdict)| !verdict.keep).map(|(point, _)| *point)
    }

    /// What retention says of a point; `None` where it takes no part.
    pub fn verdict(&self, id: &Id) -> Option<&KeepVerdict> {
        self.verdicts.iter().find(|(point, _)| point.id == *id).map(|(_, verdict)| verdict)
    }
}

/// Whether a point takes part in the policy's retention: completed, its own, not protected, not in the future, not
/// about to go.
pub(super) fn counts(evidence: &Evidence<'_>, point: &RestorePoint) -> bool {
    point.status == PointStatus::Completed
        && evidence.not_ours_to_delete(point).is_none()
        && !evidence.memory.deleting.contains(&point.id)
}

/// A point as retention sees it.
pub(super) fn candidate(point: &RestorePoint) -> Candidate {
    let due = Mark::parse(&point.description).map(|mark| mark.due);
    Candidate { at: point.created_at, due, id: Some(point.id.clone()) }
}

/// The points that retention drops as they are, without a new one, and that no person holds.
pub(super) fn dropped_by_retention<'a>(evidence: &Evidence<'a>) -> Vec<&'a RestorePoint> {
    if evidence.policy.prune == Prune::None {
        return Vec::new();
    }
    Counted::of(evidence, None).dropped().filter(|point| !evidence.is_held(point)).collect()
}

fn decide(policy: &Policy, candidates: &[Candidate]) -> Vec<KeepVerdict> {
    let decided = retention::decide(candidates, &policy.keep, policy.keep_mode, &policy.timezone);
    // A policy without rules has prune = "none": then everything stays.
    decided.unwrap_or_else(|_no_rules| {
        debug_assert!(policy.prune == Prune::None, "validation lets no other policy be without rules");
        vec![KeepVerdict { keep: true, why: Vec::new() }; candidates.len()]
    })
}
