//! Incidents, notices and mails.

use super::*;

#[tokio::test]
async fn a_failing_policy_that_becomes_stale_is_one_incident_that_a_success_ends() {
    let folder = folder();
    folder.store.add_notices(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    folder.store.add_stale_notices(vec![notice(Class::Stale, Topic::Stale)], at(2)).await.unwrap();
    assert_eq!(folder.incidents().await, ["run"]);
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 3).await;
    folder.write(&mut run, accepted(step, Some(9)), 4).await;
    folder
        .write(&mut run, Event::Seen(Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: None }), 5)
        .await;
    let good = Good { id: PointId::Number(9), created_at: at(9) };
    let reports = vec!["oncall".to_owned()];
    let fact = success(run.id, &good);
    let success = Notice { reports, ..notice_of(fact) };
    let ended = Event::Ended { outcome: Outcome::Succeeded, error: None };
    folder.store.append(&mut run, ended, at(6), vec![success]).await.unwrap();
    assert!(folder.incidents().await.is_empty());
    let waiting = folder.store.waiting().await.unwrap();
    let recovery = &waiting.iter().find(|waiting| waiting.notice.class() == Class::Recovery).unwrap().notice;
    let Fact::Recovered(recovered) = &recovery.fact else { panic!("{recovery:?}") };
    assert_eq!(
        (recovered.since, recovered.was.as_deref()),
        (Some(at(1)), Some("stale")),
        "since when, and what it was"
    );
    assert_eq!((&recovered.last_good, &recovery.reports[..]), (&Some(good), &["oncall".to_owned()][..]));
}

#[tokio::test]
async fn a_success_closes_the_incident_of_a_wrong_clock_without_a_word() {
    let folder = folder();
    folder.store.add_notices(vec![notice(Class::Failure, Topic::Clock)], at(1)).await.unwrap();
    assert_eq!(folder.incidents().await, ["clock"]);
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 3).await;
    folder.write(&mut run, accepted(step, Some(9)), 4).await;
    folder
        .write(&mut run, Event::Seen(Sight::Completed { created_at: at(9), size_mb: None, in_progress_ms: None }), 5)
        .await;
    folder.write(&mut run, Event::Ended { outcome: Outcome::Succeeded, error: None }, 6).await;
    assert!(folder.incidents().await.is_empty());
    let waiting = folder.store.waiting().await.unwrap();
    assert!(waiting.iter().all(|waiting| waiting.notice.class() != Class::Recovery), "{waiting:?}");
}

