//! What is due: late, doubled and lost ticks, outages, wrong clocks, changed schedules. Pure time, the real store.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use lastgood::seams::daemon::Evaluator;
use lastgood::seams::journal::notice::{Fact, Topic};
use lastgood::seams::run::Task;
use lastgood::seams::store::Store;

use crate::simulated_daemon::{at, config, tasks};

/// The policies that a process follows, and what is due of them.
struct FollowedPolicies {
    store: Store,
    evaluator: Evaluator,
    folder: tempfile::TempDir,
}

impl FollowedPolicies {
    /// The process starts with an empty state.
    fn new(started: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::own(folder.path()).unwrap();
        Self { evaluator: Evaluator::new(store.clone(), at(started)), store, folder }
    }

    fn tasks(&self, policies: &str) -> Vec<Task> {
        tasks(&config(self.folder.path(), policies), 1)
    }

    async fn follow(&mut self, policies: &str, now: &str) {
        let tasks = self.tasks(policies);
        self.evaluator.follow(tasks, at(now)).await.unwrap();
    }

    /// The process ends and starts again.
    async fn restart(&mut self, policies: &str, now: &str) {
        self.evaluator = Evaluator::new(self.store.clone(), at(now));
        self.follow(policies, now).await;
    }

    /// The due times whose runs start now.
    async fn take(&mut self, now: &str) -> Vec<Timestamp> {
        let runs = self.evaluator.open_due_runs(at(now), |_| false).await.unwrap();
        runs.into_iter().map(|(_, run)| run.state.key.due.unwrap()).collect()
    }

    /// What waits to be reported, as topic and text.
    async fn reported(&self) -> Vec<(Topic, String)> {
        let waiting = self.store.waiting().await.unwrap();
        waiting.into_iter().map(|waiting| (waiting.notice.topic(), waiting.notice.to_string())).collect()
    }

    async fn outcomes(&self) -> Vec<String> {
        self.store.history(None, 100).await.unwrap().into_iter().map(|run| run.summary.outcome.to_string()).collect()
    }
}

fn policy(schedule: &str, more: &str) -> String {
    format!(
        "[policy.nightly]\nkind = \"backup\"\nservers = [\"*\"]\nkeep = {{ last = 2 }}\nschedule = \"{schedule}\"\n{more}\n"
    )
}

fn nightly() -> String {
    policy("30 2 * * *", "")
}

fn hourly(more: &str) -> String {
    policy("0 * * * *", more)
}

#[tokio::test]
async fn a_first_start_fires_nothing_of_the_past() {
    let mut followed = FollowedPolicies::new("02:30:01");
    followed.follow(&nightly(), "02:30:01").await;
    assert!(followed.take("02:30:01").await.is_empty());
    assert!(followed.take("14:00:00").await.is_empty());
    assert!(followed.reported().await.is_empty());
    assert_eq!(followed.take("2026-11-22T02:30:00").await, [at("2026-11-22T02:30:00")]);
}

#[tokio::test]
async fn a_late_tick_starts_the_due_time_as_if_it_were_on_time() {
    let mut followed = FollowedPolicies::new("02:00:00");
    // Even with `catch_up = "0s"`: a due time that is seen within a minute is not missed.
    followed.follow(&policy("30 2 * * *", "catch_up = \"0s\""), "02:00:00").await;
    assert!(followed.take("02:29:59").await.is_empty());
    assert_eq!(followed.take("02:30:59").await, [at("02:30:00")]);
    assert!(followed.reported().await.is_empty());
}

#[tokio::test]
async fn a_doubled_tick_starts_nothing_twice() {
    let mut followed = FollowedPolicies::new("02:00:00");
    followed.follow(&nightly(), "02:00:00").await;
    assert_eq!(followed.take("02:30:00").await.len(), 1);
    assert!(followed.take("02:30:00").await.is_empty());
    assert!(followed.take("02:30:01").await.is_empty());
    assert_eq!(followed.outcomes().await.len(), 1);
}

#[tokio::test]
async fn hours_without_ticks_cost_all_due_times_but_the_last_and_that_is_reported() {
    let mut followed = FollowedPolicies::new("01:30:00");
    followed.follow(&hourly(""), "01:30:00").await;
    assert!(followed.take("01:30:00").await.is_empty());
    assert_eq!(followed.take("05:10:00").await, [at("05:00:00")]);
    let reported = followed.reported().await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert_eq!(reported[0].0, Topic::Missed);
    let text = "3 due times were missed, from 2026-11-21T02:00:00Z to 2026-11-21T04:00:00Z; the latest, \
                2026-11-21T05:00:00Z, is being caught up now";
    assert_eq!(reported[0].1, text);
}

