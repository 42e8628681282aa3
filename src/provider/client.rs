//! The client: one origin, one token, one rate limiter, all replaceable while it is in use. Sends a call, retries it
//! where that is safe, and reads the answer. The calls are in `calls`, `lists` and `points`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::clock::Clock;
use crate::provider::endpoint::{EndedRequest, Endpoint};
use crate::provider::error::{CallSite, ErrorKind, ProviderError};
use crate::provider::link::{ClientSettings, Link};
use crate::provider::rate_limiter::RateLimiter;
use crate::provider::transport::{HttpRequest, HttpResponse, RequestLimits};
use crate::provider::waits::Waits;
use crate::provider::{bounded, retry};

/// The most bytes of an answer that is not a list.
const OBJECT_BYTES: usize = 1024 * 1024;

/// The provider's time, from the last answer with a `Date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderTime {
    /// The time that the provider gave, in whole seconds.
    pub said: Timestamp,
    /// Our time when the answer arrived.
    pub received_at: Timestamp,
}

/// Checked each time a call is about to be sent, after every wait. An error withholds it.
pub(super) type BeforeSend<'a> = dyn Fn() -> BoxFuture<'a, Result<(), String>> + Send + Sync + 'a;

type RequestListener = Box<dyn Fn(EndedRequest) + Send + Sync>;

/// A client for the provider. Clones share everything, including later replacements.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    link: RwLock<Arc<Link>>,
    rate_limiter: RateLimiter,
    clock: Clock,
    sent: AtomicU64,
    provider_time: Mutex<Option<ProviderTime>>,
    waits: Waits,
    /// Hears of each request that has ended.
    request_listener: OnceLock<RequestListener>,
    /// Permits one large answer to be read at a time.
    large: Arc<Semaphore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.link().base.as_str()).finish_non_exhaustive()
    }
}

/// A call: where it goes and what it does, in words for messages.
#[derive(Clone)]
pub(crate) struct ApiCall {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) endpoint: Endpoint,
    pub(crate) doing: String,
    pub(crate) body: Option<Vec<u8>>,
    /// The most bytes of its answer that are read.
    pub(crate) most_bytes: usize,
}

impl Client {
    /// A client over HTTP.
    ///
    /// # Errors `ErrorKind::Settings` if the URL is not an http(s) URL, is plain http to another machine, or contains a
    /// password, or if the token or the CA file cannot be used.
    pub fn new(settings: ClientSettings, clock: Clock) -> Result<Self, ProviderError> {
        Self::build(&settings, None, clock)
    }

    /// A client that calls a router in this process, under the same rules and limits, in tokio's (pausable) time.
    ///
    /// # Errors
    /// As `new`.
    pub fn in_process(settings: ClientSettings, clock: Clock, router: axum::Router) -> Result<Self, ProviderError> {
        Self::build(&settings, Some(router), clock)
    }