#[tokio::test]
async fn a_runs_end_and_its_notice_are_one_transaction() {
    let folder = folder();
    let mut run = folder.planned().await;
    let ended = Event::Ended { outcome: Outcome::Failed, error: Some("no".to_owned()) };
    let blocked = folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE notice RENAME TO elsewhere")?)).await;
    assert!(blocked.is_ok());
    let before = run.state.clone();
    let failed = folder.store.append(&mut run, ended.clone(), at(1), vec![notice(Class::Failure, Topic::Run)]).await;
    assert!(failed.is_err());
    assert_eq!((run.state.clone(), folder.store.unfinished().await.unwrap().len()), (before, 1), "it has not ended");
    folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE elsewhere RENAME TO notice")?)).await.unwrap();
    folder.store.append(&mut run, ended, at(1), vec![notice(Class::Failure, Topic::Run)]).await.unwrap();
    assert_eq!(folder.store.waiting().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_an_inventory_gives_no_cause_for_any_more_is_closed() {
    let folder = folder();
    let causes = [Topic::Attention, Topic::SecondLastgood, Topic::NewJournal];
    let notices = causes.into_iter().map(|topic| notice(Class::Failure, topic)).collect();
    folder.store.record_list_with_notices(list(Vec::new(), 0), "main".to_owned(), place(), notices).await.unwrap();
    assert_eq!(folder.incidents().await, ["attention", "second_lastgood", "new_journal"]);
    folder.store.record_list_with_notices(list(Vec::new(), 1), "main".to_owned(), place(), Vec::new()).await.unwrap();
    assert!(folder.incidents().await.is_empty());
    assert_eq!(folder.store.waiting().await.unwrap().len(), 3, "they are still reported");
}

#[tokio::test]
async fn a_mail_and_its_notices_are_one_transaction_and_it_waits_until_it_is_sent() {
    let folder = folder();
    folder.store.add_notices(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    let id = folder.store.waiting().await.unwrap()[0].id;
    let message = NewMessage {
        channel: Channel::Mail,
        payload: PayloadKind::Rfc5322,
        message_id: "<one@lastgood>".to_owned(),
        subject: "FAILED".to_owned(),
        report: "oncall".to_owned(),
        from: "a@example.com".to_owned(),
        to: vec!["b@example.com".to_owned(), "c@example.com".to_owned()],
        bytes: b"mail".to_vec(),
    };
    let told = || ReportedNotices { report: "oncall".to_owned(), notices: vec![id], messages: vec![message.clone()] };
    let no_duplicate = Enqueued { duplicates: Vec::new() };
    let duplicate = Enqueued { duplicates: vec!["<one@lastgood>".to_owned()] };
    assert_eq!(folder.store.mark_reported(told(), at(2)).await.unwrap(), no_duplicate);
    assert_eq!(folder.store.mark_reported(told(), at(3)).await.unwrap(), duplicate);
    assert_eq!(folder.store.next_attempt_at(&[Channel::Mail]).await.unwrap(), Some(at(2)));
    assert_eq!(folder.store.next_attempt_at(&[]).await.unwrap(), None, "nothing sends on its channel");
    assert!(folder.store.messages_due(&[], at(4)).await.unwrap().is_empty());
    let due = folder.store.messages_due(&[Channel::Mail], at(4)).await.unwrap();
    assert_eq!((due.len(), due[0].first_at), (1, at(2)), "the same Message-ID is the same mail");
    assert_eq!(folder.store.waiting().await.unwrap()[0].reported_by, ["oncall"]);
    let later = DeliveryOutcome::Later { at: at(60), to: vec!["c@example.com".to_owned()], error: "busy".to_owned() };
    folder.store.attempt_ended(due[0].id, later, at(5)).await.unwrap();
    assert!(folder.store.messages_due(&[Channel::Mail], at(59)).await.unwrap().is_empty());
    let again = folder.store.messages_due(&[Channel::Mail], at(60)).await.unwrap();
    assert_eq!((again[0].message.to.as_slice(), again[0].attempts), (&["c@example.com".to_owned()][..], 1));
    folder.store.attempt_ended(due[0].id, DeliveryOutcome::Sent { refused: None }, at(61)).await.unwrap();
    assert_eq!(folder.store.mark_reported(told(), at(62)).await.unwrap(), duplicate);
    assert_eq!(folder.store.backlog().await.unwrap().waiting, 0, "what was sent is not sent again");
}

#[tokio::test]
async fn two_reports_with_the_same_message_id_are_an_error_and_nothing_is_reported() {
    let folder = folder();
    folder.store.add_notices(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    let of = |report: &str| {
        let message = NewMessage {
            channel: Channel::Mail,
            payload: PayloadKind::Rfc5322,
            message_id: "<one@lastgood>".to_owned(),
            subject: "FAILED".to_owned(),
            report: report.to_owned(),
            from: "a@example.com".to_owned(),
            to: vec!["b@example.com".to_owned()],
            bytes: b"mail".to_vec(),
        };
        ReportedNotices { report: report.to_owned(), notices: vec![1], messages: vec![message] }
    };
    let _ = folder.store.mark_reported(of("oncall"), at(2)).await.unwrap();
    let error = folder.store.mark_reported(of("managers"), at(2)).await.unwrap_err();
    assert!(matches!(&error, StoreError::MessageIdTaken(id) if id == "<one@lastgood>"), "{error}");
    assert_eq!(folder.store.waiting().await.unwrap()[0].reported_by, ["oncall"]);
}

#[tokio::test]
async fn a_mail_that_cannot_be_stored_leaves_its_notices_unreported() {
    let folder = folder();
    folder.store.add_notices(vec![notice(Class::Failure, Topic::Run)], at(1)).await.unwrap();
    folder.store.transact(|tx| Ok(tx.execute_batch("ALTER TABLE outbox RENAME TO elsewhere")?)).await.unwrap();
    let message = NewMessage {
        channel: Channel::Mail,
        payload: PayloadKind::Rfc5322,
        message_id: "<one@lastgood>".to_owned(),
        subject: "FAILED".to_owned(),
        report: "oncall".to_owned(),
        from: "a@example.com".to_owned(),
        to: vec!["b@example.com".to_owned()],
        bytes: b"mail".to_vec(),
    };
    let told = ReportedNotices { report: "oncall".to_owned(), notices: vec![1], messages: vec![message] };
    assert!(folder.store.mark_reported(told, at(2)).await.is_err());
    assert!(folder.store.waiting().await.unwrap()[0].reported_by.is_empty());
}
