//! Decides what a run does, from the policy, the lists and what the journal remembers.
//!
//! Retention says what would go, the new point counted; the guards say what stays all the same; what is left becomes
//! the plan's deletes, evictions first.

use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::brake::judge;
use crate::policy::extra::{GivenUp, given_up};
use crate::policy::guard::{Ground, Guard, Slots};
use crate::policy::inventory::{Id, PointStatus, RestorePoint};
use crate::policy::mark::Mark;
use crate::policy::plan::{Action, Decision, Delete, Note, Plan, Reason, Refusal};
use crate::policy::policy::{Policy, Prune};
use crate::policy::retention::{self, Candidate, Verdict};

pub(super) use bucket_end::kept_now;
pub use no_room::no_room;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The policy, the lists and what the journal remembers.
    pub ground: Ground<'a>,
    /// The slots that the provider gives a server for this kind.
    pub limit: u32,
    /// The largest `reserve` of all policies of this server and kind.
    pub reserve: u32,
    /// The other enabled policies of this server and kind.
    pub others: &'a [Arc<Policy>],
    /// Deletes that earlier attempts of the same run have sent.
    pub spent: u32,
    /// The provider's time now, which would date a point that is made now.
    pub now: Timestamp,
    /// The end of a bucket that the run has waited for: it does not wait for that one again, and what retention says of
    /// a point made now is all that counts.
    pub waited_for: Option<Timestamp>,
}

/// Decides what a run does.
#[must_use]
pub fn plan(request: &Request<'_>) -> Plan {
    let ground = &request.ground;
    let slots = Slots::count(request.limit, ground.instance, ground.inventory, ground.memory);
    let refused = ground.inventory.doubt().map(Refusal::Doubt);
    let mut planner = Planner::dated(request, slots, Some(request.now));
    let mut notes = planner.notes();
    let (actions, refused, wait_until) = match refused {
        Some(doubt) => (Vec::new(), Some(doubt), None),
        None => match planner.actions(&mut notes) {
            Ok(Room::Made(actions)) => (actions, None, None),
            Ok(Room::Later(bucket_end)) => (Vec::new(), None, Some(bucket_end)),
            Err(refusal) => (Vec::new(), Some(refusal), None),
        },
    };
    if actions.is_empty() {
        planner.nothing_goes();
    }
    Plan {
        at: ground.at,
        server: ground.inventory.server.clone(),
        policy: ground.policy.name.clone(),
        kind: ground.policy.kind,
        slots,
        actions,
        points: planner.decisions,
        refused,
        notes,
        brakes: judge(request).in_force,
        max_deletes: planner.max_deletes,
        wait_until,
    }
}

/// The room for the new point.
enum Room<T> {
    /// It is made by this.
    Made(T),
    /// Which point makes it depends on the bucket that the new one falls into: after this moment that is certain.
    Later(Timestamp),
}

struct Planner<'a> {
    request: Request<'a>,
    slots: Slots,
    max_deletes: u32,
    budget: u32,
    displaced: u32,
    gone: Vec<Id>,
    decisions: Vec<Decision>,
}

