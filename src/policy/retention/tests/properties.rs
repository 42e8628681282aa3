//! Properties for every set of points. One that might be expected does not hold in `sequential`, as in Proxmox Backup
//! Server; what does hold is tested: see `a_higher_weekly_count_can_keep_fewer_where_a_week_spans_two_months`.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::policy::inventory::PointId;

/// Zones with whole-hour and half-hour changes, on both sides of the equator, and without changes. Antarctica/Troll
/// goes back by two hours, so that its hours come as 1, 2, 1, 2.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Antarctica/Troll",
];

fn moments() -> impl Strategy<Value = Vec<Timestamp>> {
    let span = proptest::sample::select(vec![3_600_i64 * 6, 86_400 * 9, 86_400 * 800]);
    // Around the change of October 2026 and the ISO year 2026, which has 53 weeks.
    (span, proptest::sample::select(vec![1_792_890_000_i64, 1_799_000_000])).prop_flat_map(|(span, around)| {
        vec((around - span..around + span).prop_map(|second| Timestamp::from_second(second).unwrap()), 0..40)
    })
}

fn points() -> impl Strategy<Value = Vec<Candidate>> {
    moments().prop_map(|moments| {
        let numbered = moments.into_iter().zip(1..);
        numbered.map(|(at, id)| Candidate { at, due: None, id: Some(PointId::Number(id)) }).collect()
    })
}

fn count() -> impl Strategy<Value = Count> {
    prop_oneof![9 => (0_u32..5).prop_map(Count::Number), 1 => Just(Count::All)]
}

fn rules() -> impl Strategy<Value = Vec<(KeepRule, Count)>> {
    vec(option::of(count()), KeepRule::ALL.len()).prop_map(|counts| {
        KeepRule::ALL.into_iter().zip(counts).filter_map(|(rule, count)| Some((rule, count?))).collect()
    })
}

fn keep() -> impl Strategy<Value = Keep> {
    let period = (0_u32..2, 0_u32..3, 0_u32..10, 0_u32..30);
    let period = period.prop_map(|(years, months, days, hours)| Period { years, months, days, hours, seconds: 0 });
    let keep = (rules(), option::weighted(0.2, period));
    let keep = keep.prop_map(|(counts, within)| Keep { counts, within, within_buckets: Vec::new() });
    keep.prop_filter("some rule keeps something", |keep| !super::super::keeps_nothing(keep))
}

fn mode() -> impl Strategy<Value = KeepMode> {
    prop_oneof![Just(KeepMode::Sequential), Just(KeepMode::Union)]
}

fn zone_name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(ZONES.to_vec())
}

fn survivors(points: &[Candidate], keep: &Keep, mode: KeepMode, zone: &TimeZone) -> Vec<Candidate> {
    let verdicts = decide(points, keep, mode, zone).unwrap();
    points.iter().zip(verdicts.kept()).filter(|(_, kept)| *kept).map(|(point, _)| point.clone()).collect()
}

