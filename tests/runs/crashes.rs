//! Rule 8: a stop at any moment, then a start. Each kind of run is cut off at each of its awaits (which are its journal
//! writes, its requests before and after the provider acts on them, and its pauses), counted by the run itself, so that
//! a new step cannot be forgotten; then it is driven on and must end as if nothing had happened.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use lastgood::journal::notice::Class;
use lastgood::policy::inventory::Kind;
use lastgood::policy::policy::Policy;
use lastgood::run::{RunError, drive};
use lastgood::simulator::{self, Altered, By, Call, Change, ChangeKind, Effect, Fate, Options, Rule};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::stage::{Stage, ours, policy};

const DUE: &str = "2026-11-21T02:30:00Z";

/// A kind of run: how it is set up, and how many points are left of it.
struct Scene {
    name: &'static str,
    kind: Kind,
    keep: u32,
    before: u32,
    after: usize,
    stop_server: bool,
    /// How long a start or a stop takes.
    power: Duration,
    /// How long a point is in progress.
    completion: Duration,
    /// How long a deleted point keeps its slot.
    delete: Duration,
    /// How long lists lack a new point.
    list_lag: Duration,
    fault: Option<Rule>,
}

fn scenes() -> Vec<Scene> {
    let plain = plain();
    let fails = Altered { fate: Fate::Fails, ..Altered::default() };
    let fails = Rule::new(Effect::CreateAs(fails)).times(1);
    let lost = |carried_out| Rule::new(Effect::Reset { carried_out }).times(1);
    let full = || Scene { kind: Kind::Snapshot, keep: 5, before: 5, after: 5, name: "evict", ..plain.copy() };
    vec![
        full(),
        Scene { name: "stop_server", stop_server: true, kind: Kind::Snapshot, ..plain.copy() },
        Scene { name: "evict and stop_server", stop_server: true, ..full() },
        Scene { name: "retry", fault: Some(fails.clone()), ..plain.copy() },
        Scene { name: "evict and retry", fault: Some(fails), ..full() },
        Scene { name: "create lost", fault: Some(lost(true).call(Call::Create)), ..full() },
        Scene { name: "create never sent", fault: Some(lost(false).call(Call::Create)), ..full() },
        Scene { name: "delete lost", fault: Some(lost(true).call(Call::Delete)), ..full() },
        Scene { name: "power lost", stop_server: true, fault: Some(lost(true).call(Call::Power)), ..plain.copy() },
        plain,
    ]
}

/// Cut off after their writes and requests alone: they have many awaits and nothing new at them.
fn more_scenes() -> Vec<Scene> {
    let lost = Rule::new(Effect::Reset { carried_out: true }).times(1).call(Call::Create);
    let full = || Scene { kind: Kind::Snapshot, keep: 5, before: 5, after: 5, ..plain() };
    let fails = Altered { fate: Fate::Fails, ..Altered::default() };
    vec![
        Scene { name: "slow delete", delete: Duration::from_secs(9), ..full() },
        Scene { name: "slow delete and stop_server", delete: Duration::from_secs(9), stop_server: true, ..full() },
        // Given up by the first attempt, found by the second.
        Scene { name: "listed late", list_lag: Duration::from_secs(12), ..plain() },
        // The first point shows only when the second has been asked for.
        Scene { name: "twins", list_lag: Duration::from_secs(12), fault: Some(lost), ..plain() },
        Scene {
            name: "stop_server and retry",
            stop_server: true,
            fault: Some(Rule::new(Effect::CreateAs(fails)).times(1)),
            ..plain()
        },
    ]
}

