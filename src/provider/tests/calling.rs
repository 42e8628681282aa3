//! Calls other than lists, and how often a call is sent.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::{TOKEN, ok, played, played_with, said, settings};
use crate::policy::inventory::{Kind, PointId, PointStatus, ServerId, ServerStatus};
use crate::provider::{Client, ClientSettings, CreateRequest, Deleted, ErrorKind, Power};

fn request(kind: Kind) -> CreateRequest {
    CreateRequest {
        server: ServerId::Number(12345),
        kind,
        name: Some("lg-abcd1234-nightly-20261121T023000Z".to_owned()),
        description: "lg-abcd1234 main nightly 2026-11-21T02:30:00Z".to_owned(),
    }
}

fn lost(kind: std::io::ErrorKind) -> Response {
    let mut answer = Response::new(Body::empty());
    answer.extensions_mut().insert(kind);
    answer
}

fn raw(status: u16, body: &'static str) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn each_write_is_sent_as_documented() {
    let (client, log) = played(|_, _, uri| match uri.path() {
        "/api/v1/backups/" => said(
            201,
            &json!({"id": 502, "server": {"id": 12345, "name": "web-server-01"}, "backup_type": "manual",
                "status": "in_progress", "size_mb": null, "created_at": "2025-01-16T15:45:00Z", "expires_at": null,
                "description": "x", "message": "…"}),
        ),
        "/api/v1/snapshots/" => said(201, &json!({"snapshot": {"id": "a-uuid"}, "message": "…"})),
        "/api/v1/snapshots/801/restore/" => {
            ok(&json!({"status": "success", "message": "begun", "server": {"status": "restoring"}}))
        }
        _ => raw(204, ""),
    });
    let created = client.create(&request(Kind::Backup)).await.unwrap();
    assert_eq!(created.id, Some(PointId::Number(502)));
    assert_eq!(created.point.unwrap().status, PointStatus::InProgress);
    let created = client.create(&request(Kind::Snapshot)).await.unwrap();
    assert_eq!((created.id, created.point), (Some(PointId::Text("a-uuid".to_owned())), None));
    let id = ServerId::Number(12345);
    assert_eq!(client.delete(Kind::Snapshot, &PointId::Number(801)).await.unwrap(), Deleted::Accepted);
    client.power(&id, Power::Stop).await.unwrap();
    client.power(&ServerId::Text("7f0c".to_owned()), Power::Start).await.unwrap();
    client.restore(Kind::Backup, &id, &PointId::Number(501)).await.unwrap();
    let restore = client.restore(Kind::Snapshot, &id, &PointId::Number(801)).await.unwrap();
    assert_eq!(restore.message.as_deref(), Some("begun"));
    assert_eq!(restore.server_status, Some(ServerStatus::Other("restoring".to_owned())));

    let description = "lg-abcd1234 main nightly 2026-11-21T02:30:00Z";
    let name = "lg-abcd1234-nightly-20261121T023000Z";
    let sent: Vec<_> = log.all().into_iter().map(|seen| (seen.line, seen.body)).collect();
    let expected = [
        ("POST /api/v1/backups/", json!({"server_id": 12345, "description": description})),
        ("POST /api/v1/snapshots/", json!({"server_id": 12345, "name": name, "description": description})),
        ("DELETE /api/v1/snapshots/801/", json!(null)),
        ("POST /api/v1/servers/12345/power/", json!({"action": "stop"})),
        ("POST /api/v1/servers/7f0c/power/", json!({"action": "start"})),
        ("POST /api/v1/servers/12345/restore/", json!({"backup_id": 501})),
        ("POST /api/v1/snapshots/801/restore/", json!(null)),
    ];
    assert_eq!(sent, expected.map(|(line, body)| (line.to_owned(), body)));
}

