//! When a run looks for its point, played through: the looks until a point that takes so long is seen completed.

use proptest::prelude::*;

use super::*;

const POLL: Duration = Duration::from_secs(15);

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn took(at_least: u64, at_most: u64) -> Took {
    Took { at_least: seconds(at_least), at_most: seconds(at_most) }
}

/// The looks of a run whose point takes `takes`, in seconds, and what they show.
fn wait_for(takes: Duration, last: &[Took], poll: Duration) -> (Vec<f64>, Took) {
    let usual = UsualTime::of(last);
    let (mut at, mut looks) = (Duration::ZERO, Vec::new());
    loop {
        let before = at;
        at += next_look(at, usual, poll).from;
        looks.push(at.as_secs_f64());
        if at >= takes {
            return (looks, Took { at_least: before, at_most: at });
        }
    }
}

/// What the runs of several nights learn, newest first; each with its number of looks and its delay in thousandths.
fn nights(takes: &[Duration], poll: Duration) -> Vec<(usize, u128)> {
    let mut last = Vec::new();
    let mut costs = Vec::new();
    for takes in takes {
        let (looks, took) = wait_for(*takes, &last, poll);
        costs.push((looks.len(), (took.at_most - *takes).as_millis() * 1_000 / takes.as_millis()));
        last.insert(0, took);
        last.truncate(10);
    }
    costs
}

#[test]
fn what_the_last_points_show() {
    let usual = |earliest: f64, median, latest| {
        Some(UsualTime {
            probe: None,
            earliest: Duration::from_secs_f64(earliest),
            median: seconds(median),
            latest: seconds(latest),
        })
    };
    for (case, last, expected) in [
        ("nothing", vec![], None),
        ("one, seen completed at once", vec![took(0, 320)], usual(240.0, 320, 320)),
        ("one", vec![took(256, 320)], usual(266.0, 320, 320)),
        ("the same time: it lies in both spans", vec![took(280, 352), took(256, 320)], usual(290.0, 320, 320)),
        ("a wide span says nothing beside a narrow one", vec![took(288, 320), took(200, 400)], usual(298.0, 320, 320)),
        ("different times", vec![took(300, 310), took(200, 220), took(390, 400)], usual(200.0, 310, 400)),
        ("one was faster than ever", vec![took(0, 160), took(300, 310)], usual(120.0, 310, 310)),
        ("a clock that was set says nothing", vec![took(0, 0)], None),
    ] {
        assert_eq!(UsualTime::of(&last), expected, "{case}");
    }
}

#[test]
fn the_looks_for_a_point_of_known_time_are_few_and_near_it() {
    for (case, takes, last, expected) in [
        ("nothing is known", 100, vec![], vec![15.0, 30.0, 45.0, 60.0, 75.0, 93.75, 117.1875]),
        ("as long as ever", 300, vec![took(290, 302)], vec![299.4375, 314.4375]),
        ("late by chance", 303, vec![took(290, 302)], vec![299.4375, 314.4375]),
        ("much faster", 100, vec![took(290, 302)], vec![299.4375]),
    ] {
        assert_eq!(wait_for(seconds(takes), &last, POLL).0, expected, "{case}");
    }
}

#[test]
fn after_two_nights_a_constant_time_is_known_closely() {
    for (millis, poll) in [(1_000, 50), (300_000, 15_000), (300_000, 100), (45_000, 15_000)] {
        let (takes, poll) = (Duration::from_millis(millis), Duration::from_millis(poll));
        let costs = nights(&[takes; 6], poll);
        let poll = poll.as_millis() * 1_000 / takes.as_millis();
        for (looks, delay) in &costs[2..] {
            assert!(*looks <= 3 && *delay <= 40.max(poll), "{takes:?}: {costs:?}");
        }
    }
}

#[test]
fn a_provider_that_becomes_fast_or_slow_is_followed() {
    let faster = nights(&[[seconds(600); 3], [seconds(100); 3], [seconds(100); 3], [seconds(100); 3]].concat(), POLL);
    assert!(faster.last().unwrap().1 <= 250, "{faster:?}");
    let slower = nights(&[[seconds(300); 3], [seconds(900); 3]].concat(), POLL);
    assert!(slower[3..].iter().all(|(looks, delay)| *looks <= 16 && *delay <= 200), "{slower:?}");
}

