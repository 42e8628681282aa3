//! The exact wording of the reasons.

use super::*;

const TIMES: [&str; 12] = [
    "2026-12-02T02:30:00Z",
    "2026-12-01T14:30:00Z",
    "2026-12-01T02:30:00Z",
    "2026-11-30T02:30:00Z",
    "2026-11-29T02:30:00Z",
    "2026-11-28T02:30:00Z",
    "2026-11-22T02:30:00Z",
    "2026-11-15T02:30:00Z",
    "2026-10-31T02:30:00Z",
    "2026-10-30T02:30:00Z",
    "2026-06-01T02:30:00Z",
    "2025-06-01T02:30:00Z",
];

fn tell(keep: &Keep, mode: KeepMode) -> String {
    let points: Vec<Candidate> = TIMES.iter().map(|text| Candidate::at(at(text))).collect();
    told(&TIMES, &decide(&points, keep, mode, &TimeZone::UTC).unwrap().explained())
}

#[test]
fn sequential_says_why() {
    let keep = counts(&[
        (KeepRule::Last, 1),
        (KeepRule::Daily, 2),
        (KeepRule::Weekly, 2),
        (KeepRule::Monthly, 1),
        (KeepRule::Yearly, 1),
    ]);
    insta::assert_snapshot!(tell(&keep, KeepMode::Sequential));
}

#[test]
fn sequential_with_periods_says_why() {
    let keep = Keep {
        within: Some(Period::parse("1d").unwrap()),
        within_buckets: vec![(KeepRule::Weekly, Period::parse("1m").unwrap())],
        ..counts(&[(KeepRule::Daily, 2)])
    };
    insta::assert_snapshot!(tell(&keep, KeepMode::Sequential));
}

#[test]
fn union_says_why() {
    let keep = counts(&[
        (KeepRule::Last, 1),
        (KeepRule::Daily, 2),
        (KeepRule::Weekly, 2),
        (KeepRule::Monthly, 9),
        (KeepRule::Yearly, 1),
    ]);
    insta::assert_snapshot!(tell(&keep, KeepMode::Union));
}

#[test]
fn union_with_periods_says_why() {
    let keep = Keep {
        within: Some(Period::parse("1d").unwrap()),
        within_buckets: vec![
            (KeepRule::Daily, Period::parse("3d").unwrap()),
            (KeepRule::Monthly, Period::parse("2y").unwrap()),
        ],
        counts: vec![(KeepRule::Yearly, Count::All)],
    };
    insta::assert_snapshot!(tell(&keep, KeepMode::Union));
}