    fn build(settings: &ClientSettings, router: Option<axum::Router>, clock: Clock) -> Result<Self, ProviderError> {
        let link = Link::new(settings, router).map_err(unusable)?;
        let shared = Shared {
            rate_limiter: RateLimiter::new(link.requests_per_second),
            link: RwLock::new(Arc::new(link)),
            clock,
            sent: AtomicU64::new(0),
            provider_time: Mutex::new(None),
            waits: Waits::default(),
            request_listener: OnceLock::new(),
            large: Arc::new(Semaphore::new(1)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Gives every clone of this client the URL, token, timeout, poll and rate of the other one, even in the middle of
    /// something. A request that was already sent ends as it began.
    pub fn replace_with(&self, other: &Self) {
        let new = other.link();
        let mut link = self.shared.link.write().unwrap_or_else(PoisonError::into_inner);
        let masks = new.masks.and(&link.masks);
        *link = Arc::new(Link { masks, ..(*new).clone() });
        self.shared.rate_limiter.set_rate(new.requests_per_second);
    }

    /// Calls `listener` with a text when the provider asks for a pause that a person would notice. Once for each pause.
    pub fn on_wait(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        self.shared.waits.set_listener(listener);
    }

    /// Calls `listener` with each request that has ended, of every clone. Only the first listener is called.
    pub(crate) fn on_request(&self, listener: impl Fn(EndedRequest) + Send + Sync + 'static) {
        // Another one is called already.
        let _ = self.shared.request_listener.set(Box::new(listener));
    }

    /// How many requests were sent, including attempts without a connection.
    #[must_use]
    pub fn requests_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// The provider's time, if any answer had a `Date`.
    #[must_use]
    pub fn provider_time(&self) -> Option<ProviderTime> {
        *self.shared.provider_time.lock().expect("no code panics while it holds the time")
    }

    /// The shortest time between two reads of a list.
    #[must_use]
    pub fn poll(&self) -> Duration {
        self.link().poll
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The settings in force.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.shared.link.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A text from the provider, cleaned for one line of a message.
    pub(crate) fn tidy(&self, words: &str) -> String {
        self.link().masks.tidy(words)
    }

    /// A GET of the path that these segments form below the base.
    pub(crate) fn read(&self, segments: &[&str], doing: impl Into<String>) -> Result<ApiCall, ProviderError> {
        self.call(Method::GET, segments, doing)
    }

    /// A call without a body.
    pub(crate) fn call(
        &self,
        method: Method,
        segments: &[&str],
        doing: impl Into<String>,
    ) -> Result<ApiCall, ProviderError> {
        let mut url = self.link().base.clone();
        {
            let mut path = url.path_segments_mut().expect("the base was checked to have a path");
            path.pop_if_empty().extend(segments).push("");
        }
        let (doing, endpoint) = (self.tidy(&doing.into()), Endpoint::of(&method, segments));
        let call = ApiCall { method, url, endpoint, doing, body: None, most_bytes: OBJECT_BYTES };
        // A segment that is empty or only dots would change which object the path names.
        if segments.iter().any(|segment| segment.trim_matches('.').is_empty()) {
            return Err(call.failed(ErrorKind::Settings("an id that is empty or only dots has no path".to_owned())));
        }
        Ok(call)
    }

    /// Sends the call, with retries where safe, and returns a successful answer.
    pub(crate) async fn send(&self, call: &ApiCall) -> Result<HttpResponse, ProviderError> {
        self.attempt(call, None, Ok).await
    }

    /// As `send`, checking `before` each time the call is about to be sent.
    pub(crate) async fn send_if(&self, call: &ApiCall, before: &BeforeSend<'_>) -> Result<HttpResponse, ProviderError> {
        self.attempt(call, Some(before), Ok).await
    }

    /// Sends the call and reads the answer as JSON, within a budget. A read whose answer is not JSON is retried like a
    /// broken one.
    pub(crate) async fn json(&self, call: &ApiCall) -> Result<(Value, HttpResponse), ProviderError> {
        let read = |answer: HttpResponse| match bounded::answer(&answer.body) {
            Ok(value) => Ok((value, answer)),
            Err(error) => Err(self.not_understood(&answer, &format!("it is not JSON ({error})"))),
        };
        self.attempt(call, None, read).await
    }

    /// Sends the call, with retries where safe, until its answer can be read. `before` is checked each time it is about
    /// to be sent.
    pub(crate) async fn attempt<T>(
        &self,
        call: &ApiCall,
        before: Option<&BeforeSend<'_>>,
        read: impl Fn(HttpResponse) -> Result<T, ErrorKind>,
    ) -> Result<T, ProviderError> {
        let mut attempts = 0;
        loop {
            self.shared.rate_limiter.take().await;
            // Only after the wait, so that this attempt already uses what a reload has replaced meanwhile.
            let link = self.link();
            if !link.leads_to(&call.url) {
                let text = "provider.url was changed before the call was sent".to_owned();
                return Err(call.failed(ErrorKind::NeverSent(text)));
            }
            if let Some(before) = before {
                before().await.map_err(|why| call.failed(ErrorKind::Withheld(why)))?;
            }
            attempts += 1;
            self.shared.sent.fetch_add(1, Ordering::Relaxed);
            let body_cap = call.most_bytes.min(link.most_bytes);
            let limits = RequestLimits { timeout: link.timeout, body_cap, large: Arc::clone(&self.shared.large) };
            let sent_at = Instant::now();
            let answer = link.transport.send(call.request(&link.authorization), limits).await;
            if let Some(listener) = self.shared.request_listener.get() {
                let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
                listener(EndedRequest { endpoint: call.endpoint, status, took: sent_at.elapsed() });
            }
            let outcome = answer.map_err(|kind| self.tidied(kind)).and_then(|answer| self.check_status(&link, answer));
            let kind = match outcome.and_then(&read) {
                Ok(read) => {
                    self.shared.waits.answered();
                    return Ok(read);
                }
                Err(kind) => kind,
            };
            let pause = retry::pause(&call.method, attempts, &kind);
            self.shared.waits.report(&kind, pause, &call.doing);
            let Some(pause) = pause else { return Err(call.failed(kind)) };
            if matches!(&kind, ErrorKind::Status { status, retry_after: Some(_), .. } if status.as_u16() == 429) {
                self.shared.rate_limiter.pause(pause);
            }
            tracing::debug!(doing = %call.doing, error = %kind, attempts, pause = ?pause, "retrying the call");
            tokio::time::sleep(pause).await;
        }
    }

    /// The error for an answer of an unexpected shape, with its beginning.
    pub(crate) fn not_understood(&self, answer: &HttpResponse, what: &str) -> ErrorKind {
        let link = self.link();
        let (what, words) = (link.masks.tidy(what), link.masks.words(&answer.body));
        let text = if words.is_empty() { what } else { format!("{what}: {words}") };
        ErrorKind::NotUnderstood { status: answer.status, text }
    }

    fn check_status(&self, link: &Link, answer: HttpResponse) -> Result<HttpResponse, ErrorKind> {
        let now = self.now();
        if let Some(said) = retry::date(&answer.headers) {
            let seen = ProviderTime { said, received_at: now };
            *self.shared.provider_time.lock().expect("no code panics while it holds the time") = Some(seen);
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        let text =
            if answer.status.is_redirection() { redirected_to(link, &answer) } else { link.masks.words(&answer.body) };
        Err(ErrorKind::Status { status: answer.status, text, retry_after: retry::retry_after(&answer.headers, now) })
    }

    fn tidied(&self, kind: ErrorKind) -> ErrorKind {
        match kind {
            ErrorKind::NeverSent(text) => ErrorKind::NeverSent(self.tidy(&text)),
            ErrorKind::Interrupted(text) => ErrorKind::Interrupted(self.tidy(&text)),
            ErrorKind::Broken { status, text } => ErrorKind::Broken { status, text: self.tidy(&text) },
            other => other,
        }
    }

    /// The same client with a smaller cap.
    #[cfg(test)]
    pub(crate) fn with_body_cap(self, most_bytes: usize) -> Self {
        let link = Link { most_bytes, ..(*self.link()).clone() };
        *self.shared.link.write().unwrap() = Arc::new(link);
        self
    }
}

/// The target of a redirect, without path and query: enough to see that the URL is wrong.
fn redirected_to(link: &Link, answer: &HttpResponse) -> String {
    let location = answer.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| link.base.join(location).ok());
    target.map_or_else(String::new, |url| link.masks.tidy(&format!("to {}", url.origin().ascii_serialization())))
}

impl ApiCall {
    /// The same call with a JSON body.
    pub(crate) fn with_json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).expect("our own bodies are plain structs"));
        self
    }

    /// The same call with one more query parameter.
    pub(crate) fn with_query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// The error of this call.
    pub(crate) fn failed(&self, kind: ErrorKind) -> ProviderError {
        let path = self.url.path().to_owned();
        ProviderError {
            call_site: Box::new(CallSite { method: self.method.clone(), path, doing: self.doing.clone() }),
            kind,
        }
    }

    fn request(&self, authorization: &HeaderValue) -> HttpRequest {
        HttpRequest {
            method: self.method.clone(),
            url: self.url.clone(),
            authorization: authorization.clone(),
            body: self.body.clone(),
        }
    }
}

/// An id as a path segment.
pub(crate) fn segment(id: &impl ToString) -> String {
    id.to_string()
}

fn unusable(why: String) -> ProviderError {
    let call_site = CallSite { method: Method::GET, path: "/".to_owned(), doing: "setting up the client".to_owned() };
    ProviderError { call_site: Box::new(call_site), kind: ErrorKind::Settings(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_printed_shows_no_token() {
        let settings = ClientSettings {
            url: "http://127.0.0.1:9/api/v1".to_owned(),
            token: "vps_secret".to_owned().into(),
            timeout: Duration::from_secs(1),
            requests_per_second: 1,
            poll: Duration::from_secs(1),
            ca_file: None,
        };
        let client = Client::new(settings, Clock::System).unwrap();
        let call = client.read(&["servers"], "listing the servers").unwrap();
        let request = call.request(&client.link().authorization);
        assert!(request.authorization.to_str().unwrap().ends_with("vps_secret"));
        assert!(!format!("{request:?}").contains("vps_secret"), "{request:?}");
    }
}