/// The way out of the process leaves a call without an answer and starts the server, which the next start may find on
/// its way up.
fn silent_scenes() -> impl Iterator<Item = Scene> {
    let cases = [
        ("create silent", Call::Create, false),
        ("create carried out in silence", Call::Create, true),
        ("delete silent", Call::Delete, false),
        ("delete carried out in silence", Call::Delete, true),
    ];
    cases.into_iter().map(|(name, call, carried_out)| {
        let full = || Scene { kind: Kind::Snapshot, keep: 5, before: 5, after: 5, ..plain() };
        Scene {
            name,
            stop_server: true,
            fault: Some(Rule::new(Effect::Silence { seconds: None, carried_out }).times(1).call(call)),
            power: Duration::from_secs(12),
            completion: Duration::from_secs(8),
            ..if call == Call::Delete { full() } else { plain() }
        }
    })
}

fn plain() -> Scene {
    Scene {
        name: "plain",
        kind: Kind::Backup,
        keep: 3,
        before: 3,
        after: 3,
        stop_server: false,
        power: Duration::from_secs(1),
        completion: Duration::from_secs(2),
        delete: Duration::ZERO,
        list_lag: Duration::ZERO,
        fault: None,
    }
}

impl Scene {
    fn copy(&self) -> Self {
        Self { fault: self.fault.clone(), ..*self }
    }

    fn policy(&self) -> Policy {
        Policy { stop_server: self.stop_server, ..policy(self.kind, self.keep) }
    }

    fn theirs(&self) -> simulator::Kind {
        match self.kind {
            Kind::Backup => simulator::Kind::Backup,
            Kind::Snapshot => simulator::Kind::Snapshot,
        }
    }

    async fn stage(&self) -> Stage {
        let foreign = (1..=self.before).map(|day| ours(self.theirs(), day)).collect();
        let latency = Duration::from_millis(200);
        let Self { power, completion, delete, list_lag, .. } = *self;
        let options = Options { foreign, latency, power, completion, delete, list_lag, ..Options::default() };
        let stage = Stage::new(options);
        // Short, since every look in this span is an await to be cut off at.
        stage.world.settings.change(|settings| settings.settle = Duration::from_secs(4));
        stage.world.settings.change(|settings| settings.timeout = Duration::from_secs(4));
        stage.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 0.2 }).call(Call::Server));
        if let Some(rule) = &self.fault {
            stage.simulator.add_fault(rule.clone());
        }
        stage.simulator.add_fault(Rule::new(Effect::AnsweredLate { seconds: 0.2 }));
        stage
    }

    /// The end, which is the same however often the run was cut off.
    async fn check(&self, stage: &Stage, how: &str) {
        let how = format!("{}, {how}", self.name);
        let account = stage.simulator.account();
        let points = account.points_of(self.theirs(), "web-server-01");
        let shown = format!("{how}: {:#?}", stage.world.store.history(None, 9).await.unwrap());
        // Lists that lag for longer than `settle` look wrong: a brake may keep the oldest until a person has looked.
        let braked = usize::from(self.list_lag > stage.world.settings().settle);
        let left = self.after..=self.after + braked;
        assert!(left.contains(&points.len()), "{left:?} points, {shown}\n{points:#?}");
        assert!(points.iter().all(|point| point.status == "completed"), "{shown}");
        let of_due = points.iter().filter(|point| point.description.contains(&format!(" nightly {DUE} "))).count();
        assert_eq!(of_due, 1, "one restore point a due time, {shown}");
        assert_eq!(account.server("web-server-01").unwrap().status, "active", "{shown}");
        if self.stop_server {
            assert_eq!(
                made_of_a_running_server(account.record().changes()),
                0,
                "{shown}\n{:#?}",
                account.record().entries()
            );
        }
        let limit_met = account.record().requests().any(|request| request.account_status == Some(400));
        assert!(!limit_met, "room first, {shown}");
        let runs = stage.world.store.history(None, 9).await.unwrap();
        assert_eq!(runs.len(), 1, "{shown}");
        assert_eq!(runs[0].summary.outcome, "succeeded", "{shown}");
        assert!(runs[0].summary.deleted.len() <= 2, "{shown}");
        let told = stage.world.store.waiting().await.unwrap();
        let of_run = told.iter().filter(|waiting| waiting.notice.class() == Class::Success).count();
        assert_eq!(of_run, 1, "told once, {shown}");
        assert_eq!(stage.world.store.leases().await.unwrap(), [], "{shown}");
        let limit = account.options().slots(self.theirs());
        assert!(account.record().changes().all(|change| change.used.is_none_or(|used| used <= limit)), "{shown}");
    }
}

