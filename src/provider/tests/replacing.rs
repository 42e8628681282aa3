//! What a reload replaces reaches every clone of the client, in the middle of whatever it does, and no token goes to an
//! origin other than its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::{TOKEN, backup, ok, parameter, played, played_with, said, server, settings};
use crate::policy::inventory::{Kind, ServerId};
use crate::provider::{ClientSettings, ErrorKind, Power, Watch, WatchPace};

fn wait(seconds: u32) -> Response {
    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
}

fn with_token(token: &str) -> ClientSettings {
    ClientSettings { token: token.to_owned().into(), ..settings("https://provider.test/api/v1") }
}

#[tokio::test(start_paused = true)]
async fn a_new_token_reaches_a_call_that_waits_and_every_clone() {
    let (client, old) = played(|_, _, _| wait(9));
    let (other, new) = played_with(with_token("vps_new-token"), |_, _, _| ok(&json!({"account": {}})));
    let clone = client.clone();
    let waiting = clone.token_info();
    let exchanging = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.replace_with(&other);
    };
    let (read, ()) = tokio::join!(waiting, exchanging);
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(old.all()[0].authorization, format!("Bearer {TOKEN}"));
    assert_eq!((old.lines().len(), new.all()[0].authorization.as_str()), (1, "Bearer vps_new-token"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_continues_with_the_replaced_settings() {
    let (client, _) = played(|_, _, _| said(401, &json!({"detail": "Invalid token."})));
    let poll = ClientSettings { poll: Duration::from_secs(40), ..with_token("vps_new-token") };
    let (other, new) = played_with(poll, |_, _, _| ok(&json!({"count": 1, "results": [backup(1, 7)]})));
    let watch = Watch::new(client.clone());
    let mut pace = WatchPace::new(Duration::ZERO, None);
    let web = server(7, "web-7");
    assert_eq!(watch.next(&web, Kind::Backup, &mut pace).await.unwrap_err().status(), Some(401));
    client.replace_with(&other);
    let begun = Instant::now();
    assert_eq!(watch.next(&web, Kind::Backup, &mut pace).await.unwrap().points.len(), 1);
    assert!(begun.elapsed() >= Duration::from_secs(40), "the new poll holds");
    assert_eq!((client.poll(), new.lines().len()), (Duration::from_secs(40), 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_ends_as_it_began_and_the_next_has_the_new_timeout() {
    let late = axum::Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_secs(20)).await;
        ok(&json!({"account": {}}))
    });
    let make = |timeout| {
        let settings = ClientSettings { timeout, ..settings("https://provider.test/api/v1") };
        crate::provider::Client::in_process(settings, super::clock(), late.clone()).unwrap()
    };
    let (client, other) = (make(Duration::from_secs(30)), make(Duration::from_secs(5)));
    let exchanging = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.replace_with(&other);
    };
    let (read, ()) = tokio::join!(client.token_info(), exchanging);
    assert!(read.is_ok(), "{read:?}");
    let error = client.power(&ServerId::Number(7), Power::Start).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_while_the_url_changes_is_sent_to_neither() {
    for url in ["https://elsewhere.test/api/v1", "https://provider.test/api/v2", "https://provider.test:8443/api/v1"] {
        let (client, old) = played(|_, _, _| wait(9));
        let settings = ClientSettings { url: url.to_owned(), ..with_token("vps_new-token") };
        let (other, new) = played_with(settings, |_, _, _| ok(&json!({})));
        let exchanging = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.replace_with(&other);
        };
        let id = ServerId::Number(7);
        let (sent, ()) = tokio::join!(client.power(&id, Power::Stop), exchanging);
        let error = sent.unwrap_err();
        assert!(error.never_sent() && !error.outcome_unknown(), "{error}");
        assert_eq!((old.lines().len(), new.lines().len()), (1, 0), "{url}");
        client.power(&id, Power::Stop).await.unwrap();
        assert_eq!((old.lines().len(), new.lines().len()), (1, 1), "{url}");
        assert!(old.all().iter().all(|seen| seen.authorization == format!("Bearer {TOKEN}")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_begun_with_another_token_is_read_again() {
    let page = |number: usize, uri: &http::Uri| {
        let page: i64 = parameter(uri, "page").map_or(1, |page| page.parse().unwrap());
        let next = (page == 1).then(|| format!("{}?page=2", uri.path()));
        if number == 1 {
            return wait(3);
        }
        ok(&json!({"count": 2, "next": next, "results": [backup(page, 7)]}))
    };
    let (client, old) = played(move |number, _, uri| page(number, uri));
    let (other, new) = played_with(with_token("vps_new-token"), move |number, _, uri| page(number + 2, uri));
    let exchanging = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.replace_with(&other);
    };
    let (read, ()) = tokio::join!(client.all_points(Kind::Backup), exchanging);
    assert_eq!(read.unwrap().entries(), 2);
    assert_eq!((old.lines().len(), new.lines().len()), (2, 3), "{:?} {:?}", old.lines(), new.lines());
}

#[tokio::test(start_paused = true)]
async fn the_old_token_stays_masked_after_a_reload() {
    let (client, _) = played(|_, _, _| ok(&json!({})));
    let body = json!({"detail": format!("{TOKEN} is no longer good, vps_new-token is")});
    let (other, _) = played_with(with_token("vps_new-token"), move |_, _, _| said(401, &body));
    client.replace_with(&other);
    let error = client.token_info().await.unwrap_err().to_string();
    assert!(error.ends_with("[token] is no longer good, [token] is"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_is_reported_once_until_the_provider_answers() {
    let (client, _) = played(|number, _, _| match number {
        4 | 6 => ok(&json!({"account": {}})),
        _ => wait(3600),
    });
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    client.on_wait(move |text| hear.lock().unwrap().push(text.to_owned()));
    client.token_info().await.unwrap_err();
    client.token_info().await.unwrap();
    let once = "the provider asks us to wait 3600 s (429 Too Many Requests): waiting 60 s before trying again (reading the account)";
    assert_eq!(*heard.lock().unwrap(), [once]);
    client.token_info().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [once, once]);
}
