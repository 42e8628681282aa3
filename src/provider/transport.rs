//! Sends one request to the provider: over HTTP, or directly into a router in the same process.
//!
//! Both report the same results: a complete answer within a size limit, or how far the request got. Redirects are never
//! followed, proxies are never used, and nothing is sent twice.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;
use url::Url;

use crate::provider::error::ErrorKind;
use crate::provider::text::BODY_BYTES;

/// One request. The transport adds the other headers.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) authorization: HeaderValue,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
}

/// One answer, read to its end; for an error, only the beginning of the body.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Held until the answer is dropped.
    _large: Option<OwnedSemaphorePermit>,
}

/// Answers up to this size are read in parallel, larger ones one at a time, so that only one large answer is in memory
/// no matter how many runs are in progress.
const SMALL_BYTES: usize = 1024 * 1024;

/// The limits of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestLimits {
    /// For the whole request, from the connection to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// The most bytes read of an answer, decompressed.
    pub(crate) body_cap: usize,
    /// Has one permit, for a large answer.
    pub(crate) large: Arc<Semaphore>,
}

/// How requests are sent.
///
/// In process, an answer with a `std::io::ErrorKind` extension stands for a failed connection: `ConnectionRefused`
/// before anything was sent, any other kind after the request was sent. A body that ends in an error stands for an
/// answer that broke off.
#[derive(Clone, Debug)]
pub(crate) enum ApiTransport {
    Http(reqwest::Client),
    InProcess(Router),
}

impl ApiTransport {
    /// A transport over HTTP. An https URL allows only https; the CAs in `ca_pem` are trusted in addition to the
    /// system's. Plain http loads no CAs, so that it works on systems without any.
    pub(crate) fn http(url: &Url, timeout: Duration, ca_pem: Option<&[u8]>) -> Result<Self, reqwest::Error> {
        let secure = url.scheme() == "https";
        // Shorter than the whole timeout: a failed connection must not look like a request that was sent.
        let connect_timeout = (timeout / 2).min(Duration::from_secs(10));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("lastgood/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .https_only(secure)
            .connect_timeout(connect_timeout)
            .timeout(timeout);
        if let Some(pem) = ca_pem {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
        } else if !secure {
            builder = builder.tls_certs_only([]);
        }
        builder.build().map(Self::Http)
    }

    /// Sends the request once.
    pub(crate) async fn send(&self, request: HttpRequest, limits: RequestLimits) -> Result<HttpResponse, ErrorKind> {
        match self {
            Self::Http(client) => over_http(client, request, limits).await,
            Self::InProcess(router) => {
                let timeout = limits.timeout;
                match tokio::time::timeout(timeout, in_process(router.clone(), request, limits)).await {
                    Ok(answer) => answer,
                    Err(_) => Err(ErrorKind::Timeout(timeout)),
                }
            }
        }
    }
}

async fn over_http(
    client: &reqwest::Client,
    request: HttpRequest,
    limits: RequestLimits,
) -> Result<HttpResponse, ErrorKind> {
    let mut builder = client
        .request(request.method, request.url)
        .header(header::AUTHORIZATION, request.authorization)
        .header(header::ACCEPT, "application/json");
    if let Some(body) = request.body {
        builder = builder.header(header::CONTENT_TYPE, "application/json").body(body);
    }
    let mut response = builder.send().await.map_err(|error| unanswered(error, limits.timeout))?;
    let status = response.status();
    let headers = response.headers().clone();
    let timeout = limits.timeout;
    let late = || ErrorKind::Broken { status, text: format!("it was not complete within {} s", timeout.as_secs_f64()) };
    let mut body = Incoming::new(status, limits);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                // The HTTP client's timeout does not cover this wait.
                let read = tokio::time::timeout(timeout, body.append(&chunk)).await.map_err(|_| late())?;
                if read? == ReadState::Enough {
                    return Ok(body.into_answer(headers));
                }
            }
            Ok(None) => return Ok(body.into_answer(headers)),
            Err(error) if error.is_timeout() => return Err(late()),
            Err(error) => return Err(ErrorKind::Broken { status, text: cause(&error.without_url()) }),
        }
    }
}

