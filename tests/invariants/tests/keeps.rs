//! What must be left after every success: a client that prunes wrongly, and one that prunes correctly.

use jiff::SignedDuration;

use super::*;
use crate::invariants::{Grain, KeepFacts};

/// A provider with the client's clock, and a policy with this `keep`.
fn wild(keep: KeepFacts, options: Options) -> Wild {
    Wild::new(options).policy(|policy| policy.keep = Some(keep))
}

/// Ten slots, so that nothing needs to be evicted.
fn roomy() -> Options {
    Options { snapshot_slots: 10, ..free() }
}

impl Wild {
    fn set(&self, at: &str) {
        *self.time.lock().unwrap() = at.parse().unwrap();
    }

    /// A point is requested at this time and completed two seconds later. The first has the id 801.
    async fn make(&self, at: &str) {
        self.set(at);
        self.list().await;
        let token =
            format!("{:08}", at.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte)) % 99_999_999);
        let status = self.create(&token, at).await;
        assert_eq!(status, 201, "{at}");
        self.wait(60);
        self.list().await;
    }

    fn too_few(&self) -> bool {
        self.broken().contains(&Invariant::KeptTooFew)
    }
}

#[tokio::test]
async fn the_good_point_of_the_night_before_that_goes_as_the_older_of_its_day_is_flagged() {
    // Planned at 23:59, created after midnight: the client counts last night's point to the same day.
    for (deletes, broken) in [(801, false), (802, true)] {
        let wild = wild(KeepFacts::only(Grain::Daily, 2), roomy());
        for at in ["2026-11-21T00:00:30Z", "2026-11-22T00:00:30Z", "2026-11-23T00:00:30Z"] {
            wild.make(at).await;
        }
        wild.delete(deletes).await;
        assert_eq!(wild.too_few(), broken, "{deletes}");
    }
}

#[tokio::test]
async fn each_rule_alone_must_keep_its_newest_buckets() {
    let cases = [
        (Grain::Last, ["2026-11-21T01:00:00Z", "2026-11-21T01:05:00Z", "2026-11-21T01:10:00Z"]),
        (Grain::Hourly, ["2026-11-21T01:59:00Z", "2026-11-21T02:01:00Z", "2026-11-21T03:01:00Z"]),
        (Grain::Daily, ["2026-11-21T23:59:00Z", "2026-11-22T00:01:00Z", "2026-11-23T00:01:00Z"]),
        (Grain::Weekly, ["2026-11-22T23:59:00Z", "2026-11-23T00:01:00Z", "2026-11-30T00:01:00Z"]),
        (Grain::Monthly, ["2026-10-31T23:59:00Z", "2026-11-01T00:01:00Z", "2026-12-01T00:01:00Z"]),
        (Grain::Yearly, ["2024-12-31T23:59:00Z", "2025-01-01T00:01:00Z", "2026-01-01T00:01:00Z"]),
    ];
    for (grain, times) in cases {
        for (keep, deletes, broken) in
            [(2, 801, false), (2, 802, true), (3, 801, true), (3, 802, true), (1, 801, false), (1, 802, false)]
        {
            let wild = wild(KeepFacts::only(grain, keep), roomy());
            for at in times {
                wild.make(at).await;
            }
            wild.delete(deletes).await;
            assert_eq!(wild.too_few(), broken, "{grain:?} {keep} {deletes}");
        }
    }
}

#[tokio::test]
async fn the_older_point_of_a_bucket_may_go() {
    for (deletes, broken) in [(&[801][..], false), (&[802], false), (&[801, 802], true)] {
        let wild = wild(KeepFacts::only(Grain::Daily, 5), roomy());
        for at in ["2026-11-21T01:00:00Z", "2026-11-21T13:00:00Z", "2026-11-22T01:00:00Z"] {
            wild.make(at).await;
        }
        for id in deletes {
            wild.delete(*id).await;
        }
        assert_eq!(wild.too_few(), broken, "{deletes:?}");
    }
}

