//! The rules for a delete: whose the point is, what would be left, and whether it is the right time.

use jiff::SignedDuration;
use lastgood::simulator::PointKind;

use super::state::TrackedPoint;
use super::text::fits;
use super::{CheckedPolicy, Invariant, Truth};

/// How far in the future a point may be dated.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

impl Truth {
    /// A delete was sent and has not reached the account yet.
    pub(super) fn delete(&mut self, kind: PointKind, id: &str) {
        let Some(known) = self.state.point(kind, id).cloned() else { return };
        // It was sent before, and the answer was lost.
        if known.deleting {
            return;
        }
        let broken = self.whose(&known).or_else(|| self.now(&known)).or_else(|| self.when(&known));
        if let Some(rule) = broken {
            let text = format!("{id} on {} ({}): {:?}", known.server, known.point.status, known.point.description);
            self.broken(rule, text);
        }
    }

    /// Why nobody may delete the point.
    fn whose(&self, known: &TrackedPoint) -> Option<Invariant> {
        if !known.point.takes_slot() {
            return Some(Invariant::Automatic);
        }
        let place = (known.point.kind, known.server.as_str());
        let Some((_, policy)) = self.policy_of(known) else {
            return Some(if self.is_ours(known) { Invariant::OtherPolicy } else { Invariant::Foreign });
        };
        // The client cannot know what a person did since the last list.
        let changed = |at| !self.state.unknown(&self.facts, place, at);
        if known.changed.is_some_and(changed) {
            return Some(Invariant::Foreign);
        }
        if self.is_protected(known, policy) {
            return Some(Invariant::Protected);
        }
        let is_stray = |it: &&TrackedPoint| {
            let ours = it.mark.as_ref().is_some_and(|mark| mark.instance == self.facts.instance);
            ours && !self.is_ours(it) && !self.state.unknown(&self.facts, place, it.born)
        };
        self.state.on(place.0, place.1).any(|it| is_stray(&it)).then_some(Invariant::SecondLastgood)
    }

    /// The policy of the point, if there is one on its server that may delete.
    pub(super) fn policy_of(&self, known: &TrackedPoint) -> Option<(String, &CheckedPolicy)> {
        let (kind, server) = (known.point.kind, known.server.as_str());
        let found = match &known.mark {
            Some(mark) if !self.is_ours(known) || mark.instance != self.facts.instance => None,
            Some(mark) => self.facts.policy(server, &mark.policy),
            None => self.facts.of(server, kind).find(|(_, policy)| policy.prune_all),
        };
        found.filter(|(_, policy)| !policy.prune_none && policy.kind == kind).map(|(name, it)| (name.to_owned(), it))
    }

    /// Created by the client, or listed with our mark when the client first looked.
    pub(super) fn is_ours(&self, known: &TrackedPoint) -> bool {
        let ours = known.mark.as_ref().is_some_and(|mark| mark.instance == self.facts.instance);
        let there_first = !self.state.read_before((known.point.kind, &known.server), known.born.0);
        known.by_client || (ours && there_first)
    }

    pub(super) fn is_protected(&self, known: &TrackedPoint, policy: &CheckedPolicy) -> bool {
        let point = &known.point;
        policy.protect.iter().any(|pattern| fits(pattern, &point.name) || fits(pattern, &point.description))
    }

    pub(super) fn is_held(&self, known: &TrackedPoint) -> bool {
        let key = (known.point.kind, known.id.clone());
        self.facts.held.contains(&key) || self.facts.held_servers.contains(&known.server)
    }

    fn is_future(&self, known: &TrackedPoint) -> bool {
        let latest = self.state.moment.1 + self.facts.ahead.max(SignedDuration::ZERO) + TOLERANCE;
        known.point.created_at > latest
    }

