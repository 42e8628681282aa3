//! Answers, and how faults change them.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::effects::{Effect, StatusEffect};
use super::options::RetryAfter;
use super::points::{ApiRefusal, later, seconds};

/// An extension of a response that must not reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostAnswer {
    /// The connection was refused: the request was never sent.
    Refused,
    /// The connection was closed before the answer, so the client does not know what became of the request.
    Closed,
}

impl LostAnswer {
    /// The lost connection that this response represents, if it does.
    #[must_use]
    pub fn of<B>(response: &axum::http::Response<B>) -> Option<Self> {
        response.extensions().get::<Self>().copied()
    }
}

/// A response that represents a lost connection. Its body fails at once, for transports that do not know
/// [`LostAnswer`].
pub(super) fn lost(lost: LostAnswer) -> Response {
    let mut response = Response::new(Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) })));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(lost);
    // The in-process transport does not know the simulator: it expects the system's error kind.
    response.extensions_mut().insert(match lost {
        LostAnswer::Refused => io::ErrorKind::ConnectionRefused,
        LostAnswer::Closed => io::ErrorKind::ConnectionReset,
    });
    response
}

/// A refusal, worded as by the provider.
pub(super) fn refusal(refusal: &ApiRefusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(&refusal.body)).into_response()
}

/// An HTTP date.
pub(super) fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

/// Applies a fault to an answer. `now` is the time by the provider's clock.
pub(super) async fn apply_effect(effect: &Effect, real: Response, now: Timestamp) -> Response {
    match effect {
        Effect::Refuse {} => lost(LostAnswer::Refused),
        Effect::Reset { .. } => lost(LostAnswer::Closed),
        Effect::Silence { seconds: None, .. } => std::future::pending().await,
        Effect::Silence { seconds: Some(seconds), .. } => {
            wait(*seconds).await;
            lost(LostAnswer::Closed)
        }
        Effect::AnsweredLate { seconds } => {
            wait(*seconds).await;
            real
        }
        Effect::SlowBody { seconds } => slow(real, *seconds).await,
        Effect::Status(status) => instead(status, now),
        Effect::ContentType { value } => typed(real, value),
        Effect::TruncatedJson {} => truncated(real).await,
        Effect::BrokenBody {} => broken_body(real).await,
        Effect::HugeBody { bytes } => huge(real.status(), *bytes),
        // These change what the account lists or does, or act beside the request.
        Effect::ShortCount { .. }
        | Effect::MissingItems { .. }
        | Effect::OnlyItems { .. }
        | Effect::DuplicateItems { .. }
        | Effect::Shift { .. }
        | Effect::Reorder {}
        | Effect::ForeignItems { .. }
        | Effect::Show { .. }
        | Effect::CreateAs(_)
        | Effect::Meanwhile { .. } => real,
    }
}

async fn wait(number: f64) {
    tokio::time::sleep(seconds(Some(number)).unwrap_or(Duration::ZERO)).await;
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the simulator broke the connection")
}

async fn bytes_of(real: Response) -> (axum::http::response::Parts, Bytes) {
    let (mut parts, body) = real.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts, to_bytes(body, usize::MAX).await.unwrap_or_default())
}

async fn slow(real: Response, number: f64) -> Response {
    let (parts, bytes) = bytes_of(real).await;
    let pause = seconds(Some(number / 10.0)).unwrap_or(Duration::ZERO);
    let size = bytes.len().div_ceil(10).max(1);
    let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    let drips = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, io::Error>(piece)
    });
    Response::from_parts(parts, Body::from_stream(drips))
}

async fn truncated(real: Response) -> Response {
    let (parts, bytes) = bytes_of(real).await;
    let half = bytes.slice(..bytes.len() / 2);
    Response::from_parts(parts, Body::from(half))
}

async fn broken_body(real: Response) -> Response {
    let (parts, bytes) = bytes_of(real).await;
    let half = bytes.slice(..bytes.len() / 2);
    // Yields in between, so that over HTTP the first half reaches the client before the connection breaks.
    let pieces = stream::iter([Ok(half), Err(broken())]).then(|piece| async {
        tokio::task::yield_now().await;
        piece
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

fn huge(status: StatusCode, bytes: u64) -> Response {
    const PIECE: usize = 1 << 16;
    let head = Bytes::from_static(b"{\"count\":0,\"next\":null,\"previous\":null,\"results\":[],\"padding\":\"");
    let padding = Bytes::from(vec![b'x'; PIECE]);
    let pieces = usize::try_from(bytes.div_ceil(PIECE as u64)).unwrap_or(usize::MAX);
    let middle = stream::repeat_with(move || padding.clone()).take(pieces);
    let tail = stream::iter([Bytes::from_static(b"\"}")]);
    let whole = stream::iter([head]).chain(middle).chain(tail).map(Ok::<_, io::Error>);
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, Body::from_stream(whole)).into_response()
}

fn typed(mut real: Response, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        real.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    real
}

fn instead(effect: &StatusEffect, now: Timestamp) -> Response {
    let status = StatusCode::from_u16(effect.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = effect.body.clone().unwrap_or_else(|| usual_body(status));
    let mut response = match body {
        Value::Null => status.into_response(),
        Value::String(text) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        body => (status, Json(body)).into_response(),
    };
    if let Some(value) = &effect.content_type {
        response = typed(response, value);
    }
    let headers = response.headers_mut();
    if status.is_redirection() {
        headers.insert(header::LOCATION, HeaderValue::from_static("http://elsewhere.invalid/api/v1/"));
    }
    let retry_after = effect.retry_after.map(|form| match form {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            let ahead = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
            http_date(later(now, ahead))
        }
    });
    if let Some(value) = retry_after.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(header::RETRY_AFTER, value);
    }
    for (name, value) in &effect.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    response
}

fn usual_body(status: StatusCode) -> Value {
    let detail = match status.as_u16() {
        300..400 => return Value::Null,
        400 => "Bad request.",
        401 => "Invalid token.",
        403 => "You do not have permission to perform this action.",
        404 => "Not found.",
        409 => "The server is busy with another operation.",
        429 => "Request was throttled.",
        500 => "A server error occurred.",
        code => {
            let reason = status.canonical_reason().unwrap_or("Error");
            let html = format!(
                "<html>\r\n<head><title>{code} {reason}</title></head>\r\n<body>\r\n<center><h1>{code} \
                 {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            );
            return Value::String(html);
        }
    };
    json!({ "detail": detail })
}
