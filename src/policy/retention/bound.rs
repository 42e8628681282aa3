//! The most points that a policy can keep, worked out before any of them exists. This number must fit the slots.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::policy::keep::{Count, Keep, KeepMode, Period};
use crate::policy::schedule::Schedule;

/// The most due times counted in one period: no provider has that many slots.
const MOST_COUNTED: u32 = 10_000;

/// The most due times evaluated, so that a schedule of every second does not take forever.
const MOST_LOOKED_AT: usize = 50_000;

/// The most points that `keep` keeps at once when they are created by `schedule`: the sum of the counts, plus for each
/// period the most due times that fall into it in the year after `from`, both ends included (a point may be created a
/// little later than its due time). The bound is the same in both modes; `_mode` is there for clarity at the call.
/// `None` means no bound (`all`). Points created by hand are not included.
#[must_use]
pub(crate) fn upper_bound(keep: &Keep, _mode: KeepMode, schedule: &Schedule, from: Timestamp) -> Option<u32> {
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
    // The newest point is within any period, no matter how rarely points are created.
    let mut most = 1_u32;
    // The first window includes due times before `from`, so it starts a whole period earlier. 1970 is early enough to
    // fill any number of slots.
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
