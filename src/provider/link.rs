//! What the policy file says of the provider, made ready for use: origin, token, connections, limits. It is exchanged as
//! a whole, so that a token never goes to an origin that it was not configured with.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::provider::text::Masks;
use crate::provider::transport::ApiTransport;

/// The most bytes of an answer that are read: a list in one page. No answer of this API is larger.
pub(crate) const LIST_BYTES: usize = 32 * 1024 * 1024;

/// What the policy file says of the provider.
#[derive(Clone, Debug)]
pub struct ClientSettings {
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

/// A way to the provider.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) transport: ApiTransport,
    pub(crate) base: Url,
    pub(crate) authorization: HeaderValue,
    pub(crate) masks: Masks,
    pub(crate) timeout: Duration,
    pub(crate) requests_per_second: u32,
    pub(crate) poll: Duration,
    /// The most bytes of any answer that are read.
    pub(crate) most_bytes: usize,
}

impl Link {
    /// Over HTTP, or into the router of a test. `Err` says what of the settings cannot be used.
    pub(crate) fn new(settings: &ClientSettings, router: Option<axum::Router>) -> Result<Self, String> {
        let base = base(&settings.url)?;
        let transport = match router {
            Some(router) => ApiTransport::InProcess(router),
            None => transport(&base, settings)?,
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", settings.token.expose_secret()))
            .map_err(|_| "the provider's token holds characters that cannot be sent".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Self {
            transport,
            base,
            authorization,
            masks: Masks::new(&settings.token),
            timeout: settings.timeout,
            requests_per_second: settings.requests_per_second,
            poll: settings.poll,
            most_bytes: LIST_BYTES,
        })
    }

    /// Whether the address is of this origin, below the base: only there may the token go.
    pub(crate) fn leads_to(&self, url: &Url) -> bool {
        url.origin() == self.base.origin() && url.path().starts_with(self.base.path())
    }
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

fn transport(base: &Url, settings: &ClientSettings) -> Result<ApiTransport, String> {
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
    ApiTransport::http(base, settings.timeout, pem.as_deref()).map_err(|error| {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        match &settings.ca_file {
            Some(path) => format!("provider.ca_file {} cannot be used: {source}", path.display()),
            None => format!("no connection can be set up: {source}; are the system's CA certificates installed?"),
        }
    })
}