fn sorted(mut points: Vec<Candidate>) -> Vec<Candidate> {
    points.sort();
    points
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_point_gets_one_verdict_whose_reasons_agree_with_it(
        points in points(), keep in keep(), mode in mode(), zone_name in zone_name(),
    ) {
        let verdicts = decide(&points, &keep, mode, &zone(zone_name)).unwrap();
        let explained = verdicts.explained();
        prop_assert_eq!(explained.len(), points.len());
        for (index, verdict) in explained.into_iter().enumerate() {
            prop_assert_eq!((verdicts.keeps(index), verdicts.why(index)), (verdict.keep, verdict.why.clone()));
            prop_assert!(!verdict.why.is_empty());
            prop_assert!(verdict.why.iter().all(|reason| reason.keeps() == verdict.keep), "{:?}", verdict);
        }
    }

    #[test]
    fn sequential_agrees_with_proxmox_written_down_plainly(
        points in points(), keep in keep(), zone_name in zone_name(),
    ) {
        prop_assume!(!points.is_empty());
        let zone = zone(zone_name);
        let mut newest_first = sorted(points.clone());
        newest_first.reverse();
        let moments: Vec<_> = newest_first.iter().map(|point| point.at).collect();
        let expected = oracle::sequential(&moments, &keep, &zone);
        let expected: Vec<_> = expected.into_iter().map(|nr| newest_first[nr].clone()).collect();
        let decided = survivors(&newest_first, &keep, KeepMode::Sequential, &zone);
        prop_assert_eq!(decided, expected);
    }

    #[test]
    fn union_agrees_with_restic_written_down_plainly(
        points in points(), keep in keep(), zone_name in zone_name(),
    ) {
        prop_assume!(!points.is_empty());
        let zone = zone(zone_name);
        let mut newest_first = sorted(points.clone());
        newest_first.reverse();
        let moments: Vec<_> = newest_first.iter().map(|point| point.at).collect();
        let expected = oracle::union(&moments, &keep, &zone);
        let expected: Vec<_> = expected.into_iter().map(|nr| newest_first[nr].clone()).collect();
        let decided = survivors(&newest_first, &keep, KeepMode::Union, &zone);
        prop_assert_eq!(decided, expected);
    }

    #[test]
    fn the_order_of_the_points_does_not_matter(
        (points, shuffled) in points().prop_flat_map(|points| (Just(points.clone()), Just(points).prop_shuffle())),
        keep in keep(), mode in mode(), zone_name in zone_name(),
    ) {
        let zone = zone(zone_name);
        let one = sorted(survivors(&points, &keep, mode, &zone));
        prop_assert_eq!(one, sorted(survivors(&shuffled, &keep, mode, &zone)));
    }

    #[test]
    fn deciding_again_after_applying_drops_nothing(
        points in points(), keep in keep(), mode in mode(), zone_name in zone_name(),
    ) {
        let zone = zone(zone_name);
        let once = survivors(&points, &keep, mode, &zone);
        prop_assert_eq!(survivors(&once, &keep, mode, &zone), once);
    }

    #[test]
    fn a_higher_count_never_keeps_fewer_unless_weeks_meet_months(
        points in points(), keep in keep(), mode in mode(), which in 0..KeepRule::ALL.len(), zone_name in zone_name(),
    ) {
        let rule = KeepRule::ALL[which];
        let mut keep = keep;
        if mode == KeepMode::Sequential {
            // See the test below for the two together.
            let coarser = [KeepRule::Monthly, KeepRule::Yearly];
            keep.counts.retain(|(named, _)| {
                if rule == KeepRule::Weekly { !coarser.contains(named) } else { *named != KeepRule::Weekly }
            });
        }
        let mut more = keep.clone();
        match more.counts.iter_mut().find(|(named, _)| *named == rule) {
            Some((_, Count::Number(count))) => *count += 1,
            Some((_, Count::All)) => {}
            None => more.counts.push((rule, Count::Number(1))),
        }
        prop_assume!(!super::super::keeps_nothing(&keep));
        let zone = zone(zone_name);
        let before = survivors(&points, &keep, mode, &zone).len();
        prop_assert!(survivors(&points, &more, mode, &zone).len() >= before, "{:?}", more);
    }

    #[test]
    fn counts_alone_never_keep_more_than_their_sum(
        points in points(), keep in keep(), mode in mode(), zone_name in zone_name(),
    ) {
        let keep = Keep { within: None, ..keep };
        prop_assume!(!super::super::keeps_nothing(&keep));
        let numbers = keep.counts.iter().map(|&(_, count)| match count {
            Count::Number(number) => number as usize,
            Count::All => usize::MAX / 8,
        });
        let sum: usize = numbers.sum();
        prop_assert!(survivors(&points, &keep, mode, &zone(zone_name)).len() <= sum);
    }

    #[test]
    fn the_newest_point_always_stays(
        points in points(), keep in keep(), mode in mode(), zone_name in zone_name(),
    ) {
        let newest = points.iter().max();
        let stays = survivors(&points, &keep, mode, &zone(zone_name));
        prop_assert_eq!(stays.iter().max(), newest);
    }
}

#[test]
fn a_higher_weekly_count_can_keep_fewer_where_a_week_spans_two_months() {
    // Week 49 of 2026 begins on 30 November. Once `weekly` keeps its newest point, the one of November is out, as
    // in Proxmox Backup Server, and `monthly` has no other point for November.
    let times = ["2027-01-06T02:30:00Z", "2026-12-02T02:30:00Z", "2026-11-30T02:30:00Z"];
    let fewer = counts(&[(KeepRule::Weekly, 1), (KeepRule::Monthly, 2)]);
    let more = counts(&[(KeepRule::Weekly, 2), (KeepRule::Monthly, 2)]);
    assert_eq!(kept(&times, &fewer, KeepMode::Sequential, "UTC").len(), 3);
    assert_eq!(kept(&times, &more, KeepMode::Sequential, "UTC").len(), 2);
    assert_eq!(kept(&times, &fewer, KeepMode::Union, "UTC").len(), 2);
    assert_eq!(kept(&times, &more, KeepMode::Union, "UTC").len(), 2);
}