#[tokio::test]
async fn after_an_outage_there_is_one_catch_up_at_most() {
    let mut followed = FollowedPolicies::new("2026-11-14T00:00:00");
    followed.follow(&nightly(), "2026-11-14T00:00:00").await;
    assert!(followed.take("2026-11-14T00:00:00").await.is_empty());
    followed.restart(&nightly(), "2026-11-21T09:00:00").await;
    assert_eq!(followed.take("2026-11-21T09:00:00").await, [at("02:30:00")]);
    assert!(followed.take("2026-11-21T09:01:00").await.is_empty());
    let reported = followed.reported().await;
    assert!(reported[0].1.starts_with("7 due times were missed, from 2026-11-14T02:30:00Z"), "{reported:?}");
    // A restart in the middle repeats nothing.
    followed.restart(&nightly(), "2026-11-21T09:02:00").await;
    assert!(followed.take("2026-11-21T09:02:00").await.is_empty());
}

#[tokio::test]
async fn what_was_missed_by_more_than_catch_up_is_lost_and_reported() {
    let mut followed = FollowedPolicies::new("02:00:00");
    let file = policy("30 2 * * *", "catch_up = \"2h\"");
    followed.follow(&file, "02:00:00").await;
    followed.restart(&file, "04:30:01").await;
    assert!(followed.take("04:30:01").await.is_empty(), "two hours and a second");
    assert_eq!(followed.outcomes().await, ["skipped"]);
    let reported = followed.reported().await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].1.contains("2026-11-21T02:30:00Z was missed; none is caught up"), "{reported:?}");
    assert!(followed.store.unfinished().await.unwrap().is_empty(), "a start after this drives nothing on");
    followed.restart(&file, "04:31:00").await;
    assert!(followed.take("04:31:00").await.is_empty());
    assert_eq!(followed.reported().await.len(), 1, "reported once");
}

#[tokio::test]
async fn what_was_missed_by_no_more_than_catch_up_is_caught_up_on() {
    let mut followed = FollowedPolicies::new("02:00:00");
    let file = policy("30 2 * * *", "catch_up = \"2h\"");
    followed.follow(&file, "02:00:00").await;
    followed.restart(&file, "04:30:00").await;
    assert_eq!(followed.take("04:30:00").await, [at("02:30:00")]);
}

#[tokio::test]
async fn a_due_time_just_before_this_start_is_missed_and_with_catch_up_of_nothing_lost() {
    let mut followed = FollowedPolicies::new("02:00:00");
    let file = policy("30 2 * * *", "catch_up = \"0s\"");
    followed.follow(&file, "02:00:00").await;
    followed.restart(&file, "02:30:05").await;
    assert!(followed.take("02:30:05").await.is_empty());
    assert_eq!(followed.outcomes().await, ["skipped"]);
}

#[tokio::test]
async fn a_changed_schedule_starts_from_now() {
    let mut followed = FollowedPolicies::new("02:00:00");
    followed.follow(&nightly(), "02:00:00").await;
    assert_eq!(followed.take("02:30:00").await.len(), 1);
    followed.follow(&policy("0 1,5 * * *", ""), "05:30:00").await;
    assert!(followed.take("05:30:00").await.is_empty(), "05:00 was none of this schedule's when it came");
    assert_eq!(followed.take("2026-11-22T01:00:00").await, [at("2026-11-22T01:00:00")]);
    assert!(followed.reported().await.is_empty());
}

#[tokio::test]
async fn a_changed_zone_or_splay_starts_from_now_as_well() {
    let mut followed = FollowedPolicies::new("02:00:00");
    followed.follow(&nightly(), "02:00:00").await;
    followed.follow(&policy("30 2 * * *", "timezone = \"Europe/Istanbul\""), "02:40:00").await;
    assert!(followed.take("02:40:00").await.is_empty(), "02:30 in UTC is not its due time any more");
    followed.follow(&policy("30 2 * * *", "splay = \"20m\""), "02:59:00").await;
    assert!(followed.take("02:59:00").await.is_empty());
}

#[tokio::test]
async fn the_same_file_read_again_loses_and_repeats_nothing() {
    let mut followed = FollowedPolicies::new("02:00:00");
    followed.follow(&nightly(), "02:00:00").await;
    followed.follow(&nightly(), "02:30:20").await;
    assert_eq!(followed.take("02:30:21").await, [at("02:30:00")]);
    followed.follow(&nightly(), "02:30:30").await;
    assert!(followed.take("02:30:31").await.is_empty());
}

