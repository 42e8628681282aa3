//! The client: one origin, one token, one token bucket; sends a call, tries it again where that is safe, and reads
//! the answer as JSON. What is called is in `calls`, `lists` and `points`.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::clock::Clock;
use crate::policy::inventory::Id;
use crate::provider::bucket::Bucket;
use crate::provider::error::{ErrorKind, Place, ProviderError};
use crate::provider::transport::{Answer, Limits, Request, Transport};
use crate::provider::{retry, text};

/// No answer of this API is larger; what is larger is not read.
const BODY_CAP: usize = 32 * 1024 * 1024;

/// What the policy file says of the provider.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base of every path, `https://admin.vps.org/api/v1`. Plain http only to loopback.
    pub url: String,
    /// Sent to the origin of `url` and to nothing else.
    pub token: SecretString,
    /// For one request, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// For everything that is sent, by all clones of the client together.
    pub requests_per_second: u32,
    /// The shortest time between two looks at a list.
    pub poll: Duration,
    /// PEM with authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// The provider's own time, from the last answer that said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderTime {
    /// What the provider said, in whole seconds.
    pub said: Timestamp,
    /// Our time when the answer had come.
    pub received_at: Timestamp,
}

/// Asked when a call is about to leave, after every wait for its turn; an error keeps it back.
pub type BeforeSend<'a> = dyn Fn() -> BoxFuture<'a, Result<(), String>> + Send + Sync + 'a;

/// The way to the provider. Clones share the token bucket, the connections and the counts.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    base: Url,
    token: SecretString,
    authorization: HeaderValue,
    limits: Limits,
    poll: Duration,
    bucket: Bucket,
    clock: Clock,
    sent: AtomicU64,
    provider_time: Mutex<Option<ProviderTime>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.inner.base.as_str()).finish_non_exhaustive()
    }
}

/// A call: where it goes and what it is for, in words that come before "of …" in messages.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) doing: String,
    pub(crate) body: Option<Vec<u8>>,
}

