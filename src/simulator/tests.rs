//! The promises of each part of the simulator, in process and, where connections matter, over a socket.

mod account;
mod faults;
mod lists;
mod socket;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{self, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

/// A simulator whose time the test sets.
struct TestProvider {
    simulator: Simulator,
    time: Arc<Mutex<Timestamp>>,
}

const START: &str = "2026-11-21T02:30:00Z";

impl TestProvider {
    fn new(options: Options) -> Self {
        let time = Arc::new(Mutex::new(START.parse().unwrap()));
        let shared = time.clone();
        let simulator = Simulator::new(options, Arc::new(move || *shared.lock().unwrap()));
        Self { simulator, time }
    }

    fn advance(&self, seconds: u64) {
        *self.time.lock().unwrap() += Duration::from_secs(seconds);
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Response {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:1{path}"))
            .header("authorization", "Bearer vps_test")
            .header("content-type", "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.simulator.router().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(method, &format!("{BASE}{path}"), body).await;
        read(response).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn backup(&self, description: &str) -> (u16, Value) {
        self.call("POST", "/backups/", json!({ "server_id": 12345, "description": description })).await
    }

    async fn snapshot(&self, name: &str) -> (u16, Value) {
        self.call("POST", "/snapshots/", json!({ "server_id": 12345, "name": name })).await
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        read(self.send(method, &format!("/_control{path}"), body).await).await
    }

    fn changes(&self) -> Vec<(ChangeKind, By)> {
        self.simulator.with_account(|account| account.record().changes().map(|c| (c.change, c.by)).collect())
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn ids(list: &Value) -> Vec<i64> {
    list["results"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}
