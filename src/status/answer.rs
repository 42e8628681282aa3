//! What a request gets: checked in the order host, method, path.

use std::sync::Arc;
use std::time::Duration;

use crate::status::host::{HostRefusal, check_host};
use crate::status::page::{self, PageRequest};
use crate::status::shared::SharedRendering;
use crate::status::source::StatusSource;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;

/// An answer: its body is complete before it is sent.
pub(super) type HttpAnswer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics are made once in this time, however many scrape them.
const METRICS_AGE: Duration = Duration::from_secs(1);

/// What is served, under which names. A reload brings another one.
#[derive(Debug)]
pub(crate) struct Site {
    hosts: Vec<String>,
    source: StatusSource,
    json: SharedRendering<Bytes>,
    metrics: SharedRendering<Bytes>,
    page_turn: tokio::sync::Mutex<()>,
}

impl Site {
    /// A site that answers to these names (in lower case) besides `localhost` and addresses.
    pub(crate) fn new(hosts: Vec<String>, source: StatusSource) -> Self {
        let (json, metrics) = (SharedRendering::new(Duration::ZERO), SharedRendering::new(METRICS_AGE));
        Self { hosts, source, json, metrics, page_turn: tokio::sync::Mutex::default() }
    }

    /// The answer to a request. The body of the request is not read.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> HttpAnswer {
        let hosts = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
        match check_host(hosts, request.uri().authority(), &self.hosts) {
            Ok(()) => {}
            Err(HostRefusal::NoHost) => return text(StatusCode::BAD_REQUEST, "the request names no host\n"),
            Err(HostRefusal::NotOurs) => {
                let words = "this name is none of lastgood's: ask by address, or add it to `hosts` in [status]\n";
                return text(StatusCode::MISDIRECTED_REQUEST, words);
            }
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "nothing here changes anything: use GET or HEAD\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/healthz" => match self.source.health() {
                Ok(()) => text(StatusCode::OK, "ok"),
                Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            "/status.json" => taken(self.json.get(bytes(self.source.json())).await, JSON),
            "/metrics" => taken(self.metrics.get(bytes(self.source.metrics())).await, PROMETHEUS),
            path => self.page(PageRequest::of(path, request.uri().query())).await,
        }
    }

    async fn page(&self, request: Option<PageRequest>) -> HttpAnswer {
        let Some(request) = request else { return text(StatusCode::NOT_FOUND, "there is nothing here\n") };
        // One page at a time: with many servers, each takes memory while it is made.
        let made = {
            let _turn = self.page_turn.lock().await;
            self.source.page(request).await
        };
        let made = match made.transpose() {
            None => return text(StatusCode::NOT_FOUND, "there is no server with this id\n"),
            Some(made) => made,
        };
        let mut answer = taken(made.map(|page| Arc::new(page.into())), HTML);
        let policy = HeaderValue::from_static(page::content_security_policy());
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        answer
    }
}

async fn bytes(made: impl Future<Output = Result<Vec<u8>, String>>) -> Result<Bytes, String> {
    made.await.map(Bytes::from)
}

fn taken(made: Result<Arc<Bytes>, String>, content_type: &'static str) -> HttpAnswer {
    match made {
        // Sharing the bytes copies nothing.
        Ok(body) => answer(StatusCode::OK, content_type, (*body).clone()),
        Err(why) => {
            tracing::warn!("the status cannot be served: {why}");
            text(StatusCode::SERVICE_UNAVAILABLE, "the state cannot be read: the log says why\n")
        }
    }
}

fn text(status: StatusCode, words: impl Into<String>) -> HttpAnswer {
    answer(status, TEXT, words.into().into())
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> HttpAnswer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