impl Client {
    /// A client over HTTP.
    ///
    /// # Errors
    /// `ErrorKind::Settings` when the URL is no http(s) URL, is plain http to another machine than this one, holds a
    /// password, or when the token or the authorities' file cannot be used.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, ProviderError> {
        let base = base(&settings.url).map_err(unusable)?;
        let transport = transport(&base, &settings).map_err(unusable)?;
        Self::build(&settings, base, transport, clock).map_err(unusable)
    }

    /// A client that calls a router in this process, under the same rules and limits, in tokio's (pausable) time.
    ///
    /// # Errors
    /// As `new`.
    pub fn in_process(settings: Settings, clock: Clock, router: axum::Router) -> Result<Self, ProviderError> {
        let base = base(&settings.url).map_err(unusable)?;
        Self::build(&settings, base, Transport::InProcess(router), clock).map_err(unusable)
    }

    fn build(settings: &Settings, base: Url, transport: Transport, clock: Clock) -> Result<Self, String> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", settings.token.expose_secret()))
            .map_err(|_| "the provider's token holds characters that cannot be sent".to_owned())?;
        authorization.set_sensitive(true);
        let inner = Inner {
            transport,
            base,
            token: settings.token.clone(),
            authorization,
            limits: Limits { timeout: settings.timeout, body_cap: BODY_CAP },
            poll: settings.poll,
            bucket: Bucket::new(settings.requests_per_second),
            clock,
            sent: AtomicU64::new(0),
            provider_time: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// From now on this client and the other send through one token bucket, at the rate of this one: the runs that are
    /// under way at a reload keep their client.
    pub fn share_bucket_of(&self, other: &Self) {
        self.inner.bucket.join(&other.inner.bucket);
    }

    /// How many requests have left us, tries that found no connection included.
    #[must_use]
    pub fn requests_sent(&self) -> u64 {
        self.inner.sent.load(Ordering::Relaxed)
    }

    /// The provider's own time, when an answer has said it.
    #[must_use]
    pub fn provider_time(&self) -> Option<ProviderTime> {
        *self.inner.provider_time.lock().expect("no code panics while it holds the time")
    }

    /// The shortest time between two looks at a list.
    #[must_use]
    pub fn poll(&self) -> Duration {
        self.inner.poll
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The provider's text, fit for one line of a message.
    pub(crate) fn tidy(&self, words: &str) -> String {
        text::tidy(words, &self.inner.token)
    }

    /// A read of the path below the base that these segments make.
    pub(crate) fn read(&self, segments: &[&str], doing: impl Into<String>) -> Result<Call, ProviderError> {
        self.call(Method::GET, segments, doing)
    }

    /// A call without body.
    pub(crate) fn call(
        &self,
        method: Method,
        segments: &[&str],
        doing: impl Into<String>,
    ) -> Result<Call, ProviderError> {
        let mut url = self.inner.base.clone();
        {
            let mut path = url.path_segments_mut().expect("the base was checked to have a path");
            path.pop_if_empty().extend(segments).push("");
        }
        let call = Call { method, url, doing: self.tidy(&doing.into()), body: None };
        // A segment that is empty or only dots would make the path of another thing.
        if segments.iter().any(|segment| segment.trim_matches('.').is_empty()) {
            return Err(call.failed(ErrorKind::Settings("an id that is empty or only dots has no path".to_owned())));
        }
        Ok(call)
    }

    /// Sends the call, as often as is safe, and gives the answer when its status is a success.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, ProviderError> {
        self.attempt(call, None, Ok).await
    }

    /// The same, and asks each time before the call leaves.
    pub(crate) async fn send_if(&self, call: &Call, before: &BeforeSend<'_>) -> Result<Answer, ProviderError> {
        self.attempt(call, Some(before), Ok).await
    }

    /// Sends the call and reads the answer as JSON. A read whose answer is no JSON is tried again like a broken one.
    pub(crate) async fn json(&self, call: &Call) -> Result<(Value, Answer), ProviderError> {
        let read = |answer: Answer| match serde_json::from_slice(&answer.body) {
            Ok(value) => Ok((value, answer)),
            Err(error) => Err(self.not_understood(&answer, &format!("it is no JSON ({error})"))),
        };
        self.attempt(call, None, read).await
    }

    async fn attempt<T>(
        &self,
        call: &Call,
        before: Option<&BeforeSend<'_>>,
        read: impl Fn(Answer) -> Result<T, ErrorKind>,
    ) -> Result<T, ProviderError> {
        let mut tried = 0;
        loop {
            self.inner.bucket.take().await;
            if let Some(before) = before {
                before().await.map_err(|why| call.failed(ErrorKind::Withheld(why)))?;
            }
            tried += 1;
            self.inner.sent.fetch_add(1, Ordering::Relaxed);
            let request = call.request(&self.inner.authorization);
            let answer = self.inner.transport.send(request, self.inner.limits).await;
            let outcome = answer.map_err(|kind| self.tidied(kind)).and_then(|answer| self.judge(answer));
            let kind = match outcome.and_then(&read) {
                Ok(read) => return Ok(read),
                Err(kind) => kind,
            };
            let Some(pause) = retry::pause(&call.method, tried, &kind) else { return Err(call.failed(kind)) };
            if matches!(&kind, ErrorKind::Status { status, retry_after: Some(_), .. } if status.as_u16() == 429) {
                self.inner.bucket.hold(pause);
            }
            tracing::debug!(doing = %call.doing, %kind, tried, pause = ?pause, "the call is sent again");
            tokio::time::sleep(pause).await;
        }
    }

    /// The error for an answer of another shape, with its beginning.
    pub(crate) fn not_understood(&self, answer: &Answer, what: &str) -> ErrorKind {
        let words = text::words(&answer.body, &self.inner.token);
        let text = if words.is_empty() { what.to_owned() } else { format!("{what}: {words}") };
        ErrorKind::NotUnderstood { status: answer.status, text }
    }

    fn judge(&self, answer: Answer) -> Result<Answer, ErrorKind> {
        let now = self.now();
        if let Some(said) = retry::date(&answer.headers) {
            let seen = ProviderTime { said, received_at: now };
            *self.inner.provider_time.lock().expect("no code panics while it holds the time") = Some(seen);
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        let text = if answer.status.is_redirection() {
            self.redirected_to(&answer)
        } else {
            text::words(&answer.body, &self.inner.token)
        };
        Err(ErrorKind::Status { status: answer.status, text, retry_after: retry::retry_after(&answer.headers, now) })
    }

    /// Where a redirect points, without path and query: enough to see that a URL is wrong.
    fn redirected_to(&self, answer: &Answer) -> String {
        let location = answer.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| self.inner.base.join(location).ok());
        target.map_or_else(String::new, |url| self.tidy(&format!("to {}", url.origin().ascii_serialization())))
    }

    fn tidied(&self, kind: ErrorKind) -> ErrorKind {
        match kind {
            ErrorKind::NeverSent(text) => ErrorKind::NeverSent(self.tidy(&text)),
            ErrorKind::Interrupted(text) => ErrorKind::Interrupted(self.tidy(&text)),
            ErrorKind::Broken { status, text } => ErrorKind::Broken { status, text: self.tidy(&text) },
            other => other,
        }
    }

    /// The same client with a smaller cap, before it is cloned.
    #[cfg(test)]
    pub(crate) fn with_body_cap(mut self, body_cap: usize) -> Self {
        Arc::get_mut(&mut self.inner).unwrap().limits.body_cap = body_cap;
        self
    }
}