    /// Why the point may not be deleted now.
    fn now(&self, known: &TrackedPoint) -> Option<Invariant> {
        if self.is_held(known) {
            return Some(Invariant::Held);
        }
        if self.state.is_misled((known.point.kind, &known.server)) {
            return None;
        }
        if self.is_future(known) {
            return Some(Invariant::Future);
        }
        let done = known.completed() || known.point.status == "failed";
        (!done).then_some(Invariant::InProgress)
    }

    /// Why nothing of the policy may be deleted now, or not this point.
    fn when(&self, known: &TrackedPoint) -> Option<Invariant> {
        let (name, policy) = self.policy_of(known)?;
        let (kind, server) = (known.point.kind, known.server.as_str());
        let line = self.state.line_of(server, &name);
        if let Some(deleted) = line.and_then(|line| line.deleted.as_ref())
            && policy.max_deletes.is_some_and(|most| deleted.len() >= most)
        {
            return Some(Invariant::MaxDeletes);
        }
        if self.state.announced(server) && line.is_none_or(|line| line.deleted.is_none()) {
            return Some(Invariant::OtherPolicy);
        }
        if !known.completed() || self.state.is_misled((kind, server)) || self.is_younger_twin(known) {
            return None;
        }
        if !line.is_some_and(|line| line.good) {
            if line.is_some_and(|line| line.evicted > 0) {
                return Some(Invariant::EvictedTwice);
            }
            let foreign = self.state.on(kind, server).filter(|it| self.policy_of(it).is_none()).count();
            let reserve = policy.reserve.saturating_sub(foreign);
            if self.used_at_most(kind, server) + reserve < self.facts.slots[kind as usize] {
                return Some(Invariant::EvictedWithRoom);
            }
        }
        self.too_little(known, &name, policy)
    }

    /// The slots that the client may believe taken, including points that people deleted since its last list.
    fn used_at_most(&self, kind: PointKind, server: &str) -> usize {
        let gone = self.state.ghosts.iter().filter(|it| it.point.kind == kind && it.server == server);
        let unseen = gone.filter(|it| self.is_unseen(it)).count();
        self.state.on(kind, server).count() + unseen
    }

    fn is_unseen(&self, ghost: &TrackedPoint) -> bool {
        let place = (ghost.point.kind, ghost.server.as_str());
        ghost.point.takes_slot() && ghost.left.is_some_and(|left| self.state.unknown(&self.facts, place, left))
    }

    /// Whether there is an older completed point of the same due time.
    pub(super) fn is_younger_twin(&self, known: &TrackedPoint) -> bool {
        let Some(mark) = known.mark.as_ref().filter(|_| known.by_client) else { return false };
        let order = |it: &TrackedPoint| (it.point.created_at, it.point.id);
        let is_older = |it: &TrackedPoint| it.completed() && it.by_client && it.mark.as_ref() == Some(mark);
        self.state.on(known.point.kind, &known.server).any(|it| is_older(it) && order(it) < order(known))
    }

    fn too_little(&self, known: &TrackedPoint, name: &str, policy: &CheckedPolicy) -> Option<Invariant> {
        let (kind, server) = (known.point.kind, known.server.as_str());
        let ghosts = self.state.ghosts.iter();
        let ghosts = ghosts.filter(|it| it.point.kind == kind && it.server == server && self.is_unseen(it));
        let all: Vec<&TrackedPoint> = self.state.on(kind, server).chain(ghosts).collect();
        let left = |it: &&TrackedPoint| it.completed() && !it.deleting && it.id != known.id && !self.is_future(it);
        let newer = |it: &TrackedPoint| it.point.created_at >= known.point.created_at;
        if !all.iter().copied().filter(left).any(newer) {
            return Some(Invariant::NewestOfServer);
        }
        let own = |it: &&TrackedPoint| {
            left(it) && self.policy_of(it).is_some_and(|(of, _)| of == name) && !self.is_protected(it, policy)
        };
        if !all.iter().copied().filter(own).any(newer) {
            return Some(Invariant::NewestOfPolicy);
        }
        (all.iter().copied().filter(own).count() < policy.min_keep).then_some(Invariant::MinKeep)
    }
}
