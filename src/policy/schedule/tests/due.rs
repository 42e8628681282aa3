//! What is due now: on time, missed, lost, and with clocks that were moved.

use std::time::Duration;

use super::super::due::LOST_COUNTED;
use super::super::{Due, DueTimes, Lost, due, splay};
use super::*;

const CATCH_UP: Duration = Duration::from_secs(12 * 3600);
const NEVER: Duration = Duration::ZERO;

struct DueCheck {
    handled: &'static str,
    started: &'static str,
    now: &'static str,
}

impl DueCheck {
    fn at(&self, expression: &str, catch_up: Duration) -> Due {
        let schedule = schedule(&[expression], "UTC");
        let times = DueTimes { schedule: &schedule, splay: Duration::ZERO };
        due(&times, at(self.handled), at(self.started), at(self.now), catch_up)
    }
}

const NIGHTLY: &str = "30 2 * * *";

#[test]
fn a_due_time_seen_within_a_minute_is_on_time() {
    for now in ["2026-11-21T02:30:00Z", "2026-11-21T02:30:01Z", "2026-11-21T02:31:00Z"] {
        for catch_up in [CATCH_UP, NEVER] {
            let look = DueCheck { handled: "2026-11-20T02:30:00Z", started: "2026-11-20T12:00:00Z", now };
            let expected = Due::Now { due: at("2026-11-21T02:30:00Z"), missed: false, lost: None };
            assert_eq!(look.at(NIGHTLY, catch_up), expected, "{now} {catch_up:?}");
        }
    }
}

#[test]
fn before_its_moment_nothing_is_due() {
    let look =
        DueCheck { handled: "2026-11-20T02:30:00Z", started: "2026-11-20T12:00:00Z", now: "2026-11-21T02:29:59.999Z" };
    assert_eq!(look.at(NIGHTLY, CATCH_UP), Due::NotYet { next: Some(at("2026-11-21T02:30:00Z")) });
}

#[test]
fn a_handled_due_time_is_never_due_again() {
    let look =
        DueCheck { handled: "2026-11-21T02:30:00Z", started: "2026-11-20T12:00:00Z", now: "2026-11-21T02:30:00Z" };
    assert_eq!(look.at(NIGHTLY, CATCH_UP), Due::NotYet { next: Some(at("2026-11-22T02:30:00Z")) });
}

#[test]
fn a_first_start_runs_nothing_from_the_past() {
    let now = "2026-11-21T02:30:00.5Z";
    let look = DueCheck { handled: now, started: now, now };
    assert_eq!(look.at(NIGHTLY, CATCH_UP), Due::NotYet { next: Some(at("2026-11-22T02:30:00Z")) });
}

#[test]
fn before_the_start_of_the_daemon_is_missed_even_by_a_second() {
    let look =
        DueCheck { handled: "2026-11-20T02:30:00Z", started: "2026-11-21T02:30:01Z", now: "2026-11-21T02:30:01Z" };
    let due = at("2026-11-21T02:30:00Z");
    assert_eq!(look.at(NIGHTLY, CATCH_UP), Due::Now { due, missed: true, lost: None });
    let next = Some(at("2026-11-22T02:30:00Z"));
    assert_eq!(look.at(NIGHTLY, NEVER), Due::Lost { lost: Lost { count: 1, first: due, last: due }, next });
}

#[test]
fn more_than_a_minute_late_is_missed() {
    let look =
        DueCheck { handled: "2026-11-20T02:30:00Z", started: "2026-11-20T12:00:00Z", now: "2026-11-21T02:31:00.001Z" };
    let due = at("2026-11-21T02:30:00Z");
    assert_eq!(look.at(NIGHTLY, CATCH_UP), Due::Now { due, missed: true, lost: None });
    assert!(matches!(look.at(NIGHTLY, NEVER), Due::Lost { .. }));
}