#[test]
fn looks_are_shared_as_far_as_their_windows_allow() {
    for (case, windows, others_come, expected) in [
        ("nobody waits", vec![], false, None),
        ("one", vec![(5, 9)], false, Some(5)),
        ("one, and others come", vec![(5, 9)], true, Some(9)),
        ("both windows meet", vec![(5, 9), (8, 12)], false, Some(8)),
        ("they do not meet", vec![(5, 9), (10, 12)], false, Some(5)),
        ("the first to end decides", vec![(5, 20), (6, 7), (8, 12)], false, Some(6)),
    ] {
        assert_eq!(shared_look(windows.into_iter(), others_come), expected, "{case}");
    }
}

#[test]
fn the_way_with_fewer_requests_is_taken() {
    let size = |pages, entries| Some(AccountSize { pages, entries });
    for (waiting, account, expected) in [
        (1, size(1, 5), LookScope::Servers),
        (2, size(1, 5), LookScope::Account),
        (2, size(0, 0), LookScope::Account),
        (10, size(10, 1_000), LookScope::Servers),
        (11, size(10, 1_000), LookScope::Account),
        // A list in one page is no small answer.
        (50, size(1, 100_000), LookScope::Servers),
        (1_000_000, None, LookScope::Servers),
    ] {
        assert_eq!(cheaper(waiting, account), expected, "{waiting} {account:?}");
    }
}

fn any_took() -> impl Strategy<Value = Took> {
    (0_u64..4_000, 0_u64..4_000).prop_map(|(a, b)| Took {
        at_least: Duration::from_millis(a.min(b) * 1_000),
        at_most: Duration::from_millis(a.max(b) * 1_000),
    })
}

proptest! {
    #[test]
    fn a_look_is_never_sooner_than_the_poll_and_never_put_off_for_long(
        elapsed in 0_u64..10_000_000, last in prop::collection::vec(any_took(), 0..10), poll in 1_u64..60_000,
    ) {
        let (elapsed, poll) = (Duration::from_millis(elapsed), Duration::from_millis(poll));
        let usual = UsualTime::of(&last);
        let LookWindow { from, until } = next_look(elapsed, usual, poll);
        prop_assert!(from >= poll && from <= LONGEST.max(poll));
        prop_assert!(until >= from && until <= from + elapsed.max(usual.map_or(elapsed, |usual| usual.median)) / 16);
        match usual {
            None => prop_assert!(from <= poll.max(elapsed / 4)),
            Some(usual) => {
                prop_assert!(usual.earliest <= usual.latest && usual.median <= usual.latest);
                // Beyond what is known, the delay stays bounded.
                prop_assert!(elapsed < usual.latest || from <= poll.max(elapsed / 4).max(fine_step(usual.median)));
            }
        }
    }

    #[test]
    fn a_point_is_never_looked_for_later_than_the_slowest_before_it(
        last in prop::collection::vec(any_took(), 1..10), takes in 1_u64..4_000_000,
    ) {
        let takes = Duration::from_millis(takes);
        let Some(usual) = UsualTime::of(&last) else { return Ok(()) };
        let poll = Duration::from_millis(10);
        let (_, took) = wait_for(takes, &last, poll);
        // The longest single pause in between, or the growing one after it.
        let pause = (takes / 4).max((usual.latest - usual.earliest) / 6).max(fine_step(usual.median)).max(poll);
        let most = usual.earliest.max(takes + pause);
        prop_assert!(took.at_most <= most.max(Duration::from_millis(1)), "{took:?} {usual:?}");
    }

    #[test]
    fn a_shared_look_suits_its_first_waiter(
        windows in prop::collection::vec((0_u64..1_000, 0_u64..100), 1..20), others_come in any::<bool>(),
    ) {
        let windows: Vec<(u64, u64)> = windows.into_iter().map(|(from, more)| (from, from + more)).collect();
        let at = shared_look(windows.iter().copied(), others_come).unwrap();
        let first_end = windows.iter().map(|(_, until)| *until).min().unwrap();
        prop_assert!(at <= first_end);
        prop_assert!(windows.iter().any(|(from, _)| *from <= at), "somebody is due");
    }
}
