//! What is old is forgotten, and what ownership, recovery and people need is not.

use super::*;
use crate::store::prune::STATEMENTS;
use crate::store::transaction::Transaction;

const DAY: i64 = 86_400;
const KEEP: Duration = Duration::from_hours(400 * 24);

/// A run that made a point and ended well.
async fn made(folder: &StoreInFolder, id: i64, second: i64) {
    let mut run = folder.planned_at(second).await;
    let number = u64::try_from(id).unwrap();
    let step = folder.create(&mut run, number, second).await;
    folder.write(&mut run, accepted(step, Some(id)), second).await;
    folder
        .write(
            &mut run,
            Event::Seen(Sight::Completed { created_at: at(id), size_mb: None, in_progress_ms: None }),
            second,
        )
        .await;
    let ended = Event::Ended { outcome: Outcome::Succeeded, error: None };
    let told = vec![notice(Class::Success, Topic::Run)];
    folder.store.append(&mut run, ended, at(second), told).await.unwrap();
}

impl StoreInFolder {
    async fn planned_at(&self, second: i64) -> Run {
        let mut run = self.planned().await;
        let id = run.id;
        let at = crate::store::value::nanos(at(second));
        let moved = move |tx: &Transaction<'_>| {
            tx.execute("UPDATE run SET opened_at = ?2 WHERE id = ?1", [id, at])?;
            Ok(())
        };
        self.store.transact(moved).await.unwrap();
        run.state.opened_at = super::at(second);
        run
    }

    async fn close_all_notices(&self) {
        let waiting = self.store.waiting().await.unwrap();
        self.store.close_notices(waiting.into_iter().map(|one| one.id).collect()).await.unwrap();
    }

    async fn prune(&self, second: i64) -> usize {
        self.store.prune_daily(KEEP, at(second)).await.unwrap()
    }

    async fn runs(&self) -> usize {
        self.store.history(None, 1000).await.unwrap().len()
    }

    async fn count(&self, table: &'static str) -> i64 {
        let text = format!("SELECT count(*) FROM {table}");
        self.store.transact(move |tx| Ok(tx.query_row(&text, [], |row| row.get(0))?)).await.unwrap()
    }
}

