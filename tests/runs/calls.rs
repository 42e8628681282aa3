//! What a night costs: the requests and the time of a hundred servers with full slots, fifty at once, once two nights
//! before have shown how long their points take.
//!
//! In virtual time, so that the figures are the same on every machine. `cargo test --test runs calls -- --nocapture
//! --include-ignored` prints them; docs/performance.md says how the limit is defined and what the figures were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::policy::inventory::Kind;
use lastgood::seams::policy::mark::{Mark, Token};
use lastgood::seams::provider::{Client, ClientSettings};
use lastgood::seams::run::{Task, drive};
use lastgood::simulator::{self, Options, PointSpec, ServerSpec, Simulator, Style, What};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::simulated_world::{SimulatedWorld, ours, policy};

const SERVERS: usize = 100;
const AT_ONCE: usize = 50;
const ANSWER: Duration = Duration::from_millis(20);

/// The slots of a server, all of them taken.
const SLOTS: u32 = 10;

/// One side of the comparison.
struct Work {
    name: &'static str,
    /// The shortest time between two reads of a list.
    poll: Duration,
    /// How long a backup takes.
    takes: Duration,
    /// Up to this much is added, differently for each point.
    spread: Duration,
    paged: bool,
    per_second: u32,
}

/// What one night cost.
struct Night {
    took: Duration,
    /// The requests of each sort.
    calls: BTreeMap<&'static str, usize>,
}

impl Night {
    fn calls_per_run(&self) -> f64 {
        self.calls.values().sum::<usize>() as f64 / SERVERS as f64
    }
}

impl Work {
    /// The least time that this work can take: in each wave of runs that are performed at once, the answers that a run
    /// needs one after another (its list, the delete, the list without the point, the create, the list with the new
    /// one) and the time of the slowest backup, on average half of the spread; and never less than the rate allows for
    /// the list, the delete and the create of each run.
    fn limit(&self) -> Duration {
        let waves = u32::try_from(SERVERS.div_ceil(AT_ONCE)).unwrap();
        let of_waves = (self.takes + self.spread / 2 + ANSWER * 5) * waves;
        of_waves.max(Duration::from_secs_f64((SERVERS * 3) as f64 / f64::from(self.per_second)))
    }

    fn world(&self) -> SimulatedWorld {
        let options = Options {
            servers: ServerSpec::numbered(SERVERS, Style::Integer),
            foreign: full_slots(),
            completion: self.takes,
            completion_spread: self.spread,
            latency: ANSWER,
            paged: self.paged,
            ..Options::default()
        };
        let mut sim = SimulatedWorld::new(options);
        let settings = ClientSettings {
            url: "http://127.0.0.1:9/api/v1".to_owned(),
            token: "vps_test".to_owned().into(),
            timeout: Duration::from_secs(30),
            requests_per_second: self.per_second,
            poll: self.poll,
            ca_file: None,
        };
        let other = Client::in_process(settings, sim.world.clock.clone(), sim.simulator.router()).unwrap();
        sim.world.client.replace_with(&other);
        sim.world.settings.change(|settings| settings.poll = self.poll);
        sim.world.run_permits = Arc::new(Semaphore::new(AT_ONCE));
        sim
    }
}

/// Points of ours in every slot of every server.
fn full_slots() -> Vec<PointSpec> {
    let servers = ServerSpec::numbered(SERVERS, Style::Integer).into_iter().zip(1_u64..);
    let points = servers.flat_map(|(server, number)| (1..=SLOTS).map(move |days| (server.name.clone(), number, days)));
    let point = |(server, number, days): (Option<String>, u64, u32)| {
        let ours = ours(simulator::PointKind::Backup, days);
        let token = Token::from_random(number * 1_000_003 + u64::from(days) * 10_007);
        let due =
            "2026-11-21T02:30:00Z".parse::<Timestamp>().unwrap() - SignedDuration::from_hours(24 * i64::from(days));
        let mark = Mark { token, instance: "main".to_owned(), policy: "nightly".parse().unwrap(), due };
        PointSpec { server: server.map(Into::into), description: mark.description(), ..ours }
    };
    points.map(point).collect()
}

/// The sort of a request, in the words of docs/performance.md.
fn sort(method: &str, query: &str) -> &'static str {
    match (method, query.contains("server_id="), query.contains("page_size=1&") || query.ends_with("page_size=1")) {
        ("POST", ..) => "create",
        ("DELETE", ..) => "delete",
        (_, true, _) => "list of a server",
        (_, false, true) => "count",
        (_, false, false) => "page of the account",
    }
}