#[tokio::test(start_paused = true)]
async fn an_id_is_one_segment_of_a_path_or_nothing() {
    let (client, log) = played(|_, _, _| raw(204, ""));
    client.delete(Kind::Backup, &PointId::Text("../servers/1?x#y".to_owned())).await.unwrap();
    assert_eq!(log.lines(), ["DELETE /api/v1/backups/..%2Fservers%2F1%3Fx%23y/"]);
    for id in ["", ".", ".."] {
        let error = client.delete(Kind::Backup, &PointId::Text(id.to_owned())).await.unwrap_err();
        assert!(error.never_sent() && !error.outcome_unknown(), "{id:?}");
    }
    assert_eq!(client.requests_sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_account_and_one_server_are_read() {
    let (client, _) = played(|_, _, uri| match uri.path() {
        "/api/v1/account/me/" => ok(&json!({"account": {"email": "a@example.com", "company_name": null},
            "token": {"name": "nightly", "permissions": ["servers:read", "snapshots:*"]}})),
        "/api/v1/servers/7/" => ok(&json!({"id": 7, "name": "web", "status": "stopped"})),
        _ => said(404, &json!({"detail": "Not found."})),
    });
    let account = client.token_info().await.unwrap();
    assert_eq!((account.email.as_str(), account.token_name.as_str()), ("a@example.com", "nightly"));
    assert!(account.may("servers", "read") && account.may("snapshots", "write"));
    assert!(!account.may("servers", "write"));
    assert_eq!(client.server(&ServerId::Number(7)).await.unwrap().status, ServerStatus::Stopped);
    let error = client.server(&ServerId::Number(8)).await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert_eq!(
        error.to_string(),
        "reading server 8 (GET /api/v1/servers/8/): the provider has no such object (404 Not Found): Not found."
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_four_times_with_growing_pauses() {
    let (client, log) = played(|_, _, _| raw(502, "<html><title>502 Bad Gateway</title></html>"));
    let begun = Instant::now();
    let error = client.token_info().await.unwrap_err();
    assert_eq!((log.lines().len(), error.status()), (4, Some(502)));
    assert!(begun.elapsed() >= Duration::from_millis(5_200) && begun.elapsed() < Duration::from_secs(6));
    assert!(error.to_string().ends_with("the provider failed (502 Bad Gateway): 502 Bad Gateway"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_read_but_a_refusal_is_survived() {
    type Fault = fn() -> Response;
    let faults: [Fault; 6] = [
        || lost(std::io::ErrorKind::ConnectionRefused),
        || lost(std::io::ErrorKind::ConnectionReset),
        || raw(200, "<html>a page</html>"),
        || raw(200, "{\"account\": {\"email\": \"cut sho"),
        || raw(500, ""),
        || raw(429, ""),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        let (client, log) = played(move |number, _, _| if number < 2 { fault() } else { ok(&json!({"account": {}})) });
        assert!(client.token_info().await.is_ok(), "fault {index}");
        assert_eq!(log.lines().len(), 3, "fault {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_sent_once_unless_it_was_certainly_not_carried_out() {
    type Fault = fn() -> Response;
    let faults: [(Fault, usize, bool); 9] = [
        (|| lost(std::io::ErrorKind::ConnectionReset), 1, true),
        (|| raw(500, ""), 1, true),
        (|| raw(502, "<h1>x</h1>"), 1, true),
        (|| raw(503, ""), 1, true),
        (|| raw(201, "{\"id\": 50"), 1, true),
        (|| raw(200, "<html>log in</html>"), 1, true),
        (|| raw(400, "{\"detail\":\"limit\"}"), 1, false),
        (|| lost(std::io::ErrorKind::ConnectionRefused), 4, false),
        (|| raw(429, ""), 4, false),
    ];
    for (index, (fault, sent, unknown)) in faults.into_iter().enumerate() {
        let (client, log) = played(move |_, _, _| fault());
        let error = client.create(&request(Kind::Snapshot)).await.unwrap_err();
        assert_eq!((log.lines().len(), error.outcome_unknown()), (sent, unknown), "fault {index}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_html_page_instead_of_an_answer_proves_no_delete_power_action_or_restore() {
    let (client, log) = played(|_, _, _| raw(200, "<html>log in</html>"));
    let (server, id) = (ServerId::Number(7), PointId::Number(7));
    assert!(client.delete(Kind::Backup, &id).await.unwrap_err().outcome_unknown());
    assert!(client.power(&server, Power::Start).await.unwrap_err().outcome_unknown());
    assert!(client.restore(Kind::Backup, &server, &id).await.unwrap_err().outcome_unknown());
    assert_eq!(log.lines().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_point_that_is_gone_is_distinguished_from_a_deleted_one() {
    let (client, _) = played(|_, _, _| said(404, &json!({"detail": "Not found."})));
    assert_eq!(client.delete(Kind::Backup, &PointId::Number(7)).await.unwrap(), Deleted::AlreadyGone);
}

#[tokio::test(start_paused = true)]
async fn a_create_without_an_id_in_its_answer_is_accepted_with_none() {
    let (client, _) = played(|_, _, _| said(201, &json!({"message": "begun"})));
    let created = client.create(&request(Kind::Backup)).await.unwrap();
    assert_eq!((created.id, created.point), (None, None));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_and_holds_back_everything() {
    let (client, _) = played(|number, _, _| {
        if number > 0 {
            return ok(&json!({"account": {}}));
        }
        let mut answer = raw(429, "");
        answer.headers_mut().insert("retry-after", "9".parse().unwrap());
        answer
    });
    let begun = Instant::now();
    let other = {
        let client = client.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            client.token_info().await.unwrap();
            Instant::now()
        }
    };
    let (first, other) = tokio::join!(client.token_info(), other);
    assert!(first.is_ok());
    assert!(other - begun >= Duration::from_secs(9), "{:?}", other - begun);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_with_the_timeout_and_leaves_a_write_unknown() {
    let router = axum::Router::new().fallback(std::future::pending::<()>);
    let client = Client::in_process(settings("http://127.0.0.1:1/api/v1"), super::clock(), router).unwrap();
    let begun = Instant::now();
    let error = client.create(&request(Kind::Backup)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_secs(30)));
    assert!(error.outcome_unknown() && begun.elapsed() < Duration::from_secs(31));
    assert_eq!(client.requests_sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_clones_together_keep_to_the_rate() {
    let settings = ClientSettings { requests_per_second: 5, ..settings("https://provider.test/api/v1") };
    let (client, _) = played_with(settings, |_, _, _| ok(&json!({"account": {}})));
    let begun = Instant::now();
    let calls = (0..20).map(|_| {
        let client = client.clone();
        async move { client.token_info().await.unwrap() }
    });
    futures_util::future::join_all(calls).await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(client.requests_sent(), 20);
}

#[tokio::test(start_paused = true)]
async fn the_token_is_in_no_text() {
    let (client, _) = played(|_, _, _| said(401, &json!({"detail": format!("bad token {TOKEN}")})));
    let error = client.token_info().await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), format!("{client:?}"), format!("{:?}", settings("x"))] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    assert!(error.to_string().contains("refused the token"), "{error}");
}

#[test]
fn a_url_that_would_show_the_token_is_refused() {
    for (url, fits) in [
        ("https://admin.vps.org/api/v1", true),
        ("https://admin.vps.org/api/v1/", true),
        ("http://127.0.0.1:8080/api/v1", true),
        ("http://127.9.9.9", true),
        ("http://[::1]:8080/", true),
        ("http://localhost:8080/", true),
        ("http://admin.vps.org/api/v1", false),
        ("http://127.0.0.1.evil.test/", false),
        ("http://localhost.evil.test/", false),
        ("http://10.0.0.1/", false),
        ("ftp://127.0.0.1/", false),
        ("https://user:secret@admin.vps.org/", false),
        ("https://admin.vps.org/api/v1?x=1", false),
        ("admin.vps.org", false),
        ("", false),
    ] {
        let client = Client::in_process(settings(url), super::clock(), axum::Router::new());
        assert_eq!(client.is_ok(), fits, "{url}");
        if let Err(error) = client {
            assert!(error.never_sent() && !error.is_retryable());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_is_told_to_the_listener_with_each_retry_and_after_a_reload() {
    use std::sync::{Arc, Mutex};

    let (client, _) = played(|number, _, _| match number {
        0 => said(429, &json!({"detail": "too many"})),
        1 => lost(std::io::ErrorKind::ConnectionReset),
        2 => ok(&json!({"id": 12345, "name": "web-server-01", "status": "active"})),
        _ => said(400, &json!({"detail": "limit reached"})),
    });
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    client.on_request(move |ended| listener.lock().unwrap().push((ended.endpoint.word(), ended.status)));
    // Nobody listens there.
    let other = Client::new(settings("http://127.0.0.1:9/api/v1"), super::clock()).unwrap();
    client.server(&ServerId::Number(12345)).await.unwrap();
    client.create(&request(Kind::Backup)).await.unwrap_err();
    let expected = [("server", Some(429)), ("server", None), ("server", Some(200)), ("create", Some(400))];
    assert_eq!(*heard.lock().unwrap(), expected);
    // The clients that a reload reads are other ones, and the one in use goes on telling.
    client.replace_with(&other);
    client.power(&ServerId::Number(12345), Power::Start).await.unwrap_err();
    assert_eq!(heard.lock().unwrap().last().unwrap().0, "power");
}
