//! The counters: each event is counted with it or not at all, and nothing takes away from them.

use super::*;
use crate::journal::effects::Counter;
use crate::journal::notice::{LatestDue, MissedDueTimes};
use crate::policy::schedule::Lost;
use crate::store::due::Opening;

impl StoreInFolder {
    /// The counters as `name subject detail` with their values, in order.
    async fn counters(&self) -> Vec<(String, u64)> {
        let counters = self.store.counters().await.unwrap().into_iter();
        let text = |one: &crate::store::counters::CounterValue| {
            format!("{} {} {}", one.counter.word(), one.subject, one.detail).trim_end().to_owned()
        };
        let mut counters: Vec<_> = counters.map(|one| (text(&one), one.value)).collect();
        counters.sort();
        counters
    }

    /// A run that makes a point, deletes another and ends well.
    async fn whole_run(&self, id: i64, second: i64) {
        let mut run = self.planned().await;
        let step = self.create(&mut run, u64::try_from(id).unwrap(), second).await;
        self.write(&mut run, accepted(step, Some(id)), second).await;
        self.write(
            &mut run,
            Event::Seen(Sight::Completed { created_at: at(id), size_mb: None, in_progress_ms: None }),
            second,
        )
        .await;
        let delete = Act::Delete { id: PointId::Number(7), created_at: at(7), cause: DeleteReason::Retention };
        let step = self.intend(&mut run, delete, second).await;
        self.write(&mut run, accepted(step, None), second).await;
        self.write(&mut run, Event::Ended { outcome: Outcome::Succeeded, error: None }, second).await;
    }
}

fn counted(counters: &[(&str, u64)]) -> Vec<(String, u64)> {
    counters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[tokio::test]
async fn they_go_on_after_history_is_pruned_and_after_the_state_is_opened_again() {
    let folder = folder();
    folder.see(list(Vec::new(), 0)).await;
    folder.whole_run(1, 10).await;
    folder.whole_run(2, 20).await;
    let expected = counted(&[
        ("points_created nightly", 2),
        ("points_deleted nightly retention", 2),
        ("runs nightly succeeded", 2),
    ]);
    assert_eq!(folder.counters().await, expected);
    folder.see(list(Vec::new(), 100)).await;
    let year = 400 * 86_400;
    folder.store.prune_daily(Duration::from_secs(year), at(3 * i64::try_from(year).unwrap())).await.unwrap();
    assert!(folder.store.history(None, 10).await.unwrap().is_empty(), "the runs are forgotten");
    assert_eq!(folder.counters().await, expected);
    let StoreInFolder { dir, store } = folder;
    drop(store);
    let store = Store::own(dir.path()).unwrap();
    assert_eq!(StoreInFolder { dir, store }.counters().await, expected);
}

#[tokio::test]
async fn an_event_that_is_not_written_is_not_counted() {
    let folder = folder();
    let mut run = folder.planned().await;
    let ended = Event::Ended { outcome: Outcome::Failed, error: Some("no".to_owned()) };
    folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE notice RENAME TO elsewhere")?)).await.unwrap();
    let told = vec![notice(Class::Failure, Topic::Run)];
    folder.store.append(&mut run, ended.clone(), at(1), told.clone()).await.unwrap_err();
    assert!(folder.counters().await.is_empty());
    folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE elsewhere RENAME TO notice")?)).await.unwrap();
    folder.store.append(&mut run, ended, at(1), told).await.unwrap();
    assert_eq!(folder.counters().await, counted(&[("runs nightly failed", 1)]));
}

#[tokio::test]
async fn due_times_that_passed_without_a_run_are_counted_and_a_repeated_one_is_not() {
    let folder = folder();
    let lost = |count| Lost { count, first: at(1), last: at(2) };
    let opening = |second, passed_over: Option<&str>, lost, latest| Opening {
        key: RunKey { server: server(), policy: nightly(), kind: Kind::Snapshot, due: Some(at(second)) },
        passed_over: passed_over.map(str::to_owned),
        notices: vec![notice_of(Fact::Missed(MissedDueTimes { lost, latest, next: None }))],
    };
    let caught_up = opening(10, None, Some(lost(4)), LatestDue::CaughtUp(at(10)));
    let skipped = opening(20, Some("busy"), None, LatestDue::Skipped(at(20)));
    let too_old = opening(30, Some("too old"), Some(lost(3)), LatestDue::TooOld);
    let again = opening(20, Some("busy"), None, LatestDue::Skipped(at(20)));
    folder.store.record_due(vec![caught_up, skipped, too_old, again], Vec::new(), at(40)).await.unwrap();
    let expected = counted(&[("due_times_missed nightly", 4 + 1 + 3), ("runs nightly skipped", 2)]);
    assert_eq!(folder.counters().await, expected);
}

#[tokio::test]
async fn messages_are_counted_when_they_are_done_with() {
    let folder = folder();
    let message = |number: u32| NewMessage {
        channel: Channel::Mail,
        payload: PayloadKind::Rfc5322,
        message_id: format!("<{number}@example.com>"),
        subject: "[lastgood] FAILED".to_owned(),
        report: "oncall".to_owned(),
        from: "backup@example.com".to_owned(),
        to: vec!["oncall@example.com".to_owned()],
        bytes: Vec::new(),
    };
    let told =
        ReportedNotices { report: "oncall".to_owned(), notices: Vec::new(), messages: (1..=2).map(message).collect() };
    assert!(folder.store.mark_reported(told, at(0)).await.unwrap().duplicates.is_empty());
    let later =
        DeliveryOutcome::Later { at: at(5), to: vec!["oncall@example.com".to_owned()], error: "busy".to_owned() };
    folder.store.attempt_ended(1, later, at(1)).await.unwrap();
    assert!(folder.counters().await.is_empty(), "it is tried again");
    folder.store.attempt_ended(1, DeliveryOutcome::Sent { refused: None }, at(5)).await.unwrap();
    folder.store.attempt_ended(2, DeliveryOutcome::GivenUp { error: "no".to_owned() }, at(5)).await.unwrap();
    assert_eq!(folder.counters().await, counted(&[("messages mail given_up", 1), ("messages mail sent", 1)]));
}

#[tokio::test]
async fn a_state_that_is_opened_for_reading_cannot_be_written() {
    let folder = folder();
    let reading = Store::reading(folder.dir.path()).unwrap();
    let (begun, begins) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let store = folder.store.clone();
    let writing = tokio::spawn(async move {
        let write = store.transact(move |tx| {
            tx.execute("INSERT INTO counter VALUES ('runs', 'nightly', 'failed', 1)", [])?;
            begun.send(()).unwrap();
            ends.recv().unwrap();
            Ok(())
        });
        write.await.unwrap();
    });
    tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
    assert!(reading.counters().await.unwrap().is_empty(), "what is not committed is not seen, nor waited for");
    end.send(()).unwrap();
    writing.await.unwrap();
    assert_eq!(reading.counters().await.unwrap()[0].counter, Counter::Runs);
    reading.set_fact("pruned_at", None).await.unwrap_err();
}