#[tokio::test]
async fn days_are_those_of_the_policys_zone() {
    // 21:30Z and 22:30Z are two days in Berlin in winter, 22:30Z and 23:30Z are one.
    for (second, broken) in [("2026-11-21T22:59:00Z", false), ("2026-11-21T23:30:00Z", true)] {
        let keep =
            KeepFacts { zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(), ..KeepFacts::only(Grain::Daily, 2) };
        let wild = wild(keep, roomy());
        wild.make("2026-11-21T22:30:00Z").await;
        wild.make(second).await;
        wild.delete(801).await;
        assert_eq!(wild.too_few(), broken, "{second}");
    }
}

#[tokio::test]
async fn later_rules_reach_one_bucket_further_than_they_count_and_no_more() {
    let keep = KeepFacts { counts: vec![(Grain::Weekly, 2), (Grain::Daily, 1)], ..KeepFacts::only(Grain::Last, 1) };
    for (deletes, broken) in [(804, false), (803, true), (802, true), (801, false)] {
        let wild = wild(keep.clone(), roomy());
        for at in ["2026-11-01T01:00:00Z", "2026-11-08T01:00:00Z", "2026-11-15T01:00:00Z", "2026-11-16T01:00:00Z"] {
            wild.make(at).await;
        }
        // Weeks: of the 16th, which the day holds; of the 15th and the 8th, which are counted; of the 1st.
        let deletes = if deletes == 804 { 801 } else { deletes };
        wild.delete(deletes).await;
        assert_eq!(wild.too_few(), broken, "{deletes}");
    }
}

#[tokio::test]
async fn every_rule_of_a_union_counts_for_itself() {
    let keep =
        KeepFacts { counts: vec![(Grain::Last, 1), (Grain::Daily, 2)], union: true, ..KeepFacts::only(Grain::Last, 1) };
    for (deletes, broken) in [(801, false), (802, true)] {
        let wild = wild(keep.clone(), roomy());
        for at in ["2026-11-20T01:00:00Z", "2026-11-21T01:00:00Z", "2026-11-22T01:00:00Z"] {
            wild.make(at).await;
        }
        wild.delete(deletes).await;
        assert_eq!(wild.too_few(), broken, "{deletes}");
    }
}

#[tokio::test]
async fn months_are_not_asked_for_where_a_week_belongs_to_two() {
    let keep = KeepFacts { counts: vec![(Grain::Weekly, 1), (Grain::Monthly, 1)], ..KeepFacts::only(Grain::Last, 1) };
    for (first, broken) in [("2026-09-30T01:00:00Z", false), ("2026-09-23T01:00:00Z", true)] {
        let wild = wild(keep.clone(), roomy());
        for at in [first, "2026-10-01T01:00:00Z"] {
            wild.make(at).await;
        }
        wild.delete(801).await;
        assert_eq!(wild.too_few(), broken, "{first}");
    }
}

#[tokio::test]
async fn the_oldest_may_make_room_for_the_next_and_must_be_displaced_by_it() {
    // Three slots, three days: the oldest goes for the new one.
    for (evicts, next, broken) in [
        (801, "2026-11-24T01:00:00Z", false),
        (802, "2026-11-24T01:00:00Z", true),
        // The new one falls into the day of the last one: the deleted one is missing.
        (801, "2026-11-23T23:00:00Z", true),
    ] {
        let mut wild = wild(KeepFacts::only(Grain::Daily, 3), Options { snapshot_slots: 3, ..free() });
        wild.facts.slots = [10, 3];
        for at in ["2026-11-21T01:00:00Z", "2026-11-22T01:00:00Z", "2026-11-23T01:00:00Z"] {
            wild.make(at).await;
        }
        wild.set(next);
        wild.delete(evicts).await;
        wild.make(next).await;
        assert_eq!(wild.too_few(), broken, "{evicts} {next}");
        wild.facts.apart = SignedDuration::from_mins(30);
        assert_eq!(wild.too_few(), broken && evicts == 802, "our clock was wrong: {evicts} {next}");
    }
}