#[tokio::test]
async fn runs_that_ended_longer_ago_than_keep_are_removed_with_their_notices_and_mails() {
    let folder = folder();
    folder.see(list(Vec::new(), 0)).await;
    made(&folder, 1, 10).await;
    made(&folder, 2, 20).await;
    folder.close_all_notices().await;
    folder.store.add_notices(vec![notice(Class::Failure, Topic::Attention)], at(10)).await.unwrap();
    folder.close_all_notices().await;
    folder.store.close(Some(server()), Topic::Attention, at(11)).await.unwrap();
    // Neither point is listed any more.
    folder.see(list(Vec::new(), 100_000)).await;
    let before = ["run", "event", "token", "notice"].map(|table| (table, folder.count(table)));
    for (table, count) in before {
        assert!(count.await > 0, "{table} is empty before");
    }
    assert_eq!(folder.prune(400 * DAY + 10).await, 0, "400 days to the second are not longer than 400 days");
    folder.store.set_fact("pruned_at", None).await.unwrap();
    assert!(folder.prune(400 * DAY + 15).await > 0);
    assert_eq!(folder.runs().await, 1, "the second is younger");
    folder.store.set_fact("pruned_at", None).await.unwrap();
    folder.prune(400 * DAY + 30).await;
    for table in ["run", "event", "token", "notice", "told", "incident"] {
        assert_eq!(folder.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn what_is_listed_stays_ours_for_ever() {
    let folder = folder();
    folder.see(list(Vec::new(), 0)).await;
    made(&folder, 1, 10).await;
    made(&folder, 2, 20).await;
    folder.close_all_notices().await;
    // The provider has cut the text of the second: only the journal knows it.
    let cut = RestorePoint { description: String::new(), ..ours(2) };
    let listed = || list(vec![ours(1), cut.clone()], 800 * DAY);
    folder.see(listed()).await;
    let before = folder.memory(800 * DAY).await;
    assert!(folder.prune(900 * DAY).await > 0);
    assert_eq!(folder.runs().await, 0, "the runs are gone");
    let after = Memory { longest_lead: before.longest_lead, ..folder.memory(900 * DAY).await };
    assert_eq!(after, before, "the points, their tokens and the first inventory are not");
    folder.see(listed()).await;
    for point in [ours(1), cut.clone()] {
        assert_eq!(folder.owner(&point, 900 * DAY).await, Owner::Ours("nightly".parse().unwrap()));
    }
    // Gone from the list, the token goes with the next look for old things.
    folder.see(list(Vec::new(), 901 * DAY)).await;
    folder.prune(902 * DAY).await;
    assert_eq!(folder.count("token").await, 0);
}

#[tokio::test]
async fn the_token_of_a_point_that_the_journal_knows_by_its_text_alone_stays() {
    let folder = folder();
    folder.see(list(Vec::new(), 0)).await;
    made(&folder, 1, 10).await;
    folder.close_all_notices().await;
    // It was gone from a list that was wrong, and was then seen again under another id, as another point.
    folder.see(list(Vec::new(), 1000)).await;
    let again = RestorePoint { id: PointId::Number(77), ..ours(1) };
    folder.see(list(vec![again.clone()], 2000)).await;
    folder.prune(900 * DAY).await;
    assert_eq!(folder.count("token").await, 1);
    assert_eq!(folder.owner(&again, 900 * DAY).await, Owner::Ours("nightly".parse().unwrap()));
}

#[tokio::test]
async fn a_run_that_has_not_ended_is_never_forgotten() {
    let folder = folder();
    let mut run = folder.planned().await;
    let step = folder.create(&mut run, 9, 1).await;
    folder.write(&mut run, Event::Answered { step, answer: Answer::Unknown { error: "lost".to_owned() } }, 2).await;
    assert_eq!(folder.prune(5000 * DAY).await, 0);
    let open = folder.store.unfinished().await.unwrap();
    assert_eq!((open.len(), &open[0].state), (1, &run.state));
    assert_eq!(folder.memory(5000 * DAY).await.unlisted.len(), 1, "its intent takes a slot still");
}

#[tokio::test]
async fn a_run_that_was_not_reported_is_never_removed() {
    let folder = folder();
    made(&folder, 1, 10).await;
    assert_eq!(folder.prune(5000 * DAY).await, 0, "its notice waits, and its token is its run's");
    assert_eq!((folder.runs().await, folder.store.waiting().await.unwrap().len()), (1, 1));
    folder.close_all_notices().await;
    folder.prune(5002 * DAY).await;
    assert_eq!(folder.runs().await, 0);
}

#[tokio::test]
async fn an_open_incident_keeps_its_notices_and_waiting_mail_stays() {
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
        to: vec!["b@example.com".to_owned()],
        bytes: b"mail".to_vec(),
    };
    let told = ReportedNotices { report: "oncall".to_owned(), notices: vec![id], messages: vec![message] };
    let _ = folder.store.mark_reported(told, at(2)).await.unwrap();
    folder.close_all_notices().await;
    folder.prune(1000 * DAY).await;
    let incident = folder.store.incidents().await.unwrap()[0].id;
    let last = folder.store.last_reported(incident, "oncall".to_owned(), Class::Failure).await.unwrap();
    assert_eq!(last, Some(at(2)), "`repeat` counts from here");
    assert_eq!(folder.store.backlog().await.unwrap().waiting, 1);
    folder.store.attempt_ended(1, DeliveryOutcome::Sent { refused: None }, at(1000 * DAY)).await.unwrap();
    folder.prune(1002 * DAY).await;
    assert_eq!(folder.count("outbox").await, 1, "sent two days ago");
    folder.prune(1500 * DAY).await;
    assert_eq!((folder.count("outbox").await, folder.count("incident").await), (0, 1));
}

#[tokio::test]
async fn holds_due_times_and_servers_are_never_forgotten() {
    let folder = folder();
    let hold = |what| Hold { what, reason: "audit".to_owned(), since: at(0), until: None };
    folder.store.hold(hold(HoldTarget::Point(Kind::Snapshot, PointId::Number(1)))).await.unwrap();
    let followed = || Followed {
        server: server().id,
        policy: nightly(),
        kind: Kind::Snapshot,
        schedule: "daily".to_owned(),
        formerly: Vec::new(),
    };
    folder.store.handled(vec![followed()], at(0)).await.unwrap();
    folder.open(Some(at(50))).await;
    folder.see(list(vec![ours(1)], 60)).await;
    folder.prune(5000 * DAY).await;
    assert_eq!(folder.memory(5000 * DAY).await.holds.len(), 1);
    assert_eq!(folder.store.handled(vec![followed()], at(5000 * DAY)).await.unwrap()[0].handled, at(50));
    assert!(folder.memory(5000 * DAY).await.seen_before, "a mark that appears now proves nothing");
}

#[tokio::test]
async fn old_things_are_looked_for_once_a_day_by_whatever_clock() {
    let folder = folder();
    let prune = async |second: i64| folder.store.prune_daily(KEEP, at(second)).await.unwrap();
    made(&folder, 1, 10).await;
    made(&folder, 2, 20).await;
    folder.close_all_notices().await;
    let day = 400 * DAY + 15;
    assert!(prune(day).await > 0);
    assert_eq!(folder.runs().await, 1);
    assert_eq!(prune(day + 23 * 3600).await, 0, "not yet a day");
    assert!(prune(day + DAY).await > 0);
    assert_eq!(folder.runs().await, 0);
    // A clock that was ahead must not put it off until then.
    made(&folder, 3, 30).await;
    folder.close_all_notices().await;
    assert_eq!(prune(390 * DAY).await, 0);
    assert!(prune(401 * DAY).await > 0);
}

#[tokio::test]
async fn a_long_past_is_forgotten_in_small_transactions() {
    let folder = folder();
    let many = |tx: &Transaction<'_>| {
        tx.execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
             INSERT INTO run (server, server_name, policy, kind, due, opened_at, ended_at, outcome)
             SELECT '12345', 'web', 'nightly', 'snapshot', i, i, i, 'succeeded' FROM n;",
        )?;
        Ok(())
    };
    folder.store.transact(many).await.unwrap();
    assert_eq!(folder.prune(1000 * DAY).await, 20_000, "as many as one call takes");
    assert_eq!(folder.prune(1000 * DAY).await, 5000, "the rest at once, not in a day");
    assert_eq!(folder.prune(1000 * DAY).await, 0);
}