impl Call {
    /// The same call with a JSON body.
    pub(crate) fn with_json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).expect("our own bodies are plain structs"));
        self
    }

    /// The same call with a query parameter more.
    pub(crate) fn with_query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// What became of this call, as an error.
    pub(crate) fn failed(&self, kind: ErrorKind) -> ProviderError {
        let path = self.url.path().to_owned();
        ProviderError { place: Box::new(Place { method: self.method.clone(), path, doing: self.doing.clone() }), kind }
    }

    fn request(&self, authorization: &HeaderValue) -> Request {
        Request {
            method: self.method.clone(),
            url: self.url.clone(),
            authorization: authorization.clone(),
            body: self.body.clone(),
        }
    }
}

/// An id as one segment of a path.
pub(crate) fn segment(id: &Id) -> String {
    id.to_string()
}

fn unusable(why: String) -> ProviderError {
    let place = Place { method: Method::GET, path: "/".to_owned(), doing: "setting up the provider".to_owned() };
    ProviderError { place: Box::new(place), kind: ErrorKind::Settings(why) }
}

fn base(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text.trim()).map_err(|error| format!("provider.url is no URL ({error})"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("provider.url must hold no user name or password; the token has its own place".to_owned());
    }
    let local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err(format!("provider.url {url} names no host")),
    };
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => {
            return Err(format!(
                "provider.url {url} is plain http: the token would be readable on the way; write https:// (http only to this machine)"
            ));
        }
        other => return Err(format!("provider.url begins with {other}://, expected https://")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("provider.url must end with its path, without ? or #".to_owned());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn transport(base: &Url, settings: &Settings) -> Result<Transport, String> {
    let pem = match &settings.ca_file {
        Some(path) => {
            let pem = std::fs::read(path)
                .map_err(|error| format!("provider.ca_file {} cannot be read: {error}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem);
            if certificates.is_ok_and(|list| list.is_empty()) {
                return Err(format!("provider.ca_file {} holds no certificate in PEM", path.display()));
            }
            Some(pem)
        }
        None => None,
    };
    Transport::http(base, settings.timeout, pem.as_deref()).map_err(|error| {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        match &settings.ca_file {
            Some(path) => format!("provider.ca_file {} cannot be used: {source}", path.display()),
            None => format!("no connection can be set up: {source}; are the system's CA certificates installed?"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_printed_shows_no_token() {
        let settings = Settings {
            url: "http://127.0.0.1:9/api/v1".to_owned(),
            token: "vps_secret".to_owned().into(),
            timeout: Duration::from_secs(1),
            requests_per_second: 1,
            poll: Duration::from_secs(1),
            ca_file: None,
        };
        let client = Client::new(settings, Clock::System).unwrap();
        let call = client.read(&["servers"], "listing the servers").unwrap();
        let request = call.request(&client.inner.authorization);
        assert!(request.authorization.to_str().unwrap().ends_with("vps_secret"));
        assert!(!format!("{request:?}").contains("vps_secret"), "{request:?}");
    }
}
