//! The client against a router in this process (paging, conversion, retries, waiting) and against scripted TCP
//! servers (what a network can do to it).

mod calling;
mod converting;
mod large;
mod listing;
mod networking;
mod replacing;
mod watching;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::clock::{Clock, ManualClock};
use crate::policy::inventory::{Server, ServerId, ServerRef, ServerStatus};
use crate::provider::{Client, ClientSettings};

pub(super) const TOKEN: &str = "vps_a-token-of-tests";

pub(super) fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        url: url.to_owned(),
        token: SecretString::from(TOKEN),
        timeout: Duration::from_secs(30),
        requests_per_second: 1_000_000,
        poll: Duration::from_secs(15),
        ca_file: None,
    }
}

pub(super) fn clock() -> Clock {
    Clock::Manual(ManualClock::new("2026-11-21T02:30:00Z".parse().unwrap()))
}

/// One request as the router saw it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) authorization: String,
    pub(super) body: Value,
}

/// The requests so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }
}

/// A client of a provider that answers as `answer` says: the number of the request, from 0, its method and its URI.
pub(super) fn played(answer: impl Fn(usize, &str, &Uri) -> Response + Clone + Send + Sync + 'static) -> (Client, Log) {
    played_with(settings("https://provider.test/api/v1"), answer)
}

pub(super) fn played_with(
    settings: ClientSettings,
    answer: impl Fn(usize, &str, &Uri) -> Response + Clone + Send + Sync + 'static,
) -> (Client, Log) {
    let log = Log::default();
    let seen = log.clone();
    let router = Router::new().fallback(async move |request: axum::extract::Request| {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap();
        let line = format!("{} {}", parts.method, parts.uri);
        let authorization = parts.headers["authorization"].to_str().unwrap().to_owned();
        let number = {
            let mut all = seen.0.lock().unwrap();
            all.push(Seen { line, authorization, body: serde_json::from_slice(&bytes).unwrap_or_default() });
            all.len() - 1
        };
        answer(number, parts.method.as_str(), &parts.uri)
    });
    (Client::in_process(settings, clock(), router).unwrap(), log)
}

pub(super) fn ok(value: &Value) -> Response {
    said(200, value)
}

pub(super) fn said(status: u16, value: &Value) -> Response {
    let bytes = Bytes::from(value.to_string());
    (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], Body::from(bytes)).into_response()
}

pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(super) fn server(id: i64, name: &str) -> Server {
    Server {
        reference: ServerRef { id: ServerId::Number(id), name: name.to_owned() },
        keys: vec![id.to_string(), name.to_owned()],
        status: ServerStatus::Active,
    }
}

/// A manual backup of a server, an hour younger with each id.
pub(super) fn backup(id: i64, server: i64) -> Value {
    let (day, hour) = (1 + id / 24 % 28, id % 24);
    json!({"id": id, "server": {"id": server, "name": format!("web-{server}")}, "backup_type": "manual",
        "status": "completed", "size_mb": 4523, "created_at": format!("2026-10-{day:02}T{hour:02}:00:00Z"),
        "expires_at": null, "description": "nightly"})
}
