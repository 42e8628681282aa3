//! A year in minutes: the real daemon, client and store run through days or a whole year of virtual time with
//! faults, outages, crashes, clock jumps, reloads and people. The rules are checked against the simulator's own record
//! at every step, never against the journal alone. A seed decides everything: one that fails is printed and replays.
//!
//! `LASTGOOD_YEAR=servers,days,seed` sets the size of `full_year`, which lives more than 500 servers as several
//! accounts; `LASTGOOD_SEED=n` replays a short one; `LASTGOOD_WITHOUT=tokens,midnights` leaves `ingredients` out.

mod audit;
mod events;
mod figures;
mod finish;
mod fleet;
mod followed;
mod harvest;
mod ingredients;
#[path = "../invariants/mod.rs"]
mod invariants;
mod late;
mod life;
mod mail;
mod people;
mod policy_file;
mod provider;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use figures::{Figures, Scale};
use life::Life;

/// A simulation allocates for a thousand servers on a core: the system's allocator is a tenth slower.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs it, prints what happened, and returns the figures.
fn simulate(scale: Scale) -> Figures {
    let began = began();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let figures = runtime.expect("a runtime can be built").block_on(async { Life::new(scale).live().await });
    let seconds = began.elapsed().as_secs_f64();
    let Scale { servers, days, seed } = scale;
    let text = format!("{servers} servers, {days} days, seed {seed}: {seconds:.1} s\n{figures}\n");
    std::io::stdout().write_all(text.as_bytes()).expect("the figures can be printed");
    figures
}

#[expect(clippy::disallowed_methods, reason = "how long a simulation takes is measured in real time")]
fn began() -> Instant {
    Instant::now()
}

fn check(scale: Scale) {
    let figures = simulate(scale);
    let Scale { servers, days, seed } = scale;
    let first: Vec<&String> = figures.violations.iter().take(60).collect();
    assert!(
        figures.violations.is_empty(),
        "seed {seed} broke rules; again with LASTGOOD_YEAR={servers},{days},{seed} cargo test --test simulation -- --ignored\n{first:#?}"
    );
    assert!(figures.runs.get("succeeded").is_some_and(|runs| *runs > u64::from(days)), "{figures}");
    assert!(figures.events.contains_key("crashes") && !figures.faults.is_empty(), "{figures}");
}

#[test]
fn three_days_of_a_small_fleet_break_no_rule() {
    check(Scale { servers: 15, days: 3, seed: 2 });
}

#[test]
#[ignore = "twelve small fleets for ten days each: .ci/run does it in an optimized build"]
fn ten_days_of_small_fleets_break_no_rule() {
    let seeds = std::env::var("LASTGOOD_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = seeds.map_or_else(|| (1..=12).collect(), |seed| vec![seed]);
    for seed in seeds {
        check(Scale { servers: 15, days: 10, seed });
    }
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let scale = Scale { servers: 6, days: 2, seed: 7 };
    assert_eq!(simulate(scale), simulate(scale));
}

/// The servers of one account. A larger fleet is several accounts, each with a daemon and a seed of its own.
const ACCOUNT: usize = 500;

#[test]
#[ignore = "a year of a thousand servers: .ci/run does a hundred days of half of it, in an optimized build"]
fn full_year() {
    let given = std::env::var("LASTGOOD_YEAR").unwrap_or_else(|_| "1000,365,1".to_owned());
    let numbers: Vec<u64> = given.split(',').map(|number| number.parse().expect("servers,days,seed")).collect();
    let [servers, days, seed] = numbers[..] else { panic!("LASTGOOD_YEAR is servers,days,seed") };
    let servers = usize::try_from(servers).expect("a number of servers");
    let days = u32::try_from(days).expect("a number of days");
    let accounts: Vec<usize> = (0..servers).step_by(ACCOUNT).map(|first| ACCOUNT.min(servers - first)).collect();
    let next = AtomicUsize::new(0);
    let live = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(servers) = accounts.get(number) else { return };
            check(Scale { servers: *servers, days, seed: seed + number as u64 });
        }
    };
    let began = began();
    // A failure in one of them is a failure of the test.
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(accounts.len());
        (0..threads).for_each(|_| drop(scope.spawn(live)));
    });
    let text = format!("{servers} servers in {} accounts: {:.1} s\n", accounts.len(), began.elapsed().as_secs_f64());
    std::io::stdout().write_all(text.as_bytes()).expect("the figures can be printed");
}