/// How SQLite would answer, in its words.
async fn plan_of(folder: &StoreInFolder, query: &str) -> String {
    let text = format!("EXPLAIN QUERY PLAN {query}");
    let explain = move |tx: &Transaction<'_>| {
        let mut query = tx.prepare(&text)?;
        let parameters = query.parameter_count();
        let rows = query.query_map(rusqlite::params_from_iter(vec![1; parameters]), |row| row.get::<_, String>(3))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.join("; "))
    };
    folder.store.transact(explain).await.unwrap()
}

#[tokio::test]
async fn the_queries_that_run_often_read_no_whole_table() {
    let folder = folder();
    let often = [
        "SELECT id FROM run WHERE ended_at IS NULL ORDER BY id",
        "SELECT id FROM run WHERE ?1 IS NULL ORDER BY opened_at DESC, id DESC LIMIT ?2",
        "SELECT id FROM run WHERE server = ?1 ORDER BY opened_at DESC, id DESC LIMIT ?2",
        "SELECT id FROM run WHERE server = ?1 AND policy = ?2 AND outcome = 'succeeded' ORDER BY id DESC LIMIT 10",
        "SELECT token, policy, state, sent_at FROM token WHERE server = ?1 AND kind = ?2",
        "SELECT id, at, body, incident FROM notice WHERE closed = 0 ORDER BY id",
        "SELECT max(at) FROM told WHERE incident = ?1 AND report = ?2 AND class = ?3",
        "SELECT count(*), min(first_at) FROM outbox WHERE sent_at IS NULL AND failed_at IS NULL",
        "SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL",
    ];
    for query in often.iter().chain(&STATEMENTS) {
        let plan = plan_of(&folder, query).await;
        let scans = plan.split("; ").any(|line| line.starts_with("SCAN") && !line.contains("USING"));
        assert!(!scans, "{query}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{query}\n{plan}");
    }
}
