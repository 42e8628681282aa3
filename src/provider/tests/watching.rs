//! One look shared by all waiters.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{backup, ok, parameter, played, said, server};
use crate::policy::inventory::Kind;
use crate::provider::{Watch, WatchPace};

const POLL: Duration = Duration::from_secs(15);

/// A provider whose list of backups is `all`, filtered by `server_id` and cut to the page size.
fn provider(all: Arc<Mutex<Vec<Value>>>) -> (Watch, super::Log) {
    let (client, log) = played(move |_, _, uri| {
        let asked = parameter(uri, "server_id");
        let size: usize = parameter(uri, "page_size").unwrap().parse().unwrap();
        let all = all.lock().unwrap();
        let fits = |point: &&Value| asked.as_ref().is_none_or(|id| point["server"]["id"].as_i64() == id.parse().ok());
        let results: Vec<_> = all.iter().filter(fits).collect();
        let next = (results.len() > size).then_some("?page=2");
        ok(&json!({"count": results.len(), "next": next, "results": results[..size.min(results.len())]}))
    });
    (Watch::new(client), log)
}

#[tokio::test(start_paused = true)]
async fn one_look_at_the_account_serves_all_waiters() {
    let (watch, log) = provider(Arc::new(Mutex::new((1..=20).map(|id| backup(id, id)).collect())));
    let due = Instant::now() + Duration::from_secs(60);
    let waiting = (1..=20).map(|id| {
        let watch = watch.clone();
        async move { watch.inventory_after(&server(id, &format!("web-{id}")), Kind::Backup, due, due).await.unwrap() }
    });
    for inventory in futures_util::future::join_all(waiting).await {
        assert_eq!(inventory.points.len(), 1);
        assert!(inventory.doubt().is_some(), "a look decides no delete");
    }
    assert_eq!(log.lines().len(), 2, "one request for the count, one for the list: {:?}", log.lines());
    assert!(Instant::now() - due < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_lone_waiter_looks_only_at_its_server() {
    let (watch, log) = provider(Arc::new(Mutex::new(vec![backup(1, 1), backup(2, 2)])));
    let begun = Instant::now();
    let mut pace = WatchPace::new(Duration::ZERO, None);
    watch.next(&server(1, "web-1"), Kind::Backup, &mut pace).await.unwrap();
    watch.next(&server(1, "web-1"), Kind::Backup, &mut pace).await.unwrap();
    assert_eq!(log.lines().len(), 2);
    assert!(log.lines().iter().all(|line| line.contains("server_id=1&")), "{:?}", log.lines());
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_not_due_shares_a_look_at_the_account() {
    let (watch, log) = provider(Arc::new(Mutex::new(vec![backup(1, 1), backup(2, 2)])));
    let begun = Instant::now();
    let soon = begun + Duration::from_secs(15);
    let late = begun + Duration::from_secs(3_600);
    let servers = [server(1, "web-1"), server(2, "web-2")];
    let (a, b) = tokio::join!(
        watch.inventory_after(&servers[0], Kind::Backup, begun, soon),
        watch.inventory_after(&servers[1], Kind::Backup, begun, late),
    );
    assert_eq!((a.unwrap().points.len(), b.unwrap().points.len()), (1, 1));
    assert!(begun.elapsed() < Duration::from_secs(16));
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_began_too_early_does_not_count() {
    let (watch, log) = provider(Arc::new(Mutex::new(vec![backup(1, 1)])));
    let begun = Instant::now();
    let early = begun + Duration::from_secs(15);
    let later = begun + Duration::from_secs(40);
    let same = server(1, "web-1");
    let (a, b) = tokio::join!(
        watch.inventory_after(&same, Kind::Backup, early, early),
        watch.inventory_after(&same, Kind::Backup, later, later),
    );
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(log.lines().len(), 2);
    assert!(begun.elapsed() >= Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_dropped_in_the_middle_of_a_look_leaves_it_to_the_next() {
    let answers = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = answers.clone();
    let router = axum::Router::new().fallback(async move || {
        gate.acquire().await.unwrap().forget();
        ok(&json!({"count": 0, "results": []}))
    });
    let settings = super::settings("https://provider.test/");
    let client = crate::provider::Client::in_process(settings, super::clock(), router).unwrap();
    let watch = Watch::new(client.clone());
    let now = Instant::now();
    let spawn = |watch: Watch| {
        tokio::spawn(async move { watch.inventory_after(&server(1, "web-1"), Kind::Snapshot, now, now).await })
    };
    let first = spawn(watch.clone());
    while client.requests_sent() == 0 {
        tokio::task::yield_now().await;
    }
    let second = spawn(watch.clone());
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    answers.add_permits(1);
    assert!(second.await.unwrap().is_ok());
    assert_eq!(client.requests_sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_is_reported_to_all_waiters_that_were_due() {
    let (client, log) = played(|_, _, _| said(401, &json!({"detail": "no"})));
    let watch = Watch::new(client);
    let due = Instant::now() + POLL;
    let waiting = (1..=3).map(|id| {
        let watch = watch.clone();
        async move { watch.inventory_after(&server(id, "web"), Kind::Backup, due, due).await }
    });
    for outcome in futures_util::future::join_all(waiting).await {
        assert_eq!(outcome.unwrap_err().status(), Some(401));
    }
    assert_eq!(log.lines().len(), 4, "the count and each server's list");
}

#[tokio::test(start_paused = true)]
async fn an_account_list_that_cannot_be_read_whole_is_replaced_by_the_servers_lists() {
    let (client, _) = played(|_, _, uri| match parameter(uri, "server_id") {
        Some(_) => ok(&json!({"count": 0, "results": []})),
        None => ok(&json!({"count": 3, "results": [backup(1, 9)]})),
    });
    let watch = Watch::new(client);
    let now = Instant::now();
    let servers = [server(1, "web-1"), server(2, "web-2")];
    let (a, b) = tokio::join!(
        watch.inventory_after(&servers[0], Kind::Backup, now, now),
        watch.inventory_after(&servers[1], Kind::Backup, now, now),
    );
    assert!(a.is_ok() && b.is_ok());
}