/// How many points a client asked for while the server did not stand still.
fn made_of_a_running_server<'a>(changes: impl Iterator<Item = &'a Change>) -> usize {
    let (mut status, mut made) = ("active".to_owned(), 0);
    for change in changes.filter(|change| change.server == "web-server-01") {
        match change.change {
            ChangeKind::ServerStatus => change.detail["to"].as_str().unwrap().clone_into(&mut status),
            ChangeKind::PointCreated if change.by == By::Client => made += usize::from(status != "stopped"),
            _ => {}
        }
    }
    made
}

/// Whether the server began to start between the making of a point of the due time and its completion.
fn was_started_early<'a>(changes: impl Iterator<Item = &'a Change>) -> bool {
    let mut making = false;
    changes.filter(|change| change.server == "web-server-01").any(|change| {
        let of_due = change.point.as_ref().is_some_and(|point| point.description.contains(DUE));
        match change.change {
            ChangeKind::PointCreated => making |= of_due,
            ChangeKind::PointCompleted | ChangeKind::PointFailed => making &= !of_due,
            ChangeKind::ServerStatus => return making && change.detail["to"] == "starting",
            _ => {}
        }
        false
    })
}

/// Whether what is told of the success says so.
async fn says_started_early(stage: &Stage) -> bool {
    let told = stage.world.store.waiting().await.unwrap();
    told.iter().any(|waiting| waiting.notice.to_string().contains("was started before it was seen completed"))
}

