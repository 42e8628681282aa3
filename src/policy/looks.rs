//! When a run looks for its new point: decided by how long the last points of its server took, as far as looks showed.
//!
//! Each look has a window, not a moment: looks whose windows meet are one look, which costs the runs of an account that
//! wait together little more than it costs one of them.

use std::time::Duration;

/// The longest pause between two looks, even for a point that is long overdue.
const LONGEST: Duration = Duration::from_secs(600);

/// How many entries of the account's list cost about as much as another request.
const ENTRIES_OF_A_REQUEST: u64 = 1_000;

/// After so many points that the first look showed completed, one more look comes earlier: the first look may come too
/// late by any amount, and nothing else would show it.
const FOUND_AT_ONCE: usize = 3;

/// How long a point took: it was last seen in progress after `at_least`, and first seen completed after `at_most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// Zero where no look showed it in progress.
    pub at_least: Duration,
    /// The time of the look that showed it completed.
    pub at_most: Duration,
}

/// How long the next point will take, as far as the last ones show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsualTime {
    /// A look then shows whether points have become faster.
    probe: Option<Duration>,
    /// No look before this is of use.
    earliest: Duration,
    /// Half of them were completed by then.
    median: Duration,
    /// All of them were completed by then.
    latest: Duration,
}

/// When the next look is due, counted from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LookWindow {
    /// From when it is of use.
    pub from: Duration,
    /// It is not put off longer than this for others to share it.
    pub until: Duration,
}

/// Which lists a look reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookScope {
    /// The list of the whole account.
    Account,
    /// The list of each server that is waited for.
    Servers,
}

/// The size of the account's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountSize {
    /// The requests that it takes.
    pub pages: u64,
    /// Its entries.
    pub entries: u64,
}

impl Took {
    /// Whether this one says nothing more than `other`, which is narrower.
    fn is_implied_by(&self, other: &Self) -> bool {
        self != other && self.at_least <= other.at_least && other.at_most <= self.at_most
    }

    /// The shortest time that it may well have taken. Seen completed by the first look, it took up to a quarter less:
    /// so the next first look comes earlier, until one comes too early.
    fn shortest(&self) -> Duration {
        if self.at_least.is_zero() { self.at_most * 3 / 4 } else { self.at_least.min(self.at_most) }
    }
}

impl UsualTime {
    /// What the last points show, newest first; `None` without any.
    #[must_use]
    pub fn of(last: &[Took]) -> Option<Self> {
        let usual = Self::of_all(last)?;
        let found_at_once = last.iter().take_while(|took| took.at_least.is_zero()).count();
        let newest = last.first().filter(|_| found_at_once >= FOUND_AT_ONCE);
        let probe = newest.map(Took::shortest).filter(|probe| *probe < usual.earliest);
        Some(Self { probe, ..usual })
    }

    fn of_all(last: &[Took]) -> Option<Self> {
        let last = || last.iter().filter(|took| !took.at_most.is_zero());
        let telling: Vec<&Took> = last().filter(|took| !last().any(|other| took.is_implied_by(other))).collect();
        let mut ends: Vec<Duration> = telling.iter().map(|took| took.at_most).collect();
        ends.sort_unstable();
        let latest = *ends.last()?;
        let (longest_seen, shortest_end) = (telling.iter().map(|took| took.at_least).max()?, *ends.first()?);
        // All of them may have taken the same time: then it lies in all of these spans.
        if !longest_seen.is_zero() && longest_seen < shortest_end {
            let earliest = longest_seen + fine_step(shortest_end);
            let earliest = earliest.min(shortest_end);
            return Some(Self { probe: None, earliest, median: shortest_end, latest: shortest_end });
        }
        let earliest = telling.iter().map(|took| took.shortest()).min()?;
        Some(Self { probe: None, earliest, median: ends[ends.len() / 2], latest })
    }

    /// The pause between two looks, `elapsed` after the point was requested: short near the median, longer before and
    /// after it, and growing once all of the last points were completed.
    fn step(&self, elapsed: Duration) -> Duration {
        let spread = self.latest.saturating_sub(self.earliest);
        let fine = fine_step(self.median);
        if elapsed < self.latest {
            let is_near = elapsed.abs_diff(self.median) <= spread / 4;
            return fine.max(spread / if is_near { 12 } else { 6 });
        }
        fine.max((elapsed - self.latest) / 2).min(elapsed / 4)
    }
}

/// A time that is short beside this one.
fn fine_step(time: Duration) -> Duration {
    time / 32
}

/// When to look next, `elapsed` after the point was requested. Never sooner than `poll`.
///
/// Without a usual time, after a quarter of the elapsed time, which bounds the delay.
#[must_use]
pub(crate) fn next_look(elapsed: Duration, usual: Option<UsualTime>, poll: Duration) -> LookWindow {
    let (from, patience) = match usual {
        None => (elapsed / 4, elapsed / 16),
        Some(usual) if elapsed < usual.earliest => {
            let next = usual.probe.filter(|probe| elapsed < *probe).unwrap_or(usual.earliest);
            (next - elapsed, fine_step(usual.median))
        }
        Some(usual) => (usual.step(elapsed), fine_step(usual.median) / 2),
    };
    let from = from.min(LONGEST).max(poll);
    LookWindow { from, until: from + patience }
}

/// When runs look together, by the windows of those that wait: once the first of them can wait no longer, or as soon as
/// nobody else will join before that. `others_come` says that others will ask for a look soon.
#[must_use]
pub(crate) fn shared_look<T: Ord + Copy>(
    windows: impl Iterator<Item = (T, T)> + Clone,
    others_come: bool,
) -> Option<T> {
    let first_end = windows.clone().map(|(_, until)| until).min()?;
    if others_come {
        return Some(first_end);
    }
    windows.map(|(from, _)| from).filter(|from| *from <= first_end).max()
}

/// The scope with fewer requests. An account of unknown size is not read as a whole.
#[must_use]
pub(crate) fn cheaper(waiting_servers: usize, account: Option<AccountSize>) -> LookScope {
    let cost = account.map(|size| size.pages.max(size.entries.div_ceil(ENTRIES_OF_A_REQUEST)).max(1));
    if cost.is_some_and(|cost| cost < waiting_servers as u64) { LookScope::Account } else { LookScope::Servers }
}

#[cfg(test)]
mod tests;
