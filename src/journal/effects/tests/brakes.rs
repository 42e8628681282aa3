//! Brakes and what a person accepts; due times of a policy that was changed.

use super::*;
use crate::journal::notice::{Class, Fact, Notice, Topic};
use crate::policy::brake::{Brake, BrakeCause, DetectedBrakes, PointIdentity, StoredBrake};
use crate::policy::retention_change::RetentionUpdate;

fn brake(cause: BrakeCause, points: &[i64]) -> Brake {
    let points = points.iter().map(|number| PointIdentity { id: id(*number), created_at: at(*number) }).collect();
    Brake { cause, policy: None, text: String::new(), points }
}

fn stored(number: i64, cause: BrakeCause, accepted: bool) -> StoredBrake {
    StoredBrake { number, kind: Kind::Snapshot, brake: brake(cause, &[1]), accepted }
}

fn over(topic: Topic) -> Change {
    Change::IncidentsClosed { policy: None, topic }
}

#[test]
fn the_incident_is_over_when_no_brake_is_in_force_any_more() {
    let kind = Kind::Snapshot;
    let set = || Change::BrakeSet { kind, brake: Box::new(brake(BrakeCause::Gone, &[2])) };
    let (waiting, accepted) = (stored(1, BrakeCause::Gone, false), stored(2, BrakeCause::Small, true));
    let both = || vec![waiting.clone(), accepted.clone()];
    let rows = [
        ("there is none", vec![], vec![], false, vec![over(Topic::Brake)]),
        ("one waits", both(), vec![], false, vec![]),
        ("it is over", both(), vec![1], false, vec![Change::BrakeReleased(1), over(Topic::Brake)]),
        ("another one is set", vec![waiting.clone()], vec![1], true, vec![Change::BrakeReleased(1), set()]),
        ("an accepted one does not count", vec![accepted.clone()], vec![], false, vec![over(Topic::Brake)]),
    ];
    for (name, stored, over, sets, expected) in rows {
        let new = if sets { vec![brake(BrakeCause::Gone, &[2])] } else { Vec::new() };
        let detected = DetectedBrakes { new, over, ..DetectedBrakes::default() };
        assert_eq!(braked(&stored, &detected, &RetentionUpdate::default(), kind), expected, "{name}");
    }
}

#[test]
fn what_lasts_stays_accepted_and_anything_else_is_over() {
    for (cause, expected) in [
        (BrakeCause::Gone, vec![Change::BrakeReleased(1)]),
        (BrakeCause::Shorter, vec![Change::BrakeReleased(1)]),
        (BrakeCause::Retention, vec![Change::BrakeReleased(1)]),
        (BrakeCause::Small, vec![Change::BrakeAccepted(1)]),
        (BrakeCause::Clock, vec![Change::BrakeAccepted(1)]),
        (
            BrakeCause::SecondLastgood,
            vec![
                Change::PointAccepted { kind: Kind::Snapshot, point: id(1) },
                over(Topic::SecondLastgood),
                Change::BrakeReleased(1),
            ],
        ),
    ] {
        let brakes = [stored(1, cause, false)];
        let expected: Vec<Change> = expected.into_iter().chain([over(Topic::Brake)]).collect();
        assert_eq!(accepted(&brakes, &brakes), (expected, true), "{cause:?}");
    }
}

#[test]
fn a_brake_that_has_grown_or_is_not_shown_still_waits() {
    let now = StoredBrake { brake: brake(BrakeCause::Gone, &[1, 2]), ..stored(1, BrakeCause::Gone, false) };
    let shown = stored(1, BrakeCause::Gone, false);
    assert_eq!(accepted(&[now], std::slice::from_ref(&shown)), (vec![], false));
    assert_eq!(accepted(&[], std::slice::from_ref(&shown)), (vec![over(Topic::Brake)], true), "it is over meanwhile");
    let other = stored(2, BrakeCause::Shorter, false);
    assert_eq!(accepted(&[shown.clone(), other], &[shown]), (vec![Change::BrakeReleased(1)], true));
}

#[test]
fn a_look_closes_the_incidents_that_it_does_not_report_again() {
    let closed = |topic| Change::IncidentsClosed { policy: Some("nightly".parse().unwrap()), topic };
    let fact = Fact::General { class: Class::Failure, topic: Topic::Attention, text: String::new() };
    let all = [Topic::SecondLastgood, Topic::Attention, Topic::NewJournal].map(closed);
    assert_eq!(reported(&[], &nightly()), all);
    assert_eq!(reported(&[Notice::of_server(server(), fact)], &nightly()), [all[0].clone(), all[2].clone()]);
}

#[test]
fn a_changed_schedule_starts_from_now_and_another_kind_is_another_policy() {
    let known = |kind| FollowedPolicy {
        schedule: "daily".to_owned(),
        kind,
        handled: at(10),
        first_at: at(1),
        stale_reported: true,
    };
    let (snapshot, backup) = (Kind::Snapshot, Kind::Backup);
    let daily = known(Some(snapshot));
    let hourly = FollowedPolicy { schedule: "hourly".to_owned(), handled: at(50), ..daily.clone() };
    let new = FollowedPolicy { handled: at(50), first_at: at(50), stale_reported: false, ..daily.clone() };
    let other = FollowedPolicy { kind: Some(backup), ..new.clone() };
    for (name, before, schedule, kind, expected) in [
        ("it is new", None, "daily", snapshot, new),
        ("it is the same", Some(daily.clone()), "daily", snapshot, daily.clone()),
        ("its kind was not written", Some(known(None)), "daily", snapshot, daily.clone()),
        ("its schedule was changed", Some(daily.clone()), "hourly", snapshot, hourly),
        ("its kind was changed", Some(daily), "daily", backup, other),
    ] {
        assert_eq!(follow(before.as_ref(), &[], (schedule, kind), at(50)), expected, "{name}");
    }
}

#[test]
fn a_renamed_policy_continues_where_it_was_under_the_name_followed_last() {
    let known = |schedule: &str, handled: i64| FollowedPolicy {
        schedule: schedule.to_owned(),
        kind: Some(Kind::Snapshot),
        handled: at(handled),
        first_at: at(1),
        stale_reported: true,
    };
    // Under the former name the policy was due four seconds earlier.
    let former = |schedule: &str, handled: i64| FormerName {
        known: known(schedule, handled),
        schedule: "daily 3".to_owned(),
        later: SignedDuration::from_secs(4),
    };
    let backup =
        FormerName { known: FollowedPolicy { kind: Some(Kind::Backup), ..known("daily 3", 20) }, ..former("", 0) };
    let new = FollowedPolicy { first_at: at(50), stale_reported: false, ..known("daily 7", 50) };
    for (name, own, before, expected) in [
        ("renamed", None, former("daily 3", 20), known("daily 7", 24)),
        ("renamed back", Some(known("daily 7", 10)), former("daily 3", 20), known("daily 7", 24)),
        ("renamed long ago", Some(known("daily 7", 30)), former("daily 3", 20), known("daily 7", 30)),
        ("renamed with another schedule", None, former("hourly 3", 20), known("daily 7", 50)),
        ("the former one was of another kind", None, backup, new),
    ] {
        assert_eq!(follow(own.as_ref(), &[before], ("daily 7", Kind::Snapshot), at(50)), expected, "{name}");
    }
}
