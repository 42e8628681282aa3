//! How many points a policy can come to keep, before any of them exists: the number that must fit the slots.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::policy::keep::{Count, Keep, KeepMode, Period};
use crate::policy::schedule::Schedule;

/// Due times beyond this many in one period are not counted: no provider has so many slots.
const MOST_COUNTED: u32 = 10_000;

/// Due times looked at, so that a schedule of every second does not take the year that it covers.
const MOST_LOOKED_AT: usize = 50_000;

/// The most points that `keep` lets stand at once when they are made by `schedule`: the sum of the counts, and for
/// each period the most due times that it can hold in the year after `from`, both ends included (a point may be made
/// a little later than its due time). The bound is the same in both modes, so `_mode` only documents the question.
/// `None` means no bound (`all`). Points made by hand are not foreseen.
#[must_use]
pub fn upper_bound(keep: &Keep, _mode: KeepMode, schedule: &Schedule, from: Timestamp) -> Option<u32> {
    let mut sum = 0_u32;
    for &(_, count) in &keep.counts {
        let Count::Number(number) = count else { return None };
        sum = sum.saturating_add(number);
    }
    for period in keep.within.iter().chain(keep.within_buckets.iter().map(|(_, period)| period)) {
        sum = sum.saturating_add(most_within(*period, schedule, from));
    }
    Some(sum)
}

fn most_within(period: Period, schedule: &Schedule, from: Timestamp) -> u32 {
    if period == Period::default() {
        return 0;
    }
    let end = from.saturating_add(SignedDuration::from_hours(24 * 366)).unwrap_or(Timestamp::MAX);
    let mut window: VecDeque<Timestamp> = VecDeque::new();
    // The newest point is within any period, however seldom one is made.
    let mut most = 1_u32;
    // The first window needs the due times before `from`, too: it begins a whole period earlier. 1970 is early enough
    // to fill any number of slots.
    let start = period.before(from, schedule.zone()).max(Timestamp::UNIX_EPOCH.min(from));
    for due in schedule.iter_after(start).take(MOST_LOOKED_AT) {
        if due > end {
            break;
        }
        let oldest = period.before(due, schedule.zone());
        while window.front().is_some_and(|&first| first < oldest) {
            window.pop_front();
        }
        window.push_back(due);
        most = most.max(u32::try_from(window.len()).unwrap_or(MOST_COUNTED));
        if most >= MOST_COUNTED {
            return MOST_COUNTED;
        }
    }
    most
}
