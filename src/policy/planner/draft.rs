//! A plan under construction: the decisions so far, the slots, and the deletes still allowed.

use jiff::Timestamp;

use super::decisions::{decisions, displaced};
use crate::policy::counted::Counted;
use crate::policy::delete_guards::DeleteGuards;
use crate::policy::evidence::{Evidence, PlanRequest};
use crate::policy::guard::Guard;
use crate::policy::inventory::{PointId, PointStatus};
use crate::policy::plan::{Decision, Delete, Reason};
use crate::policy::retention::Candidate;
use crate::policy::slots::Slots;

/// A plan under construction.
pub(super) struct Draft<'p, 'a> {
    pub request: PlanRequest<'a>,
    pub guards: &'p DeleteGuards<'a>,
    pub slots: Slots,
    /// The most deletes of the run.
    pub max_deletes: u32,
    /// How many of these are left.
    pub budget: u32,
    /// How many points the new one displaces.
    pub displaced: u32,
    /// The points already planned to be deleted.
    pub gone: Vec<PointId>,
    pub decisions: Vec<Decision>,
}

impl<'p, 'a> Draft<'p, 'a> {
    /// Decides about each point, with the new one dated `new`.
    pub(super) fn dated(request: &PlanRequest<'a>, guards: &'p DeleteGuards<'a>, new: Timestamp) -> Self {
        let counted = Counted::of(&request.evidence, Some(new));
        let displaced = displaced(request, guards, &counted);
        let max_deletes = request.evidence.policy.max_deletes.unwrap_or(displaced + 1);
        Self {
            request: *request,
            guards,
            slots: request.slots(),
            max_deletes,
            budget: max_deletes.saturating_sub(request.spent),
            displaced,
            gone: Vec::new(),
            decisions: decisions(request, guards, &counted),
        }
    }

    pub(super) fn evidence(&self) -> Evidence<'a> {
        self.request.evidence
    }

    /// The points to delete, before limits: failed ones first, then the oldest.
    pub(super) fn droppable(&self) -> Vec<Delete> {
        let mut deletes: Vec<(bool, Candidate, Delete)> = self
            .dropped()
            .map(|decision| {
                let completed = decision.status == PointStatus::Completed;
                let point =
                    self.evidence().inventory.find(&decision.id).expect("every decision is about a listed point");
                let why = decision.why.last().cloned().expect("a dropped point has a reason");
                let delete = Delete { id: decision.id.clone(), created_at: decision.created_at, completed, why };
                (completed, Candidate::of(point), delete)
            })
            .collect();
        deletes.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        deletes.into_iter().map(|(_, _, delete)| delete).collect()
    }

    /// The decisions to delete a point.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| !decision.keep)
    }

    pub(super) fn is_own(&self, id: &PointId) -> bool {
        self.decisions.iter().any(|decision| decision.id == *id && decision.own)
    }

    /// The guard that refuses an eviction because too few points would be left.
    pub(super) fn too_little(&self, id: &PointId) -> Option<Guard> {
        let evidence = self.evidence();
        evidence.leaves_too_little(evidence.inventory.find(id)?, &self.gone)
    }

    /// Keeps the point after all.
    pub(super) fn keep(&mut self, id: &PointId, guard: Guard) {
        if let Some(decision) = self.decisions.iter_mut().find(|decision| decision.id == *id) {
            decision.keep = true;
            decision.why.push(Reason::Guard(guard));
        }
    }

    /// Keeps every point, because the run does nothing.
    pub(super) fn keep_all(&mut self) {
        for decision in &mut self.decisions {
            decision.keep = true;
        }
    }
}
