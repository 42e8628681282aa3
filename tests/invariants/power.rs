//! For how long servers that ran before are off: while a point of theirs is being made, and for as long as their start
//! takes. And whether a start is sent to a server that reads `stopped`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lastgood::simulator::{AccountChange, By, ChangeKind, PointKind};

use super::state::{TrackedPoint, move_key};
use super::{Invariant, Truth};

/// A point that takes longer is stuck, and is awaited no more.
const STUCK: SignedDuration = SignedDuration::from_hours(2);
/// A status this new may not have been read before a start was sent.
const UNREAD: SignedDuration = SignedDuration::from_secs(90);

/// What the provider's servers do.
#[derive(Debug, Default)]
pub(super) struct Powers {
    words: BTreeMap<String, (String, Timestamp)>,
    offs: BTreeMap<String, Off>,
}

/// A server that we stopped is off.
#[derive(Debug)]
struct Off {
    /// Until then there was a reason.
    needed: Timestamp,
    making: BTreeSet<(PointKind, String)>,
    told: bool,
}

impl Powers {
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        move_key(&mut self.words, from, to);
        move_key(&mut self.offs, from, to);
    }

    /// Whether the server was known not to be stopped. What it does not obey yet it does not read as either.
    pub(super) fn runs(&self, server: &str, now: Timestamp) -> bool {
        let Some((word, since)) = self.words.get(server) else { return true };
        word == "stopping" || (word != "stopped" && now.duration_since(*since) > UNREAD)
    }

    /// A point of a server is being made.
    pub(super) fn making(&mut self, known: &TrackedPoint, now: Timestamp) {
        if let Some(off) = self.offs.get_mut(&known.server) {
            off.making.insert((known.point.kind, known.id.clone()));
            off.needed = now + STUCK;
        }
    }

    /// A point is made, or never will be.
    pub(super) fn made(&mut self, known: &TrackedPoint, now: Timestamp) {
        let Some(off) = self.offs.get_mut(&known.server) else { return };
        let was = off.making.remove(&(known.point.kind, known.id.clone()));
        if was && off.making.is_empty() {
            off.needed = off.needed.min(now);
        }
    }
}

impl Truth {
    pub(super) fn power_changed(&mut self, change: &AccountChange) {
        let (server, now) = (change.server.clone(), self.state.moment.1);
        if change.change != ChangeKind::ServerStatus {
            if change.detail == "removed" {
                // A start may be on its way to it.
                self.powers.offs.remove(&server);
            }
            return;
        }
        let to = change.detail["to"].as_str().unwrap_or_default().to_owned();
        self.powers.words.insert(server.clone(), (to.clone(), now));
        match (to.as_str(), change.by) {
            // A person's stop is for people to end.
            ("active", _) | (_, By::Person) => {
                self.look_for_long_offs();
                self.powers.offs.remove(&server);
            }
            ("stopped", By::Provider) if self.state.owes_start(&server) => {
                self.powers.offs.insert(server, Off { needed: now, making: BTreeSet::new(), told: false });
            }
            _ => {}
        }
    }

    /// Every server that is off for longer than there is a reason.
    pub(super) fn look_for_long_offs(&mut self) {
        let (now, takes) = (self.state.moment.1, self.facts.start_takes);
        let mut told = Vec::new();
        for (server, off) in self.powers.offs.iter_mut().filter(|(_, off)| !off.told) {
            let excused = self.facts.unreachable_within(off.needed, now);
            let idle = now.duration_since(off.needed) - excused;
            if idle > takes {
                off.told = true;
                told.push(format!("{server} is off since {}, and nothing is being made for {idle:?}", off.needed));
            }
        }
        for text in told {
            self.broken(Invariant::OffTooLong, text);
        }
    }
}