#[tokio::test]
async fn a_clock_that_is_set_back_repeats_no_due_time() {
    let mut followed = FollowedPolicies::new("00:00:00");
    followed.follow(&hourly(""), "00:00:00").await;
    for hour in 1..=4 {
        assert_eq!(followed.take(&format!("{hour:02}:00:00")).await.len(), 1);
    }
    assert!(followed.evaluator.is_time(at("01:30:00")), "a clock that was set back is seen at once");
    assert!(followed.take("01:30:00").await.is_empty());
    let reported = followed.reported().await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert_eq!(reported[0].0, Topic::Clock);
    assert!(reported[0].1.contains("was 2026-11-21T04:00:00Z, in the future"), "{reported:?}");
    for again in ["02:00:00", "03:00:00", "04:00:00"] {
        assert!(followed.take(again).await.is_empty(), "{again} has its run already");
    }
    assert_eq!(followed.take("05:00:00").await, [at("05:00:00")]);
    let dues: BTreeSet<_> =
        followed.store.history(None, 100).await.unwrap().into_iter().map(|run| run.summary.due).collect();
    assert_eq!(dues.len(), 5);
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_minutes_repeats_nothing_and_is_no_news() {
    let mut followed = FollowedPolicies::new("02:00:00");
    followed.follow(&nightly(), "02:00:00").await;
    assert_eq!(followed.take("02:30:00").await.len(), 1);
    assert!(followed.take("02:26:00").await.is_empty());
    assert!(followed.take("02:30:00").await.is_empty());
    assert!(followed.reported().await.is_empty());
}

#[tokio::test]
async fn a_clock_set_forward_leads_to_one_catch_up() {
    let mut followed = FollowedPolicies::new("00:30:00");
    followed.follow(&hourly(""), "00:30:00").await;
    assert_eq!(followed.take("01:00:00").await.len(), 1);
    assert_eq!(followed.take("2026-12-21T12:00:30").await, [at("2026-12-21T12:00:00")]);
    assert!(followed.take("2026-12-21T12:00:31").await.is_empty());
    assert_eq!(followed.reported().await.len(), 1);
    // Once the clock is corrected, nothing of that month is repeated, and the next hours run.
    assert!(followed.take("01:10:00").await.is_empty());
    assert_eq!(followed.take("02:00:00").await, [at("02:00:00")]);
}

#[tokio::test]
async fn a_last_handled_time_in_the_future_is_corrected_at_a_start_and_reported() {
    let mut followed = FollowedPolicies::new("2036-01-01T00:00:00");
    followed.follow(&nightly(), "2036-01-01T00:00:00").await;
    followed.restart(&nightly(), "02:00:00").await;
    assert!(followed.take("02:00:00").await.is_empty());
    assert_eq!(followed.reported().await[0].0, Topic::Clock);
    assert_eq!(followed.take("02:30:00").await, [at("02:30:00")]);
}

#[tokio::test]
async fn a_due_time_while_the_previous_run_is_in_progress_is_skipped_and_reported() {
    let mut followed = FollowedPolicies::new("00:30:00");
    followed.follow(&hourly(""), "00:30:00").await;
    assert_eq!(followed.take("01:00:00").await.len(), 1);
    let runs = followed.evaluator.open_due_runs(at("02:00:00"), |_| true).await.unwrap();
    assert!(runs.is_empty());
    assert_eq!(followed.outcomes().await, ["skipped", "running"]);
    let reported = followed.reported().await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].1.contains("2026-11-21T02:00:00Z was skipped: the run before it was still in progress"),
        "{reported:?}"
    );
    assert_eq!(followed.store.unfinished().await.unwrap().len(), 1, "only the run before is driven on");
}

