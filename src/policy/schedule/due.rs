//! What is due, missed or lost, decided from the due times, the last one handled and the current time alone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cron::Schedule;

/// A due time seen later than this is missed.
pub(super) const LATE: Duration = Duration::from_secs(60);

/// A handled time further in the future than this shows that a clock was wrong.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);

/// Lost due times are counted up to this number, so that a long outage of a dense schedule costs little time.
pub(super) const LOST_COUNTED: u32 = 10_000;

/// The due times of one policy on one server: the times of the schedule, each delayed by the server's splay.
#[derive(Clone, Copy, Debug)]
pub struct DueTimes<'a> {
    /// The schedule.
    pub schedule: &'a Schedule,
    /// The splay of this server and policy.
    pub splay: Duration,
}

impl DueTimes<'_> {
    /// The first due time after `t`.
    #[must_use]
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        self.later(self.schedule.next_after(self.earlier(t)?)?)
    }

    /// The last due time at or before `t`.
    #[must_use]
    pub fn latest_at_or_before(&self, t: Timestamp) -> Option<Timestamp> {
        self.later(self.schedule.latest_at_or_before(self.earlier(t)?)?)
    }

    fn earlier(&self, t: Timestamp) -> Option<Timestamp> {
        t.checked_sub(self.splay).ok()
    }

    fn later(&self, t: Timestamp) -> Option<Timestamp> {
        t.checked_add(self.splay).ok()
    }
}

/// Due times that will never be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How many; `LOST_COUNTED` means that many or more.
    pub count: u32,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// What to do now for one policy on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    NotYet {
        /// When to check again.
        next: Option<Timestamp>,
    },
    /// One run, for the latest due time, which becomes the last handled one.
    Now {
        /// The due time.
        due: Timestamp,
        /// Whether it was missed and is caught up.
        missed: bool,
        /// The due times before it that passed unhandled.
        lost: Option<Lost>,
    },
    /// No run: the missed due time is too old to catch up. `lost.last` becomes the last handled one.
    Lost {
        /// All due times that passed unhandled.
        lost: Lost,
        /// The next due time.
        next: Option<Timestamp>,
    },
    /// The last handled due time is in the future: a clock was wrong. `corrected` (now) becomes the last handled one.
    HandledInFuture {
        /// What was recorded.
        handled: Timestamp,
        /// What to record instead.
        corrected: Timestamp,
        /// The next due time after that.
        next: Option<Timestamp>,
    },
}

/// Decides what is due at `now`. `handled` is the last handled due time (or when the policy was first seen), `started`
/// the start of this process. Returns at most one due time, always after `handled`.
#[must_use]
pub(crate) fn due(
    times: &DueTimes<'_>,
    handled: Timestamp,
    started: Timestamp,
    now: Timestamp,
    catch_up: Duration,
) -> Due {
    if handled.duration_since(now) > FUTURE {
        return Due::HandledInFuture { handled, corrected: now, next: times.next_after(now) };
    }
    let latest = times.latest_at_or_before(now).filter(|&latest| latest > handled);
    let Some(due) = latest else {
        return Due::NotYet { next: times.next_after(now.max(handled)) };
    };
    let age = now.duration_since(due).unsigned_abs();
    // A start after `now` means that the clock was set back since, so it says nothing about what was missed.
    let before_start = started <= now && due < started;
    let missed = before_start || age > LATE;
    if missed && (catch_up.is_zero() || age > catch_up) {
        let lost = lost_between(times, handled, due).unwrap_or(Lost { count: 0, first: due, last: due });
        let count = lost.count.saturating_add(1).min(LOST_COUNTED);
        return Due::Lost { lost: Lost { count, last: due, ..lost }, next: times.next_after(now) };
    }
    Due::Now { due, missed, lost: lost_between(times, handled, due) }
}

/// The due times after `handled` and before `due`.
fn lost_between(times: &DueTimes<'_>, handled: Timestamp, due: Timestamp) -> Option<Lost> {
    let first = times.next_after(handled).filter(|&first| first < due)?;
    let last = due.checked_sub(SignedDuration::from_nanos(1)).ok().and_then(|t| times.latest_at_or_before(t));
    let mut count = 1_u32;
    let mut at = first;
    while count < LOST_COUNTED {
        let Some(next) = times.next_after(at).filter(|&next| next < due) else { break };
        count += 1;
        at = next;
    }
    Some(Lost { count, first, last: last.unwrap_or(first) })
}

/// How much later than the schedule a policy is due on a server: whole seconds, less than `span`, and always the same.
/// It is FNV-1a (64 bits) over `server_key`, a zero byte and `policy`, mixed as in `MurmurHash3` and scaled to the
/// span.
#[must_use]
pub fn splay(server_key: &str, policy: &str, span: Duration) -> Duration {
    let seconds = u128::from(span.as_secs()) + u128::from(span.subsec_nanos() > 0);
    let bytes = server_key.bytes().chain([0]).chain(policy.bytes());
    let fnv = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let scaled = (u128::from(mix(fnv)) * seconds) >> 64;
    Duration::from_secs(u64::try_from(scaled).expect("less than the seconds of the span"))
}

/// Spreads similar texts over all bits: with FNV alone, the upper bits of short texts are alike.
const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