#[tokio::test]
async fn what_people_delete_or_rename_or_a_hold_costs_is_not_asked_for() {
    let days = ["2026-11-21T01:00:00Z", "2026-11-22T01:00:00Z", "2026-11-23T01:00:00Z", "2026-11-24T01:00:00Z"];
    let wild_of = |slots: usize| {
        let mut wild = wild(KeepFacts::only(Grain::Daily, 3), Options { snapshot_slots: slots, ..free() });
        wild.facts.slots = [10, slots];
        wild
    };
    let person = wild_of(10);
    person.make(days[0]).await;
    person.make(days[1]).await;
    person.act(PersonAction::DeletePoint(pick(801)));
    person.make(days[2]).await;
    assert!(!person.too_few());
    person.delete(802).await;
    assert!(person.too_few(), "the others are still required");
    for (slots, broken) in [(10, true), (4, false)] {
        let mut held = wild_of(slots);
        held.facts.held.insert((PointKind::Snapshot, "801".to_owned()));
        for at in days {
            held.make(at).await;
        }
        // The day of 802 is counted, and 801 stays beside the three.
        held.set("2026-11-24T02:00:00Z");
        held.facts.policies.get_mut("*").unwrap()[0].1.reserve = 1;
        held.delete(802).await;
        assert_eq!(held.too_few(), broken, "{slots}");
    }
}

#[tokio::test]
async fn the_younger_of_two_points_of_a_due_time_does_not_count() {
    let wild = wild(KeepFacts::only(Grain::Last, 2), roomy());
    wild.make("2026-11-20T02:30:00Z").await;
    wild.set(TODAY);
    wild.create("aaaaaaaa", TODAY).await;
    wild.create("aaaaaaaa", TODAY).await;
    wild.wait(60);
    wild.delete(803).await;
    assert!(!wild.too_few());
    wild.delete(801).await;
    assert!(wild.too_few());
}

#[tokio::test]
async fn a_file_that_keeps_more_asks_for_what_is_there_and_a_renamed_policy_for_what_was() {
    let wild = wild(KeepFacts::only(Grain::Last, 1), roomy());
    wild.make("2026-11-20T02:30:00Z").await;
    wild.make("2026-11-21T02:30:00Z").await;
    wild.delete(801).await;
    let mut truth = Truth::new(wild.facts.clone());
    truth.feed(&wild.simulator.take_record());
    let policies = truth.facts.policies.get_mut("*").unwrap();
    policies[0].0 = "daily".to_owned();
    policies[0].1.formerly = vec!["nightly".to_owned()];
    policies[0].1.keep = Some(KeepFacts::only(Grain::Last, 3));
    wild.set("2026-11-22T02:30:00Z");
    let description = "lg-cccccccc main daily 2026-11-22T02:30:00Z made by lastgood";
    wild.send("POST", "/snapshots/", json!({ "server_id": 12345, "name": "lg", "description": description })).await;
    wild.wait(60);
    truth.feed(&wild.simulator.take_record());
    assert_eq!(truth.violations(), []);
    wild.delete(802).await;
    truth.feed(&wild.simulator.take_record());
    assert_eq!(truth.violations().iter().map(|it| it.rule).collect::<Vec<_>>(), [Invariant::KeptTooFew]);
}

#[tokio::test]
async fn a_server_that_was_renamed_keeps_its_past() {
    let wild = wild(KeepFacts::only(Grain::Last, 2), roomy());
    wild.make("2026-11-20T02:30:00Z").await;
    wild.act(PersonAction::RenameServer { server: json!(SERVER), name: "db-server-01".to_owned() });
    wild.make("2026-11-21T02:30:00Z").await;
    assert_eq!(wild.broken(), []);
    wild.delete(801).await;
    assert!(wild.too_few());
}