#[tokio::test]
async fn what_is_due_and_what_is_reported_are_written_together_or_not_at_all() {
    let mut followed = FollowedPolicies::new("00:30:00");
    followed.follow(&hourly(""), "00:30:00").await;
    followed.take("00:30:00").await;
    let rename = |from: &'static str, to: &'static str| {
        followed.store.transact(move |tx| Ok(tx.execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}"))?))
    };
    rename("notice", "elsewhere").await.unwrap();
    assert!(
        followed.evaluator.open_due_runs(at("05:10:00"), |_| false).await.is_err(),
        "what was missed cannot be reported"
    );
    assert!(followed.store.unfinished().await.unwrap().is_empty(), "so no run of it is recorded");
    let rename = |from: &'static str, to: &'static str| {
        followed.store.transact(move |tx| Ok(tx.execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}"))?))
    };
    rename("elsewhere", "notice").await.unwrap();
    followed.restart(&hourly(""), "05:11:00").await;
    assert_eq!(followed.take("05:11:00").await, [at("05:00:00")]);
    assert_eq!(followed.reported().await.len(), 1);
}

#[tokio::test]
async fn a_disabled_policy_is_not_followed() {
    let mut followed = FollowedPolicies::new("02:00:00");
    let disabled = policy("30 2 * * *", "enabled = false");
    assert!(followed.tasks(&disabled).is_empty());
    followed.follow(&disabled, "02:00:00").await;
    assert!(followed.take("02:30:00").await.is_empty());
}

#[tokio::test]
async fn a_policy_that_is_enabled_again_makes_up_for_what_is_within_catch_up_alone() {
    let mut followed = FollowedPolicies::new("2026-11-10T00:00:00");
    followed.follow(&nightly(), "2026-11-10T00:00:00").await;
    followed.follow(&policy("30 2 * * *", "enabled = false"), "2026-11-10T01:00:00").await;
    followed.follow(&nightly(), "2026-11-20T20:00:00").await;
    assert!(followed.take("2026-11-20T20:00:00").await.is_empty());
    assert_eq!(followed.outcomes().await, ["skipped"]);
}

#[tokio::test]
async fn between_due_times_one_number_is_looked_at_and_after_a_minute_everything() {
    let mut followed = FollowedPolicies::new("02:00:00");
    followed.follow(&nightly(), "02:00:00").await;
    assert!(followed.evaluator.is_time(at("02:00:00")), "after a start or a reload");
    followed.take("02:00:00").await;
    assert_eq!(followed.evaluator.next(), Some(at("02:30:00")));
    assert!(!followed.evaluator.is_time(at("02:00:59")));
    assert!(followed.evaluator.is_time(at("02:01:00")));
    followed.take("02:29:30").await;
    assert!(!followed.evaluator.is_time(at("02:29:59")));
    assert!(followed.evaluator.is_time(at("02:30:00")));
}

#[tokio::test]
async fn splay_moves_each_server_by_its_own_span_and_every_run_starts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::own(folder.path()).unwrap();
    let all = tasks(&config(folder.path(), &policy("30 2 * * *", "splay = \"45m\"")), 50);
    let mut evaluator = Evaluator::new(store, at("02:00:00"));
    evaluator.follow(all, at("02:00:00")).await.unwrap();
    let mut seen = BTreeSet::new();
    let mut now = at("02:00:00");
    while now < at("03:20:00") {
        if evaluator.is_time(now) {
            for (task, run) in evaluator.open_due_runs(now, |_| false).await.unwrap() {
                let due = run.state.key.due.unwrap();
                assert_eq!(due, now, "in the very second");
                assert!(due >= at("02:30:00") && due < at("03:15:00"), "{due}");
                seen.insert((task.server.reference.name, due));
            }
        }
        now += SignedDuration::from_secs(1);
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.iter().map(|(_, due)| due).collect::<BTreeSet<_>>().len() > 40, "they are spread");
}

#[tokio::test]
async fn a_stale_policy_is_reported_once_even_across_a_restart() {
    let mut followed = FollowedPolicies::new("2026-11-21T00:00:00");
    let file = policy("30 2 * * *", "max_age = \"26h\"");
    followed.follow(&file, "2026-11-21T00:00:00").await;
    followed.evaluator.report_stale(at("2026-11-22T02:00:00")).await.unwrap();
    assert!(followed.reported().await.is_empty(), "first seen 26 hours ago is not too long yet");
    for minute in ["02:00:01", "02:01:00"] {
        followed.evaluator.report_stale(at(&format!("2026-11-22T{minute}"))).await.unwrap();
    }
    let waiting = followed.store.waiting().await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].notice.fact.last_good(), None);
    let Fact::Stale(stale) = &waiting[0].notice.fact else { panic!("{waiting:?}") };
    assert_eq!(stale.max_age_seconds, Some(26 * 3600), "the limit is the policy's");
    followed.restart(&file, "2026-11-22T03:00:00").await;
    followed.evaluator.report_stale(at("2026-11-22T03:00:00")).await.unwrap();
    assert_eq!(followed.reported().await.len(), 1, "a restart does not report it again");
}
