//! How long retention takes to decide about one policy's points, with six counted rules. docs/performance.md says how
//! to run it.

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::inventory::PointId;
use lastgood::seams::policy::keep::{Count, Keep, KeepMode, KeepRule};
use lastgood::seams::policy::retention::{Candidate, decide};

/// How many points: what a server has, what a busy one may have, and more than any has.
const SIZES: [usize; 3] = [10, 1_000, 100_000];

fn main() {
    divan::main();
}

/// `size` points, newest first: one a day for the ten of a server, else one an hour.
fn points(size: usize) -> Vec<Candidate> {
    let newest: Timestamp = "2026-11-21T02:30:07Z".parse().expect("a time");
    let step = SignedDuration::from_hours(if size == 10 { 24 } else { 1 });
    let times = std::iter::successors(Some(newest), |time| time.checked_sub(step).ok());
    times.zip(1..).take(size).map(|(at, id)| Candidate { at, due: None, id: Some(PointId::Number(id)) }).collect()
}

/// Six rules, with the counts of a server of ten points or of one with many.
fn six_rules(size: usize) -> Keep {
    let counts = if size == 10 { [2, 2, 4, 3, 2, 1] } else { [10, 24, 7, 4, 12, 10] };
    Keep { counts: KeepRule::ALL.into_iter().zip(counts.map(Count::Number)).collect(), ..Keep::default() }
}

fn bench(bencher: Bencher<'_, '_>, size: usize, mode: KeepMode) {
    let (points, keep) = (points(size), six_rules(size));
    let zone = TimeZone::get("Europe/Berlin").expect("a zone of the built-in data");
    bencher.counter(ItemsCount::new(size)).bench_local(|| decide(divan::black_box(&points), &keep, mode, &zone));
}

#[divan::bench(args = SIZES)]
fn sequential(bencher: Bencher<'_, '_>, size: usize) {
    bench(bencher, size, KeepMode::Sequential);
}

#[divan::bench(args = SIZES)]
fn union(bencher: Bencher<'_, '_>, size: usize) {
    bench(bencher, size, KeepMode::Union);
}