#[test]
fn missed_by_exactly_catch_up_is_caught_up_and_by_more_is_lost() {
    let due = at("2026-11-21T02:30:00Z");
    let look = |now| DueCheck { handled: "2026-11-20T02:30:00Z", started: "2026-11-21T14:00:00Z", now };
    let exactly = look("2026-11-21T14:30:00Z").at(NIGHTLY, CATCH_UP);
    assert_eq!(exactly, Due::Now { due, missed: true, lost: None });
    let more = look("2026-11-21T14:30:00.001Z").at(NIGHTLY, CATCH_UP);
    let next = Some(at("2026-11-22T02:30:00Z"));
    assert_eq!(more, Due::Lost { lost: Lost { count: 1, first: due, last: due }, next });
}

#[test]
fn a_long_outage_leads_to_one_run_and_reports_what_was_lost() {
    let look =
        DueCheck { handled: "2026-11-11T02:30:00Z", started: "2026-11-21T03:00:00Z", now: "2026-11-21T03:00:00Z" };
    let lost = Lost { count: 9, first: at("2026-11-12T02:30:00Z"), last: at("2026-11-20T02:30:00Z") };
    let expected = Due::Now { due: at("2026-11-21T02:30:00Z"), missed: true, lost: Some(lost) };
    assert_eq!(look.at(NIGHTLY, CATCH_UP), expected);
    let all = Lost { count: 10, last: at("2026-11-21T02:30:00Z"), ..lost };
    let next = Some(at("2026-11-22T02:30:00Z"));
    assert_eq!(look.at(NIGHTLY, NEVER), Due::Lost { lost: all, next });
}

#[test]
fn a_long_outage_of_a_dense_schedule_is_counted_up_to_a_limit() {
    let look =
        DueCheck { handled: "2025-11-21T00:00:00Z", started: "2026-11-21T00:00:30Z", now: "2026-11-21T00:00:30Z" };
    let Due::Now { due, missed: false, lost: Some(lost) } = look.at("* * * * * *", CATCH_UP) else { panic!() };
    assert_eq!(due, at("2026-11-21T00:00:30Z"));
    let last = at("2026-11-21T00:00:29Z");
    assert_eq!(lost, Lost { count: LOST_COUNTED, first: at("2025-11-21T00:00:01Z"), last });
}

#[test]
fn a_suspend_over_several_due_times_wakes_to_one_run() {
    let look =
        DueCheck { handled: "2026-11-21T09:00:00Z", started: "2026-11-20T00:00:00Z", now: "2026-11-21T12:20:00Z" };
    let lost = Lost { count: 2, first: at("2026-11-21T10:00:00Z"), last: at("2026-11-21T11:00:00Z") };
    let expected = Due::Now { due: at("2026-11-21T12:00:00Z"), missed: true, lost: Some(lost) };
    assert_eq!(look.at("0 * * * *", CATCH_UP), expected);
}

#[test]
fn an_on_time_run_reports_those_lost_before_it() {
    let look =
        DueCheck { handled: "2026-11-21T09:00:00Z", started: "2026-11-20T00:00:00Z", now: "2026-11-21T12:00:02Z" };
    let lost = Lost { count: 2, first: at("2026-11-21T10:00:00Z"), last: at("2026-11-21T11:00:00Z") };
    let expected = Due::Now { due: at("2026-11-21T12:00:00Z"), missed: false, lost: Some(lost) };
    assert_eq!(look.at("0 * * * *", NEVER), expected);
}

#[test]
fn a_clock_set_back_repeats_nothing() {
    // Handled 12:00, then the clock goes back to 09:30: the hours up to 12:00 were handled already. A clock that is
    // back by more than five minutes is what a handled time in the future looks like.
    let look =
        DueCheck { handled: "2026-11-21T12:00:00Z", started: "2026-11-20T00:00:00Z", now: "2026-11-21T11:57:00Z" };
    assert_eq!(look.at("0 * * * *", CATCH_UP), Due::NotYet { next: Some(at("2026-11-21T13:00:00Z")) });
    let minutes = look.at("* * * * *", CATCH_UP);
    assert_eq!(minutes, Due::NotYet { next: Some(at("2026-11-21T12:01:00Z")) }, "not 11:58 again");
}

#[test]
fn a_clock_set_back_after_the_start_does_not_make_due_times_missed() {
    let look =
        DueCheck { handled: "2026-11-21T08:00:00Z", started: "2026-11-21T12:00:00Z", now: "2026-11-21T09:00:01Z" };
    let expected = Due::Now { due: at("2026-11-21T09:00:00Z"), missed: false, lost: None };
    assert_eq!(look.at("0 * * * *", NEVER), expected);
}