/// Drops the work at its await number `polls`; `None` when it was cut off.
async fn cut_off<T>(work: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Drops the work at its first await after something has happened; `None` when it was cut off. Only then, so that the
/// answer to the request that made it happen is not written down.
pub async fn cut_off_when<T>(work: impl Future<Output = T>, happened: impl Fn() -> bool) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if happened() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What a start does with what is open.
async fn go_on(stage: &Stage, policy: &Policy) {
    let task = stage.task(policy.clone()).await;
    for run in stage.world.store.unfinished().await.unwrap() {
        drive(&stage.world, &task, run).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_at_any_await_ends_as_if_it_were_not() {
    cut_off_everywhere(|scene| !scene.stop_server).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stops_its_server_and_is_cut_off_at_any_await_ends_as_if_it_were_not() {
    cut_off_everywhere(|scene| scene.stop_server).await;
}

async fn cut_off_everywhere(which: impl Fn(&Scene) -> bool) {
    for scene in scenes().into_iter().filter(which) {
        for polls in 1.. {
            let stage = scene.stage().await;
            let task = stage.task(scene.policy()).await;
            let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
            let over = cut_off(drive(&stage.world, &task, run), polls).await;
            let stage = stage.restart().await;
            go_on(&stage, &scene.policy()).await;
            scene.check(&stage, &format!("cut off at await {polls}")).await;
            if over.is_some() {
                assert!(polls > 15, "{} has few awaits: {polls}", scene.name);
                break;
            }
        }
    }
}

/// What a run is counted by.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    /// Transactions of the state, as another connection sees them.
    Writes,
    /// Requests that the provider has seen.
    Requests,
}

/// Drops the work at its first await after the `last`-th of them. How many there were, and whether it was cut off.
pub async fn cut_off_after<T>(work: impl Future<Output = T>, stage: &Stage, what: Count, last: usize) -> (usize, bool) {
    let state = rusqlite::Connection::open(stage.dir.path().join("lastgood.db")).unwrap();
    let version = || state.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).unwrap();
    let (mut work, mut before, mut seen) = (pin!(work), version(), 0);
    poll_fn(move |context| {
        let polled = work.as_mut().poll(context);
        match what {
            Count::Writes => {
                let now = version();
                seen += usize::from(now != before);
                before = now;
            }
            Count::Requests => seen = stage.simulator.with_account(|account| account.record().requests().count()),
        }
        match polled {
            Poll::Ready(_) => Poll::Ready((seen, false)),
            Poll::Pending if seen >= last => Poll::Ready((seen, true)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_after_any_write_or_request_ends_as_if_it_were_not() {
    for scene in scenes().into_iter().chain(more_scenes()) {
        for what in [Count::Writes, Count::Requests] {
            for last in 1.. {
                let stage = scene.stage().await;
                let task = stage.task(scene.policy()).await;
                let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
                let (seen, cut_off) = cut_off_after(drive(&stage.world, &task, run), &stage, what, last).await;
                let stage = stage.restart().await;
                go_on(&stage, &scene.policy()).await;
                scene.check(&stage, &format!("cut off after {last} of {what:?}")).await;
                if !cut_off {
                    assert!(seen > 5, "{}: {what:?}: {seen}", scene.name);
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_again_and_again_ends_as_if_it_were_not() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        for scene in scenes() {
            let mut stage = scene.stage().await;
            let task = stage.task(scene.policy()).await;
            stage.open(&task, Some(DUE.parse().unwrap())).await;
            for _ in 0..random.random_range(1..6) {
                for run in stage.world.store.unfinished().await.unwrap() {
                    cut_off(drive(&stage.world, &task, run), random.random_range(1..40)).await;
                }
                stage = stage.restart().await;
            }
            go_on(&stage, &scene.policy()).await;
            scene.check(&stage, &format!("seed {seed}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_any_await_leaves_the_server_started_and_the_run_to_the_next_start() {
    stopped_everywhere(scenes().into_iter().filter(|scene| scene.stop_server)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_create_hangs_makes_no_point_of_a_server_on_its_way_up_or_says_so() {
    stopped_everywhere(silent_scenes().filter(|scene| scene.name.starts_with("create"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_delete_hangs_makes_no_point_of_a_server_on_its_way_up_or_says_so() {
    stopped_everywhere(silent_scenes().filter(|scene| scene.name.starts_with("delete"))).await;
}

async fn stopped_everywhere(scenes: impl Iterator<Item = Scene>) {
    let mut seen_early = 0;
    for scene in scenes {
        for polls in 1.. {
            let stage = scene.stage().await;
            let task = stage.task(scene.policy()).await;
            let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
            let mut left = polls;
            let over = {
                let mut work = pin!(drive(&stage.world, &task, run));
                let mut asked = None;
                let over = poll_fn(|context| {
                    left = u32::saturating_sub(left, 1);
                    if left == 0 && asked.is_none() {
                        asked = Some(tokio::time::Instant::now());
                        stage.stop.send_replace(true);
                    }
                    work.as_mut().poll(context)
                })
                .await;
                let took = asked.map_or(Duration::ZERO, |at| at.elapsed());
                assert!(took < Duration::from_secs(10), "{}: {polls}: {took:?}", scene.name);
                over
            };
            // What is still on its way arrives; a start that takes longer than that is under way. One whose shutdown takes
            // longer than there is time for is started by the next process.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let status = stage.simulator.account().server("web-server-01").unwrap().status.clone();
            let starts = status == "active"
                || (status == "starting" && scene.power > Duration::from_secs(3))
                || (scene.power > Duration::from_secs(7) && ["stopping", "stopped"].contains(&status.as_str()));
            assert!(starts, "{}: {status}: stopped at await {polls}", scene.name);
            if over.is_ok() {
                assert!(polls > 15);
                assert!(!says_started_early(&stage).await, "{}: nothing was started early", scene.name);
                break;
            }
            assert!(matches!(over, Err(RunError::Stopped)), "{over:?}");
            assert_eq!(stage.world.store.unfinished().await.unwrap().len(), 1);
            let stage = stage.restart().await;
            go_on(&stage, &scene.policy()).await;
            scene.check(&stage, &format!("stopped at await {polls}")).await;
            let early = was_started_early(stage.simulator.account().record().changes());
            assert!(!early || says_started_early(&stage).await, "{}: stopped at await {polls}", scene.name);
            seen_early += usize::from(early);
        }
    }
    assert!(seen_early > 5, "{seen_early}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_a_second_attempt_stops_again_is_started_again_at_once() {
    let stage = Stage::new(Options::default());
    let fails = Altered { fate: Fate::Fails, ..Altered::default() };
    stage.simulator.add_fault(Rule::new(Effect::CreateAs(fails)).times(1));
    let policy = Policy { stop_server: true, retry_after: Duration::from_secs(1), ..policy(Kind::Backup, 3) };
    let task = stage.task(policy).await;
    let began = tokio::time::Instant::now();
    let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
    let run = drive(&stage.world, &task, run).await.unwrap();
    assert_eq!((run.outcome.as_str(), run.attempts), ("succeeded", 2), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_started_for_the_end_of_the_process_is_stopped_once_more_for_its_point() {
    for polls in 1.. {
        let scene = Scene { name: "stopped again", stop_server: true, ..plain() };
        let stage = scene.stage().await;
        let task = stage.task(Policy { retries: 0, ..scene.policy() }).await;
        let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
        let mut left = polls;
        let mut work = Box::pin(drive(&stage.world, &task, run));
        let over = poll_fn(|context| {
            left = u32::saturating_sub(left, 1);
            stage.stop.send_if_modified(|stop| left == 0 && !std::mem::replace(stop, true));
            work.as_mut().poll(context)
        })
        .await;
        drop(work);
        if over.is_ok() {
            break;
        }
        let stage = stage.restart().await;
        let began = tokio::time::Instant::now();
        for run in stage.world.store.unfinished().await.unwrap() {
            drive(&stage.world, &task, run).await.unwrap();
        }
        let took = began.elapsed();
        // With no attempt left, the first one has to do.
        scene.check(&stage, &format!("ended at await {polls}")).await;
        assert!(took < Duration::from_secs(100), "ended at await {polls}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_lost_at_the_end_of_the_process_is_asked_for_again() {
    let stage = Stage::new(Options::default());
    let lost = Rule::new(Effect::Reset { carried_out: false }).call(Call::Power);
    stage.simulator.add_fault(lost.skip(1).times(2));
    let task = stage.task(Policy { stop_server: true, ..policy(Kind::Backup, 3) }).await;
    let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
    let stopped = || stage.simulator.account().server("web-server-01").unwrap().status == "stopped";
    let mut work = Box::pin(drive(&stage.world, &task, run));
    let over = poll_fn(|context| {
        stage.stop.send_if_modified(|stop| stopped() && !std::mem::replace(stop, true));
        work.as_mut().poll(context)
    })
    .await;
    assert!(matches!(over, Err(RunError::Stopped)), "{over:?}");
    assert_eq!(stage.simulator.account().server("web-server-01").unwrap().status, "starting");
}

#[tokio::test(start_paused = true)]
async fn a_point_that_was_completed_during_an_outage_of_ours_is_not_called_stuck() {
    let stage = Stage::new(Options::default());
    let task = stage.task(Policy { retries: 0, ..policy(Kind::Backup, 3) }).await;
    let run = stage.open(&task, Some(DUE.parse().unwrap())).await;
    let made = || stage.simulator.account().points(simulator::Kind::Backup).count() == 1;
    assert!(cut_off_when(drive(&stage.world, &task, run), made).await.is_none());
    tokio::time::advance(Duration::from_secs(5 * 3600)).await;
    let stage = stage.restart().await;
    let began = tokio::time::Instant::now();
    let run = stage.world.store.unfinished().await.unwrap().remove(0);
    let run = drive(&stage.world, &task, run).await.unwrap();
    assert_eq!(run.outcome, "succeeded", "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