impl<'a> Planner<'a> {
    fn ground(&self) -> Ground<'a> {
        self.request.ground
    }

    /// What is decided when the new point is dated `new`; without it, when the list shows it already.
    fn dated(request: &Request<'a>, slots: Slots, new: Option<Timestamp>) -> Self {
        let (gone, decisions) = (Vec::new(), Vec::new());
        let mut planner = Self { request: *request, slots, max_deletes: 0, budget: 0, displaced: 0, gone, decisions };
        planner.displaced = planner.decide(new);
        planner.max_deletes = request.ground.policy.max_deletes.unwrap_or(planner.displaced + 1);
        planner.budget = planner.max_deletes.saturating_sub(request.spent);
        planner
    }

    /// Fills in a decision for every point, guards that do not depend on the others included. Returns how many points
    /// the new one displaces.
    fn decide(&mut self, new: Option<Timestamp>) -> u32 {
        let ground = self.ground();
        let counted: Vec<&RestorePoint> =
            ground.inventory.points.iter().filter(|point| counts(&ground, point)).collect();
        let (verdicts, displaced) = verdicts(&self.request, &counted, new);
        let GivenUp { points: given_up, beside } = given_up(&self.request, &counted, &verdicts, new.is_some());
        for point in &ground.inventory.points {
            let mut why = Vec::new();
            let mut keep = true;
            if let Some(place) = counted.iter().position(|other| other.id == point.id) {
                let Verdict { keep: wanted, why: reasons } = &verdicts[place];
                keep = *wanted;
                why.extend(reasons.iter().cloned().map(Reason::Retention));
                if given_up.contains(&point.id) {
                    keep = false;
                    why.push(Reason::GivenUp { beside: beside.clone() });
                }
            } else if point.status == PointStatus::Failed {
                keep = false;
                why.push(Reason::Failed);
            }
            if let Some(guard) = ground.refuses(point).filter(|guard| !keep || explains(guard)) {
                keep = true;
                why.push(Reason::Guard(guard));
            }
            let own = ground.owner(point).is_own();
            let (id, status, created_at) = (point.id.clone(), point.status.clone(), point.created_at);
            self.decisions.push(Decision { id, status, created_at, own, keep, why });
        }
        displaced
    }

    /// The ordered actions, or why there are none.
    fn actions(&mut self, notes: &mut Vec<Note>) -> Result<Room<Vec<Action>>, Refusal> {
        let room = self.slots.room(self.reserve());
        let mut actions = Vec::new();
        if room == 0 {
            match self.make_room()? {
                Room::Made(evictions) => actions.extend(evictions.into_iter().map(Action::Delete)),
                Room::Later(bucket_end) => return Ok(Room::Later(bucket_end)),
            }
        }
        let taken = self.slots.used - u32::try_from(actions.len()).expect("a handful") + 1;
        actions.push(Action::Create(Reason::New { free: self.slots.limit.saturating_sub(taken) }));
        let (prunes, left) = self.prune();
        actions.extend(prunes.into_iter().map(Action::Delete));
        if left > 0 {
            notes.push(Note::Braked { left, max_deletes: self.max_deletes });
        }
        Ok(Room::Made(actions))
    }

    /// Frees the one slot that the new point needs: our failed points first, then at most one completed point among those
    /// that `may_go`.
    fn evict(&mut self, may_go: impl Fn(&Id) -> bool) -> Result<Vec<Delete>, Refusal> {
        let (mut slots, mut reserve) = (self.slots, self.reserve());
        let mut evicted = Vec::new();
        let mut because = None;
        let mut completed_left = 1_u32.saturating_sub(self.ground().memory.evicted_since_completed);
        for delete in self.droppable() {
            if slots.room(reserve) > 0 {
                break;
            }
            if self.budget == 0 {
                because = Some(format!("max_deletes = {} allows no further delete", self.max_deletes));
                break;
            }
            if delete.completed {
                if !may_go(&delete.id) {
                    continue;
                }
                // An eviction that was accepted and not carried out is sent again: it is no second one.
                let again = self.ground().memory.not_gone.contains(&delete.id);
                if completed_left == 0 && !again {
                    because = Some(self.why_no_other_goes());
                    break;
                }
                if let Some(guard) = self.too_little(&delete.id) {
                    because = Some(format!("point {} stays: {guard}", delete.id));
                    continue;
                }
                completed_left = completed_left.saturating_sub(1);
                // The new point takes the slot of this one, so that ours grow no more numerous.
                reserve = 0;
            }
            self.budget -= 1;
            slots = slots.without(self.is_own(&delete.id));
            self.gone.push(delete.id.clone());
            let says_why = !delete.completed || matches!(delete.why, Reason::GivenUp { .. });
            evicted.push(Delete { why: if says_why { delete.why } else { Reason::Eviction }, ..delete });
        }
        if slots.room(reserve) > 0 { Ok(evicted) } else { Err(self.no_room(because)) }
    }

    /// Why a completed point is not evicted, when one was.
    fn why_no_other_goes(&self) -> String {
        if self.ground().memory.evicted_since_completed > 0 {
            "a point was evicted already, and none was completed since: no other goes before".to_owned()
        } else {
            "more than one slot is missing, and a new point displaces no more than one that is completed".to_owned()
        }
    }

    /// The slots that our points leave to people; none once an evicted point has left its slot to the new one.
    fn reserve(&self) -> u32 {
        self.ground().memory.reserve_now(self.request.reserve)
    }

    fn is_own(&self, id: &Id) -> bool {
        self.decisions.iter().any(|decision| decision.id == *id && decision.own)
    }

    fn no_room(&self, because: Option<String>) -> Refusal {
        if let Some(only_the_newest) = self.only_the_newest() {
            return only_the_newest;
        }
        let said = |guard: &Guard| matches!(guard, Guard::ServerHeld(_));
        let server_wide = || self.ground().server_wide().filter(|guard| !said(guard)).map(|guard| guard.to_string());
        no_room(&self.request, because.or_else(server_wide))
    }

    /// What goes once the new point is completed, and how many the brake keeps.
    fn prune(&mut self) -> (Vec<Delete>, u32) {
        let mut deletes = Vec::new();
        let mut left = 0;
        let brake = judge(&self.request).stops_retention().map(|brake| Guard::Brake(brake.to_string()));
        for delete in self.droppable() {
            if self.gone.contains(&delete.id) {
                continue;
            }
            if delete.completed
                && let Some(brake) = &brake
            {
                self.keep(&delete.id, brake.clone());
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

    /// What retention drops and no guard keeps: failed points first, then the oldest.
    fn droppable(&self) -> Vec<Delete> {
        let dropped = self.decisions.iter().filter(|decision| !decision.keep);
        let mut deletes: Vec<(bool, Candidate, Delete)> = dropped
            .map(|decision| {
                let completed = decision.status == PointStatus::Completed;
                let point = self.request.ground.inventory.find(&decision.id).expect("a decision is of a listed point");
                let why = decision.why.last().cloned().expect("a dropped point has a reason");
                let delete = Delete { id: decision.id.clone(), created_at: decision.created_at, completed, why };
                (completed, candidate(point), delete)
            })
            .collect();
        deletes.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        deletes.into_iter().map(|(_, _, delete)| delete).collect()
    }

    /// The guard that refuses an eviction for what it would leave now.
    fn too_little(&self, id: &Id) -> Option<Guard> {
        let ground = self.ground();
        let point = ground.inventory.find(id)?;
        ground.leaves_too_little(point, &self.gone)
    }

    /// The guard that refuses a delete for what it would leave once the new point is completed: only `min_keep` can,
    /// since the new point is then the newest.
    fn too_little_after(&self, id: &Id) -> Option<Guard> {
        let ground = self.ground();
        let own = |point: &&RestorePoint| counts(&ground, point) && point.id != *id && !self.gone.contains(&point.id);
        let remaining = ground.inventory.manual().filter(own).count() + 1;
        let min_keep = ground.policy.min_keep;
        (remaining < min_keep as usize).then_some(Guard::MinKeep(min_keep))
    }

    fn keep(&mut self, id: &Id, guard: Guard) {
        if let Some(decision) = self.decisions.iter_mut().find(|decision| decision.id == *id) {
            decision.keep = true;
            decision.why.push(Reason::Guard(guard));
        }
    }

    fn nothing_goes(&mut self) {
        for decision in self.decisions.iter_mut().filter(|decision| !decision.keep) {
            decision.keep = true;
        }
    }
}

/// Whether a guard is worth saying of a point that retention keeps anyway, or did not count.
const fn explains(guard: &Guard) -> bool {
    use Guard::{Brake, Doubt, PruneNone, SecondLastgood, ServerHeld};
    !matches!(guard, PruneNone | SecondLastgood(_) | ServerHeld(_) | Doubt(_) | Brake(_))
}

/// Whether a point takes part in the policy's retention: completed, its own, not protected, not in the future, not
/// about to go.
pub(super) fn counts(ground: &Ground<'_>, point: &RestorePoint) -> bool {
    point.status == PointStatus::Completed
        && ground.not_ours_to_delete(point).is_none()
        && !ground.memory.deleting.contains(&point.id)
}

/// The points that retention drops as they are, no new one counted, and that no person holds.
pub(super) fn would_drop<'a>(ground: &Ground<'a>) -> Vec<&'a RestorePoint> {
    if ground.policy.prune == Prune::None {
        return Vec::new();
    }
    let counted: Vec<&RestorePoint> = ground.inventory.points.iter().filter(|point| counts(ground, point)).collect();
    let candidates: Vec<Candidate> = counted.iter().map(|point| candidate(point)).collect();
    let verdicts = decide(ground.policy, &candidates);
    let dropped = counted.into_iter().zip(verdicts).filter(|(_, verdict)| !verdict.keep).map(|(point, _)| point);
    dropped.filter(|point| !ground.memory.holds.contains_key(&point.id)).collect()
}