#[test]
fn a_clock_set_forward_leads_to_one_run() {
    let look =
        DueCheck { handled: "2026-11-21T02:30:00Z", started: "2026-11-20T00:00:00Z", now: "2030-01-01T05:00:00Z" };
    let Due::Now { due, missed: true, lost: Some(lost) } = look.at(NIGHTLY, CATCH_UP) else { panic!() };
    assert_eq!(due, at("2030-01-01T02:30:00Z"));
    assert_eq!((lost.count, lost.first), (1136, at("2026-11-22T02:30:00Z")));
}

#[test]
fn a_handled_time_in_the_future_is_corrected() {
    let look =
        DueCheck { handled: "2030-01-01T02:30:00Z", started: "2026-11-20T00:00:00Z", now: "2026-11-21T05:00:00Z" };
    let expected = Due::HandledInFuture {
        handled: at("2030-01-01T02:30:00Z"),
        corrected: at("2026-11-21T05:00:00Z"),
        next: Some(at("2026-11-22T02:30:00Z")),
    };
    assert_eq!(look.at(NIGHTLY, CATCH_UP), expected);
}

#[test]
fn five_minutes_ahead_is_not_yet_the_future() {
    let now = "2026-11-21T02:25:00Z";
    let look = |handled| DueCheck { handled, started: "2026-11-20T00:00:00Z", now }.at(NIGHTLY, CATCH_UP);
    assert_eq!(look("2026-11-21T02:30:00Z"), Due::NotYet { next: Some(at("2026-11-22T02:30:00Z")) });
    assert!(matches!(look("2026-11-21T02:30:00.001Z"), Due::HandledInFuture { .. }));
}

#[test]
fn splay_moves_every_due_time_by_the_same_span() {
    let nightly = schedule(&[NIGHTLY], "UTC");
    let times = DueTimes { schedule: &nightly, splay: Duration::from_secs(1500) };
    let due_time = at("2026-11-21T02:55:00Z");
    assert_eq!(times.next_after(at("2026-11-21T02:30:00Z")), Some(due_time));
    assert_eq!(times.next_after(due_time), Some(at("2026-11-22T02:55:00Z")));
    assert_eq!(times.latest_at_or_before(due_time), Some(due_time));
    assert_eq!(times.latest_at_or_before(at("2026-11-21T02:54:59Z")), Some(at("2026-11-20T02:55:00Z")));
    let (handled, now) = (at("2026-11-20T02:55:00Z"), at("2026-11-21T02:40:00Z"));
    assert_eq!(due(&times, handled, handled, now, CATCH_UP), Due::NotYet { next: Some(due_time) });
}

#[test]
fn a_servers_splay_never_changes() {
    let span = Duration::from_secs(45 * 60);
    let places = [("12345", "nightly"), ("12346", "nightly"), ("12345", "hourly"), ("web-server-01", "nightly")]
        .map(|(server, policy)| splay(server, policy, span).as_secs());
    assert_eq!(places, [1627, 825, 548, 2063]);
}

#[test]
fn splay_stays_below_its_span_and_uses_all_of_it() {
    for seconds in [1, 2, 60, 2700] {
        let span = Duration::from_secs(seconds);
        let places: Vec<u64> = (0..20_000).map(|id| splay(&id.to_string(), "nightly", span).as_secs()).collect();
        assert!(places.iter().all(|&place| place < seconds), "{seconds}");
        let distinct: std::collections::BTreeSet<u64> = places.iter().copied().collect();
        assert!(distinct.len() as u64 * 100 >= seconds * 99, "{seconds}: {}", distinct.len());
        let mean = places.iter().sum::<u64>() as f64 / 20_000.0;
        let middle = (seconds - 1) as f64 / 2.0;
        assert!((mean - middle).abs() <= seconds as f64 / 50.0, "{seconds}: {mean}");
    }
    assert_eq!(splay("12345", "nightly", Duration::ZERO), Duration::ZERO);
    assert_eq!(splay("12345", "nightly", Duration::from_millis(900)), Duration::ZERO);
}
