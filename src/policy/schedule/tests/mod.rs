//! Due times: valid and invalid expressions, clock changes, an oracle that checks every minute, what is due and missed.

mod due;
mod expressions;
mod oracle;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Schedule;

pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn schedule(expressions: &[&str], zone_name: &str) -> Schedule {
    Schedule::parse(expressions, zone(zone_name)).unwrap()
}

/// The due times after `from`, as the wall clock of the zone and its offset show them.
pub(super) fn shown(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
    let zone = schedule.zone();
    let due = schedule.iter_after(at(from)).take(count);
    due.map(|due| due.display_with_offset(zone.to_offset(due)).to_string()).collect()
}
