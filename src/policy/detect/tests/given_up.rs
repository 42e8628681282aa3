//! Points that a changed file makes a policy give up for held and protected ones wait for `accept`; nothing else does.

use super::*;
use crate::policy::selector::Pattern;

fn other(name: &str, last: u32) -> Arc<Policy> {
    let policy = case(Vec::new()).policy;
    Arc::new(Policy { name: PolicyName::new(name).unwrap(), keep: keep(last), ..policy })
}

/// `nightly` keeps three of five slots and has four points, of which the oldest is on hold; `weekly` keeps one. It has
/// inspected the server. A new point displaces 3 anyway.
fn extra() -> BrakeCase {
    let mut case = case((1..=4).map(ours).collect());
    case.policy.keep = keep(3);
    (case.limit, case.others) = (5, vec![other("weekly", 1)]);
    case.memory.holds.insert(PointId::Number(4), "audit".to_owned());
    case.look();
    assert_eq!(case.detect(), DetectedBrakes::default());
    case
}

impl BrakeCase {
    /// The policy inspects the server, and the state stores what it keeps.
    fn look(&mut self) {
        let words = retention_update(&self.request()).looked;
        self.memory.retention.extend(words.into_iter().map(|(name, looked)| (name.to_string(), looked)));
    }

    /// The points of a retention brake.
    fn braked(&self) -> Vec<i64> {
        let detected = self.detect();
        let points = detected.stops_retention().into_iter().flat_map(|brake| brake.points.iter());
        let number =
            |about: &PointIdentity| if let PointId::Number(number) = about.id { number } else { panic!("{about:?}") };
        points.map(number).collect()
    }
}

#[test]
fn whatever_makes_a_policy_give_up_more_sets_a_brake_until_it_is_accepted() {
    type Alteration = fn(&mut BrakeCase);
    let table: [(&str, Alteration, &[i64]); 9] = [
        ("another's count", |case| case.others = vec![other("weekly", 2)], &[2]),
        ("another's count, by two", |case| case.others = vec![other("weekly", 3)], &[2]),
        ("one policy more", |case| case.others.push(other("third", 1)), &[2]),
        ("reserve", |case| case.reserve = 1, &[2]),
        ("fewer slots", |case| case.limit = 4, &[2]),
        ("protect", |case| case.policy.protect = vec![Pattern::new("lg-* nightly 2026-11-18*")], &[2]),
        (
            "protect, and the same points go",
            |case| case.policy.protect = vec![Pattern::new("lg-* nightly 2026-11-20*")],
            &[],
        ),
        ("one policy less", |case| case.others = Vec::new(), &[]),
        ("a new name of another", |case| case.others = vec![other("a", 1)], &[]),
    ];
    for (what, change, expected) in table {
        let mut case = extra();
        change(&mut case);
        assert_eq!(case.braked(), expected, "{what}");
        case.written().look();
        assert_eq!(
            (case.braked(), case.detect().new),
            (expected.to_vec(), vec![]),
            "{what}: it waits, and is reported once"
        );
        if expected.is_empty() {
            continue;
        }
        let evictions = case.plan().evictions().count();
        assert!(case.plan().prunes().count() == 0 && evictions <= 1, "{what}");
        case.memory.brakes.clear();
        assert_eq!(case.detect(), DetectedBrakes::default(), "{what}: accepted");
    }
}

#[test]
fn upgrading_the_program_alone_sets_no_brake() {
    let mut case = extra();
    case.others = vec![other("weekly", 2)];
    for looked in case.memory.retention.values_mut() {
        looked.conditions = None;
    }
    assert_eq!(case.detect(), DetectedBrakes::default());
    case.look();
    assert_eq!(case.detect(), DetectedBrakes::default());
    case.reserve = 1;
    assert_eq!(case.braked(), [] as [i64; 0], "2 is given up already");
}

#[test]
fn an_unrelated_change_does_not_release_waiting_points_and_changing_back_does() {
    let mut case = extra();
    case.policy.keep = keep(1);
    assert_eq!(case.braked(), [2, 3]);
    case.written().look();
    case.others = Vec::new();
    assert_eq!((case.braked(), case.detect().over), (vec![2, 3], vec![1]));
    case.written().memory.brakes.remove(0);
    case.look();
    assert_eq!(case.braked(), [2, 3]);
    case.policy.keep = keep(3);
    assert_eq!(case.braked(), [] as [i64; 0]);
    assert_eq!(case.detect().over.len(), 1);
}

#[test]
fn what_a_held_server_hides_sets_a_brake_all_the_same() {
    let mut case = extra();
    case.memory.server_hold = Some("audit".to_owned());
    case.reserve = 1;
    assert_eq!(case.braked(), [2]);
}