/// The error of a request without an answer. It was never sent if it could not be built or there was no connection;
/// otherwise it may have reached the provider.
fn unanswered(error: reqwest::Error, timeout: Duration) -> ErrorKind {
    let error = error.without_url();
    if error.is_builder() || error.is_connect() {
        ErrorKind::NeverSent(cause(&error))
    } else if error.is_timeout() {
        ErrorKind::Timeout(timeout)
    } else {
        ErrorKind::Interrupted(cause(&error))
    }
}

/// The causes of an error, without repetition; the outermost text only if there is no cause.
fn cause(error: &dyn std::error::Error) -> String {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last().is_none_or(|last: &String| !last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

async fn in_process(router: Router, request: HttpRequest, limits: RequestLimits) -> Result<HttpResponse, ErrorKind> {
    let path = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &request.url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut builder = http::Request::builder()
        .method(request.method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, request.authorization);
    if request.body.is_some() {
        builder = builder.header(header::CONTENT_TYPE, "application/json");
    }
    let body = Body::from(request.body.unwrap_or_default());
    let request = builder.body(body).map_err(|error| ErrorKind::NeverSent(error.to_string()))?;
    let Ok(response) = router.oneshot(request).await;
    let (parts, mut stream) = response.into_parts();
    match parts.extensions.get::<std::io::ErrorKind>() {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            return Err(ErrorKind::NeverSent("connection refused".to_owned()));
        }
        Some(kind) => return Err(ErrorKind::Interrupted(kind.to_string())),
        None => {}
    }
    let status = parts.status;
    let mut body = Incoming::new(status, limits);
    while let Some(frame) = stream.frame().await {
        let frame = frame.map_err(|error| ErrorKind::Broken { status, text: cause(&error) })?;
        if let Some(chunk) = frame.data_ref()
            && body.append(chunk).await? == ReadState::Enough
        {
            return Ok(body.into_answer(parts.headers));
        }
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > body.bytes.len()) {
        return Err(ErrorKind::Broken { status, text: "it ended before its length".to_owned() });
    }
    Ok(body.into_answer(parts.headers))
}

/// Whether more of the answer is wanted.
#[derive(PartialEq, Eq)]
enum ReadState {
    Continue,
    Enough,
}

/// The part of an answer received so far.
struct Incoming {
    status: StatusCode,
    limits: RequestLimits,
    bytes: Vec<u8>,
    large: Option<OwnedSemaphorePermit>,
}

impl Incoming {
    fn new(status: StatusCode, limits: RequestLimits) -> Self {
        Self { status, limits, bytes: Vec::new(), large: None }
    }

    /// Adds a chunk. For an error status, only the beginning is kept. An answer over the limit is an error. A large
    /// answer waits for its turn.
    async fn append(&mut self, chunk: &[u8]) -> Result<ReadState, ErrorKind> {
        let (status, cap) = (self.status, self.limits.body_cap);
        let wanted = if status.is_success() { cap } else { BODY_BYTES.min(cap) };
        let room = wanted - self.bytes.len();
        if chunk.len() > room && status.is_success() {
            return Err(ErrorKind::TooLarge { status, cap });
        }
        let chunk = &chunk[..chunk.len().min(room)];
        if self.large.is_none() && self.bytes.len() + chunk.len() > SMALL_BYTES {
            let turn = Arc::clone(&self.limits.large).acquire_owned().await;
            self.large = Some(turn.expect("nobody closes the semaphore"));
        }
        if self.bytes.capacity() - self.bytes.len() < chunk.len() {
            // Reserves no more than may still come, because a vector would double by itself.
            self.bytes.reserve_exact(self.bytes.len().max(chunk.len()).min(room));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(if chunk.len() == room && !status.is_success() { ReadState::Enough } else { ReadState::Continue })
    }

    fn into_answer(self, headers: HeaderMap) -> HttpResponse {
        HttpResponse { status: self.status, headers, body: self.bytes, _large: self.large }
    }
}