/// What retention says of the counted points, the new one dated `new` among them; and how many the new one displaces. What
/// is held is displaced by nothing; what is given up beside it is.
pub(super) fn verdicts<'a>(
    request: &Request<'a>,
    counted: &[&'a RestorePoint],
    new: Option<Timestamp>,
) -> (Vec<Verdict>, u32) {
    let ground = &request.ground;
    let policy = ground.policy;
    let mut candidates: Vec<Candidate> = counted.iter().map(|point| candidate(point)).collect();
    let before = decide(policy, &candidates);
    // The provider's clock will date the new point, and has dated the others: ours may be days away from it.
    let Some(at) = new else { return (before, 0) };
    let newest = candidates.iter().map(|candidate| candidate.at).max().unwrap_or(at);
    candidates.push(Candidate { at: at.max(newest), due: Some(Timestamp::MAX), id: None });
    let mut after = decide(policy, &candidates);
    after.pop();
    let goes = |verdicts: &[Verdict], with_new| {
        let given_up = given_up(request, counted, verdicts, with_new).points;
        let is_held = |point: &RestorePoint| ground.memory.holds.contains_key(&point.id);
        let goes = counted
            .iter()
            .zip(verdicts)
            .map(move |(point, verdict)| given_up.contains(&point.id) || (!verdict.keep && !is_held(point)));
        goes.collect::<Vec<bool>>()
    };
    let displaced =
        goes(&before, false).iter().zip(goes(&after, true)).filter(|(before, after)| !**before && *after).count();
    (after, u32::try_from(displaced).expect("a handful"))
}

pub(super) fn decide(policy: &Policy, candidates: &[Candidate]) -> Vec<Verdict> {
    let decided = retention::decide(candidates, &policy.keep, policy.keep_mode, &policy.timezone);
    // A policy without rules has prune = "none": then everything stays.
    decided.unwrap_or_else(|_no_rules| {
        debug_assert!(policy.prune == Prune::None, "validation lets no other policy be without rules");
        vec![Verdict { keep: true, why: Vec::new() }; candidates.len()]
    })
}

pub(super) fn candidate(point: &RestorePoint) -> Candidate {
    let due = Mark::parse(&point.description).map(|mark| mark.due);
    Candidate { at: point.created_at, due, id: Some(point.id.clone()) }
}

mod bucket_end;
mod no_room;
mod notes;
#[cfg(test)]
mod tests;