fn last_request(simulator: &Simulator) -> u64 {
    simulator.account().record().entries().last().map_or(0, |entry| entry.seq)
}

/// All servers, due at one moment.
async fn night(sim: &SimulatedWorld, tasks: &[Task]) -> Night {
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let due: Timestamp = sim.world.clock.now();
    let mut runs = Vec::new();
    for task in tasks {
        runs.push((task.clone(), sim.open(task, Some(due)).await));
    }
    let (before, begun) = (last_request(&sim.simulator), Instant::now());
    let mut driven = JoinSet::new();
    for (task, run) in runs {
        let world = sim.world.clone();
        driven.spawn(async move { drive(&world, &task, run).await.unwrap() });
    }
    while let Some(run) = driven.join_next().await {
        let run = run.unwrap();
        assert_eq!((run.outcome.as_str(), run.error), ("succeeded", None));
    }
    let took = begun.elapsed();
    let mut calls = BTreeMap::new();
    let account = sim.simulator.account();
    for entry in account.record().entries().iter().filter(|entry| entry.seq > before) {
        if let What::Request(request) = &entry.what {
            assert_ne!(request.account_status, Some(400), "the provider's limit is never met");
            *calls.entry(sort(&request.method, &request.query)).or_default() += 1;
        }
    }
    Night { took, calls }
}

#[expect(clippy::print_stderr, reason = "it is requested with --nocapture, and nothing else shows the numbers")]
fn show(work: &Work, name: &str, night: &Night) {
    let (took, limit) = (night.took.as_secs_f64(), work.limit().as_secs_f64());
    let calls = night.calls_per_run();
    eprintln!(
        "{}, {name}: {calls:.2} calls a run, {took:.2} s ({:.3} of the limit) {:?}",
        work.name,
        took / limit,
        night.calls
    );
}

async fn third_night(work: &Work) -> Night {
    let sim = work.world();
    let servers = sim.world.client.servers().await.unwrap().items;
    let policy = Arc::new(policy(Kind::Backup, SLOTS));
    let task = |server| Task { server, policy: Arc::clone(&policy), reserve: 0, others: Vec::new() };
    let tasks: Vec<Task> = servers.into_iter().map(task).collect();
    for name in ["the first night", "the second night"] {
        show(work, name, &night(&sim, &tasks).await);
    }
    let third = night(&sim, &tasks).await;
    show(work, "the third night", &third);
    third
}

const SECOND: Duration = Duration::from_secs(1);

/// Backups of a second, looked for every 50 ms at most.
fn short(name: &'static str, spread: Duration, paged: bool) -> Work {
    Work { name, poll: SECOND / 20, takes: SECOND, spread, paged, per_second: 1_000 }
}

/// Backups of five minutes, looked for every 15 s at most.
fn long(name: &'static str, spread: Duration, per_second: u32) -> Work {
    Work { name, poll: SECOND * 15, takes: SECOND * 300, spread, paged: true, per_second }
}

async fn costs_at_most(work: Work, calls: f64, time: f64) {
    let night = third_night(&work).await;
    let over = night.took.as_secs_f64() / work.limit().as_secs_f64();
    assert!(night.calls_per_run() <= calls, "{}: {} calls a run", work.name, night.calls_per_run());
    assert!(over <= time, "{}: {over} of the least time", work.name);
}

#[tokio::test(start_paused = true)]
async fn a_night_of_known_servers_costs_few_calls_and_little_more_than_the_least_time() {
    costs_at_most(long("backups of 5 min", Duration::ZERO, 1_000), 3.6, 1.05).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "it takes a minute and says little more"]
async fn nights_of_other_kinds_cost_little_more() {
    costs_at_most(short("backups of 1 s", Duration::ZERO, true), 3.6, 1.05).await;
    costs_at_most(short("backups of 1 s, lists unpaged", Duration::ZERO, false), 3.3, 1.05).await;
    costs_at_most(short("backups of 1 to 1.2 s", SECOND / 5, true), 4.5, 1.15).await;
    costs_at_most(long("backups of 5 to 6 min", SECOND * 60, 1_000), 4.5, 1.15).await;
    costs_at_most(long("backups of 5 min, 5 requests a second", Duration::ZERO, 5), 4.0, 1.15).await;
}
